"""Archives: damage is noticed, costs only its own images, and can be salvaged."""

import io
import lzma
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from archive_checks import (
    ANY_SIZE,
    CODEC,
    IMAGES,
    NAMES,
    Counted,
    assert_same,
    image_chunks,
    mixed,
    opened,
    written,
)
from archive_forging import CHUNK_HEAD, forged, sign_chunk
from numpy.testing import assert_array_equal

from sklearn_dae._bytes import leb128
from sklearn_dae.archive import open_archive
from sklearn_dae.archive._container import CHUNK_MARK, pack_chunk
from sklearn_dae.archive._contents import Accounted, Files, Images, Kept
from sklearn_dae.archive._file import SourceFile
from sklearn_dae.archive._index import find_chunks
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec


def bounds_of(data):
    """Return where each chunk begins, and where the last one ends."""
    places = open_archive(io.BytesIO(data)).places
    return [place.begin for place in places] + [places[-1].end]


def check_salvaged(archive, lost, images=IMAGES):
    """Assert that all images but some come back, each of them once."""
    seen = []
    for piece in archive.salvage():
        seen += piece.numbers.tolist()
        if piece.images is None:
            assert isinstance(piece.error, BitstreamError)
            assert set(piece.numbers) <= set(lost)
        else:
            assert piece.error is None
            assert_same(piece.images, [images[i] for i in piece.numbers])
            assert not set(piece.numbers) & set(lost)
    assert sorted(seen) == list(range(len(archive)))


@pytest.mark.parametrize("at", [0, 4, 5, 9, 20, 28, 29, 34, 40, -1])
def test_a_damaged_chunk_costs_only_its_own_images(at):
    data = bytearray(written(names=NAMES))
    bounds = bounds_of(data)
    data[bounds[3] + at if at >= 0 else bounds[4] + at] ^= 16
    archive = open_archive(io.BytesIO(data))
    report = archive.verify()
    assert not report.ok
    assert report.n_lost == 7
    (damage,) = report.damages
    assert damage.chunk == 3
    assert damage.images.tolist() == report.lost.tolist() == list(range(21, 28))
    assert "Chunk 3 (7 images, 21 to 27; bytes" in str(report)
    assert damage.error.__traceback__ is None, "a report keeps chunks in memory"
    assert not archive.verify(decode=False).ok
    assert_array_equal(archive[:21], IMAGES[:21])
    assert_array_equal(archive[28:], IMAGES[28:])
    assert [*archive.names] == NAMES
    for key in (21, slice(0, 100), [0, 27], NAMES[21]):
        with pytest.raises(BitstreamError, match="Chunk 3"):
            archive[key]
    check_salvaged(archive, lost=range(21, 28))


@pytest.mark.parametrize(
    "data",
    [
        written(IMAGES[:10], names=NAMES[:10], chunk_size=4),
        (Path(__file__).parent / "golden" / "archive-files.dae").read_bytes(),
    ],
)
def test_damage_to_any_byte_is_noticed(data):
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 1 << place % 8
        try:
            archive = open_archive(io.BytesIO(damaged))
        except BitstreamError:
            continue
        report = archive.verify(decode=False)
        assert not report.ok, place
        assert report.n_lost <= 4


def test_a_damaged_chunk_of_many_kinds_costs_only_its_own_images():
    images = mixed()
    data = bytearray(written(images, ANY_SIZE, chunk_size=5))
    place = image_chunks(open_archive(io.BytesIO(data)))[1]
    data[place.end - 1] ^= 1
    archive = open_archive(io.BytesIO(data))
    lost = archive.verify().lost.tolist()
    assert len(lost) == 5
    # They do not follow each other.
    assert lost[-1] - lost[0] > 4
    check_salvaged(archive, lost, images)
    rest = np.setdiff1d(np.arange(40), lost)
    assert_same(archive[rest], [images[i] for i in rest])
    for key in (lost[2], slice(None), lost):
        with pytest.raises(BitstreamError, match=r"^Chunk 1 \(.*: the checksum of its"):
            archive[key]


def test_damaged_names_cost_no_image():
    data = bytearray(written(names=NAMES))
    data[bounds_of(data)[-1] - 1] ^= 1
    archive = open_archive(io.BytesIO(data))
    assert_array_equal(archive[:], IMAGES)
    assert len(archive.names) == 100
    with pytest.raises(BitstreamError, match=r"Chunk 15 \(names of files 0 to 99"):
        archive.names[5]
    with pytest.raises(KeyError):
        archive[NAMES[5]]
    report = archive.verify()
    assert [damage.chunk for damage in report.damages] == [15]
    assert report.n_lost == 0
    assert not report.ok
    check_salvaged(archive, lost=[])


