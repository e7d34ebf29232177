"""Images without loss, with a bounded error, and those that no codec was made for."""

import lzma
import os
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pytest
from codec_checks import damage
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.codecs import HuffmanCodec, TransformCodec
from sklearn_dae.codecs._code_space import CodeSpace
from sklearn_dae.codecs._exact import ExactDecoder
from sklearn_dae.codecs._guard import error_limit
from sklearn_dae.coding._intervals import IntervalDecoder, IntervalEncoder
from sklearn_dae.entropy import PixelModel
from sklearn_dae.entropy._canvas import N_INPUTS
from sklearn_dae.entropy._grid import EXACT_UNITS, logistic, to_grid, weights_on_grid
from sklearn_dae.entropy._pixel_model import TRUST, count_symbols
from sklearn_dae.evaluation import psnr
from sklearn_dae.exceptions import BitstreamError, OutOfDomainWarning


@pytest.fixture(scope="module")
def lossless(split):
    return TransformCodec(PCA(8), lossless=True).fit(split[0][:700])


@pytest.fixture(scope="module")
def lossy(split):
    return TransformCodec(PCA(8)).fit(split[0])


# Arithmetic that has one result.


def test_the_order_of_adding_makes_no_difference_on_the_grid(rng):
    weights = weights_on_grid(rng.normal(size=(500, 7)) * 10.0 ** rng.uniform(-3, 3, 7))
    inputs = to_grid(rng.uniform(0, 2**14, (20, 500)), 2.0**-12)
    product = inputs @ weights
    for _ in range(5):
        order = rng.permutation(500)
        assert_array_equal(inputs[:, order] @ weights[order], product)
        assert_array_equal(
            sum(np.outer(inputs[:, i], weights[i]) for i in order), product
        )


@pytest.mark.parametrize("hidden", ["relu", "logistic", "tanh", "identity"])
def test_the_exact_network_is_the_network_to_a_level_of_grey(split, hidden):
    X, fresh = split
    dae = DeepAutoencoderCompressor(
        6, hidden_layer_sizes=(30, 20), activation=hidden, max_iter=3, random_state=0
    ).fit(X)
    codes = dae.transform(fresh).astype(np.float64)
    space = CodeSpace.learn(dae, codes)
    coordinates = space.coordinates(codes)
    decoder = ExactDecoder(dae, space, float(np.abs(coordinates).max()))
    pixels = dae.inverse_transform(space.codes(coordinates))
    off = decoder(coordinates) - pixels
    # Rounding alone makes 0.5 and 0.29.
    assert np.abs(off).max() < 1.5
    assert off.std() < 0.35


def test_tables_are_far_from_ties():
    # So that an exponential function whose last bit differs rounds to the same.
    middles = (np.arange(-4096, 4096) + 0.5) / 256
    powers = 2.0**15 * np.exp(-np.arange(len(TRUST)) / 32)
    for numbers in (4096 * logistic(middles), 4096 * np.tanh(middles), powers):
        distance = np.abs(numbers % 1 - 0.5)
        assert distance.min() > 1e-9
    assert_array_equal(TRUST, np.rint(powers))
    assert_array_equal(
        EXACT_UNITS["tanh"](middles), to_grid(np.tanh(middles), 2.0**-12)
    )


@pytest.fixture(scope="module")
def coded(split, tmp_path_factory):
    """A file with an autoencoder's lossless codec and what it makes of new images."""
    X, fresh = split
    dae = DeepAutoencoderCompressor(
        8, hidden_layer_sizes=(60, 30), max_iter=3, random_state=0
    )
    codec = TransformCodec(dae, lossless=True).fit(X[:300])
    path = tmp_path_factory.mktemp("codec") / "coded"
    joblib.dump((codec, codec.encode(fresh)), path)
    return path


DECODE = """
import sys, joblib, numpy as np
codec, data = joblib.load(sys.argv[1])
sys.stdout.buffer.write(codec.decode(data).tobytes())
"""


@pytest.mark.parametrize("kernel", ["Nehalem", "Sandybridge"])
def test_another_machine_restores_the_same(split, coded, kernel):
    # BLAS kernels for other processors add in another order.
    decoded = subprocess.run(
        [sys.executable, "-c", DECODE, str(coded)],
        env={
            **os.environ,
            "OPENBLAS_CORETYPE": kernel,
            "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512_SKX AVX2 FMA3",
        },
        capture_output=True,
        check=True,
    ).stdout
    assert decoded == split[1].tobytes()


