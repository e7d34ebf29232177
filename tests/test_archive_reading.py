"""Archives: images by number and by name, models, and files that are no archives."""

import io
import pickle
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from archive_checks import (
    ANY_SIZE,
    CODEC,
    IMAGES,
    NAMES,
    Counted,
    Pipe,
    assert_same,
    huffman,
    image_chunks,
    mixed,
    opened,
    written,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.decomposition import PCA

from sklearn_dae.archive import _recent as recent
from sklearn_dae.archive import open_archive
from sklearn_dae.archive._container import pack_header
from sklearn_dae.archive._header import Header
from sklearn_dae.archive._recent import Recent
from sklearn_dae.codecs import TransformCodec
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.models import model_hash, model_to_bytes, save_model

ACCESSED = opened()


# By number


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


@given(st.lists(st.integers(-40, 39), max_size=12))
@settings(max_examples=50, deadline=None)
def test_indexing_images_of_many_kinds(numbers):
    images = mixed()
    assert_same(list(MIXED[numbers]), [images[i] for i in numbers])
    if numbers:
        part = slice(numbers[0], numbers[-1], 3)
        assert_same(list(MIXED[part]), images[part])


MIXED = opened(mixed(), ANY_SIZE)


@pytest.mark.parametrize(
    "key",
    [100, -101, [0, 100], [-101], [True] * 99, [0.5], [[0]], (0, 1, 2.0), None],
)
def test_indices_that_select_nothing(key):
    with pytest.raises(IndexError):
        ACCESSED[key]


def test_what_an_image_is_is_known_without_reading_it():
    archive = open_archive(Counted(written(mixed(), ANY_SIZE)))
    archive._store.file._file.n_read = 0
    images = mixed()
    for i in (0, 17, 39, -1):
        assert archive.spec_of(i).shape == images[i].shape
    assert sum(archive.kinds.values()) == 40
    assert archive._store.file._file.n_read == 0
    for i in (40, -41):
        with pytest.raises(IndexError):
            archive.spec_of(i)


@pytest.mark.parametrize("parameters", [{}, {"names": NAMES}])
def test_an_image_is_reached_by_reading_its_chunk_only(parameters):
    data = written(**parameters)
    file = Counted(data)
    archive = open_archive(file)
    assert file.n_read < len(data) / 2
    _ = archive.codec
    sizes = [place.end - place.begin for place in image_chunks(archive)]
    for key, numbers in [(50, [7]), (slice(20, 22), [2, 3]), ([99, 0, 99], [0, 14])]:
        file.n_read = 0
        archive._store._recent.clear()
        archive[key]
        assert file.n_read == sum(sizes[i] for i in numbers)


def test_a_chunk_is_decoded_once_for_images_in_a_row():
    file = Counted(written())
    archive = open_archive(file)
    archive[50]
    file.n_read = 0
    assert_array_equal([archive[i] for i in range(49, 56)], IMAGES[49:56])
    assert file.n_read == 0


def test_what_was_decoded_last_is_kept_within_some_memory(monkeypatch):
    data = written()
    for room, n_kept in [(1000, 11), (84, 1), (83, 1), (10, 1), (168, 2)]:
        monkeypatch.setattr(recent, "_MOST_BYTES", room)
        file = Counted(data)
        archive = open_archive(file)
        # Chunks of 84 bytes: the last ones that were asked for stay.
        for chunk in [*range(14), 5]:
            archive[7 * chunk]
        file.n_read = 0
        kept = []
        for chunk in [5, *range(13, -1, -1)][:n_kept]:
            archive[7 * chunk + 1]
            kept.append(file.n_read)
        assert not any(kept), room
        archive[0]
        assert (file.n_read > 0) == (n_kept < 14)


def test_the_cache_never_holds_more_than_it_may(monkeypatch):
    monkeypatch.setattr(recent, "_MOST_BYTES", 100)
    cache = Recent()
    for key, size in enumerate([10, 90, 30, 200, 1, 99, 101]):
        array = cache.get(key, lambda _, size=size: np.zeros(size, np.uint8))
        assert array.nbytes == size
        kept = sum(a.nbytes for a in cache._arrays.values())
        assert kept <= max(100, size)
        assert key in cache._arrays


def test_what_is_returned_can_be_changed():
    archive = opened()
    archive[3][:] = 99
    archive[:5][:] = 99
    next(iter(archive))[:] = 99
    for numbers, images in archive.chunks():
        images[:] = numbers[0]
    for piece in archive.salvage():
        piece.images[:] = 99
    assert_array_equal(archive[:], IMAGES)


def test_chunks_say_which_images_they_hold():
    numbers, parts = zip(*opened(chunk_size=40).chunks(), strict=True)
    assert [(n[0], n[-1]) for n in numbers] == [(0, 39), (40, 79), (80, 99)]
    assert_array_equal(np.concatenate(parts), IMAGES)
    images = mixed()
    for numbers, part in MIXED.chunks():
        assert_same(list(part), [images[i] for i in numbers])


def test_checking_tells_how_far_it_is():
    seen = []
    report = opened(chunk_size=40, names=NAMES).verify(progress=seen.append)
    assert seen == [40, 80, 100]
    assert str(report) == "100 images in 4 chunks: all is well"
    assert report.ok
    assert report.n_lost == 0


def test_several_threads_read_at_once():
    archive = opened(chunk_size=3, names=NAMES)
    wanted = np.random.default_rng(0).integers(100, size=400).tolist()
    keys = [NAMES[i].upper() if i % 3 == 0 else i for i in wanted]
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(archive.__getitem__, keys))
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
    (tmp_path / "a.dae").write_bytes(written(names=NAMES))
    with open_archive(tmp_path / "a.dae") as archive:
        archive[0]
    for key in (0, 50, slice(0, 3), "image 000.png"):
        with pytest.raises(ValueError, match="closed"):
            archive[key]
    file = io.BytesIO(written())
    open_archive(file).close()
    assert not file.closed