def test_what_is_cut_off_is_noticed_at_once_and_the_rest_is_saved():
    data = written()
    bounds = bounds_of(data)
    for size in range(bounds[0], len(data), 13):
        file = io.BytesIO(data[:size])
        with pytest.raises(BitstreamError, match="salvage=True"):
            open_archive(file)
        archive = open_archive(file, salvage=True)
        n_whole = sum(end <= size for end in bounds[1:])
        assert min(100, 7 * n_whole) <= len(archive) <= min(100, 7 * n_whole + 7)
        check_salvaged(archive, lost=range(min(100, 7 * n_whole), 100))
        assert "cut off" in str(archive.verify())


def test_names_are_salvaged_without_an_index():
    data = written(names=NAMES)[:-1]
    archive = open_archive(io.BytesIO(data), salvage=True)
    assert [*archive.names] == NAMES
    assert_array_equal(archive[NAMES[42]], IMAGES[42])
    check_salvaged(archive, lost=[])
    report = archive.verify()
    assert not report.damages
    assert not report.ok


@pytest.mark.parametrize("change", ["lost", "added"])
@pytest.mark.parametrize("at", [0, 10, 40])
def test_bytes_lost_or_added_cost_one_chunk(change, at):
    data = written(names=NAMES)
    place = bounds_of(data)[5] + at
    if change == "lost":
        data = data[:place] + data[place + 3 :]
    else:
        data = data[:place] + b"abc" + data[place:]
    with pytest.raises(BitstreamError, match="lost or added"):
        open_archive(io.BytesIO(data))
    archive = open_archive(io.BytesIO(data), salvage=True)
    # Bytes added before a chunk leave it whole.
    whole = change == "added" and at == 0
    check_salvaged(archive, lost=range(0) if whole else range(35, 42))


def test_chunks_that_are_not_there_are_told_together():
    data = written(names=NAMES)
    bounds = bounds_of(data)
    data = data[: bounds[2]] + data[bounds[6] : -5]
    archive = open_archive(io.BytesIO(data), salvage=True)
    check_salvaged(archive, lost=range(14, 42))
    (damage,) = archive.verify().damages
    assert damage.chunk is None
    assert damage.images.tolist() == list(range(14, 42))
    assert "Images 14 to 41: no chunk has them" in str(damage.error)
    assert_array_equal(archive[42:], IMAGES[42:])
    assert archive.names[20] == NAMES[20]
    for key in (slice(None), 20, [0, 20]):
        with pytest.raises(BitstreamError):
            archive[key]


def test_chunks_in_another_place_are_noticed():
    data = written(IMAGES[np.zeros(21, int)])
    first, second, third, end = bounds_of(data)
    swapped = data[:first] + data[second:third] + data[first:second] + data[third:]
    assert third - second == second - first
    assert end > third
    archive = open_archive(io.BytesIO(swapped))
    with pytest.raises(BitstreamError, match="there is chunk 1 in its place"):
        archive[0]
    assert [damage.chunk for damage in archive.verify().damages] == [0, 1]


def test_marks_within_images_are_not_mistaken_for_chunks():
    def about(i):
        return Images(ImageSpec(3, 4), ((7 * i, 7 * i + 7),)).to_bytes()

    inner = pack_chunk(0, 1, about(9), b"not this one") + CHUNK_MARK * 9
    chunks = [pack_chunk(0, i, about(i), inner + bytes(i)) for i in range(3)]
    index = find_chunks(SourceFile(io.BytesIO(b"".join(chunks))), 0)
    sizes = np.cumsum([0, *map(len, chunks)]).tolist()
    assert [place.number for place in index.places] == [0, 1, 2]
    assert [place.begin for place in index.places] == sizes[:-1]
    assert [place.end for place in index.places] == sizes[1:]
    assert [place.contents.runs for place in index.places] == [
        ((7 * i, 7 * i + 7),) for i in range(3)
    ]
    assert index.end == sizes[-1]


def test_chunks_that_claim_each_other_are_not_read_twice():
    chunks = []
    for number in range(2000):
        about = Images(ImageSpec(3, 4), ((7 * number, 7 * number + 7),)).to_bytes()
        chunk = bytearray(pack_chunk(0, number, about, b""))
        # Bytes of the contents.
        chunk[17:21] = (50_000).to_bytes(4, "little")
        sign_chunk(chunk, 0)
        chunks.append(chunk)
    data = written()
    file = Counted(data[: bounds_of(data)[0]] + b"".join(chunks))
    archive = open_archive(file, salvage=True)
    file.n_read = 0
    assert archive.verify().n_lost == 14_000
    assert file.n_read < 2 * len(file.getvalue())


# False claims, under checksums that are right

GREY = ImageSpec(3, 4)