# The model of pixels.


@pytest.fixture(scope="module", params=[0, 3])
def model(request, split):
    X = split[0][:200]
    return PixelModel.fit(X, X // 2 + 60, (8, 8), max_error=request.param)


def test_intervals_fill_the_slots_and_are_found_again(model, rng):
    trust = model.trust(rng.integers(0, 256, (N_INPUTS, 5)).astype(float))
    assert trust.max() == 2**15
    every = np.arange(model.n_symbols)
    for column in trust.T:
        mixture = np.repeat(column[:, np.newaxis], model.n_symbols, axis=1)
        starts, sizes = model.intervals(mixture, every)
        assert sizes.min() >= 1
        assert_array_equal(starts, np.cumsum(sizes) - sizes)
        assert starts[-1] + sizes[-1] == 2**16
        slots = rng.integers(2**16, size=300)
        symbols, (found, n_slots) = model.find(column[:, np.newaxis], slots)
        assert_array_equal(symbols, np.searchsorted(starts, slots, "right") - 1)
        assert_array_equal(found, starts[symbols])
        assert_array_equal(n_slots, sizes[symbols])


@pytest.mark.parametrize("max_error", [0, 1, 2, 7, 60, 127])
def test_every_pixel_has_a_symbol_that_is_near_enough(max_error):
    X = np.zeros((1, 4), np.uint8)
    # What is a symbol needs no training, which ends as soon as it is told.
    model = PixelModel.fit(X, X, (2, 2), max_error, on_part=lambda: True)
    pixels, centres = map(np.ravel, np.meshgrid(np.arange(256), np.arange(256)))
    symbols = model.symbols(pixels, centres)
    assert symbols.min() == 0
    assert symbols.max() < model.n_symbols <= 256
    off = model.pixels(symbols, centres).astype(int) - pixels
    assert np.abs(off).max() <= max_error
    assert count_symbols(0) == 256


@settings(max_examples=25, deadline=None)
@given(n=st.integers(0, 40), seed=st.integers(0, 2**32 - 1), noise=st.booleans())
def test_pixels_come_back(model, split, n, seed, noise):
    rng = np.random.default_rng(seed)
    images = split[1][:n] if not noise else rng.integers(0, 256, (n, 64), np.uint8)
    n = len(images)
    predictions = rng.integers(0, 256, (n, 64)).astype(np.uint8)
    coded = model.encode(images, predictions)
    decoded = model.decode(coded.data, predictions)
    assert_array_equal(decoded, coded.images)
    off = decoded.astype(int) - images
    assert np.abs(off).max(initial=0) <= model.max_error
    # Three bytes a lane of 16 images, and what rANS loses.
    n_bytes = coded.n_bits.sum() / 8
    assert n_bytes - 1 < len(coded.data) + 1 < 1.01 * n_bytes + 4 * (n / 16 + 1) + 2


def test_a_good_prediction_is_worth_bits(split):
    X = split[0][:400]
    blind = PixelModel.fit(X, np.zeros_like(X), (8, 8))
    told = PixelModel.fit(X, X // 16 * 16, (8, 8))
    bits = [
        model.bits(split[1], predictions).mean()
        for predictions, model in [
            (np.zeros_like(split[1]), blind),
            (split[1] // 16 * 16, told),
        ]
    ]
    assert bits[1] < 0.6 * bits[0]


def test_interval_coders_are_inverse(rng):
    starts = rng.integers(0, 2**16 - 1, 500)
    sizes = rng.integers(1, 2**16 - starts + 1)
    sizes[:50] = 2**16
    starts[:50] = 0
    encoder = IntervalEncoder(7)
    encoder.push(starts[:300], sizes[:300])
    encoder.push(starts[300:], sizes[300:])
    decoder = IntervalDecoder(encoder.to_bytes())
    for first, last in [(0, 300), (300, 500)]:
        for begin in range(first, last, 7):
            step = slice(begin, min(begin + 7, last))
            slots = decoder.slots(step.stop - begin)
            assert (slots >= starts[step]).all()
            assert (slots < starts[step] + sizes[step]).all()
            decoder.take(starts[step], sizes[step])
    decoder.finish()


# The codec.


def test_lossless_is_exact_and_shorter_than_other_lossless_coders(lossless, split):
    X, fresh = split
    data = lossless.encode(fresh)
    assert_array_equal(lossless.decode(data), fresh)
    assert lossless.psnr_ == np.inf
    huffman = len(HuffmanCodec().fit(X).encode(fresh))
    assert len(data) < 0.75 * min(huffman, len(lzma.compress(fresh.tobytes())))
    assert 8 * len(data) / len(fresh) == pytest.approx(
        lossless.bits_per_sample_, rel=0.1
    )


@pytest.mark.parametrize("n", [0, 1, 17])
def test_any_number_of_images_comes_back_from_chunks_of_any_size(lossless, split, n):
    lossless.chunk_size = 5
    try:
        fresh = split[1][:n]
        assert_array_equal(lossless.decode(lossless.encode(fresh)), fresh)
    finally:
        lossless.chunk_size = None


def test_images_of_any_kind_come_back_without_loss(lossless, rng):
    strange = np.vstack(
        [
            rng.integers(0, 256, (5, 64)),
            np.full((2, 64), 255),
            np.zeros((1, 64)),
            np.tile([0, 255], (3, 32)),
        ]
    ).astype(np.uint8)
    data = lossless.encode(strange)
    assert_array_equal(lossless.decode(data), strange)
    # Where the model fails, images are packed as they are.
    assert len(data) < strange.size + 150


@pytest.mark.parametrize("max_abs_error", [0, 2, 20])
def test_no_pixel_is_farther_off_than_was_asked(max_abs_error, split, rng):
    X, fresh = split
    codec = TransformCodec(PCA(8), max_abs_error=max_abs_error).fit(X[:300])
    noise = rng.integers(0, 256, (9, 64)).astype(np.uint8)
    sizes = []
    for images in (fresh, noise):
        data = codec.encode(images)
        off = codec.decode(data).astype(int) - images
        assert np.abs(off).max() <= max_abs_error
        sizes.append(len(data))
    reached = psnr(fresh, codec.decode(codec.encode(fresh)), (0, 255))
    assert reached == pytest.approx(codec.psnr_, abs=1) or max_abs_error == 0
    assert sizes[0] * 8 / len(fresh) < 1.2 * codec.bits_per_sample_


def test_more_error_takes_fewer_bits(split):
    X = split[0] // 2 + np.random.default_rng(0).integers(0, 9, split[0].shape)
    X = X[:300].astype(np.uint8)
    bits = [
        TransformCodec(PCA(8), max_abs_error=e).fit(X).bits_per_sample_
        for e in (0, 4, 12)
    ]
    assert bits[0] > 1.4 * bits[1] > 1.8 * bits[2]


def test_images_need_not_be_square(split):
    wide = split[0][:300].reshape(-1, 4, 16)
    codec = TransformCodec(PCA(4), lossless=True, image_shape=(4, 16))
    codec.fit(wide.reshape(-1, 64))
    assert_array_equal(
        codec.decode(codec.encode(wide.reshape(-1, 64)[:9])), split[0][:9]
    )
    line = TransformCodec(PCA(4), lossless=True, image_shape=(1, 60))
    line.fit(split[0][:300, :60])
    assert_array_equal(line.decode(line.encode(split[1][:9, :60])), split[1][:9, :60])


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"max_abs_error": -1}, ValueError, "max_abs_error"),
        ({"max_abs_error": 1.5}, TypeError, "max_abs_error"),
        ({"lossless": True, "max_abs_error": 2}, ValueError, "give one of them"),
        ({"lossless": 1}, TypeError, "lossless"),
        ({"lossless": True, "image_shape": (8, 9)}, ValueError, "72 values"),
        ({"lossless": True, "image_shape": 8}, ValueError, "height, width"),
        ({"fallback": "yes"}, TypeError, "fallback"),
        (
            {"lossless": True, "transformer": make_pipeline(StandardScaler(), PCA(2))},
            TypeError,
            "DeepAutoencoderCompressor or PCA, got Pipeline",
        ),
    ],
)
def test_bad_parameters_are_named(parameters, error, message, split):
    codec = TransformCodec(**{"transformer": PCA(2), **parameters})
    with pytest.raises(error, match=message):
        codec.fit(split[0][:50])


