"""Archives: what comes back, whatever was put in."""

import io

import numpy as np
import pytest
from archive_checks import (
    ANY_SIZE,
    CODEC,
    IMAGES,
    NAMES,
    Pipe,
    assert_same,
    huffman,
    mixed,
    opened,
    written,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.decomposition import PCA

from sklearn_dae.archive import open_archive, write_archive
from sklearn_dae.archive._files import name_to_bytes
from sklearn_dae.codecs import HuffmanCodec, TransformCodec
from sklearn_dae.datasets import load_digits
from sklearn_dae.exceptions import OutOfDomainWarning
from sklearn_dae.images import ImageSet, ImageSpec, read_images
from sklearn_dae.models import model_hash, model_to_bytes


@pytest.mark.parametrize(
    "dtype", ["bool", "u1", "i1", "<u2", ">i2", "i4", "i8", "f2", "f4", ">f8"]
)
def test_images_come_back_in_their_shape_dtype_and_order(dtype):
    images = (IMAGES > 2 if dtype == "bool" else IMAGES).astype(dtype)
    archive = opened(images, huffman(images))
    assert len(archive) == 100
    assert archive.spec == ImageSpec(3, 4, dtype=np.dtype(dtype))
    assert archive[:].dtype == np.dtype(dtype).newbyteorder("=")
    assert len(archive.names) == 0
    assert_array_equal(archive[:], images)


def test_colours_come_back():
    images = IMAGES.reshape(50, 2, 4, 3)
    archive = opened(images)
    assert archive.spec.channels == 3
    assert_array_equal(archive[:], images)
    assert archive[0].shape == (2, 4, 3)


def test_rows_come_back_as_images():
    rows, squares = IMAGES.reshape(100, 12), IMAGES.reshape(75, 16)
    assert_array_equal(opened(squares, huffman(squares))[:], IMAGES.reshape(75, 4, 4))
    assert_array_equal(opened(rows, image_shape=(3, 4))[:], IMAGES)
    colours = opened(rows, image_shape=(2, 2, 3))
    assert_array_equal(colours[:], IMAGES.reshape(100, 2, 2, 3))
    lines = opened(rows, image_shape=(1, 12))
    assert_array_equal(lines[:], IMAGES.reshape(100, 1, 12))
    # A codec that was fitted on images knows what a row is.
    assert_array_equal(opened(rows, HuffmanCodec().fit(IMAGES))[:], IMAGES)
    # One that was fitted on rows of so many numbers takes them for lines of numbers.
    assert_array_equal(opened(rows)[:], IMAGES.reshape(100, 1, 12))
    for others in (IMAGES.reshape(200, 6), [IMAGES.reshape(200, 6)[0]]):
        with pytest.raises(ValueError, match="image_shape"):
            written(others)


def test_images_of_another_dtype_than_the_codec_keep_theirs():
    archive = opened(IMAGES.astype(np.float32))
    assert archive.spec.dtype == archive[0].dtype == np.float32
    assert_array_equal(archive[:], IMAGES)


@pytest.mark.parametrize("n", [0, 1, 7, 8])
def test_few_images(n):
    archive = opened(IMAGES[:n], names=NAMES[:n])
    assert len(archive) == len(archive[:]) == n
    assert_array_equal(archive[:].reshape(n, 3, 4) if n else [], IMAGES[:n].tolist())
    assert [*archive.names] == NAMES[:n]
    assert len(list(archive)) == n
    assert archive.verify().ok
    assert sum(len(piece.numbers) for piece in archive.salvage()) == n


def test_no_image_at_all():
    archive = opened(iter(()))
    assert len(archive) == 0
    assert archive.kinds == {}
    assert len(archive[:]) == len(archive[[]]) == 0
    assert repr(archive) == "<Archive of 0 images>"
    assert archive.verify().ok
    with pytest.raises(ValueError, match="no images"):
        _ = archive.spec
    # It needs no codec, either.
    assert opened([], None).info().model_class == ""
    with pytest.raises(ValueError, match="no codec"):
        written(IMAGES, None)


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
        lambda folder: [IMAGES[:1], IMAGES[1:80], IMAGES[80], IMAGES[81:]],
        lambda folder: [IMAGES[:0], IMAGES],
        lambda folder: np.asfortranarray(IMAGES),
        lambda folder: ImageSet.from_array(IMAGES, "test"),
        lambda folder: [ImageSet.from_array(IMAGES[:9]), IMAGES[9:]],
    ],
)
def test_images_are_taken_from_anywhere(source, tmp_path):
    for codec in OF_ONE_SIZE, HuffmanCodec().fit(IMAGES):
        assert written(source(tmp_path), codec) == written(IMAGES, codec)


