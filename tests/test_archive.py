"""Archives: what comes back, from where, what is refused, what damage costs."""

import errno
import io
import json
import os
import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from archive_damage import sign_chunk, sign_header
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import PCA

from sklearn_dae.archive import _writer as writer
from sklearn_dae.archive import open_archive, write_archive
from sklearn_dae.archive._container import CHUNK_MARK, pack_chunk
from sklearn_dae.archive._file import SourceFile
from sklearn_dae.archive._index import find_chunks
from sklearn_dae.codecs import HuffmanCodec, TransformCodec
from sklearn_dae.datasets import load_digits
from sklearn_dae.exceptions import BitstreamError, OutOfDomainWarning
from sklearn_dae.images import ImageSet
from sklearn_dae.models import load_model, model_hash, model_to_bytes, save_model

GOLDEN = Path(__file__).parent / "golden"

IMAGES = np.random.default_rng(0).poisson(2, (100, 3, 4)).astype(np.uint8)

NAMES = [f"image {i:03}.png" for i in range(100)]


def huffman(images=IMAGES):
    return HuffmanCodec().fit(images.reshape(len(images), -1))


CODEC = huffman()


def written(images=IMAGES, codec=CODEC, **parameters):
    """Return the bytes of an archive."""
    file = io.BytesIO()
    parameters.setdefault("chunk_size", 7)
    write_archive(file, images, codec, **parameters)
    return file.getvalue()


def opened(*args, **parameters):
    return open_archive(io.BytesIO(written(*args, **parameters)))


class Pipe(io.RawIOBase):
    """Takes a few bytes at a time, and cannot go back."""

    def __init__(self):
        self.data = b""

    def writable(self):
        return True

    def write(self, data):
        self.data += bytes(data[:50])
        return min(len(data), 50)

    def seek(self, *args):
        raise io.UnsupportedOperation("seek")


class Counted(io.BytesIO):
    """Counts the bytes that are read."""

    n_read = 0

    def read(self, size=-1):
        data = super().read(size)
        self.n_read += len(data)
        return data


# What comes back


@pytest.mark.parametrize(
    "dtype", ["bool", "u1", "i1", "<u2", ">i2", "i4", "i8", "f2", "f4", ">f8"]
)
def test_images_come_back_in_their_shape_dtype_and_order(dtype):
    images = (IMAGES > 2 if dtype == "bool" else IMAGES).astype(dtype)
    archive = opened(images, huffman(images))
    assert archive.shape == (100, 3, 4)
    assert archive.dtype == archive[:].dtype == np.dtype(dtype).newbyteorder("=")
    assert archive.names == ()
    assert_array_equal(archive[:], images)


def test_rows_come_back_as_rows_unless_a_shape_is_given():
    rows = IMAGES.reshape(100, 12)
    assert_array_equal(opened(rows)[:], rows)
    assert_array_equal(opened(rows, shape=(3, 4))[:], IMAGES)
    assert opened(rows, shape=(2, 3, 2)).shape == (100, 2, 3, 2)


def test_images_of_another_dtype_than_the_codec_keep_theirs():
    archive = opened(IMAGES.astype(np.float32))
    assert archive.dtype == archive[0].dtype == np.float32
    assert_array_equal(archive[:], IMAGES)


@pytest.mark.parametrize("n", [0, 1, 7, 8])
def test_few_images(n):
    archive = opened(IMAGES[:n], names=NAMES[:n])
    assert len(archive) == n
    assert archive.shape == archive[:].shape == (n, 3, 4)
    assert_array_equal(archive[:], IMAGES[:n])
    assert [*archive.names] == NAMES[:n]
    assert len(list(archive)) == n
    assert archive.verify().ok
    assert sum(p.stop - p.start for p in archive.salvage()) == n


def test_no_image_of_an_empty_generator():
    archive = opened(iter(()))
    assert archive.shape == (0, 12)
    assert archive.dtype == np.uint8


def memmapped(folder):
    np.save(folder / "images.npy", IMAGES)
    return np.load(folder / "images.npy", mmap_mode="r")