@pytest.mark.parametrize(
    ("contents", "data", "message"),
    [
        # Descriptions that cannot be.
        (Images(GREY, ()), b"", "0 images"),
        (Images(GREY, ((0, 2**17),)), b"", "131072 images"),
        (Images(ImageSpec(2**10, 2**10), ((0, 2),)), b"", "2 images of 1024"),
        (Images(ImageSpec(2**20, 2**20), ((0, 1),)), b"", "an image of 1048576"),
        (Images(GREY, ((2**62, 2**62 + 1),)), b"", "it holds images"),
        (Kept(0, 0, 9, 0, ((GREY, 2**40),)), bytes(9), "claims 1099511627776 images"),
        (Kept(0, 0, 9, 2**62, ((GREY, 1),)), bytes(9), "a part of file 0"),
        (Files(0, 2**62, 0, 0, 9), bytes(9), "files from 0 on"),
    ],
)
def test_false_descriptions_are_refused(contents, data, message):
    archive = forged([(contents, data)], CODEC)
    with pytest.raises(BitstreamError, match=message):
        open_archive(io.BytesIO(archive))
    assert len(open_archive(io.BytesIO(archive[:-1]), salvage=True)) == 0


def bomb(size):
    """Pack zeros by LZMA: little that becomes much."""
    lzma2 = {"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": 2**25}
    packed = lzma.compress(bytes(size), lzma.FORMAT_RAW, filters=[lzma2])
    return leb128(len(packed)) + packed


@pytest.mark.parametrize(
    ("contents", "data", "message"),
    [
        (Files(0, 10**7, 0, 0, 3 * 10**7), bomb(3 * 10**7), "claims 10000000 files"),
        (Files(0, 9, 0, 0, 2**26), bomb(2**26), "in 67108864 bytes"),
        (Files(0, 9, 0, 0, 2**20), bomb(2**21), "does not have 1048576 bytes"),
        (Files(0, 9, 0, 2**60, 27), bomb(27), "do not hold"),
        (Files(0, 9, 0, 0, 27), bomb(27)[:-1], "expected"),
        (Accounted(2**40), bomb(99), "claims 1099511627776 bytes"),
        (Accounted(99), bomb(99), "cannot be read"),
        (Accounted(2), b"\x02[]", "not an account"),
    ],
)
def test_what_unpacks_to_more_than_it_may_is_refused(contents, data, message):
    # An index that claims images which no chunk has is refused.
    archive = open_archive(io.BytesIO(forged([(contents, data)], CODEC)), salvage=True)
    tracemalloc.start()
    report = archive.verify()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert message in str(report)
    assert peak < 40e6
    with pytest.raises(BitstreamError, match=message):
        archive.account() if isinstance(contents, Accounted) else list(archive.files())


def test_a_name_is_looked_for_among_files_and_not_among_false_numbers():
    entries = b"\x00" + leb128(2**60) + b"\x01a"
    contents = Files(0, 1, 0, 2**60, len(entries))
    data = forged([(contents, leb128(len(entries)) + entries)], CODEC)
    with pytest.raises(BitstreamError, match="its index is false: Images 0 to"):
        open_archive(io.BytesIO(data))
    archive = open_archive(io.BytesIO(data), salvage=True)
    assert not archive.numbers().size
    assert len(archive) == len(archive.names) == 2**60
    assert archive.names[12] == "a[12]"
    assert archive.names.find("a[12]") == 12
    with pytest.raises(KeyError):
        archive["b"]
    with pytest.raises(BitstreamError, match="no chunk has them"):
        archive["a[12]"]
    report = archive.verify()
    assert report.n_lost == 2**20
    assert f"Images 0 to {2**60 - 1}: no chunk has them" in str(report)
    assert [piece.images for piece in archive.salvage()] == [None]
    for key in (slice(None), 2**59, [3]):
        with pytest.raises(BitstreamError):
            archive[key]


def test_images_that_several_chunks_claim_are_read_or_refused():
    overlapping = [
        (Images(GREY, ((0, 7),)), CODEC.encode_chunk(IMAGES[:7].reshape(7, 12)).data),
        (Images(GREY, ((3, 5),)), CODEC.encode_chunk(IMAGES[:2].reshape(2, 12)).data),
    ]
    archive = open_archive(io.BytesIO(forged(overlapping, CODEC)))
    assert len(archive) == 7
    assert_array_equal(archive[:3], IMAGES[:3])
    str(archive.verify())
    assert sum(len(piece.numbers) for piece in archive.salvage()) == 9


def test_room_for_images_is_made_when_one_of_them_was_decoded():
    spec = ImageSpec(2**15, 2**15, 1, np.dtype(np.float64))
    chunks = [(Images(spec, ((0, 1),)), b"abc")]
    for codec in (CODEC, ANY_SIZE):
        archive = open_archive(io.BytesIO(forged(chunks, codec)))
        with pytest.raises(BitstreamError, match="Chunk 0"):
            archive[:]


def test_the_size_of_a_head_is_known_here():
    data = written()
    first = open_archive(io.BytesIO(data)).places[0]
    about = first.contents.to_bytes()
    assert data[first.begin + CHUNK_HEAD :].startswith(about)
    assert opened().verify().ok