OF_ONE_SIZE = TransformCodec(PCA(3)).fit(IMAGES)


def test_a_generator_may_use_its_memory_again():
    def batches():
        room = np.empty((1, 3, 4), np.uint8)
        for image in IMAGES:
            room[0] = image
            yield room

    codec = HuffmanCodec().fit(IMAGES)
    assert written(batches(), codec) == written(codec=codec)


# Images of many kinds


@pytest.mark.parametrize(
    "source",
    [
        list,
        iter,
        lambda images: [image[np.newaxis] for image in images],
        lambda images: [ImageSet.from_array(image[np.newaxis]) for image in images],
    ],
)
def test_images_of_many_kinds_come_back_in_their_order(source):
    images = mixed()
    file = io.BytesIO()
    info = write_archive(file, source(images), ANY_SIZE, chunk_size=5, names=NAMES[:40])
    archive = open_archive(file)
    assert_same(archive[:], images)
    assert_same(list(archive), images)
    assert_same([archive[i] for i in range(-40, 0)], images)
    assert [*archive.names] == NAMES[:40]
    counts = {}
    for image in images:
        spec = ImageSpec.of_shape(image.shape, image.dtype)
        counts[spec] = counts.get(spec, 0) + 1
    assert archive.kinds == info.kinds == counts
    assert len(counts) == 4
    assert info.pixel_bytes == sum(image.nbytes for image in images)
    assert [archive.spec_of(i).shape for i in range(40)] == [i.shape for i in images]
    assert repr(archive) == "<Archive of 40 images of 4 kinds>"
    with pytest.raises(ValueError, match=r"4 kinds, such as .* and .*; expected one"):
        _ = archive.spec
    assert archive.verify().ok


def test_images_of_one_kind_are_coded_together():
    flat = IMAGES.transpose(0, 2, 1)
    images = [image for both in zip(IMAGES, flat, strict=True) for image in both]
    archive = opened(images, ANY_SIZE, chunk_size=100)
    assert archive.info().n_chunks == 2
    numbers, upright = next(archive.chunks())
    assert_array_equal(numbers, np.arange(0, 200, 2))
    assert_array_equal(upright, IMAGES)
    assert_array_equal(archive[1::2], flat)
    assert_same(archive[::3], images[::3])


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_order_of_kinds_comes_back(data):
    shapes = st.sampled_from([(3, 4), (4, 3), (1, 1), (2, 3, 3)])
    dtypes = st.sampled_from(["u1", "i2", "f8", "?"])
    images = [
        np.arange(np.prod(shape)).reshape(shape).astype(dtype)
        for shape, dtype in data.draw(st.lists(st.tuples(shapes, dtypes), max_size=20))
    ]
    archive = opened(images, ANY_SIZE, chunk_size=data.draw(st.integers(1, 9)))
    got = archive[:]
    assert_same(list(got), images)
    # One array, if they are of one kind.
    kinds = {(image.shape, image.dtype) for image in images}
    assert isinstance(got, np.ndarray) == (len(kinds) == 1)


def test_a_range_of_numbers_comes_back(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5 3 2 4095\n" + bytes(range(12)))
    images = read_images(tmp_path)
    assert images.spec.range == (0, 4095)
    archive = opened(images, HuffmanCodec().fit(images))
    assert archive.spec == archive.spec_of(0) == images.spec
    assert_array_equal(archive[0], images[0])


# Names


def test_an_image_set_brings_its_names_and_they_can_be_replaced():
    images = ImageSet.from_array(IMAGES, "test", names=NAMES)
    assert [*opened(images).names] == NAMES
    parts = [
        ImageSet.from_array(IMAGES[i : i + 30], "part", names=NAMES[i : i + 30])
        for i in range(0, 100, 30)
    ]
    assert [*opened(parts).names] == NAMES
    assert opened(images, names=map(str, range(100))).names[:2] == ["0", "1"]


def can_be_stored(name):
    try:
        name_to_bytes(name)
    except ValueError:
        return False
    return True


@given(
    st.lists(
        st.text(st.characters(codec=None), max_size=9).filter(can_be_stored),
        min_size=1,
        max_size=30,
    ),
    st.integers(1, 9),
)
@settings(max_examples=60, deadline=None)
def test_any_names_come_back(names, chunk_size):
    names = [*names, "", "a\0b", "\udcff.png", "日本/\u202e", "a[3]"]
    archive = opened(IMAGES[: len(names)], names=names, chunk_size=chunk_size)
    assert [*archive.names] == names
    assert archive.names[-1] == names[-1]
    assert archive.names[1::2] == names[1::2]
    with pytest.raises(IndexError):
        archive.names[len(names)]


@pytest.mark.parametrize("name", ["\ud800", "a\udfff", "\udcc3\udcbc"])
def test_names_that_stand_for_no_bytes_are_refused(name):
    with pytest.raises(ValueError, match="cannot be stored"):
        written(IMAGES[:1], names=[name])


def test_many_names_come_back():
    images = np.zeros((10_000, 1, 1), np.uint8)
    names = [f"{i % 7}/é{i}" for i in range(10_000)]
    archive = opened(images, huffman(images), names=names, chunk_size=None)
    assert [*archive.names] == names
    assert archive.info().parts.files < 50_000


# Writing again


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_partition_into_batches_and_chunks_comes_back(data):
    n = data.draw(st.integers(0, 30))
    dtype = data.draw(st.sampled_from(["u1", "i2", "f4", "f8"]))
    images = IMAGES[:n].astype(dtype)
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=4)))
    size = data.draw(st.integers(1, 40))
    codec = HuffmanCodec().fit(IMAGES)
    archive = opened(np.split(images, cuts), codec, chunk_size=size)
    assert_same(list(archive[:]), images)


