"""Archives: files that are kept in fewer bytes, by LZMA or as JPEG XL."""

import io
import lzma
import sys
import tracemalloc
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
from archive_checks import CODEC, IMAGES, assert_same, files_of, made
from archive_forging import forged
from PIL import Image

from sklearn_dae.archive import _packing as packing
from sklearn_dae.archive import append_to_archive, open_archive, write_archive
from sklearn_dae.archive._contents import Kept
from sklearn_dae.archive._packing import JPEG_XL, LZMA, Packing, pack_file
from sklearn_dae.codecs import GeneralCodec
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec, read_images

imagecodecs = pytest.importorskip("imagecodecs")

Y, X = np.mgrid[:60, :80]
PHOTO = np.stack([3 * Y, 2 * X, X + Y], axis=2).astype(np.uint8)
PHOTO += np.random.default_rng(0).integers(0, 70, PHOTO.shape, dtype=np.uint8)


def jpeg_bytes(pixels=PHOTO, mode=None, **options):
    file = io.BytesIO()
    Image.fromarray(pixels, mode).save(file, "JPEG", **{"quality": 98} | options)
    return file.getvalue()


def turned():
    """Say, as EXIF does, that an image is turned, and what it is."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a scan"
    return exif


#: JPEG files of many kinds, and how each is kept.
JPEGS = {
    "plain.jpg": (jpeg_bytes(), JPEG_XL),
    "progressive.jpg": (jpeg_bytes(progressive=True), JPEG_XL),
    "grey.jpg": (jpeg_bytes(PHOTO[:, :, 0]), JPEG_XL),
    "exif.jpg": (jpeg_bytes(exif=turned()), JPEG_XL),
    "fine.jpg": (jpeg_bytes(quality=100, subsampling=0), JPEG_XL),
    "restarts.jpg": (jpeg_bytes(restart_marker_rows=1), JPEG_XL),
    "more.jpg": (jpeg_bytes() + b"what follows the end", JPEG_XL),
    # JPEG XL refuses this one, and makes the other one longer.
    "cmyk.jpg": (jpeg_bytes(PHOTO[:, :, [0, 1, 2, 2]], "CMYK"), LZMA),
    "tiny.jpg": (jpeg_bytes(PHOTO[:1, :1]), LZMA),
}

CONTENTS = {name: data for name, (data, _) in JPEGS.items()}

PLAIN = CONTENTS["plain.jpg"]


@pytest.fixture
def kept(tmp_path):
    """Keep files in an archive; return the images and the archive."""
    with ExitStack() as opened:

        def keep(contents, **options):
            images, file = read_images(made(tmp_path, contents)), io.BytesIO()
            options = {"files": True, "others": images.others} | options
            write_archive(file, images, None, **options)
            return images, opened.enter_context(open_archive(file))

        yield keep


def ways(archive):
    """Return how each file is packed, None if it is not."""
    found = {}
    for file in archive.files():
        (place,) = [
            place
            for place in archive.places
            if isinstance(place.contents, Kept) and place.contents.file == file.number
        ]
        of_file = place.contents.packing
        found[file.name] = None if of_file is None else of_file.way
    return found


def test_jpeg_files_take_fewer_bytes_and_come_back(kept):
    images, archive = kept(CONTENTS)
    assert files_of(archive) == CONTENTS
    assert ways(archive) == {name: way for name, (_, way) in JPEGS.items()}
    assert_same(list(archive), list(images))
    assert_same([archive["fine.jpg"]], [images[[*images.names].index("fine.jpg")]])
    assert archive.verify(files=True).ok
    assert archive.packages == ("imagecodecs",)
    assert archive.info().parts.kept < 0.9 * images.account.n_bytes


@pytest.mark.parametrize("n_bytes", [2, 50, len(PLAIN) - 20])
def test_a_jpeg_file_that_is_cut_off_comes_back(kept, n_bytes):
    contents = {"whole.jpg": PLAIN, "cut.jpg": PLAIN[:-n_bytes]}
    _, archive = kept(contents)
    assert files_of(archive) == contents
    assert ways(archive)["cut.jpg"] != JPEG_XL
    assert archive.verify(files=True).ok


def test_other_files_are_packed_where_that_makes_them_smaller(kept, rng):
    text = b"the same words, again and again; " * 50
    contents = {"a.txt": text, "b.bin": rng.bytes(500), "c": b"", "d": b"short"}
    archive = kept(contents | {"e.jpg": PLAIN})[1]
    assert files_of(archive) == contents | {"e.jpg": PLAIN}
    expected = {"a.txt": LZMA, "b.bin": None, "c": None, "d": None, "e.jpg": JPEG_XL}
    assert ways(archive) == expected
    assert archive.verify(files=True).ok


def test_what_is_large_is_not_packed(kept, monkeypatch):
    text = b"the same words, again and again; " * 50
    monkeypatch.setattr(packing, "_MOST_BYTES_OF_LZMA", len(text) - 1)
    monkeypatch.setattr(packing, "MOST_PIXELS", 60 * 80 - 1)
    _, archive = kept({"a.txt": text, "b.jpg": PLAIN + bytes(1700)})
    assert ways(archive) == {"a.txt": None, "b.jpg": None}


def test_without_imagecodecs_jpeg_files_are_kept_as_they_are(kept, monkeypatch):
    contents = {"fine.jpg": CONTENTS["fine.jpg"]}
    before = kept(contents, jpeg_xl=False)[1]
    assert JPEG_XL not in ways(before).values()
    assert before.packages == ()
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    archive = kept(contents)[1]
    assert files_of(archive) == contents
    assert ways(archive) == ways(before)


def test_without_imagecodecs_all_else_can_be_read(kept, monkeypatch):
    contents = {"a.jpg": PLAIN, "b.jpg": CONTENTS["tiny.jpg"], "c.txt": bytes(99)}
    images, archive = kept(contents)
    expected = list(images)
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    message = r"'a\.jpg' is kept as JPEG XL\. .*pip install 'sklearn-dae\[full\]'"
    first, *others = archive.files()
    for read in (
        lambda: list(archive.read_file(first)),
        lambda: archive[0],
        lambda: archive.verify(),
        lambda: archive.verify(decode=False, files=True),
    ):
        with pytest.raises(ImportError, match=message):
            read()
    assert archive.verify(decode=False).ok
    assert_same([archive["b.jpg"]], expected[1:])
    for file in others:
        assert b"".join(archive.read_file(file)) == contents[file.name]
    lost, saved = archive.salvage()
    assert "pip install" in str(lost.error)
    assert_same(saved.images, expected[1:])


def test_an_archive_that_is_added_to_needs_no_more_packages(tmp_path):
    images = read_images(made(tmp_path / "a", {"a.jpg": PLAIN}))
    path = tmp_path / "a.dae"
    for jpeg_xl, expected in ((True, ("imagecodecs",)), (False, ())):
        write_archive(path, images, None, files=True, jpeg_xl=jpeg_xl, overwrite=True)
        append_to_archive(path, images, files=True)
        with open_archive(path) as archive:
            assert archive.packages == expected
            assert len(set(ways(archive).values())) == 1
            assert archive.verify(files=True).ok


def test_all_files_can_be_kept_as_they_are(kept):
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, "PNG")
    contents = {"a.jpg": PLAIN, "b.png": file.getvalue()}
    images, archive = kept(contents, files="as they are")
    assert files_of(archive) == contents
    assert_same(list(archive), list(images))
    assert not archive.needs_codec
    with pytest.raises(ValueError, match="files == 'some', must be one of"):
        kept(contents, files="some")


# Damage, and false claims under checksums that are right


SPEC = ImageSpec(60, 80, 3)
_, STREAM = pack_file(PLAIN, SPEC.n_pixels, jpeg_xl=True)
CHECKSUM = packing.checksum(PLAIN)
CLAIM = Kept(0, 0, len(PLAIN), 0, ((SPEC, 1),), Packing(JPEG_XL, CHECKSUM))


def claimed_to_have(height, width):
    """Return a JPEG XL file that claims so many pixels."""
    bits, at = 0, 1
    for side in (height, None, width):
        # Selects 30 bits for a side; no ratio is between them.
        number, n = (0, 3) if side is None else (3 | (side - 1) << 2, 32)
        bits, at = bits | number << at, at + n
    content = b"\xff\x0a" + bits.to_bytes(12, "little")
    box = (8 + len(content)).to_bytes(4, "big") + b"jxlc" + content
    return STREAM[:32] + box


@pytest.mark.parametrize(
    ("claim", "data", "message"),
    [
        (CLAIM, STREAM[:-1], "Byte|damaged"),
        (CLAIM, STREAM[:40], "Byte"),
        (CLAIM, b"", "Byte"),
        (CLAIM, bytes(50), "holds no image"),
        (CLAIM, STREAM[:32], "holds no image"),
        (CLAIM, STREAM[:36] + b"junk" + STREAM[40:], "damaged"),
        (CLAIM, claimed_to_have(2**30, 2**30), f"claims {2**60} pixels, not 4800"),
        (CLAIM, claimed_to_have(60, 80), "damaged"),
        (replace(CLAIM, size=len(PLAIN) - 1), STREAM, "damaged"),
        (replace(CLAIM, size=len(PLAIN) + 1), STREAM, "does not have"),
        (replace(CLAIM, specs=((ImageSpec(8, 8), 1),)), STREAM, "claims 4800 pixels"),
        (replace(CLAIM, packing=Packing(JPEG_XL, bytes(4))), STREAM, "another file"),
        (replace(CLAIM, packing=Packing(LZMA, CHECKSUM)), STREAM, "LZMA stream"),
        (
            replace(CLAIM, size=99, packing=Packing(LZMA, bytes(4))),
            lzma.compress(
                bytes(2**25), lzma.FORMAT_RAW, filters=packing._filters(2**25)
            ),
            "LZMA stream",
        ),
    ],
)
def test_a_false_stream_is_refused(claim, data, message):
    message = f"file 0.* cannot be read: .*({message})"
    with open_archive(io.BytesIO(forged([(claim, data)], CODEC))) as archive:
        tracemalloc.start()
        report = archive.verify()
        assert tracemalloc.get_traced_memory()[1] < 40e6
        tracemalloc.stop()
        assert report.lost.tolist() == [0]
        with pytest.raises(BitstreamError, match=message):
            archive[0]


@pytest.mark.parametrize(
    "claim",
    [
        replace(CLAIM, packing=Packing(3, CHECKSUM)),
        replace(CLAIM, packing=Packing(0, CHECKSUM)),
        replace(CLAIM, begin=1),
        replace(CLAIM, size=2**25 + 1),
    ],
)
def test_a_packing_that_cannot_be_is_refused(claim):
    with pytest.raises(BitstreamError, match="packed in an unknown way"):
        open_archive(io.BytesIO(forged([(claim, STREAM)], CODEC)))


def test_a_false_stream_never_makes_another_file(rng):
    n_refused = 0
    for _ in range(2000):
        data = bytearray(STREAM)
        for place in rng.integers(len(data), size=rng.integers(1, 4)):
            data[place] = rng.integers(256)
        archive = open_archive(io.BytesIO(forged([(CLAIM, bytes(data))], CODEC)))
        try:
            assert b"".join(archive._store.file_pieces(0)) == PLAIN
        except BitstreamError:
            n_refused += 1
    assert 1000 < n_refused < 2000


def test_a_damaged_packed_file_costs_its_images_only(kept):
    images, archive = kept(CONTENTS)
    data = archive._store.file._file.getvalue()
    number = [*images.names].index("fine.jpg")
    (place,) = [
        p
        for p in archive.places
        if p.contents.kind == 2 and p.contents.first_image == number
    ]
    damaged = bytearray(data)
    damaged[place.end - 9] ^= 1
    with open_archive(io.BytesIO(damaged)) as archive:
        report = archive.verify(files=True)
        assert report.lost.tolist() == [number]
        assert "'fine.jpg'" in str(report)
        rest = np.delete(np.arange(len(images)), number)
        assert_same(archive[rest], [images[int(i)] for i in rest])
    # Without index and names, too.
    with open_archive(io.BytesIO(data[: archive.places[-2].begin]), salvage=True) as a:
        assert_same(list(a), list(images))


def test_more_images_than_packed_bytes_can_tell_of_are_kept_unpacked(tmp_path):
    # Rows by columns, all the same: few bytes, packed, for many images.
    rows = np.asfortranarray(np.zeros((2**17, 4), np.uint8))
    file = io.BytesIO()
    np.save(file, rows)
    images = read_images(made(tmp_path, {"a.npy": file.getvalue()}))
    archive_file = io.BytesIO()
    write_archive(archive_file, images, None, files=True)
    with open_archive(archive_file) as archive:
        assert ways(archive) == {"a.npy": None}
        assert len(archive) == 2**17


@pytest.mark.parametrize(
    "shape",
    [(1, 1), (8, 8), (256, 256), (24, 16), (60, 80), (90, 160), (50, 100), (77, 3)],
)
def test_what_a_jpeg_xl_file_claims_is_read(shape):
    for height, width in (shape, shape[::-1], (13 * shape[0], 11 * shape[1])):
        pixels = np.zeros((height, width), np.uint8)
        data = imagecodecs.jpegxl_encode(pixels, usecontainer=True)
        assert packing._n_pixels_of(bytes(data)) == height * width


def test_images_that_files_do_not_hold_are_coded_as_before():
    file = io.BytesIO()
    write_archive(file, IMAGES, GeneralCodec().fit(IMAGES), jpeg_xl=True)
    assert open_archive(file).packages == ()
