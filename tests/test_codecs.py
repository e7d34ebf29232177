"""Codecs: what comes back, at what quality and in how many bytes."""

import math
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_dae import (
    DeepAutoencoderCompressor,
    HuffmanCoder,
    KMeansQuantizer,
    UniformQuantizer,
)
from sklearn_dae.codecs import HuffmanCodec, SetRedundancyCodec, TransformCodec
from sklearn_dae.evaluation import psnr
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.models import model_to_bytes


@pytest.fixture(scope="module")
def autoencoder(split):
    settings = {"hidden_layer_sizes": (100, 50), "max_iter": 10, "random_state": 0}
    return DeepAutoencoderCompressor(8, **settings).fit(split[0])


def quality(codec, X):
    return psnr(X, codec.decode(codec.encode(X)), (codec.low_, codec.high_))


def total(codec, X):
    return len(codec.encode(X)) + len(model_to_bytes(codec))


TRANSFORMERS = [
    PCA(8),
    make_pipeline(StandardScaler(), PCA(8)),
    DeepAutoencoderCompressor(8, max_iter=3, random_state=0),
]


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=str)
def test_what_is_decoded_is_what_the_transformer_restores_of_the_symbols(
    transformer, split
):
    X, fresh = split
    codec = TransformCodec(transformer).fit(X)
    decoded = codec.decode(codec.encode(fresh))
    assert decoded.dtype == np.uint8
    assert decoded.shape == fresh.shape
    exact = codec.transformer_.inverse_transform(codec.transformer_.transform(fresh))
    loss = psnr(fresh, np.clip(exact, 0, 255), (0, 255)) - quality(codec, fresh)
    # A quarter more squared error is 0.97 dB; refined codes make up for some of it.
    assert -0.5 < loss < 1.5


@pytest.mark.parametrize("n_rows", [0, 1, 2, 63, 64, 65, 200])
def test_rows_come_back_in_order_whatever_their_number(n_rows, split):
    X, fresh = split
    codec = TransformCodec(PCA(8), chunk_size=64).fit(X)
    whole = codec.decode(codec.encode(fresh[:200]))
    some = codec.decode(codec.encode(fresh[:n_rows]))
    assert_array_equal(some, whole[:n_rows])


def test_symbols_are_those_that_are_coded(split):
    X, fresh = split
    codec = TransformCodec(PCA(8)).fit(X)
    symbols = codec.symbols(fresh)
    assert symbols.shape == (len(fresh), 8)
    assert codec.encode_chunk(fresh).data.endswith(codec.code_model_.encode(symbols))


def test_fewer_bytes_than_the_transformers_values(split):
    X, fresh = split
    codec = TransformCodec(PCA(8)).fit(X)
    data = codec.encode(fresh)
    assert len(data) < 8 * len(fresh)
    # Real bytes are what the tables promise, plus some for each chunk.
    assert len(data) < codec.bits_per_sample_ / 8 * len(fresh) * 1.03 + 20


@pytest.mark.parametrize("target", [14.0, 16.0, 18.0])
@pytest.mark.parametrize("rotate", [True, False])
def test_a_target_quality_is_met_and_not_exceeded_by_much(target, rotate, split):
    codec = TransformCodec(PCA(16), target_psnr=target, rotate=rotate).fit(split[0])
    assert target - 0.01 <= codec.psnr_ < target + 0.15
    assert quality(codec, split[0]) == pytest.approx(codec.psnr_, abs=0.05)
    assert quality(codec, split[1]) == pytest.approx(target, abs=0.5)


@pytest.mark.parametrize("target", [10.0, 25.0, 60.0])
def test_a_target_rate_is_met_and_used(target, split):
    X, fresh = split
    codec = TransformCodec(PCA(16), target_bits_per_sample=target).fit(X)
    assert 0.93 * target < codec.bits_per_sample_ <= target
    assert 8 * len(codec.encode(fresh)) / len(fresh) == pytest.approx(target, rel=0.16)


def test_a_fitted_transformer_is_used_as_it_is(autoencoder, split):
    X = split[0][:300]
    codec = TransformCodec(autoencoder).fit(X)
    assert codec.transformer_ is autoencoder
    unfitted = clone(autoencoder)
    assert TransformCodec(unfitted).fit(X).transformer_ is not unfitted
    assert not hasattr(unfitted, "coefs_")


