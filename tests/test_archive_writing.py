"""Archives: what is refused, what is interrupted, and how much memory writing takes."""

import errno
import io
import os
import tracemalloc

import numpy as np
import pytest
from archive_checks import ANY_SIZE, CODEC, IMAGES, NAMES, huffman, opened, written
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import PCA

from sklearn_dae.archive import open_archive, write_archive
from sklearn_dae.codecs import GeneralCodec, HuffmanCodec, TransformCodec
from sklearn_dae.images import ImageSet


def test_the_size_of_chunks():
    assert written(chunk_size=None) == written(chunk_size=2**19 // 12)
    codec = HuffmanCodec(chunk_size=10).fit(IMAGES.reshape(100, 12))
    assert opened(IMAGES, codec, chunk_size=None).info().n_chunks == 10
    # Chunks have no more than a million numbers, unless it is in one image.
    wide = np.zeros((3, 2, 2**19 + 1), np.uint8)
    archive = opened(wide, ANY_SIZE, chunk_size=3)
    assert archive.info().n_chunks == 3
    assert_array_equal(archive[2], wide[2])
    small = np.zeros((70_000, 1, 1), np.uint8)
    archive = opened(small, ANY_SIZE, chunk_size=65_536)
    assert archive.info().n_chunks == 2
    assert len(archive[:]) == 70_000


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((5, 3, 5), np.uint8), "Image 0 is 5 x 3 pixels.*images of shape"),
        ([IMAGES[:2], np.zeros((3, 5), np.uint8)], "image_shape"),
        ([IMAGES[:2], np.zeros((1, 3, 5), np.uint8)], "Image 2 is 5 x 3 pixels"),
        (ImageSet.from_array(np.zeros((5, 3, 5))), "Image 0 is 5 x 3 .* own"),
        (IMAGES + 0.5, "that uint8 cannot hold"),
        (IMAGES * 1j, "complex128"),
        (np.array([["a"]]), "array of <U1"),
        (
            [ImageSet.from_array(IMAGES[:1], "a", names=["x"]), IMAGES[:1]],
            "some have none",
        ),
    ],
)
def test_images_that_do_not_fit_leave_no_file(images, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_archive(tmp_path / "a.dae", images, OF_ONE_SIZE)
    assert not list(tmp_path.iterdir())


OF_ONE_SIZE = TransformCodec(PCA(3)).fit(IMAGES)


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (NAMES[:99], ValueError, "names for only 99"),
        ([*NAMES, "x"], ValueError, "100 images, but more names"),
        ([*NAMES[:99], 5], TypeError, "strings, got 5"),
        ([*NAMES[:99], None], TypeError, "strings, got None"),
        ("names", TypeError, "one string"),
        ([*NAMES[:99], "\ud800"], ValueError, "cannot be stored"),
        (["x" * 2**25, *NAMES[1:]], ValueError, "shorter"),
    ],
)
def test_names_that_do_not_fit_leave_no_file(names, error, message, tmp_path):
    for images in (IMAGES, iter(IMAGES), ImageSet.from_array(IMAGES)):
        with pytest.raises(error, match=message):
            write_archive(tmp_path / "a.dae", images, OF_ONE_SIZE, names=names)
    assert not list(tmp_path.iterdir())


def test_parameters_that_do_not_fit(tmp_path):
    path = tmp_path / "a.dae"
    for parameters in (
        {"model": "outside"},
        {"chunk_size": 0},
        {"chunk_size": 65_537},
        {"image_shape": (5, 5)},
        {"image_shape": (-3, -4)},
        {"image_shape": (1,) * 9 + (12,)},
    ):
        with pytest.raises(ValueError, match=next(iter(parameters))):
            write_archive(path, IMAGES, CODEC, **parameters)
    with pytest.raises(TypeError, match="TransformCodec"):
        write_archive(path, IMAGES, PCA(3))
    with pytest.raises(TypeError, match="read_images"):
        write_archive(path, "folder", CODEC)
    with pytest.raises(ValueError, match="not fitted"):
        write_archive(path, IMAGES, clone(CODEC))
    with pytest.raises(ValueError, match="files=True"):
        write_archive(path, IMAGES, CODEC, files=True)
    with pytest.raises(ValueError, match="files=True"):
        write_archive(path, ImageSet.from_array(IMAGES), CODEC, files=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, MemoryError])
def test_what_is_interrupted_leaves_no_file_and_the_old_one(error, tmp_path):
    def batches():
        yield IMAGES
        raise error

    (tmp_path / "old.dae").write_bytes(b"old")
    for name in ("old.dae", "new.dae"):
        with pytest.raises(error):
            write_archive(tmp_path / name, batches(), OF_ONE_SIZE, overwrite=True)
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
            if self.tell() + len(data) > 500:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    with pytest.raises(OSError, match="No space"):
        write_archive(Full(), IMAGES, CODEC)
    with pytest.raises(FileNotFoundError):
        write_archive("/no/such/folder/a.dae", IMAGES, CODEC)


def peak_of_writing(batches, codec, **parameters):
    """Return the most memory that writing takes, in bytes."""
    with open(os.devnull, "wb") as file:
        tracemalloc.start()
        write_archive(file, batches, codec, **parameters)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_the_number_of_images():
    codec = huffman(np.arange(512, dtype=np.uint8).reshape(2, 256))

    def peak(n_batches):
        batches = (np.full((20, 16, 16), i % 256, np.uint8) for i in range(n_batches))
        return peak_of_writing(batches, codec, chunk_size=20)

    peak(3)
    assert peak(200) < peak(20) + 100_000


def test_memory_does_not_grow_with_the_number_of_kinds():
    codec = GeneralCodec("gzip", level=1).fit(np.zeros((1, 8, 8), np.uint8))

    def peak(n_images):
        # No two of them are of one kind, so that all would wait for others.
        images = (np.zeros((500, 500 + i), np.uint8) for i in range(n_images))
        return peak_of_writing(images, codec)

    peak(3)
    # Sixteen of them are four million numbers.
    assert peak(200) < peak(30) + 1_000_000
