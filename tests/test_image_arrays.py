"""Files that hold arrays of images: .npy, .npz, IDX."""

import gzip
import hashlib
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from image_files import IDX_CODES, idx_bytes
from numpy.testing import assert_array_equal

from sklearn_dae.images import read_images
from sklearn_dae.images._idx import read_idx


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 256, (3, 4, 5)).astype(np.uint8)


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "images", "images.gz"])
def test_arrays_of_all_kinds_are_read(tmp_path, pixels, name):
    path = tmp_path / name
    if name == "x.npy":
        np.save(path, pixels)
    elif name == "x.npz":
        np.savez(path, pixels)
    else:
        content = idx_bytes(pixels)
        path.write_bytes(gzip.compress(content) if path.suffix else content)
    images = read_images(str(path))
    assert (len(images), images.image_shape) == (3, (4, 5))
    assert images.source == str(path)
    assert_array_equal(images.data, pixels.reshape(3, 20))
    assert list(images.file_names) == [name]
    # Thousands of images of an array need no names, however they are shown.
    for some in (images, images[1:], images.as_shown(), images.to_grey()):
        assert not some.names
    assert b"".join(images.files[0].wrap().rebuild(images))


def test_images_of_npz_files_have_their_names(tmp_path, pixels):
    np.savez(tmp_path / "x.npz", images=pixels, names=["a", "b", "c"])
    images = read_images(tmp_path / "x.npz")
    assert list(images.names) == list(images.to_grey().names) == ["a", "b", "c"]
    assert list(images.file_names) == ["x.npz"]
    np.savez(tmp_path / "x.npz", images=pixels, names=["a", "b"])
    with pytest.raises(ValueError, match="3 images, but 2 names"):
        read_images(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("shape", "expected"), [((2, 3, 7), (3, 7)), ((2, 16), (4, 4))]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, bool, np.float64])
def test_array_file_is_mapped_and_takes_images_or_rows(
    tmp_path, shape, expected, dtype
):
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    np.save(tmp_path / "x.npy", array)
    images = read_images(tmp_path / "x.npy")
    assert isinstance(images.data, np.memmap)
    assert (images.image_shape, images.data.dtype) == (expected, array.dtype)
    assert_array_equal(images.data, array.reshape(2, -1))


def test_one_of_several_arrays_is_chosen_by_its_key(tmp_path, pixels):
    path = tmp_path / "x.npz"
    np.savez(path, train=pixels, labels=np.arange(3))
    images = read_images(path, key="train")
    assert_array_equal(images.data, pixels.reshape(3, 20))
    for key in (None, "test"):
        with pytest.raises(ValueError, match=rf"train, labels; .*key={key!r}"):
            read_images(path, key=key)
    np.save(tmp_path / "x.npy", pixels)
    with pytest.raises(ValueError, match=r"is no \.npz file, so it has no array"):
        read_images(tmp_path / "x.npy", key="train")


@pytest.mark.parametrize("save", [np.save, np.savez, np.savez_compressed])
@pytest.mark.parametrize("kept", [0.0, 0.05, 0.5, 0.99])
def test_truncated_array_file_is_refused(tmp_path, pixels, save, kept):
    path = tmp_path / ("x.npy" if save is np.save else "x.npz")
    save(path, np.tile(pixels, (1, 9, 9)))
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ValueError, match=re.escape(f"{path} cannot be read")):
        read_images(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_array_in_an_archive_is_refused(tmp_path, pixels, save):
    path = tmp_path / "x.npz"
    save(path, pixels)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 - 40] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(f"{path} cannot be read")):
        read_images(path)


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(4), r"shape \(4,\); expected \(n_images, height, width\)"),
        (np.zeros((2, 4, 4, 5)), r"shape \(2, 4, 4, 5\); expected .*four channels"),
        (np.zeros((2, 0, 4)), r"shape \(2, 0, 4\) has no pixels"),
        (np.array([["a", "b"]]), "array of <U1; expected integers or real numbers"),
        (np.array([[1j, 2]]), "complex128; expected integers or real"),
        (np.array([["2020-01-01"]], "M8[D]"), "array of datetime64"),
        (np.array([[{"code": "is run"}]], object), r"[Oo]bject"),
        (np.zeros((2, 4, 4), np.longdouble), "at most 64 bits"),
    ],
)
def test_array_that_holds_no_images_is_refused(tmp_path, name, array, message):
    path = tmp_path / name
    (np.save if name == "x.npy" else np.savez)(path, array)
    with pytest.raises(ValueError, match=message) as caught:
        read_images(path)
    assert str(path) in str(caught.value)
    assert "damaged" not in str(caught.value)


@settings(max_examples=60)
@given(
    array=st.sampled_from(list(IDX_CODES)).flatmap(
        lambda dtype: arrays(dtype, array_shapes(min_dims=0, max_dims=4, min_side=0))
    ),
    zipped=st.booleans(),
)
def test_idx_round_trip(tmp_path_factory, array, zipped):
    content = idx_bytes(array)
    path = tmp_path_factory.getbasetemp() / "round-trip"
    path.write_bytes(gzip.compress(content) if zipped else content)
    read = read_idx(path, md5=hashlib.md5(content).hexdigest())
    assert (read.dtype, read.shape) == (array.dtype, array.shape)
    assert read.tobytes() == array.tobytes()


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_idx_cut_short_anywhere_is_refused(tmp_path, pixels, pack):
    path, content = tmp_path / "short", pack(idx_bytes(pixels))
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"truncated|is not an IDX") as caught:
            read_idx(path)
        assert str(path) in str(caught.value)


def test_damaged_gzip_never_gives_other_pixels(tmp_path, pixels):
    path, content = tmp_path / "damaged.gz", gzip.compress(idx_bytes(pixels))
    messages = []
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 0x55
        path.write_bytes(damaged)
        try:
            assert_array_equal(read_idx(path), pixels)
        except ValueError as error:
            messages.append(str(error))
    assert len(messages) > 60  # Only some bytes of the gzip header do not matter.
    assert all(str(path) in message for message in messages)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda content: content + b"\0", "is too long"),
        (lambda content: content[:-1], "is truncated"),
        (lambda content: content[:9], "truncated within its header"),
        (lambda content: b"\x89PNG" + content, "is not an IDX file: .*89 50 4e 47"),
        (lambda content: b"\0\0\x07" + content[3:], "is not an IDX file"),
        (lambda content: b"", "is not an IDX file"),
    ],
)
def test_what_is_no_whole_idx_file_is_refused(tmp_path, pixels, spoil, message):
    path = tmp_path / "spoilt"
    path.write_bytes(spoil(idx_bytes(pixels)))
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("load", [read_idx, read_images])
def test_missing_path_is_named(tmp_path, load):
    with pytest.raises(FileNotFoundError, match=re.escape("nowhere.npy")):
        load(tmp_path / "nowhere.npy")


def test_idx_of_labels_holds_no_images(tmp_path):
    (tmp_path / "labels").write_bytes(idx_bytes(np.arange(5, dtype=np.uint8)))
    with pytest.raises(ValueError, match=r"shape \(5,\).*\(n_images, height, width\)"):
        read_images(tmp_path / "labels")