def test_turned_codes_take_fewer_bits_at_the_same_quality(split):
    X, fresh = split
    # Codes of a network have no reason to be independent, or to matter alike.
    mixing = np.random.default_rng(0).normal(size=(8, 8)) + 3 * np.eye(8)

    class Mixed(PCA):
        def transform(self, X):
            return super().transform(X) @ mixing

        def inverse_transform(self, X):
            return super().inverse_transform(X @ np.linalg.inv(mixing))

    rates = {}
    for rotate in (True, False):
        codec = TransformCodec(Mixed(8), target_psnr=15.5, rotate=rotate).fit(X)
        rates[rotate] = total(codec, fresh)
    plain = TransformCodec(PCA(8), target_psnr=15.5).fit(X)
    assert rates[True] < 0.95 * rates[False]
    assert rates[True] == pytest.approx(total(plain, fresh), rel=0.05)


@pytest.mark.parametrize(
    "quantizer", [UniformQuantizer(8), UniformQuantizer(step=30.0), KMeansQuantizer(8)]
)
def test_any_quantizer_will_do(quantizer, split):
    X, fresh = split
    codec = TransformCodec(PCA(8), quantizer, rotate=False).fit(X)
    assert quality(codec, fresh) > 12
    assert quantizer.__dict__ == clone(quantizer).__dict__  # not fitted itself


def test_floats_come_back_as_floats_within_their_range(split):
    X = split[0] / np.float32(240)
    codec = TransformCodec(PCA(8)).fit(X)
    decoded = codec.decode(codec.encode(X))
    assert decoded.dtype == X.dtype
    assert decoded.min() >= 0
    assert decoded.max() <= 1
    # The scale of the pixels makes no difference to the bits.
    same = TransformCodec(PCA(8)).fit(X * 240)
    assert_allclose(codec.bits_per_sample_, same.bits_per_sample_, rtol=0.03)


def test_without_any_wish_an_exact_transformer_is_stored_to_eight_bits(split):
    X, fresh = split
    codec = TransformCodec(PCA(64)).fit(X[:500])
    errors = codec.decode(codec.encode(fresh)).astype(int) - fresh
    # Quantising and rounding make a twelfth each.
    assert np.square(errors).mean() < 0.3


def test_a_search_ranks_codecs(split):
    X = split[0][:500]
    search = GridSearchCV(
        TransformCodec(PCA(), target_psnr=14.0),
        {"transformer__n_components": [8, 24], "rotate": [True, False]},
        cv=2,
        error_score="raise",
    ).fit(X)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    # The same quality with fewer bits is better.
    codec = search.best_estimator_
    coarse = TransformCodec(PCA(24), target_psnr=12.0).fit(X)
    assert codec.score(X) > coarse.score(X)


def test_the_score_is_the_bits_and_those_of_the_error(split):
    X, fresh = split
    codec = TransformCodec(PCA(8)).fit(X)
    data = codec.encode(fresh)
    mse = np.square(fresh - codec.decode(data).astype(float)).mean()
    expected = -8 * len(data) / len(fresh) - 32 * math.log2(1 + 12 * mse)
    assert codec.score(fresh) == pytest.approx(expected)


@pytest.fixture(scope="module")
def small(split):
    """A codec and its bytes for 150 images in chunks of 64."""
    codec = TransformCodec(PCA(8), chunk_size=64).fit(split[0])
    return codec, codec.encode(split[1][:150])


@given(position=st.integers(0), bit=st.integers(0, 7))
@settings(max_examples=150)
def test_a_flipped_bit_is_an_error_and_never_a_wrong_image(small, position, bit):
    codec, data = small
    damaged = bytearray(data)
    damaged[position % len(data)] ^= 1 << bit
    with pytest.raises(BitstreamError):
        codec.decode(bytes(damaged))


@given(length=st.integers(0))
@settings(max_examples=60)
def test_a_truncated_stream_is_an_error(small, length):
    codec, data = small
    with pytest.raises(BitstreamError):
        codec.decode(data[: length % len(data)])


def test_a_longer_stream_is_an_error(small):
    codec, data = small
    with pytest.raises(BitstreamError, match="more than expected"):
        codec.decode(data + b"\0")


def test_absurd_numbers_of_rows_are_refused_before_they_take_memory(small):
    codec, _ = small
    chunk = codec.encode_chunk(np.zeros((1, 64), np.uint8)).data
    checksum = zlib.crc32(chunk).to_bytes(4, "little")
    for n_rows, chunk_rows in ((2**62, 2**62), (2**40, 4096), (10**9, 10**9)):
        header = leb(n_rows) + leb(chunk_rows)
        with pytest.raises(BitstreamError):
            codec.decode(header + leb(len(chunk)) + checksum + chunk)


