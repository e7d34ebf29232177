"""The compressor: what it learns, keeps and gives back."""

from copy import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import PCA

from sklearn_dae import PAPER_SETTINGS, BernoulliRBM, DeepAutoencoderCompressor
from sklearn_dae._scaling import cast
from sklearn_dae.compressor._pretraining import default_rbm
from sklearn_dae.network import Objective
from sklearn_dae.network._objective import error_and_slope, loss_and_gradient
from sklearn_dae.network._refinement import refine_codes
from sklearn_dae.network._units import UNITS

QUICK = {
    **PAPER_SETTINGS,
    "n_components": 6,
    "pretraining": default_rbm(700).set_params(n_iter=3),
    "max_iter": 5,
    "random_state": 0,
}


# The paper's network.


def test_default_sizes_are_the_paper_s():
    for n_features, n_components, sizes in (
        (784, None, "784-1000-500-196-500-1000-784"),
        (64, None, "64-400-200-16-200-400-64"),
        (400, 300, "400-510-300-300-300-510-400"),
        (1, None, "1-400-200-1-200-400-1"),
        (4096, 64, "4096-2000-1000-64-1000-2000-4096"),
    ):
        dae = DeepAutoencoderCompressor(n_components)
        assert str(dae.layout_for(n_features)) == f"{sizes} with a linear path"
        dae = DeepAutoencoderCompressor(n_components, **PAPER_SETTINGS)
        assert str(dae.layout_for(n_features)) == sizes


def test_unrolled_network_is_the_stack_of_rbms(digits):
    dae = DeepAutoencoderCompressor(
        5,
        **PAPER_SETTINGS,
        hidden_layer_sizes=(12,),
        pretraining=default_rbm(1797).set_params(n_iter=2, batch_size=50),
        max_iter=0,
        random_state=0,
    ).fit(digits)
    assert dae.loss_curve_ == []
    assert dae.n_iter_ == 1
    first, code, mirrored, output = dae.coefs_
    assert_array_equal(first, output.T)
    assert_array_equal(code, mirrored.T)
    seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max)
    rbm = BernoulliRBM(
        12,
        batch_size=50,
        n_iter=2,
        persistent=False,
        sample_visible=False,
        momentum=0.9,
        weight_decay=2e-4,
        random_state=seed,
    ).fit((digits / 16).astype(np.float32))
    assert_array_equal(first, rbm.components_.T)
    assert_array_equal(dae.intercepts_[0], rbm.intercept_hidden_)
    assert_array_equal(dae.intercepts_[-1], rbm.intercept_visible_)
    assert dae.pretraining_errors_[0] == rbm.reconstruction_errors_


def test_loss_curve_is_the_objective(few_digits):
    dae = DeepAutoencoderCompressor(alpha=1e-3, sparsity=0.01, **QUICK).fit(few_digits)
    assert len(dae.loss_curve_) == dae.n_iter_ == 5
    assert dae.n_evaluations_ >= 5
    assert np.all(np.diff(dae.loss_curve_) < 0)
    objective = Objective("log_loss", 1e-3, 0.01)
    X = few_digits.astype(np.float32) / np.float32(16)
    final = loss_and_gradient(dae.network_.theta, X, dae.network_.layout, objective)[0]
    assert final == pytest.approx(dae.loss_curve_[-1], rel=1e-6)
    assert "ITERATIONS" in dae.message_


@pytest.mark.parametrize(
    "settings",
    [
        {"code_activation": "identity"},
        {"activation": "relu", "code_activation": "identity"},
        {
            "activation": "tanh",
            "code_activation": "tanh",
            "hidden_layer_sizes": (400, 200),
        },
        {"loss": "squared_error"},
        {"loss": "squared_error", "output_activation": "identity"},
        {"pretraining": None, "hidden_layer_sizes": (30,), "max_iter": 150},
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": [20]},
        {"hidden_layer_sizes": np.array([30, 20, 10])},
        {"sparsity": 0.1, "code_activation": "identity"},
        {"early_stopping": True},
    ],
)
def test_every_kind_of_network_learns(few_digits, settings):
    X = few_digits
    common = {"hidden_layer_sizes": (100, 50), "max_iter": 60, "pretraining": "auto"}
    dae = DeepAutoencoderCompressor(**QUICK | common | settings)
    error = -dae.fit(X).score(X)
    variance = np.square(X - X.mean(axis=0)).sum(axis=1).mean()
    assert error < 0.75 * variance
    restored = dae.inverse_transform(dae.transform(X))
    assert restored.min() >= 0
    assert restored.max() <= 16