@pytest.mark.parametrize(
    "source",
    [
        lambda folder: IMAGES,
        memmapped,
        lambda folder: list(IMAGES),
        lambda folder: (image for image in IMAGES),
        lambda folder: (IMAGES[i : i + 9] for i in range(0, 100, 9)),
        lambda folder: [IMAGES[:0], IMAGES[:1], IMAGES[1:80], IMAGES[80], IMAGES[81:]],
        lambda folder: np.asfortranarray(IMAGES),
        lambda folder: ImageSet.from_array(IMAGES, "test"),
    ],
)
def test_images_are_taken_from_anywhere(source, tmp_path):
    assert written(source(tmp_path)) == written()


def test_an_image_set_brings_its_names_and_they_can_be_replaced():
    images = ImageSet.from_array(IMAGES, "test", names=NAMES)
    assert [*opened(images).names] == NAMES
    parts = [
        ImageSet.from_array(IMAGES[i : i + 30], "part", names=NAMES[i : i + 30])
        for i in range(0, 100, 30)
    ]
    assert written(parts) == written(images)
    assert opened(images, names=map(str, range(100))).names[:2] == ["0", "1"]


@given(
    st.lists(st.text(st.characters(codec=None), max_size=9), min_size=1, max_size=30),
    st.integers(1, 9),
)
@settings(max_examples=60, deadline=None)
def test_any_names_come_back(names, chunk_size):
    names = [*names, "", "a\0b", "\udcff.png", "日本/\u202e"]
    archive = opened(IMAGES[: len(names)], names=names, chunk_size=chunk_size)
    assert [*archive.names] == names
    assert archive.names[-1] == names[-1]
    assert archive.names[1::2] == names[1::2]
    with pytest.raises(IndexError):
        archive.names[len(names)]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_partition_into_batches_and_chunks_comes_back(data):
    n = data.draw(st.integers(0, 30))
    dtype = data.draw(st.sampled_from(["u1", "i2", "f4", "f8"]))
    images = IMAGES[:n].astype(dtype)
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=4)))
    archive = opened(np.split(images, cuts), chunk_size=data.draw(st.integers(1, 40)))
    assert archive.dtype == dtype
    assert_array_equal(archive[:], images)


def test_archives_do_not_depend_on_time_or_on_the_file():
    pipe = Pipe()
    write_archive(pipe, IMAGES, CODEC, chunk_size=7)
    assert pipe.data == written() == written()


def test_what_the_summary_says(tmp_path):
    path = tmp_path / "images.dae"
    seen = []
    info = write_archive(
        path, IMAGES, CODEC, names=NAMES, chunk_size=30, progress=seen.append
    )
    assert seen == [30, 60, 90, 100]
    assert (info.n_images, info.n_chunks, info.pixel_bytes) == (100, 4, 1200)
    assert info.file_bytes == path.stat().st_size
    assert info.model_bytes == len(model_to_bytes(CODEC))
    assert info.model_hash == model_hash(model_to_bytes(CODEC))
    assert info.created_by.startswith("sklearn-dae")
    assert info.format_version == 1
    with open_archive(path) as archive:
        assert archive.info() == info
        assert archive.read_model() == model_to_bytes(CODEC)
    without = write_archive(
        tmp_path / "reference.dae", IMAGES, CODEC, names=NAMES, model="reference"
    )
    assert without.model_bytes == 0
    assert without.file_bytes == without.bytes_without_model
    assert without.file_bytes == (tmp_path / "reference.dae").stat().st_size


def test_images_unlike_the_others_are_told_of_once(tmp_path):
    odd = np.random.default_rng(0).integers(0, 256, (3, 64), dtype=np.uint8)
    digits = load_digits().data
    codec = TransformCodec(PCA(16)).fit(digits)
    images = np.concatenate([digits[:25], odd[:1], digits[:25], odd[1:]])
    with pytest.warns(OutOfDomainWarning, match="3 of 53 .* rows 25, 51, 52"):
        info = write_archive(tmp_path / "x.dae", images, codec, chunk_size=10)
    assert info.images_apart == (25, 51, 52)
    assert info.n_apart == 3
    with open_archive(tmp_path / "x.dae") as archive:
        assert_array_equal(archive[[25, 51, 52]].reshape(3, 64), odd)
        assert archive.info().n_apart is None
    info = write_archive(tmp_path / "y.dae", digits[:25], codec)
    assert info.n_apart == 0