def leb(number):
    """An independent LEB128 writer."""
    groups = []
    while number or not groups:
        groups.append(number % 128)
        number //= 128
    return bytes([group + 128 for group in groups[:-1]] + groups[-1:])


@pytest.mark.parametrize(
    ("codec", "error", "message"),
    [
        (TransformCodec(StandardScaler), TypeError, "instance"),
        (TransformCodec(KMeansQuantizer), TypeError, "instance"),
        (TransformCodec(object()), TypeError, "has no transform"),
        (TransformCodec(PCA(8), target_psnr=90), ValueError, "more components"),
        (TransformCodec(PCA(8), target_psnr=-3), ValueError, "target_psnr"),
        (TransformCodec(PCA(8), target_bits_per_sample=0), ValueError, "bits_per"),
        (
            TransformCodec(PCA(8), target_psnr=15, target_bits_per_sample=9),
            ValueError,
            "give one of them",
        ),
        (TransformCodec(PCA(8), rotate=1), TypeError, "rotate"),
        (TransformCodec(PCA(8), chunk_size=0), ValueError, "chunk_size"),
    ],
)
def test_impossible_parameters_are_refused(codec, error, message, split):
    with pytest.raises(error, match=message):
        codec.fit(split[0])


@pytest.mark.parametrize(
    "codec",
    [
        TransformCodec(PCA(8), target_bits_per_sample=30),
        SetRedundancyCodec(),
        HuffmanCodec(),
    ],
)
def test_a_fit_that_fails_leaves_the_previous_one(codec, digits):
    before = codec.fit(digits)
    data = before.encode(digits[:50])
    if isinstance(codec, TransformCodec):
        codec.set_params(target_bits_per_sample=1e-6)
        images = digits[:100, :32]
    else:
        images = np.full((3, 64), np.nan)
    with pytest.raises(ValueError, match=r"NaN|bits_per_sample"):
        codec.fit(images)
    assert codec.n_features_in_ == 64
    assert codec.encode(digits[:50]) == data


def test_rows_of_another_kind_are_refused(small):
    codec, _ = small
    with pytest.raises(ValueError, match="that uint8 cannot hold, the dtype"):
        codec.encode(np.full((1, 64), 0.5))
    with pytest.raises(ValueError, match="that uint8 cannot hold"):
        codec.encode(np.full((1, 64), 300))
    with pytest.raises(ValueError, match="features"):
        codec.encode(np.zeros((1, 63), np.uint8))
    with pytest.raises(NotFittedError):
        clone(codec).encode(np.zeros((1, 64), np.uint8))
    with pytest.raises(NotFittedError):
        clone(codec).decode(b"\0\0")


def test_huffman_gives_back_every_pixel_in_the_bits_of_its_words(split):
    X, fresh = split
    codec = HuffmanCodec().fit(X)
    data = codec.encode(fresh)
    assert_array_equal(codec.decode(data), fresh)
    bits = HuffmanCoder().fit(X).bits(fresh) - 1  # a row's first bit tells its kind
    assert len(data) == pytest.approx(bits.sum() / 8, abs=12)
    assert codec.score(fresh) == pytest.approx(-8 * len(data) / len(fresh))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float32, bool])
def test_huffman_stores_values_that_it_was_not_fitted_on(dtype, rng):
    X = np.zeros((20, 5), dtype)
    fresh = (100 * rng.normal(size=(300, 5))).clip(0).astype(dtype)
    codec = HuffmanCodec(chunk_size=100).fit(X)
    if dtype is np.int64:
        fresh += 2**60  # which no float holds exactly
    decoded = codec.decode(codec.encode(fresh))
    assert decoded.dtype == dtype
    assert_array_equal(decoded, fresh)


def test_huffman_refuses_absurd_claims(split):
    codec = HuffmanCodec().fit(split[0])
    with pytest.raises(BitstreamError, match=r"The chunk has .* words, expected 128"):
        codec.decode_chunk(codec.encode_chunk(split[0][:1]).data, 2)
    chunk = b"\0" * 10
    checksum = zlib.crc32(chunk).to_bytes(4, "little")
    with pytest.raises(BitstreamError, match="10 bytes cannot hold 60000 images"):
        codec.decode(leb(60000) + leb(65536) + leb(10) + checksum + chunk)