def test_more_iterations_lower_the_error(few_digits):
    X = few_digits
    errors = [
        -DeepAutoencoderCompressor(**QUICK | {"max_iter": n}).fit(X).score(X)
        for n in (0, 10, 60)
    ]
    assert errors[0] > errors[1] > errors[2]


def test_sparsity_lowers_mean_activations(few_digits):
    means = [
        DeepAutoencoderCompressor(**QUICK | {"max_iter": 30}, sparsity=sparsity)
        .fit(few_digits)
        .activations(few_digits, 1)
        .mean()
        for sparsity in (0.0, 1.0)
    ]
    assert means[1] < 0.6 * means[0]


def test_alpha_shrinks_weights(few_digits):
    norms = [
        np.linalg.norm(
            DeepAutoencoderCompressor(**QUICK | {"max_iter": 30}, alpha=alpha)
            .fit(few_digits)
            .network_.theta
        )
        for alpha in (0.0, 0.1)
    ]
    assert norms[1] < 0.9 * norms[0]


# Pixels in, pixels out.


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_dtype_of_the_images_makes_no_difference(digits, fitted, dtype):
    dae = clone(fitted).fit(digits.astype(dtype))
    assert_array_equal(dae.network_.theta, fitted.network_.theta)


@pytest.mark.parametrize(("scale", "shift"), [(1 / 16, 0.0), (100.0, -800.0)])
def test_units_of_the_pixels_make_no_difference(digits, fitted, scale, shift):
    X = digits * scale + shift
    dae = clone(fitted).fit(X)
    ours = dae.inverse_transform(dae.transform(X))
    theirs = fitted.inverse_transform(fitted.transform(digits.astype(float)))
    assert_allclose(ours, theirs * scale + shift, atol=0.05 * scale * 16)


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.int8])
def test_integers_do_not_wrap_around_at_the_ends_of_their_range(dtype):
    limits = np.iinfo(dtype)
    ends = np.array([float(limits.min), float(limits.max)])
    low, high = cast(ends, np.dtype(dtype)).tolist()
    assert low == limits.min
    assert high == pytest.approx(limits.max, rel=1e-15)


@pytest.mark.parametrize("scale", [1e39, 1e300, 1e-300])
def test_extreme_units_are_scaled(few_digits, scale):
    X = few_digits * (scale / 16)
    dae = DeepAutoencoderCompressor(**QUICK | {"max_iter": 50}).fit(X)
    restored = dae.inverse_transform(dae.transform(X))
    assert np.abs(restored - X).mean() < 0.3 * scale
    assert np.abs(restored - X).max() > 0


@pytest.mark.filterwarnings("ignore:.*encountered in reduce:RuntimeWarning")
def test_a_range_that_cannot_be_scaled_is_refused(digits):
    with pytest.raises(ValueError, match="bring X to another unit"):
        DeepAutoencoderCompressor(2).fit((digits - 8.0) * 2e307)


def test_threshold_makes_two_valued_images(few_digits):
    dae = DeepAutoencoderCompressor(**QUICK, threshold=0.3).fit(few_digits)
    restored = dae.inverse_transform(dae.transform(few_digits))
    assert set(np.unique(restored)) == {0, 16}
    dae.set_params(threshold=None)
    grey = dae.inverse_transform(dae.transform(few_digits))
    assert_array_equal(restored == 16, grey >= 0.3 * 16)


def test_values_outside_the_range_are_clipped(fitted, digits):
    beyond = digits.astype(float)
    beyond[digits == 16] = 1000.0
    beyond[digits == 0] = -50.0
    assert_array_equal(fitted.transform(beyond), fitted.transform(digits.astype(float)))


def test_pixel_range_may_be_wider_than_the_data(few_digits):
    dae = DeepAutoencoderCompressor(**QUICK, pixel_range=(0, 255)).fit(few_digits)
    assert (dae.network_.scaler.low, dae.network_.scaler.high) == (0.0, 255.0)


