"""What codecs and archives do with input at the edge, and beyond it."""

import io
import os

import numpy as np
import pytest
from full_disk import files_of_at_most
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA

from sklearn_dae import (
    DeepAutoencoderCompressor,
    KMeansQuantizer,
    UniformQuantizer,
)
from sklearn_dae.archive import open_archive, write_archive
from sklearn_dae.codecs import HuffmanCodec, PixelCodec, TransformCodec
from sklearn_dae.exceptions import BitstreamError, OutOfDomainWarning
from sklearn_dae.models import save_model

SMALL = {"hidden_layer_sizes": (10,), "max_iter": 3, "random_state": 0}


def through_an_archive(images, codec, **parameters):
    file = io.BytesIO()
    write_archive(file, images, codec, **parameters)
    archive = open_archive(file)
    assert archive.verify().ok
    restored = archive[:]
    return np.array(restored, images.dtype).reshape(images.shape)


def assert_exact(images, codec):
    for restored in (
        through_an_archive(images, codec),
        codec.decode(codec.encode(images)),
    ):
        assert restored.dtype == images.dtype
        assert_array_equal(restored, images)


# As many distinct symbols as there can be.

EVERY_UINT16 = np.arange(65536, dtype=np.uint16).reshape(-1, 64)


def test_65536_distinct_pixels_in_huffmans_code():
    codec = HuffmanCodec().fit(EVERY_UINT16)
    assert_exact(EVERY_UINT16, codec)
    # A word of 16 bits or 17 each, as the escape word has to be a word too.
    assert 2 * 65536 <= len(codec.encode(EVERY_UINT16)) < 2 * 65536 + 100


def test_65536_distinct_pixels_by_networks_of_pixels(rng):
    codec = PixelCodec(effort=2).fit(EVERY_UINT16)
    assert_array_equal(through_an_archive(EVERY_UINT16, codec), EVERY_UINT16)
    noise = rng.permuted(EVERY_UINT16.ravel()).reshape(EVERY_UINT16.shape)
    data = codec.encode(noise)
    assert len(data) < noise.nbytes + 100
    restored = codec.decode(data)
    assert restored.dtype == np.uint16
    assert_array_equal(restored, noise)


def test_more_distinct_pixels_than_a_huffman_code_has_words(rng):
    images = rng.normal(size=(300, 300)).astype(np.float32)
    assert len(np.unique(images)) > 65536
    assert_exact(images, HuffmanCodec().fit(images))


@pytest.mark.parametrize("quantizer", [UniformQuantizer, KMeansQuantizer])
def test_65536_levels_of_a_code(quantizer):
    rows = EVERY_UINT16.reshape(-1, 1)
    codec = TransformCodec(PCA(1), quantizer(n_levels=65536)).fit(rows)
    restored = through_an_archive(rows, codec)
    # Levels are learned from ten thousand rows, which leave small gaps.
    assert abs(restored.astype(int) - rows).max() < 65536 / 1000
    assert len(np.unique(restored)) > 9000


# One distinct symbol.

# Without any variance, PCA divides zero by zero for a ratio that nobody asks for.
CONSTANT = pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning:sklearn")


@CONSTANT
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(
    "codec",
    [
        HuffmanCodec(),
        TransformCodec(PCA(2)),
        TransformCodec(PCA(2), target_bits_per_sample=3),
        TransformCodec(PCA(2), UniformQuantizer()),
        TransformCodec(PCA(2), KMeansQuantizer()),
        TransformCodec(DeepAutoencoderCompressor(2, **SMALL)),
    ],
    ids=lambda codec: repr(codec).replace("\n", ""),
)
def test_images_of_one_grey(codec, dtype):
    images = np.full((50, 16), 7, dtype)
    codec.fit(images)
    assert_exact(images, codec)
    assert len(codec.encode(images)) < 120
    # Others come back too: it is no range for them, so they are kept apart.
    others = np.arange(0, 160, 10, dtype=dtype).reshape(1, 16)
    if isinstance(codec, HuffmanCodec):
        assert_exact(others, codec)
    else:
        with pytest.warns(OutOfDomainWarning, match="1 of 1 images"):
            assert_array_equal(through_an_archive(others, codec), others)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_images_of_one_grey_by_networks_of_pixels(dtype, rng):
    images = np.full((50, 16), 7, dtype)
    codec = PixelCodec().fit(images)
    assert_exact(images, codec)
    assert len(codec.encode(images)) < 120
    assert_exact(rng.integers(256, size=(50, 16)).astype(dtype), codec)


