"""Loaders: exact pixels from good files, refusals that name bad ones."""

import gzip
import hashlib
import re
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import sklearn.datasets
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from sklearn_dae.datasets import (
    ImageFolder,
    load_digits,
    load_images,
    load_mnist,
    load_split,
)
from sklearn_dae.datasets._idx import read_idx
from sklearn_dae.datasets._standard import _fetch_openml

IDX_CODES = {"u1": 8, "i1": 9, ">i2": 11, ">i4": 12, ">f4": 13, ">f8": 14}
TRAIN, TEST = "train-images-idx3-ubyte", "t10k-images-idx3-ubyte"


def idx_bytes(array):
    code = next(code for name, code in IDX_CODES.items() if array.dtype == name)
    sizes = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, code, array.ndim]) + sizes + array.tobytes()


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 256, (3, 4, 5)).astype(np.uint8)


@pytest.fixture(scope="module")
def mnist(data_folder):
    """Both subsets, from the files in the folder that SKLEARN_DAE_DATA names."""
    try:
        return {subset: load_mnist(subset) for subset in ("train", "test")}
    except FileNotFoundError as error:
        pytest.skip(str(error))


def test_digits_are_the_pixels_of_scikit_learn():
    digits = load_digits()
    assert (len(digits), digits.shape, digits.data.dtype) == (1797, (8, 8), np.uint8)
    np.testing.assert_array_equal(digits.data, sklearn.datasets.load_digits().data)


@pytest.mark.parametrize(
    ("subset", "n_images", "mean", "deviation"),
    [("train", 60000, 0.1307, 0.3081), ("test", 10000, 0.1325, 0.3105)],
)
def test_mnist_has_its_well_known_statistics(mnist, subset, n_images, mean, deviation):
    images = mnist[subset]
    assert (len(images), images.shape) == (n_images, (28, 28))
    assert images.data.shape == (n_images, 784)
    assert images.data.dtype == np.uint8
    counts = np.bincount(images.data.ravel(), minlength=256) / images.data.size
    levels = np.arange(256) / 255
    assert round(counts @ levels, 4) == mean
    assert round(np.sqrt(counts @ levels**2 - (counts @ levels) ** 2), 4) == deviation


def test_mnist_refuses_another_subset():
    with pytest.raises(ValueError, match="'train', 'test'"):
        load_mnist("validation")


@pytest.mark.parametrize("place", [f"{TEST}", f"{TEST}.gz", f"mnist/{TEST}.gz"])
def test_mnist_file_is_found_and_its_checksum_verified(
    tmp_path, monkeypatch, pixels, place
):
    content = idx_bytes(pixels)
    file = tmp_path / "data" / place
    file.parent.mkdir(parents=True)
    file.write_bytes(gzip.compress(content) if file.suffix else content)
    monkeypatch.setenv("SKLEARN_DAE_DATA", str(tmp_path / "elsewhere"))
    found = hashlib.md5(content).hexdigest()
    with pytest.raises(ValueError, match=f"MD5 checksum {found}") as caught:
        load_mnist("test", folder=tmp_path / "data")
    assert str(file) in str(caught.value)


def test_mnist_without_its_file_says_where_it_was_sought(tmp_path, monkeypatch):
    monkeypatch.setenv("SKLEARN_DAE_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=TRAIN) as caught:
        load_mnist()
    assert str(tmp_path) in str(caught.value)
    assert "SKLEARN_DAE_DATA" in str(caught.value)


def test_mnist_without_network_says_what_to_do(monkeypatch):
    def fail(*args, **kwargs):
        raise URLError("no route")

    monkeypatch.delenv("SKLEARN_DAE_DATA", raising=False)
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fail)
    with pytest.raises(OSError, match=r"no route.*SKLEARN_DAE_DATA to a folder"):
        load_mnist()


@pytest.fixture(autouse=True)
def _nothing_downloaded():
    yield
    _fetch_openml.cache_clear()


def test_mnist_from_openml_must_have_the_true_pixels(mnist, monkeypatch):
    joint = np.concatenate([mnist["train"].data, mnist["test"].data])
    monkeypatch.delenv("SKLEARN_DAE_DATA")
    monkeypatch.setattr(
        sklearn.datasets, "fetch_openml", lambda *_, **__: SimpleNamespace(data=joint)
    )
    for subset in ("train", "test"):
        downloaded = load_mnist(subset)
        assert downloaded.shape == (28, 28)
        np.testing.assert_array_equal(downloaded.data, mnist[subset].data)
    joint[60000, 400] ^= 1
    _fetch_openml.cache_clear()
    with pytest.raises(ValueError, match="OpenML has the MD5 checksum"):
        load_mnist("test")


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
            np.testing.assert_array_equal(read_idx(path), pixels)
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


@pytest.mark.parametrize("load", [read_idx, load_images, load_split, ImageFolder])
def test_missing_path_is_named(tmp_path, load):
    with pytest.raises(FileNotFoundError, match=re.escape("nowhere.npy")):
        load(tmp_path / "nowhere.npy")