def test_the_size_of_chunks():
    assert written(chunk_size=None) == written(chunk_size=2**19 // 12)
    codec = HuffmanCodec(chunk_size=10).fit(IMAGES.reshape(100, 12))
    assert opened(IMAGES, codec, chunk_size=None).info().n_chunks == 10
    wide = np.zeros((3, 2**19), np.uint8)
    assert opened(wide, huffman(wide), chunk_size=None).info().chunk_size == 1
    assert opened(wide, huffman(wide), chunk_size=2)[2].sum() == 0
    with pytest.raises(ValueError, match="chunk_size == 3"):
        written(wide, huffman(wide), chunk_size=3)


def test_metadata_comes_back():
    metadata = {"a": [1, 2.5, None, True], "ä": {"\ud800": "日本"}}
    assert opened(metadata=metadata).metadata == metadata
    assert opened().metadata == {}
    for bad in ({"a": (1, 2)}, {1: 2}, {"a": np.nan}, {"a": IMAGES}, [1]):
        with pytest.raises(TypeError, match="metadata"):
            written(metadata=bad)
    with pytest.raises(ValueError, match="header of"):
        written(metadata={"a": "x" * 2**20})


# Random access


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_indexing_is_that_of_an_array(data):
    archive = ACCESSED
    bound = st.none() | st.integers(-120, 120)
    step = st.none() | st.integers(-20, 20).filter(bool)
    key = data.draw(
        st.integers(-100, 99)
        | st.builds(slice, bound, bound, step)
        | st.lists(st.integers(-100, 99), max_size=10)
        | st.lists(st.booleans(), min_size=100, max_size=100).map(np.array)
    )
    expected = IMAGES[np.array(key, np.intp) if isinstance(key, list) else key]
    got = archive[key]
    assert got.dtype == expected.dtype
    assert_array_equal(got, expected)


ACCESSED = opened()


@pytest.mark.parametrize(
    "key",
    [100, -101, [0, 100], [-101], [True] * 99, [0.5], "a", [[0]], (0, 1, 2.0), None],
)
def test_indices_that_select_nothing(key):
    with pytest.raises(IndexError):
        ACCESSED[key]


def test_an_image_is_reached_by_reading_its_chunk_only():
    data = written()
    file = Counted(data)
    archive = open_archive(file)
    assert file.n_read < len(data) / 2
    _ = archive.codec
    chunks = np.diff([*archive._index.begins, archive._index.end])
    for key, numbers in [(50, [7]), (slice(20, 22), [2, 3]), ([99, 0, 99], [0, 14])]:
        file.n_read = 0
        archive[key]
        assert file.n_read == chunks[numbers].sum()


def test_a_chunk_is_decoded_once_for_images_in_a_row():
    file = Counted(written())
    archive = open_archive(file)
    archive[50]
    file.n_read = 0
    assert_array_equal([archive[i] for i in range(49, 56)], IMAGES[49:56])
    assert file.n_read == 0


def test_what_is_returned_can_be_changed():
    archive = opened()
    archive[3][:] = 99
    archive[:5][:] = 99
    for start, images in archive.chunks():
        images[:] = start
    assert_array_equal(archive[:], IMAGES)


def test_names_are_read_without_images():
    images = np.random.default_rng(0).integers(256, size=(40, 50, 50), dtype=np.uint8)
    file = Counted(written(images, huffman(images), names=NAMES[:40]))
    archive = open_archive(file)
    file.n_read = 0
    assert archive.names[33] == NAMES[33]
    assert [*archive.names] == NAMES[:40]
    assert file.n_read < 2000
    file.n_read = 0
    assert archive.names[34] == NAMES[34]
    assert archive.names[33:35] == NAMES[33:35]
    assert file.n_read < 100


def test_chunks_say_where_they_begin():
    starts, parts = zip(*opened(chunk_size=40).chunks(), strict=True)
    assert starts == (0, 40, 80)
    assert_array_equal(np.concatenate(parts), IMAGES)


def test_several_threads_read_at_once():
    archive = opened(chunk_size=3)
    wanted = np.random.default_rng(0).integers(100, size=400).tolist()
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(archive.__getitem__, wanted))
    assert_array_equal(got, IMAGES[wanted])