# No image, and one.


@CONSTANT
@pytest.mark.parametrize("n_training", [1, 20])
@pytest.mark.parametrize(
    "codec",
    [
        HuffmanCodec(),
        PixelCodec(),
        TransformCodec(PCA(1)),
        TransformCodec(DeepAutoencoderCompressor(1, **SMALL)),
    ],
    ids=["Huffman", "pixels", "PCA", "autoencoder"],
)
def test_no_image_and_one(codec, n_training, digits):
    images = digits[:n_training]
    codec.fit(images)
    for n_images in (0, 1):
        for restored in (
            through_an_archive(images[:n_images], codec),
            codec.decode(codec.encode(images[:n_images])),
        ):
            assert restored.shape == (n_images, 64)
            assert restored.dtype == images.dtype


@pytest.mark.parametrize(
    "codec", [HuffmanCodec(), PixelCodec(), TransformCodec(PCA(1))], ids=str
)
def test_nothing_to_learn_from(codec, digits):
    with pytest.raises(ValueError, match="0 sample"):
        codec.fit(digits[:0])


# NaN.


class Broken(TransformerMixin, BaseEstimator):
    """Takes roots of pixels for codes, and fails as it is told."""

    def __init__(self, forward=None, backward=None):
        self.forward = forward
        self.backward = backward

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return self._spoilt(np.sqrt(X), self.forward)

    def inverse_transform(self, X):
        return self._spoilt(np.square(X), self.backward)

    def _spoilt(self, X, value):
        X = np.array(X, float)
        if value is not None:
            X[-1, 0] = value
        return X


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("rotate", [True, False])
def test_a_transformer_that_gives_nan_is_named(value, rotate, rng):
    X = rng.integers(16, size=(100, 4)).astype(np.float32)
    message = "Broken gives codes with NaN or infinity"
    with pytest.raises(ValueError, match=message):
        TransformCodec(Broken(forward=value), rotate=rotate).fit(X)
    codec = TransformCodec(Broken(), rotate=rotate).fit(X)
    codec.transformer_.forward = value
    with pytest.raises(ValueError, match=message):
        codec.encode(X)
    with pytest.raises(ValueError, match=message):
        codec.encode_chunk(X)  # which archives are made of


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("rotate", [True, False])
def test_a_transformer_that_restores_nan_is_named(rotate, rng):
    X = rng.integers(16, size=(100, 4)).astype(np.uint8)
    with pytest.raises(ValueError, match="Broken restores images with NaN"):
        TransformCodec(Broken(backward=np.nan), rotate=rotate).fit(X)
    codec = TransformCodec(Broken(), rotate=rotate).fit(X)
    data = codec.encode(X)
    codec.transformer_.backward = np.nan
    with pytest.raises(BitstreamError, match="Broken restores images with NaN"):
        codec.decode(data)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("codec", [HuffmanCodec(), TransformCodec(PCA(2))], ids=str)
def test_pixels_that_are_no_numbers_are_refused(codec, bad, tmp_path, rng):
    images = rng.normal(size=(40, 6))
    codec.fit(images)
    images[30, 2] = bad
    with pytest.raises(ValueError, match="contains"):
        codec.encode(images)
    with pytest.raises(ValueError, match="contains"):
        write_archive(tmp_path / "x.dae", images, codec, chunk_size=10)
    assert not list(tmp_path.iterdir())


# Places that take no file.


def writers(digits):
    codec = HuffmanCodec().fit(digits)
    yield lambda path: write_archive(path, digits, codec, chunk_size=100)
    yield lambda path: save_model(codec, path)


def test_a_full_disk_leaves_no_file(tmp_path, digits):
    for write in writers(digits):
        with files_of_at_most(200), pytest.raises(OSError, match="File too large"):
            write(tmp_path / "x")
        assert not list(tmp_path.iterdir())


def test_a_read_only_folder_is_named(tmp_path, digits):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    if not os.geteuid():
        # No folder is read-only to root, but for those of the kernel.
        folder = "/proc/sys"
        if not os.path.isdir(folder):
            pytest.skip("root may write everywhere")
    for write in writers(digits):
        with pytest.raises(OSError, match=str(folder)):
            write(f"{folder}/x")
    assert not list(tmp_path.glob("locked/*"))
