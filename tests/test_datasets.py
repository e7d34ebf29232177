"""Loaders: exact pixels from good files, refusals that name bad ones."""

import gzip
import hashlib
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import sklearn.datasets
from image_files import idx_bytes

from sklearn_dae.datasets import ImageSplit, load_digits, load_mnist, load_split
from sklearn_dae.datasets._standard import _fetch_openml

TRAIN, TEST = "train-images-idx3-ubyte", "t10k-images-idx3-ubyte"


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
    assert (len(digits), digits.image_shape, digits.data.dtype) == (
        1797,
        (8, 8),
        np.uint8,
    )
    np.testing.assert_array_equal(digits.data, sklearn.datasets.load_digits().data)


@pytest.mark.parametrize(
    ("subset", "n_images", "mean", "deviation"),
    [("train", 60000, 0.1307, 0.3081), ("test", 10000, 0.1325, 0.3105)],
)
def test_mnist_has_its_well_known_statistics(mnist, subset, n_images, mean, deviation):
    images = mnist[subset]
    assert (len(images), images.image_shape) == (n_images, (28, 28))
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
        assert downloaded.image_shape == (28, 28)
        np.testing.assert_array_equal(downloaded.data, mnist[subset].data)
    joint[60000, 400] ^= 1
    _fetch_openml.cache_clear()
    with pytest.raises(ValueError, match="OpenML has the MD5 checksum"):
        load_mnist("test")


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
    # Those who hold nothing out see the images in their order.
    np.testing.assert_array_equal(digits.images.data, load_digits().data)
    split = ImageSplit(digits.training, digits.test, (8, 8), "in parts")
    np.testing.assert_array_equal(split.images.data, together)


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


def test_what_is_not_grey_and_of_one_size_cannot_be_split(tmp_path, rng):
    colours = rng.integers(0, 256, (9, 4, 5, 3)).astype(np.uint8)
    np.save(tmp_path / "x.npy", colours)
    with pytest.raises(ValueError, match=r"RGB, uint8; expected shades.*--grey"):
        load_split(tmp_path / "x.npy")
    assert load_split(tmp_path / "x.npy", grey=True).shape == (4, 5)


def test_too_few_images_cannot_be_split(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((4, 2, 2), np.uint8))
    with pytest.raises(ValueError, match="holds 4 images; at least 5"):
        load_split(tmp_path / "x.npy")