@pytest.mark.parametrize("value", [0, 7.5, 255])
def test_images_of_one_grey_value_come_back(value):
    X = np.full((20, 9), value)
    dae = DeepAutoencoderCompressor(
        2, hidden_layer_sizes=(40, 20), max_iter=20, random_state=0
    ).fit(X)
    restored = dae.inverse_transform(dae.transform(X))
    assert_array_equal(restored, X)


def test_constant_pixels_are_no_special_case(few_digits):
    X = few_digits.copy()
    X[:, ::3] = 5
    dae = DeepAutoencoderCompressor(**QUICK | {"max_iter": 30}).fit(X)
    restored = dae.inverse_transform(dae.transform(X))
    assert_allclose(restored[:, ::3], 5, atol=0.6)


def test_fewer_rows_than_a_batch(digits):
    for n_rows in (1, 2, 7):
        rbm = default_rbm(n_rows).set_params(n_iter=2, batch_size=100)
        dae = DeepAutoencoderCompressor(**QUICK | {"pretraining": rbm})
        dae.fit(digits[:n_rows])
        assert dae.transform(digits[:n_rows]).shape == (n_rows, 6)


def test_precision_follows_the_input(fitted, digits):
    for dtype, expected in (
        (np.float64, np.float64),
        (np.float32, np.float32),
        (np.uint8, np.float32),
    ):
        codes = fitted.transform(digits.astype(dtype))
        assert codes.dtype == expected
        assert fitted.inverse_transform(codes).dtype == expected
    assert fitted.network_.theta.dtype == np.float32


# Refined codes.


def _errors(dae, X, n_steps):
    return copy(dae).set_params(transform_max_iter=n_steps).reconstruction_error(X)


def test_refining_makes_no_image_worse_and_most_better(fitted, digits):
    few, several, many = (_errors(fitted, digits * 1.0, n) for n in (0, 3, 30))
    assert (several <= few).all()
    assert (many <= several).all()
    assert (several < few).mean() > 0.99
    assert many.mean() < several.mean() < 0.9 * few.mean()


def test_refined_codes_are_the_least_squares_ones_of_a_linear_decoder(digits):
    dae = DeepAutoencoderCompressor(
        6,
        hidden_layer_sizes=(),
        output_activation="identity",
        max_iter=3,
        transform_max_iter=30,
        random_state=0,
    ).fit(digits)
    X = digits[:50] * 1.0
    weights, biases = dae.coefs_[-1], dae.intercepts_[-1]
    best, *_ = np.linalg.lstsq(weights.T.astype(float), (X / 16 - biases).T)
    assert_allclose(dae.transform(X), best.T, atol=1e-5)


def test_a_code_of_zeros_is_refined_too(fitted, digits):
    X = (digits[:100] / 16).astype(np.float32)
    zeros = np.zeros((100, 8), np.float32)
    theta, layout = fitted.network_.theta, fitted.network_.layout
    refined = refine_codes(theta, zeros, X, layout, 10)
    before, after = (
        error_and_slope(theta, codes, X, layout)[0] for codes in (zeros, refined)
    )
    assert (after < 0.8 * before).all()


@pytest.mark.parametrize("unit", ["identity", "logistic", "tanh", "relu"])
def test_refined_codes_stay_within_the_range_of_their_units(few_digits, unit):
    X = few_digits
    settings = {"code_activation": unit, "max_iter": 5, "random_state": 0}
    dae = DeepAutoencoderCompressor(6, **settings).fit(X)
    assert (_errors(dae, X, 5) <= _errors(dae, X, 0) * (1 + 1e-6)).all()
    codes = dae.transform(X)
    low, high = UNITS[unit].range
    assert codes.min() >= low
    assert codes.max() <= high


def test_paper_network_codes_are_the_encoder_s(few_digits):
    dae = DeepAutoencoderCompressor(**QUICK).fit(few_digits)
    assert_array_equal(dae.transform(few_digits), dae.activations(few_digits, 3))


def test_a_code_that_needs_no_refining_stays(digits):
    # The decoder reconstructs these exactly, so every derivative is zero.
    X = np.full((3, 8), 7.0)
    dae = DeepAutoencoderCompressor(2, max_iter=2, random_state=0).fit(X)
    assert_array_equal(dae.transform(X), dae.activations(X, 3))


# Methods.