def test_idx_of_labels_holds_no_images(tmp_path):
    (tmp_path / "labels").write_bytes(idx_bytes(np.arange(5, dtype=np.uint8)))
    with pytest.raises(ValueError, match=r"shape \(5,\).*\(n_images, height, width\)"):
        load_images(tmp_path / "labels")


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "images", "images.gz", "folder"])
def test_load_images_takes_whatever_the_path_holds(tmp_path, pixels, name):
    path = tmp_path / name
    if name == "x.npy":
        np.save(path, pixels)
    elif name == "x.npz":
        np.savez(path, pixels)
    elif name == "folder":
        path.mkdir()
        for index, image in enumerate(pixels):
            Image.fromarray(image).save(path / f"{index}.png")
    else:
        content = idx_bytes(pixels)
        path.write_bytes(gzip.compress(content) if path.suffix else content)
    images = load_images(str(path))
    assert (len(images), images.shape) == (3, (4, 5))
    assert str(path) in images.source
    np.testing.assert_array_equal(images.data, pixels.reshape(3, 20))


@pytest.mark.parametrize("suffix", ["png", "tif", "tiff", "bmp", "PNG"])
def test_lossless_image_files_are_read_exactly_in_the_order_of_names(
    tmp_path, pixels, suffix
):
    names = [f"{stem}.{suffix}" for stem in ("a", "b10", "b9")]
    for at in (2, 0, 1):
        Image.fromarray(pixels[at]).save(tmp_path / names[at])
    (tmp_path / "a.txt").write_text("not an image")
    (tmp_path / "labels.csv").write_text("a,1")
    (tmp_path / "more").mkdir()
    Image.fromarray(pixels[0].T).save(tmp_path / "more" / "a.png")
    images = load_images(tmp_path)
    assert list(images.names) == names
    assert (images.shape, images.data.dtype) == ((4, 5), np.uint8)
    np.testing.assert_array_equal(images.data, pixels.reshape(3, 20))


@pytest.mark.parametrize("suffix", ["jpg", "jpeg"])
def test_jpeg_files_are_read_as_close_as_they_were_saved(tmp_path, suffix):
    smooth = np.add.outer(np.arange(0, 160, 10), np.arange(0, 80, 10)).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / f"a.{suffix}", quality=95)
    images = load_images(tmp_path)
    assert images.shape == (16, 8)
    np.testing.assert_allclose(images.data[0].reshape(16, 8), smooth, atol=4)


def test_black_and_white_files_become_0_and_255(tmp_path):
    bits = np.array([[True, False, True], [False, False, True]])
    Image.fromarray(bits).save(tmp_path / "a.png")
    np.testing.assert_array_equal(load_images(tmp_path).data[0], 255 * bits.ravel())


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "P, transparent"])
def test_colour_is_refused_unless_grey_is_asked_for(tmp_path, rng, mode):
    colours = rng.integers(0, 256, (4, 5, 3)).astype(np.uint8)
    image = Image.fromarray(colours).convert(mode.split(",")[0])
    options = {"transparency": b"\0\x80"} if "transparent" in mode else {}
    image.save(tmp_path / "a.png", **options)
    with pytest.raises(ValueError, match=r"a\.png has mode .*grey=True"):
        load_images(tmp_path)
    seen = np.asarray(image.convert("RGB"), float)
    luminance = seen @ [0.299, 0.587, 0.114]
    grey = load_images(tmp_path, grey=True).data.reshape(4, 5)
    np.testing.assert_allclose(grey, luminance, atol=1)


@pytest.mark.parametrize("grey", [False, True])
def test_16_bit_files_are_refused_with_a_remedy_that_helps(tmp_path, grey):
    deep = np.array([[0, 70], [300, 65535]], np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    with pytest.raises(ValueError, match=r"deep\.png .*8-bit") as caught:
        load_images(tmp_path, grey=grey)
    assert "grey=True" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_damaged_image_file_is_named(tmp_path, rng, suffix, kept):
    noise = rng.integers(0, 256, (80, 80)).astype(np.uint8)
    for stem in ("a", "b"):
        Image.fromarray(noise).save(tmp_path / f"{stem}.{suffix}")
    content = (tmp_path / f"b.{suffix}").read_bytes()
    (tmp_path / f"b.{suffix}").write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ValueError, match=rf"b\.{suffix} cannot be read as an image"):
        load_images(tmp_path)


def test_image_of_another_size_is_named_with_both_sizes(tmp_path, pixels):
    Image.fromarray(pixels[0]).save(tmp_path / "a.png")
    Image.fromarray(pixels[0].T).save(tmp_path / "b.png")
    with pytest.raises(ValueError, match=r"b\.png is 4 x 5 .*a\.png is 5 x 4"):
        load_images(tmp_path)