def test_an_archive_of_a_path_can_be_pickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.dae").write_bytes(written(model="reference"))
    with open_archive("a.dae", model_to_bytes(CODEC)) as archive:
        pickled = pickle.dumps(archive)
    monkeypatch.chdir("/")
    with pickle.loads(pickled) as again:
        assert_array_equal(again[99], IMAGES[99])
    with pytest.raises(TypeError, match="opened by its path"):
        pickle.dumps(ACCESSED)


def test_a_closed_archive_says_so(tmp_path):
    (tmp_path / "a.dae").write_bytes(written())
    with open_archive(tmp_path / "a.dae") as archive:
        archive[0]
    with pytest.raises(ValueError, match="closed"):
        archive[0]
    file = io.BytesIO(written())
    open_archive(file).close()
    assert not file.closed


# Models


def test_a_model_outside_is_given_in_three_ways(tmp_path):
    data = written(model="reference")
    save_model(CODEC, tmp_path / "a.daem")
    for model in (CODEC, tmp_path / "a.daem", model_to_bytes(CODEC)):
        archive = open_archive(io.BytesIO(data), model)
        assert_array_equal(archive[:], IMAGES)
        assert archive.verify().ok


def test_without_its_model_an_archive_tells_what_it_lacks():
    archive = open_archive(io.BytesIO(written(model="reference", names=NAMES)))
    assert archive.info().model_class == "HuffmanCodec"
    assert archive.names[3] == NAMES[3]
    with pytest.raises(ValueError, match=model_hash(model_to_bytes(CODEC))):
        archive[0]
    report = archive.verify()
    assert "SHA-256" in str(report.model_error)
    assert not report.damages
    with pytest.raises(ValueError, match="model="):
        next(archive.salvage())


def test_a_wrong_model_is_refused_with_both_hashes():
    other = huffman(IMAGES + 1)
    data = written(model="reference")
    with pytest.raises(ValueError, match=model_hash(model_to_bytes(CODEC))) as error:
        open_archive(io.BytesIO(data), other)
    assert model_hash(model_to_bytes(other)) in str(error.value)


def test_a_damaged_model_costs_nothing_where_it_is_elsewhere_too():
    data = bytearray(written())
    data[data.find(b"\x89DAEM") + 40] ^= 1
    archive = open_archive(io.BytesIO(data))
    assert archive.info().n_images == 100
    with pytest.raises(BitstreamError, match="model of the archive is damaged"):
        archive[0]
    assert "damaged" in str(archive.verify())
    again = open_archive(io.BytesIO(data), CODEC)
    assert_array_equal(again[:], IMAGES)


def test_a_model_of_other_images_is_refused():
    data = written(model="reference").replace(b'"shape":[3,4]', b'"shape":[3,5]')
    data = bytearray(data)
    sign_header(data)
    with pytest.raises(BitstreamError, match="12 numbers"):
        open_archive(io.BytesIO(data), CODEC)


# What is refused when writing


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((5, 3, 5), np.uint8), r"shape \(5, 3, 5\).*12 pixels"),
        ([IMAGES[:2], IMAGES[0].ravel()], r"Image 2 has shape \(12,\)"),
        ([IMAGES[:2], IMAGES[2:4].astype(float)], "Image 2 has .* dtype"),
        (IMAGES + 0.5, "that uint8 cannot hold"),
        (
            [ImageSet.from_array(IMAGES[:1], "a", names=["x"]), IMAGES[:1]],
            "some have none",
        ),
    ],
)
def test_images_that_do_not_fit_leave_no_file(images, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_archive(tmp_path / "a.dae", images, CODEC)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (NAMES[:99], ValueError, "names for only 99"),
        ([*NAMES, "x"], ValueError, "100 images, but more names"),
        ([*NAMES[:99], 5], TypeError, "strings, got 5"),
        ("names", TypeError, "one string"),
        (["x" * 2**23, *NAMES[1:]], ValueError, "shorter"),
    ],
)
def test_names_that_do_not_fit_leave_no_file(names, error, message, tmp_path):
    with pytest.raises(error, match=message):
        write_archive(tmp_path / "a.dae", IMAGES, CODEC, names=names)
    assert not list(tmp_path.iterdir())