# By name


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
    assert file.n_read == 0


def test_an_image_is_found_by_its_name():
    archive = opened(names=NAMES)
    assert_array_equal(archive["image 042.png"], IMAGES[42])
    assert archive.names.find("image 099.png") == 99
    with pytest.raises(KeyError, match=r"the name 'image 100\.png'"):
        archive["image 100.png"]
    with pytest.raises(KeyError, match="No images"):
        ACCESSED["a"]
    archive[NAMES[3]][:] = 99
    assert_array_equal(archive[NAMES[3]], IMAGES[3])


COMPOSED, IN_PARTS = (unicodedata.normalize(form, "Å/é.png") for form in ("NFC", "NFD"))


def test_a_name_that_a_file_system_has_changed_is_found():
    assert COMPOSED != IN_PARTS
    for stored in (COMPOSED, IN_PARTS):
        archive = opened(IMAGES[:2], names=[stored, "Straße.PNG"])
        for asked in (COMPOSED, IN_PARTS, COMPOSED.upper(), IN_PARTS.lower()):
            assert archive.names.find(asked) == 0
        assert archive.names.find("STRASSE.png") == 1


def test_a_name_that_several_images_have_is_refused():
    names = ["a.png", "A.png", "b.png", "b.png", COMPOSED, IN_PARTS, "c.PNG"]
    archive = opened(IMAGES[:7], names=names)
    # The very name comes first.
    assert [archive.names.find(name) for name in ("a.png", "A.png")] == [0, 1]
    assert [archive.names.find(name) for name in (COMPOSED, IN_PARTS)] == [4, 5]
    assert archive.names.find("C.png") == 6
    with pytest.raises(KeyError, match=r"2 images .* 'b.png': \[2, 3\]; give a number"):
        archive["b.png"]
    with pytest.raises(KeyError, match=r"2 images .*: \[0, 1\]"):
        archive["A.PNG"]
    with pytest.raises(KeyError, match="2 images"):
        archive[COMPOSED.upper()]


def test_names_with_brackets_are_found():
    names = ["a[0]", "a[1]", "[2]", "x]", "b[01]", "c[٣]", "d[" + 9 * "9999" + "]"]
    archive = opened(IMAGES[:7], names=names)
    assert [archive.names.find(name) for name in names] == list(range(7))
    for name in ("a", "a[2]", "b[1]", "c[3]"):
        with pytest.raises(KeyError):
            archive.names.find(name)


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
    assert not archive.info().model_inside
    assert archive.names[3] == NAMES[3]
    with pytest.raises(ValueError, match=model_hash(model_to_bytes(CODEC))):
        archive[0]
    report = archive.verify(files=True)
    assert "SHA-256" in str(report.model_error)
    assert not report.damages
    assert not report.ok
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


def test_a_model_of_images_of_another_size_is_refused():
    small, large = (
        TransformCodec(PCA(2)).fit(images)
        for images in (IMAGES, IMAGES.reshape(-1, 5, 6))
    )
    data, other = written(IMAGES, small, model="reference"), model_to_bytes(large)
    end = 17 + int.from_bytes(data[9:13], "little")
    header = replace(
        Header.from_bytes(data[17:end]),
        model_hash=model_hash(other),
        model_size=len(other),
    )
    # The index need not be where it was.
    forged = pack_header(header.to_bytes()) + data[end:]
    archive = open_archive(io.BytesIO(forged), large, salvage=True)
    with pytest.raises(BitstreamError, match="does not take images of 4 x 3 pixels"):
        archive[0]
    assert archive.verify().n_lost == 100


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
        (written()[:50], "cut off or damaged"),
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