def test_folder_without_images_says_what_was_expected(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing here")
    with pytest.raises(ValueError, match=r"holds no image: .*\.png, \.jpg"):
        load_images(tmp_path)


def test_folder_that_is_called_like_an_image_is_passed_over(tmp_path, pixels):
    Image.fromarray(pixels[0]).save(tmp_path / "a.png")
    (tmp_path / "thumbnails.png").mkdir()
    assert list(load_images(tmp_path).names) == ["a.png"]


@pytest.mark.parametrize(
    ("shape", "expected"), [((2, 3, 7), (3, 7)), ((2, 16), (4, 4)), ((2, 15), (1, 15))]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, bool, np.float64, ">f4"])
def test_array_file_is_mapped_and_takes_images_or_rows(
    tmp_path, shape, expected, dtype
):
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    np.save(tmp_path / "x.npy", array)
    images = load_images(tmp_path / "x.npy")
    assert isinstance(images.data, np.memmap)
    assert (images.shape, images.data.dtype) == (expected, array.dtype)
    np.testing.assert_array_equal(images.data, array.reshape(2, -1))


def test_columns_first_array_file_keeps_its_images(tmp_path, pixels):
    np.save(tmp_path / "x.npy", np.asfortranarray(pixels))
    data = load_images(tmp_path / "x.npy").data
    np.testing.assert_array_equal(data, pixels.reshape(3, 20))


def test_one_of_several_arrays_is_chosen_by_its_key(tmp_path, pixels):
    path = tmp_path / "x.npz"
    np.savez(path, train=pixels, labels=np.arange(3))
    images = load_images(path, key="train")
    np.testing.assert_array_equal(images.data, pixels.reshape(3, 20))
    for key in (None, "test"):
        with pytest.raises(ValueError, match=rf"train, labels; .*key={key!r}"):
            load_images(path, key=key)


@pytest.mark.parametrize("save", [np.save, np.savez, np.savez_compressed])
@pytest.mark.parametrize("kept", [0.0, 0.05, 0.5, 0.99])
def test_truncated_array_file_is_refused(tmp_path, pixels, save, kept):
    path = tmp_path / ("x.npy" if save is np.save else "x.npz")
    save(path, np.tile(pixels, (1, 9, 9)))
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ValueError, match=re.escape(f"{path} cannot be read")):
        load_images(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_array_in_an_archive_is_refused(tmp_path, pixels, save):
    path = tmp_path / "x.npz"
    save(path, pixels)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 - 40] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(f"{path} cannot be read")):
        load_images(path)


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(4), r"shape \(4,\); expected \(n_images, height, width\)"),
        (np.zeros((2, 4, 4, 3)), r"shape \(2, 4, 4, 3\); expected .* shades of grey"),
        (np.zeros((0, 4)), r"shape \(0, 4\): there is no pixel"),
        (np.zeros((2, 0, 4)), r"shape \(2, 0, 4\): there is no pixel"),
        (np.array([["a", "b"]]), "dtype <U1; expected integers or real numbers"),
        (np.array([[1j, 2]]), "dtype complex128; expected integers or real"),
        (np.array([["2020-01-01"]], "M8[D]"), "dtype datetime64"),
        (np.array([[{"code": "is run"}]], object), r"[Oo]bject"),
    ],
)
def test_array_that_holds_no_images_is_refused(tmp_path, name, array, message):
    path = tmp_path / name
    (np.save if name == "x.npy" else np.savez)(path, array)
    with pytest.raises(ValueError, match=message) as caught:
        load_images(path)
    assert str(path) in str(caught.value)
    assert "damaged" not in str(caught.value)


def test_a_split_holds_a_part_of_the_images_out():
    digits = load_split("digits")
    assert (len(digits.training), len(digits.test)) == (1437, 360)
    assert digits.shape == (8, 8)
    assert digits.n_pixels == 64
    assert digits.pixel_range == (0.0, 16.0)
    together = np.vstack([digits.training, digits.test])
    assert sorted(map(bytes, together)) == sorted(map(bytes, load_digits().data))
    again, other = load_split("digits"), load_split("digits", random_state=1)
    np.testing.assert_array_equal(again.test, digits.test)
    assert not np.array_equal(other.test, digits.test)
    assert len(load_split("digits", test_size=100).test) == 100


def test_a_file_that_is_split_stays_so(tmp_path, rng):
    images = rng.integers(0, 256, (9, 4, 5)).astype(np.uint8)
    path = tmp_path / "x.npz"
    np.savez(path, train=images[:6], test=images[6:])
    split = load_split(path)
    np.testing.assert_array_equal(split.training, images[:6].reshape(6, 20))
    np.testing.assert_array_equal(split.test, images[6:].reshape(3, 20))
    # A part of it on its own is like any other set.
    assert len(load_split(path, key="train").test) == 2
    np.savez(path, train=images[:6], test=images[6:, :, 1:])
    with pytest.raises(ValueError, match="they must be equal"):
        load_split(path)


def test_too_few_images_cannot_be_split(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((4, 2, 2), np.uint8))
    with pytest.raises(ValueError, match="holds 4 images; at least 5"):
        load_split(tmp_path / "x.npy")