def test_parameters_that_do_not_fit(tmp_path):
    path = tmp_path / "a.dae"
    for parameters in (
        {"model": "outside"},
        {"chunk_size": 0},
        {"shape": (5, 5)},
        {"shape": (-3, -4)},
        {"shape": (1,) * 9 + (12,)},
    ):
        with pytest.raises(ValueError, match=next(iter(parameters))):
            write_archive(path, IMAGES, CODEC, **parameters)
    with pytest.raises(TypeError, match="TransformCodec"):
        write_archive(path, IMAGES, PCA(3))
    with pytest.raises(TypeError, match="read_images"):
        write_archive(path, "folder", CODEC)
    with pytest.raises(TypeError, match="complex"):
        write_archive(path, IMAGES * 1j, CODEC)
    with pytest.raises(ValueError, match="not fitted"):
        write_archive(path, IMAGES, clone(CODEC))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, MemoryError])
def test_what_is_interrupted_leaves_no_file_and_the_old_one(error, tmp_path):
    def batches():
        yield IMAGES
        raise error

    (tmp_path / "old.dae").write_bytes(b"old")
    for name in ("old.dae", "new.dae"):
        with pytest.raises(error):
            write_archive(tmp_path / name, batches(), CODEC, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["old.dae"]
    assert (tmp_path / "old.dae").read_bytes() == b"old"


def test_a_file_is_replaced_only_when_asked_for(tmp_path):
    path = tmp_path / "a.dae"
    path.write_bytes(b"old")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        write_archive(path, IMAGES, CODEC)
    assert path.read_bytes() == b"old"
    write_archive(path, IMAGES, CODEC, overwrite=True)
    with open_archive(path) as archive:
        assert len(archive) == 100


def test_a_full_disk_is_an_os_error():
    class Full(io.BytesIO):
        def write(self, data):
            if self.tell() + len(data) > 1000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    with pytest.raises(OSError, match="No space"):
        write_archive(Full(), IMAGES, CODEC)
    with pytest.raises(FileNotFoundError):
        write_archive("/no/such/folder/a.dae", IMAGES, CODEC)


def test_memory_does_not_grow_with_the_number_of_images():
    codec = HuffmanCodec().fit(np.arange(512, dtype=np.uint8).reshape(2, 256))

    def peak(n_batches):
        batches = (np.full((20, 256), i % 256, np.uint8) for i in range(n_batches))
        with open(os.devnull, "wb") as file:
            tracemalloc.start()
            write_archive(file, batches, codec, chunk_size=20)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return peak

    peak(3)
    assert peak(200) < peak(20) + 100_000


# Files that are no archives


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "not a .dae archive"),
        (model_to_bytes(CODEC), "load_model"),
        (written().replace(b"\r\n", b"\n"), "transfer it as binary"),
        (written()[:5], "transfer it as binary"),
        (written()[:12], "ends after 12"),
        (written()[:100], "cut off or damaged"),
        (written()[:8] + b"\x02" + written()[9:], "upgrade sklearn-dae"),
        (written()[:8] + b"\x00" + written()[9:], "version 0"),
        (written()[:30] + b"x" + written()[31:], "header of the archive is damaged"),
    ],
)
def test_foreign_files_are_refused(data, message, tmp_path):
    (tmp_path / "a.dae").write_bytes(data)
    for salvage in (False, True):
        with pytest.raises(BitstreamError, match=message) as error:
            open_archive(tmp_path / "a.dae", salvage=salvage)
        assert str(tmp_path / "a.dae") in str(error.value)


def test_a_pipe_cannot_be_read():
    with pytest.raises(io.UnsupportedOperation, match="seekable"):
        open_archive(Pipe())