def test_only_bytes_are_stored_without_loss(split):
    with pytest.raises(ValueError, match=r"float64.*uint8"):
        TransformCodec(PCA(2), lossless=True).fit(split[0][:50] / 255)


@pytest.mark.parametrize("kind", ["lossless", "lossy"])
def test_damage_is_an_error(kind, split, rng, request):
    codec = request.getfixturevalue(kind)
    noise = rng.integers(0, 256, (2, 64)).astype(np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutOfDomainWarning)
        rows = np.vstack([split[1][:20], noise])
        chunk = codec.encode_chunk(rows).data
    for _ in range(150):
        damaged = damage(chunk, rng)
        # A chunk has no checksum of its own, so some damage goes unnoticed.
        try:
            decoded = codec.decode_chunk(damaged, len(rows))
        except BitstreamError:
            continue
        assert decoded.shape == rows.shape
    for other in (1, len(rows) + 1, 65536):
        with pytest.raises(BitstreamError):
            codec.decode_chunk(chunk, other)


# Images unlike the training images.


def test_strange_images_are_stored_apart_and_the_user_is_told(lossy, split):
    images = split[1][:30].copy()
    images[[3, 17]] = 255 - images[[3, 17]]
    with pytest.warns(OutOfDomainWarning, match=r"2 of 30 .* images 3, 17"):
        data = lossy.encode(images)
    decoded = lossy.decode(data)
    assert_array_equal(decoded[[3, 17]], images[[3, 17]])
    assert (
        psnr(np.delete(images, [3, 17], 0), np.delete(decoded, [3, 17], 0), (0, 255))
        > 15
    )
    coded = lossy.encode_chunk(images)
    assert coded.apart.tolist() == [3, 17]
    assert coded.n_bits.sum() == pytest.approx(8 * len(coded.data))
    assert coded.n_bits[[3, 17]].min() > np.delete(coded.n_bits, [3, 17]).max()
    assert len(lossy.encode_chunk(split[1]).apart) == 0


