"""Decoders in few bits: what rounding costs, and that all of it comes back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae._bytes import ByteReader
from sklearn_dae.codecs import TransformCodec
from sklearn_dae.codecs._code_search import CodeSearch
from sklearn_dae.codecs._code_space import CodeSpace
from sklearn_dae.codecs._decoder import CompactDecoder, WholeDecoder, network_of
from sklearn_dae.entropy import ColumnMixtures, pack_layer, read_layer
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.quantizers import RoundedLayer, round_decoder
from sklearn_dae.quantizers._weights import round_layer

SMALL = {"hidden_layer_sizes": (9,), "max_iter": 2, "random_state": 0}


@pytest.fixture(scope="module")
def digits(digits):
    """Digits that use all of their range."""
    return digits * np.uint8(15)


@pytest.fixture(scope="module")
def network(digits):
    dae = DeepAutoencoderCompressor(
        6, hidden_layer_sizes=(12, 9), max_iter=8, random_state=0
    )
    return dae.fit(digits[:400]).network_


@pytest.fixture(scope="module")
def decoder(network, digits):
    codes = network.encode(digits[:400], 10)
    space = CodeSpace.learn(network.decode, codes)
    return network.without_encoder(space.mean, space.backward)


# The network without its encoder.


def test_a_decoder_alone_restores_the_same_from_what_its_codes_are_mapped_to(
    network, decoder, digits
):
    codes = network.encode(digits[:50])
    space = CodeSpace.learn(network.decode, network.encode(digits[:400], 10))
    values = space.coordinates(codes).astype(np.float32)
    assert_allclose(decoder.decode(values), network.decode(codes), atol=1e-3)
    assert decoder.layout.n_encoder_layers == 0
    assert decoder.layout.n_components == 6
    assert decoder.layout.n_features == network.layout.n_features == 64


def test_from_a_linear_start_codes_are_as_good_as_from_the_encoder(
    network, decoder, digits
):
    X = digits[400:600]
    from_encoder = network.squared_errors(X, n_refining=60).mean()
    from_start = decoder.squared_errors(X, n_refining=30).mean()
    assert from_start < 1.03 * from_encoder


def test_the_curvature_is_that_of_finite_differences(network, digits):
    codes = network.encode(digits[:40]).astype(np.float64)
    network = network.astype(np.float64)
    layout, step = network.layout, 1e-5
    exact = network.output_curvatures(codes)
    n_encoding = layout.n_encoder_layers
    for index in (0, len(exact) - 1):
        layer = layout.layers[n_encoding + index]
        for unit in (layer.n_out * 3 // 7, layer.n_out * 4 // 7):
            # A bias moves what comes before a unit.
            moved = []
            for sign in (1, -1):
                theta = network.theta.copy()
                layout.split(theta)[n_encoding + index][-1, unit] += sign * step
                changed = type(network)(layout, theta, network.scaler)
                moved.append(changed.decode(codes) / network.scaler.span)
            slope = (moved[0] - moved[1]) / (2 * step)
            square = np.square(slope).sum(axis=1).mean()
            if index:
                assert exact[index][unit] == pytest.approx(square, rel=1e-4, abs=1e-6)
            else:
                # Paths of one unit through the layers above are added as squares.
                assert 0.1 * square <= exact[index][unit] <= 10 * square + 1e-6


# Rounding.


def entropy(symbols):
    _, counts = np.unique(symbols, return_counts=True)
    shares = counts / counts.sum()
    return -symbols.size * (shares * np.log2(shares)).sum()


def test_rounding_makes_up_for_its_errors(rng):
    inputs = rng.normal(size=(2000, 30)) @ rng.normal(size=(30, 30))
    inputs[:, -1] = 1
    moments = inputs.T @ inputs / len(inputs)
    parameters = rng.normal(size=(30, 40))

    def error(rounded):
        return np.square(inputs @ (rounded - parameters)).sum(axis=1).mean()

    ours = round_layer(parameters, moments, np.ones(40), step=1.0)
    # As many bits for plain rounding, with the best step for all.
    bits = entropy(ours.symbols)
    steps = np.geomspace(1e-3, 10, 200)
    plain = max(s for s in steps if entropy(np.rint(parameters / s)) >= bits)
    assert error(ours.parameters()) < 0.7 * error(np.rint(parameters / plain) * plain)
    # As much error as is promised.
    assert error(ours.parameters()) == pytest.approx(30 * 40 / 12, rel=0.15)


def test_units_that_change_nothing_take_no_bits(rng):
    parameters = rng.normal(size=(5, 8))
    curvature = np.ones(8)
    curvature[3] = 0
    rounded = round_layer(parameters, np.eye(5), curvature, step=0.05)
    assert not rounded.symbols[:, 3].any()
    assert np.abs(rounded.parameters() - parameters)[:, :3].max() < 0.05


def test_a_rounded_decoder_restores_about_as_well(decoder, digits):
    X = digits[:400]
    codes = decoder.encode(X, 30)
    exact = decoder.squared_errors(X, n_refining=30).mean() / decoder.scaler.span**2
    step = np.sqrt(12 * 0.1 * exact / decoder.layout.n_parameters)
    layers = round_decoder(decoder, codes, step)
    compact = CompactDecoder.of(decoder, layers, (8, 8, 1), None)
    search = CodeSearch(compact.network, np.inf, np.zeros(6))
    restored = compact.decode(search.codes(X))
    mse = np.square(restored - X).sum(axis=1).mean() / decoder.scaler.span**2
    assert 0.99 * exact < mse < 1.25 * exact


# Codes.


def test_a_penalty_makes_values_small_where_they_cost_more(decoder, digits):
    X = digits[:200]
    codes = decoder.encode(X, 30)
    penalty = np.zeros(6)
    penalty[2] = 0.3
    changed = decoder.refine(decoder.encode(X), X, 30, penalty)
    mean_square = np.square(changed).mean(axis=0) / np.square(codes).mean(axis=0)
    assert mean_square[2] < 0.8
    assert mean_square[[0, 1, 3, 4, 5]].min() > 0.8


def test_no_images_have_no_codes(decoder, digits):
    found = CodeSearch(decoder, np.inf, np.ones(6), np.ones(6)).codes(digits[:0])
    assert found.shape == (0, 6)


def test_values_behind_clipped_pixels_do_not_go_astray(rng):
    # All pixels of half of the images are beyond the range, whatever the values are.
    axes = np.array([[3.0, 1.0, 0.0, 0.5]])
    decoder = network_of(
        PCA(1).fit(rng.normal(size=(9, 1)) * axes + 2), np.ones((1, 1)), 0.0, 1.0
    ).astype(np.dtype(np.float32))
    X = np.ones((5, 4))
    free, held = (
        CodeSearch(decoder, np.inf, np.ones(1), penalty).codes(X, np.full((5, 1), 99.0))
        for penalty in (None, np.full(1, 0.01))
    )
    assert_array_equal(free, np.full((5, 1), 99))
    assert np.abs(held).max() < 5
    assert_allclose(decoder.decode(held), decoder.decode(free), atol=0.1)


@pytest.fixture(scope="module")
def well_fitted(digits):
    """An autoencoder of digits whose curved images have several minima of codes."""
    X = digits[:1500] // 15
    return DeepAutoencoderCompressor(8, max_iter=50, random_state=0).fit(X)


def test_what_ends_in_a_poor_minimum_is_tried_from_elsewhere(digits, well_fitted):
    """Some digits come out twenty times as badly from a linear start as they can."""
    X, dae = digits[:1500] // 15, well_fitted
    codes = dae.transform(X)
    space = CodeSpace.learn(dae.network_.decode, codes)
    network = dae.network_.without_encoder(space.mean, space.backward)
    errors = np.square(dae.network_.decode(codes) - X).sum(axis=1)
    spread = space.coordinates(codes).std(axis=0)
    worst = []
    for usual in (np.inf, errors.mean()):
        found = network.decode(CodeSearch(network, usual, spread).codes(X))
        worst.append(np.square(found - X).sum(axis=1).max())
    assert worst[0] > 4 * errors.max()
    assert worst[1] < 1.2 * errors.max()


@pytest.mark.parametrize("target_psnr", [43, 44, 45])
def test_each_quality_is_reached_and_no_image_is_much_worse(
    digits, well_fitted, target_psnr
):
    X = digits[:1000] // 15
    codec = TransformCodec(well_fitted, target_psnr=target_psnr).fit(X)
    assert target_psnr <= codec.psnr_ < target_psnr + 0.02
    data = codec.encode(X)
    assert len(data) / len(X) < 4
    errors = np.square(codec.decode(data).astype(float) - X).sum(axis=1)
    assert errors.max() < 10 * errors.mean()


@pytest.mark.parametrize("target_psnr", [18, 22, 26])
def test_pca_takes_fewer_bits_with_refined_codes(digits, target_psnr):
    codec = TransformCodec(PCA(30), target_psnr=target_psnr).fit(digits[:1000])
    network, model = codec.decoder_.network, codec.code_model_
    X = digits[:1000]
    assert target_psnr <= codec.psnr_ < target_psnr + 0.03
    # Projections, rounded as finely as makes images as good.
    codes = network.encode(X)
    wish = codec._wish
    plain = wish.code_model(X, codes, codec.decoder_.decode, target_psnr)
    n_bits = model.bits(codec.symbols(X)).mean()
    assert n_bits < 0.97 * plain.bits(plain.symbols(codes)).mean()


# Bytes.


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_layers_come_back(data):
    height = data.draw(st.integers(1, 5))
    width = data.draw(st.integers(1, 5))
    channels = data.draw(st.sampled_from([1, 3]))
    n_rows = data.draw(st.integers(1, 6))
    most = data.draw(st.sampled_from([0, 1, 40, 2**15 - 1]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    n = height * width * channels
    layer = RoundedLayer(
        rng.integers(-most, most + 1, (n_rows, n)).astype(np.int32),
        rng.integers(-128, 128, n_rows),
        rng.integers(-128, 128, n),
    )
    picture = data.draw(st.sampled_from([None, (height, width, channels)]))
    packed = pack_layer(layer, picture)
    reader = ByteReader(packed)
    again = read_layer(reader, (n_rows, n), picture)
    reader.finish()
    for before, after in zip(layer, again, strict=True):
        assert_array_equal(before, after)


def test_steps_as_far_apart_as_they_may_be_come_back():
    exponents = np.array([-128, 127, -128])
    layer = RoundedLayer(np.ones((3, 2), np.int32), exponents, np.array([127, -128]))
    again = read_layer(ByteReader(pack_layer(layer, None)), (3, 2), None)
    assert_array_equal(again.row_exponents, exponents)
    assert_array_equal(again.column_exponents, layer.column_exponents)


@pytest.mark.parametrize("picture", [None, (4, 4, 1)])
def test_damaged_layers_are_refused_or_are_layers(picture, rng):
    shape = 4, 16
    layer = RoundedLayer(
        rng.integers(-3, 4, shape).astype(np.int32),
        rng.integers(-9, 9, 4),
        rng.integers(-9, 9, 16),
    )
    packed = pack_layer(layer, picture)
    for position in range(len(packed)):
        for bit in rng.choice(8, 2, replace=False):
            damaged = bytearray(packed)
            damaged[position] ^= 1 << int(bit)
            try:
                read = read_layer(ByteReader(bytes(damaged)), shape, picture)
            except BitstreamError:
                continue
            assert read.symbols.shape == shape
            assert np.isfinite(read.parameters()).all()


# Distributions of columns.


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_columns_come_back_in_as_many_bits_as_promised(data):
    n_rows, n_columns = data.draw(st.integers(1, 200)), data.draw(st.integers(1, 5))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    scale = 10.0 ** rng.uniform(-2, 3, n_columns)
    symbols = np.rint(rng.standard_t(3, (n_rows, n_columns)) * scale).astype(int)
    symbols = np.clip(symbols, -30_000, 30_000)
    model = ColumnMixtures.fit(symbols)
    encoded = model.encode(symbols)
    assert_array_equal(model.decode(encoded, n_rows), symbols)
    assert len(encoded) <= model.bits(symbols).sum() / 8 + 12 + n_rows * n_columns / 500


def test_a_few_numbers_say_as_much_as_a_table(rng):
    peaks = rng.normal([-9, 14], [3, 5], (4000, 2))[
        np.arange(4000), rng.integers(0, 2, 4000)
    ]
    symbols = np.rint(np.stack([peaks, rng.laplace(0, 4, 4000)], axis=1)).astype(int)
    model = ColumnMixtures.fit(symbols)
    exact = sum(entropy(column) for column in symbols.T)
    assert model.bits(symbols).sum() < 1.01 * exact
    assert model.packed.size < 25


def test_damaged_columns_are_refused_or_are_symbols(rng):
    symbols = np.rint(rng.normal(0, 3, (60, 3))).astype(int)
    model = ColumnMixtures.fit(symbols)
    encoded = model.encode(symbols)
    for position in range(len(encoded)):
        damaged = bytearray(encoded)
        damaged[position] ^= 1 << int(rng.integers(8))
        try:
            decoded = model.decode(bytes(damaged), 60)
        except BitstreamError:
            continue
        assert decoded.shape == symbols.shape
        assert np.abs(decoded).max() <= model.limit
    with pytest.raises(BitstreamError, match="cannot hold"):
        model.decode(encoded, 10**12)
    with pytest.raises(BitstreamError):
        model.decode(encoded[:-2], 60)


# What a codec keeps.


@pytest.mark.parametrize(
    ("transformer", "kind"),
    [
        (PCA(5), CompactDecoder),
        (PCA(5, whiten=True), CompactDecoder),
        (make_pipeline(StandardScaler(), PCA(5)), CompactDecoder),
        (DeepAutoencoderCompressor(5, **SMALL), CompactDecoder),
        (
            make_pipeline(DeepAutoencoderCompressor(5, **SMALL), MinMaxScaler()),
            WholeDecoder,
        ),
    ],
    ids=str,
)
def test_what_is_a_network_is_kept_as_one(transformer, kind, digits):
    codec = TransformCodec(transformer, target_psnr=13).fit(digits[:300])
    assert type(codec.decoder_) is kind
    assert codec.psnr_ == pytest.approx(13, abs=0.2)


def test_a_linear_transformer_is_the_network_that_it_is(digits):
    X = digits[:300]
    pca = PCA(7).fit(X)
    codes = pca.transform(X)
    network = network_of(pca, codes, 0.0, 16.0 * 15)
    restored = network.decode(codes)
    assert_allclose(restored, np.clip(pca.inverse_transform(codes), 0, 240), atol=1e-6)


def test_more_images_pay_for_finer_weights(digits):
    sizes = [
        TransformCodec(PCA(8), target_psnr=14.5, n_images=n)
        .fit(digits[:500])
        .decoder_.packed.size
        for n in (100, 100_000)
    ]
    assert sizes[1] > 1.3 * sizes[0]