def test_missing_files_are_os_errors(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_archive(tmp_path / "a.dae")


# Damage


def chunk_bounds(data):
    archive = open_archive(io.BytesIO(data))
    return [*archive._index.begins.tolist(), archive._index.end]


@pytest.mark.parametrize("at", [0, 5, 20, 35, 36, -1])
def test_a_damaged_chunk_costs_only_its_own_images(at):
    data = bytearray(written(names=NAMES))
    bounds = chunk_bounds(data)
    data[bounds[3] + at if at >= 0 else bounds[4] + at] ^= 16
    archive = open_archive(io.BytesIO(data))
    report = archive.verify()
    assert not report.ok
    assert report.n_lost == 7
    (damage,) = report.damages
    assert damage.chunks == range(3, 4)
    assert damage.images == range(21, 28)
    assert "Chunk 3 (images 21 to 27, bytes" in str(report)
    assert damage.error.__traceback__ is None, "a report keeps chunks in memory"
    assert not archive.verify(decode=False).ok
    assert_array_equal(archive[:21], IMAGES[:21])
    assert_array_equal(archive[28:], IMAGES[28:])
    for key in (21, slice(0, 100), [0, 27]):
        with pytest.raises(BitstreamError, match="Chunk 3"):
            archive[key]
    check_salvaged(archive, lost=range(21, 28))


def check_salvaged(archive, lost):
    """Assert that all images but some come back, with their names."""
    at = 0
    for piece in archive.salvage():
        assert piece.start == at
        at = piece.stop
        if piece.images is None:
            assert isinstance(piece.error, BitstreamError)
            assert set(range(piece.start, piece.stop)) <= set(lost)
        else:
            assert_array_equal(piece.images, IMAGES[piece.start : piece.stop])
            assert piece.names == NAMES[piece.start : piece.stop]
            assert not set(range(piece.start, piece.stop)) & set(lost)
    assert at == len(archive)


def test_what_is_cut_off_is_noticed_at_once_and_the_rest_is_saved():
    data = written(names=NAMES)
    bounds = chunk_bounds(data)
    for size in range(bounds[0], len(data), 13):
        file = io.BytesIO(data[:size])
        with pytest.raises(BitstreamError, match="salvage=True"):
            open_archive(file)
        archive = open_archive(file, salvage=True)
        n_whole = sum(end <= size for end in bounds[1:])
        assert min(100, 7 * n_whole) <= len(archive) <= min(100, 7 * n_whole + 7)
        check_salvaged(archive, lost=range(min(100, 7 * n_whole), 100))
        assert "cut off" in str(archive.verify())


@pytest.mark.parametrize("change", ["lost", "added"])
@pytest.mark.parametrize("at", [0, 10, 40])
def test_bytes_lost_or_added_cost_one_chunk(change, at):
    data = written(names=NAMES)
    place = chunk_bounds(data)[5] + at
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


def test_chunks_that_are_not_there_are_one_piece():
    data = written(names=NAMES)
    bounds = chunk_bounds(data)
    data = data[: bounds[2]] + data[bounds[6] : -5]
    archive = open_archive(io.BytesIO(data), salvage=True)
    check_salvaged(archive, lost=range(14, 42))
    (damage,) = archive.verify().damages
    assert damage.chunks == range(2, 6)
    assert damage.images == range(14, 42)
    assert_array_equal(archive[42:], IMAGES[42:])
    for key in (slice(None), 20):
        with pytest.raises(BitstreamError):
            archive[key]


def test_chunks_in_another_place_are_noticed():
    data = written(IMAGES[np.zeros(21, int)])
    first, second, third, end = chunk_bounds(data)
    swapped = data[:first] + data[second:third] + data[first:second] + data[third:]
    assert third - second == second - first
    assert end > third
    archive = open_archive(io.BytesIO(swapped))
    with pytest.raises(BitstreamError, match="there is chunk 1 with 7 images"):
        archive[0]
    assert [d.chunks.start for d in archive.verify().damages] == [0, 1]


def test_marks_within_images_are_not_mistaken_for_chunks():
    inner = pack_chunk(1, 7, b"", b"not this one") + CHUNK_MARK * 9
    chunks = [pack_chunk(i, 7, b"", inner + bytes(i)) for i in range(3)]
    with open_archive(io.BytesIO(written())) as archive:
        header = archive._header
    whole = SourceFile(io.BytesIO(b"".join(chunks)))
    index = find_chunks(whole, 0, header)
    sizes = np.cumsum([0, *map(len, chunks)])
    assert_array_equal(index.numbers, [0, 1, 2])
    assert_array_equal(index.begins, sizes[:-1])
    assert_array_equal(index.ends, sizes[1:])
    assert index.n_images == 21


def test_chunks_that_claim_each_other_are_not_read_twice():
    forged = []
    for number in range(2000):
        chunk = bytearray(pack_chunk(number, 7, b"", b""))
        chunk[20:24] = (50_000).to_bytes(4, "little")
        sign_chunk(chunk, 0)
        forged.append(chunk)
    data = written()
    first = chunk_bounds(data)[0]
    file = Counted(data[:first] + b"".join(forged))
    archive = open_archive(file, salvage=True)
    file.n_read = 0
    assert archive.verify().n_lost == 14_000
    assert file.n_read < 2 * len(file.getvalue())


# Golden archives, which every later version must read


def test_every_byte_of_a_golden_archive():
    data = (GOLDEN / "archive-tiny.dae").read_bytes()
    model = data[0x122:0x2C3]
    assert model.startswith(b"\x89DAEM\r\n\x1a\n")
    digest = "a12656d20945c67c2d81dd9ba44cb276d7489fb2c5335faf1ebab19114453ee9"
    assert sha256(model).hexdigest() == digest
    header = (
        '{"chunk_size":2,"created_by":"sklearn-dae 0.1.0","dtype":"|u1",'
        '"metadata":{"from":"the format\'s documentation"},'
        '"model":{"class":"HuffmanCodec","inside":true,"sha256":"' + digest + '",'
        '"size":417},"names":true,"shape":[2,2]}'
    ).encode()
    expected = [
        bytes.fromhex("89 44 41 45 0d 0a 1a 0a  01  11 01 00 00  0b 94 28 0f"),
        header,
        model,
        # Chunk 0: two images; five bytes of names, two of pixels.
        bytes.fromhex("da 43 48 4b  00 00 00 00  02 00 00 00"),
        bytes.fromhex("05 00 00 00  1d 06 86 55  02 00 00 00  42 f8 70 fb"),
        bytes.fromhex("0a 18 91 d4  04 01 01 61 62  09 50"),
        # Chunk 1: one image; four bytes of names, two of pixels.
        bytes.fromhex("da 43 48 4b  01 00 00 00  01 00 00 00"),
        bytes.fromhex("04 00 00 00  b6 df 75 12  02 00 00 00  17 25 25 30"),
        bytes.fromhex("d0 d5 73 da  03 02 c3 bc  60 1c"),
        # Where chunks begin; where that is written; three images.
        bytes.fromhex("c3 02 00 00 00 00 00 00  ea 02 00 00 00 00 00 00"),
        bytes.fromhex("10 03 00 00 00 00 00 00  03 00 00 00 00 00 00 00"),
        bytes.fromhex("a5 c1 b2 58  89 44 41 45 65 6e 64 0a"),
    ]
    assert data == b"".join(expected)
    archive = open_archive(io.BytesIO(data))
    pixels = json.loads((GOLDEN / "archive-tiny.json").read_text())
    assert_array_equal(archive[:], pixels)
    assert archive.dtype == np.uint8
    assert [*archive.names] == ["a", "b", "ü"]
    assert archive.info().created_by == "sklearn-dae 0.1.0"


def test_what_is_written_today_is_the_golden_archive(tmp_path, monkeypatch):
    golden = GOLDEN / "archive-tiny.dae"
    monkeypatch.setattr(writer, "package_version", lambda: "sklearn-dae 0.1.0")
    with open_archive(golden) as archive:
        write_archive(
            tmp_path / "tiny.dae",
            archive[:],
            archive.codec,
            names=archive.names,
            chunk_size=2,
            metadata=archive.metadata,
        )
    assert (tmp_path / "tiny.dae").read_bytes() == golden.read_bytes()


def test_a_golden_archive_of_a_transformer():
    # Floating-point sums may differ in their last bits between machines.
    pixels = np.array(json.loads((GOLDEN / "archive-digits.json").read_text()))
    with open_archive(GOLDEN / "archive-digits.dae") as archive:
        assert archive.shape == (30, 8, 8)
        assert archive.dtype == np.uint8
        assert abs(archive[:].astype(int) - pixels).max() <= 1
        assert archive.verify().ok


def test_a_golden_archive_without_loss():
    # Predicted by a network, and yet the same pixels on every machine.
    pixels = np.array(json.loads((GOLDEN / "archive-lossless.json").read_text()))
    with open_archive(GOLDEN / "archive-lossless.dae") as archive:
        assert_array_equal(archive[:], pixels)
        assert_array_equal(pixels, load_digits().data[:30].reshape(-1, 8, 8) * 15)


def test_the_model_of_an_archive_is_a_model_file(tmp_path):
    with open_archive(GOLDEN / "archive-tiny.dae") as archive:
        (tmp_path / "a.daem").write_bytes(archive.read_model())
    assert isinstance(load_model(tmp_path / "a.daem"), HuffmanCodec)