def test_rows_are_counted_over_chunks(split):
    codec = TransformCodec(PCA(8), chunk_size=4).fit(split[0])
    images = split[1][:10].copy()
    images[[1, 9]] = 255 - images[[1, 9]]
    with pytest.warns(OutOfDomainWarning, match=r"images 1, 9\."):
        data = codec.encode(images)
    assert_array_equal(codec.decode(data)[[1, 9]], images[[1, 9]])


def test_nothing_but_strange_images_will_do(lossy, split):
    noise = 255 - split[1][:3]
    with pytest.warns(OutOfDomainWarning, match="3 of 3"):
        data = lossy.encode(noise)
    assert_array_equal(lossy.decode(data), noise)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_strange_rows_of_any_dtype_come_back(dtype, split, rng):
    codec = TransformCodec(PCA(8)).fit(split[0].astype(dtype))
    rows = split[1][:5].astype(dtype)
    rows[2] = (rng.normal(size=64) * 1000).astype(dtype)
    with pytest.warns(OutOfDomainWarning):
        decoded = codec.decode(codec.encode(rows))
    assert decoded.dtype == dtype
    assert_array_equal(decoded[2], rows[2])


def test_images_that_come_back_exactly_do_not_lift_the_limit(rng):
    errors = rng.lognormal(mean=0.0, sigma=0.5, size=100)
    usual = error_limit(errors, n_features=64, span=1.0)
    errors[::2] = 0
    assert errors.max() <= error_limit(errors, n_features=64, span=1.0) < 50 * usual
    assert error_limit(0 * errors, n_features=64, span=1.0) == pytest.approx(
        64 * (4 / 255) ** 2
    )


def test_without_fallback_strange_images_are_as_good_as_they_get(split, rng):
    codec = TransformCodec(PCA(8), fallback=False).fit(split[0])
    noise = rng.integers(0, 256, (3, 64)).astype(np.uint8)
    assert codec.error_limit_ == np.inf
    assert len(codec.encode(noise)) < 100
    assert (codec.decode(codec.encode(noise)) != noise).any()