def test_fit_transform_is_fit_then_transform(few_digits):
    dae = DeepAutoencoderCompressor(**QUICK)
    codes = dae.fit_transform(few_digits)
    assert_array_equal(codes, dae.transform(few_digits))


def test_score_and_errors_are_those_of_the_reconstruction(fitted, digits):
    X = digits.astype(float)
    restored = fitted.inverse_transform(fitted.transform(X))
    errors = np.square(X - restored).sum(axis=1)
    assert_allclose(fitted.reconstruction_error(X), errors)
    assert fitted.score(X) == pytest.approx(-errors.mean())


def test_score_weights_images(fitted, digits):
    X = digits[:100]
    weights = np.arange(100.0)
    errors = fitted.reconstruction_error(X)
    expected = -(weights * errors).sum() / weights.sum()
    assert fitted.score(X, sample_weight=weights) == pytest.approx(expected)
    assert fitted.score(X, sample_weight=np.full(100, 3)) == pytest.approx(
        fitted.score(X)
    )
    with pytest.raises(ValueError, match="sample_weight"):
        fitted.score(X, sample_weight=weights[:-1])
    with pytest.raises(ValueError, match="Negative"):
        fitted.score(X, sample_weight=-weights)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_share_of_the_variance_counts_components_as_pca_does(digits, share):
    settings = {"hidden_layer_sizes": (70,), "max_iter": 1, "random_state": 0}
    dae = DeepAutoencoderCompressor(share, **settings).fit(digits)
    n_components = PCA(share, svd_solver="full").fit(digits).n_components_
    assert dae.transform(digits).shape == (1797, n_components)
    same = DeepAutoencoderCompressor(n_components, **settings).fit(digits)
    assert_array_equal(dae.network_.theta, same.network_.theta)


def test_a_share_of_no_variance_takes_one_component():
    dae = DeepAutoencoderCompressor(0.5, hidden_layer_sizes=(), max_iter=1)
    assert dae.fit_transform(np.ones((30, 9))).shape == (30, 1)


def test_a_share_of_the_variance_that_cannot_be_counted(digits):
    dae = DeepAutoencoderCompressor(0.9)
    with pytest.raises(ValueError, match="give an integer"):
        dae.layout_for(64)
    with pytest.raises(ValueError, match=r"at most 2048 features, X has 3000"):
        dae.fit(np.eye(30, 3000))


def test_score_does_not_wrap_around_for_unsigned_integers(fitted, digits):
    # Not quite the same, as codes are refined in single precision for bytes.
    assert fitted.score(digits) == pytest.approx(fitted.score(digits * 1.0), rel=1e-4)


def test_activations_of_every_layer(fitted, digits):
    X = digits.astype(float)
    assert_allclose(fitted.activations(X, 0), X / 16)
    encoder = copy(fitted).set_params(transform_max_iter=0)
    codes = encoder.transform(X)
    assert_array_equal(fitted.activations(X, 3), codes)
    assert_array_equal(fitted.activations(X, -4), codes)
    assert_allclose(fitted.activations(X, -1), fitted.inverse_transform(codes) / 16)
    widths = [fitted.activations(X, layer).shape[1] for layer in range(7)]
    assert widths == [64, 100, 50, 8, 50, 100, 64]


@pytest.mark.parametrize(
    ("layer", "error"), [(7, ValueError), (-8, ValueError), ("code", TypeError)]
)
def test_activations_of_no_layer(fitted, digits, layer, error):
    with pytest.raises(error, match="layer"):
        fitted.activations(digits, layer)


def test_parameters_are_views_of_the_vector(fitted):
    total = sum(part.size for part in fitted.coefs_ + fitted.intercepts_)
    assert total == fitted.network_.theta.size == fitted.network_.layout.n_parameters
    assert all(np.shares_memory(part, fitted.network_.theta) for part in fitted.coefs_)


def test_feature_names(fitted):
    names = fitted.get_feature_names_out()
    assert list(names[:2]) == [
        "deepautoencodercompressor0",
        "deepautoencodercompressor1",
    ]
    assert len(names) == 8


def test_rows_of_x_are_never_changed(few_digits):
    X = few_digits.astype(np.float32)
    before = X.copy()
    dae = DeepAutoencoderCompressor(**QUICK, early_stopping=True).fit(X)
    dae.inverse_transform(dae.transform(X))
    dae.score(X)
    assert_array_equal(X, before)