def test_archives_do_not_depend_on_time_or_on_the_file():
    pipe = Pipe()
    write_archive(pipe, IMAGES, CODEC, chunk_size=7, names=NAMES)
    assert pipe.data == written(names=NAMES) == written(names=iter(NAMES))


def test_what_the_summary_says(tmp_path):
    path = tmp_path / "images.dae"
    seen = []
    info = write_archive(
        path, IMAGES, CODEC, names=NAMES, chunk_size=30, progress=seen.append
    )
    assert seen == [30, 60, 90, 100]
    # Four chunks of images, and one of names.
    assert (info.n_images, info.n_files, info.n_chunks) == (100, 100, 5)
    assert info.pixel_bytes == 1200
    assert info.kinds == {ImageSpec(3, 4): 100}
    assert info.parts.total == path.stat().st_size
    assert info.parts.model == info.model_size == len(model_to_bytes(CODEC))
    assert info.parts.without_model == info.parts.total - info.parts.model
    assert info.parts.files > 0
    assert info.parts.kept == 0
    assert info.model_hash == model_hash(model_to_bytes(CODEC))[:16]
    assert info.model_inside
    assert info.created_by.startswith("sklearn-dae")
    with open_archive(path) as archive:
        assert archive.info() == info
        assert archive.read_model() == model_to_bytes(CODEC)
    without = write_archive(
        tmp_path / "reference.dae",
        IMAGES,
        CODEC,
        names=NAMES,
        chunk_size=30,
        model="reference",
    )
    assert without.parts.model == 0
    assert without.model_size == info.model_size
    assert without.parts.total == (tmp_path / "reference.dae").stat().st_size
    # All of the SHA-256 is in the header, where the model is elsewhere.
    assert 40 < without.bytes_with_model - info.bytes_with_model < 64


def test_images_unlike_the_others_are_told_of_once(tmp_path):
    odd = np.random.default_rng(0).integers(0, 256, (3, 64), dtype=np.uint8)
    digits = load_digits().data
    codec = TransformCodec(PCA(16)).fit(digits)
    images = np.concatenate([digits[:25], odd[:1], digits[:25], odd[1:]])
    with pytest.warns(OutOfDomainWarning, match="3 of 53 .* images 25, 51, 52"):
        info = write_archive(tmp_path / "x.dae", images, codec, chunk_size=10)
    assert info.images_apart == (25, 51, 52)
    assert info.n_apart == 3
    with open_archive(tmp_path / "x.dae") as archive:
        assert_array_equal(archive[[25, 51, 52]].reshape(3, 64), odd)
        assert archive.info().n_apart is None
    info = write_archive(tmp_path / "y.dae", digits[:25], codec)
    assert info.n_apart == 0


def test_metadata_comes_back():
    metadata = {"a": [1, 2.5, None, True], "ä": {"\ud800": "日本"}}
    assert opened(metadata=metadata).metadata == metadata
    assert opened().metadata == {}
    for bad in ({"a": (1, 2)}, {1: 2}, {"a": np.nan}, {"a": IMAGES}, [1]):
        with pytest.raises(TypeError, match="metadata"):
            written(metadata=bad)
    with pytest.raises(ValueError, match="header of"):
        written(metadata={"a": "x" * 2**20})
