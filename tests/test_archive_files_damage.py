"""Archives: damaged files, and files that come back otherwise than they were."""

import io

import numpy as np
import pytest
from archive_checks import (
    CODEC,
    IMAGES,
    NAMES,
    all_of,
    assert_same,
    files_of,
    made,
    small_folder,
    written,
)
from archive_forging import forged
from numpy.testing import assert_array_equal

from sklearn_dae.archive import _chunk_writer as writer
from sklearn_dae.archive import open_archive
from sklearn_dae.archive._contents import Files, Images
from sklearn_dae.archive._files import (
    DIGEST_SIZE,
    KEPT,
    SAME_BYTES,
    Entry,
    pack_entries,
)
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec
from sklearn_dae.images._raw import Layout, Raw


def test_a_damaged_piece_costs_its_file_and_the_images_in_it(
    tmp_path, rng, monkeypatch
):
    monkeypatch.setattr(writer, "_PIECE_SIZE", 100)
    # None is packed, which takes one piece.
    monkeypatch.setattr(writer, "MOST_BYTES", -1)
    contents = small_folder(rng)
    images, archive = all_of(made(tmp_path, contents))
    data = archive._store.file._file.getvalue()
    pieces = [p for p in archive.places if p.contents.kind == 2]
    of_jpeg = [p for p in pieces if p.contents.file == pieces[2].contents.file]
    assert len(of_jpeg) > 2
    archive.close()
    number = [*images.names].index("c.jpg")
    for place in of_jpeg[0], of_jpeg[-1]:
        damaged = bytearray(data)
        damaged[place.end - 1] ^= 1
        with open_archive(io.BytesIO(damaged)) as archive:
            for decode in (True, False):
                report = archive.verify(decode=decode)
                assert report.lost.tolist() == [number]
                assert not report.ok
            with pytest.raises(BitstreamError, match=f"Chunk {place.number}"):
                archive[number]
            rest = np.delete(np.arange(len(images)), number)
            assert_same(archive[rest], [images[int(i)] for i in rest])
            files = {file.name: file for file in archive.files()}
            with pytest.raises(BitstreamError, match=f"Chunk {place.number}"):
                list(archive.read_file(files["c.jpg"]))
            assert b"".join(archive.read_file(files["c.gif"])) == contents["c.gif"]
            salvaged = [p for p in archive.salvage() if p.error is not None]
            assert [p.numbers.tolist() for p in salvaged] == [[number]]
    # A piece that is not there.
    rest = data[: of_jpeg[1].begin] + data[of_jpeg[1].end : -1]
    with open_archive(io.BytesIO(rest), salvage=True) as archive:
        files = {file.name: file for file in archive.files()}
        with pytest.raises(BitstreamError, match="kept in pieces, and one is missing"):
            list(archive.read_file(files["c.jpg"]))
        assert archive.verify().lost.tolist() == [number]


def test_an_archive_in_an_archive_is_not_taken_for_its_own(tmp_path, monkeypatch):
    inner = written(IMAGES[50:], chunk_size=5, names=NAMES[50:])
    made(tmp_path, {"inner.dae": inner, "notes": b"abc"})
    others = [(name, tmp_path / name) for name in ("inner.dae", "notes")]
    for piece_size in (2**23, 1000):
        monkeypatch.setattr(writer, "_PIECE_SIZE", piece_size)
        data = written(IMAGES[:10], chunk_size=5, others=others)
        places = open_archive(io.BytesIO(data)).places
        n_last = len(places) - 2
        first, last = places[2], places[n_last - 1]
        # Cut off anywhere in it, or damaged in it, or after it.
        damaged = [data[:size] for size in range(first.begin, len(data), 97)]
        middle = (first.begin + first.end) // 2
        damaged.append(data[:middle] + data[middle + 9 :])
        damaged.append(data[: last.end] + b"?" + data[last.end + 1 : -1])
        damaged.append(data[:-1])
        for part in damaged:
            archive = open_archive(io.BytesIO(part), salvage=True)
            assert len(archive) == 10
            assert_array_equal(archive[:], IMAGES[:10])
        assert len(archive.places) == len(places)
        assert files_of(archive) == {"inner.dae": inner, "notes": b"abc"}
        # What comes after it is found, although bytes of it were lost.
        archive = open_archive(io.BytesIO(damaged[-3]), salvage=True)
        files = {file.name: file for file in archive.files()}
        assert b"".join(archive.read_file(files["notes"])) == b"abc"
        with pytest.raises(BitstreamError):
            list(archive.read_file(files["inner.dae"]))


def test_a_damaged_image_costs_the_files_that_need_it(tmp_path, rng):
    contents = small_folder(rng)
    images, archive = all_of(made(tmp_path, contents), chunk_size=2)
    data = bytearray(archive._store.file._file.getvalue())
    number = [*images.names].index("b/stack.npy[1]")
    place = archive.places[archive._store.run(number).chunk]
    archive.close()
    data[place.end - 1] ^= 1
    with open_archive(io.BytesIO(data)) as archive:
        lost = set(archive.verify(files=True).lost.tolist())
        for file in archive.files():
            if lost & set(file.images):
                with pytest.raises(BitstreamError, match="cannot be made again"):
                    list(archive.read_file(file))
            elif file.is_exact:
                assert b"".join(archive.read_file(file)) == contents[file.name]


def archive_of_an_entry(entry, images=IMAGES[:1]):
    """Write an archive of images and of one file that they make."""
    size, data = pack_entries([entry])
    n_images = len(images)
    coded = CODEC.encode_chunk(images.reshape(n_images, 12)).data
    chunks = [
        (Files(0, 1, 0, n_images, size), data),
        (Images(ImageSpec(3, 4), ((0, n_images),)), coded),
    ]
    return open_archive(io.BytesIO(forged(chunks, CODEC)))


def test_a_file_that_comes_back_otherwise_is_named():
    wrapper = Raw(Layout("|u1"), b"before", b"after").to_bytes()
    whole = b"before" + IMAGES[0].tobytes() + b"after"
    digest = DIGEST_SIZE * b"?"
    archive = archive_of_an_entry(Entry("a.raw", 1, SAME_BYTES, wrapper, digest))
    assert files_of(archive) == {"a.raw": whole}
    assert archive.verify().ok
    report = archive.verify(files=True)
    assert not report.ok
    assert report.files_apart == ["a.raw"]
    assert "'a.raw' comes back otherwise" in str(report)
    # Such as when the codec does not give the same pixels.
    assert not report.damages


def test_a_file_that_does_not_come_back_is_named():
    wrapper = Raw(Layout("|u1"), gaps=((5, b"x"), (50, b"y"))).to_bytes()
    digest = bytes(DIGEST_SIZE)
    archive = archive_of_an_entry(Entry("a.raw", 1, SAME_BYTES, wrapper, digest))
    (file,) = archive.files()
    with pytest.raises(BitstreamError, match="cannot be made again"):
        list(archive.read_file(file))
    assert archive.verify(files=True).files_apart == ["a.raw"]
    kept = archive_of_an_entry(Entry("a.raw", 1, KEPT, b"", digest))
    assert kept.verify(files=True).files_apart == ["a.raw"]


def test_a_record_that_cannot_be_is_damage():
    digest = bytes(DIGEST_SIZE)
    archive = archive_of_an_entry(Entry("a.raw", 1, SAME_BYTES, b"?\0", digest))
    report = archive.verify()
    assert [damage.chunk for damage in report.damages] == [0]
    assert report.n_lost == 0
