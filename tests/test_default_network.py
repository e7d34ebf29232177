"""The default network: it starts as PCA, and what is chosen for it."""

import signal

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_sample_image
from sklearn.decomposition import PCA
from sklearn.feature_extraction.image import extract_patches_2d
from threadpoolctl import threadpool_limits

from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.compressor import _penalty
from sklearn_dae.compressor._pretraining import default_rbm
from sklearn_dae.compressor._principal_axes import principal_axes
from sklearn_dae.evaluation import LossCurveDisplay
from sklearn_dae.network._objective import loss_and_gradient
from sklearn_dae.rows import RowBlocks
from sklearn_dae.training import _cost
from sklearn_dae.training._natural import NaturalGradient

#: A network half as wide as the default one, that takes a third of its time.
SMALLER = {"hidden_layer_sizes": (200, 100), "random_state": 0}


def error_of_pca(n_components, training, test, high):
    """Mean squared error of test images by PCA, clipped to the pixel range."""
    pca = PCA(n_components).fit(training)
    restored = np.clip(pca.inverse_transform(pca.transform(test)), 0, high)
    return np.square(test - restored).sum(axis=1).mean()


@pytest.mark.parametrize("n_components", [2, 5, 32])
def test_it_starts_as_pca(digits, n_components):
    dae = DeepAutoencoderCompressor(n_components, max_iter=0, random_state=0)
    dae.fit(digits)
    assert "with a linear path" in str(dae.network_.layout)
    dae.set_params(transform_max_iter=0)
    pca = PCA(n_components).fit(digits)
    codes, expected = dae.transform(digits) * 16, pca.transform(digits)
    signs = np.sign(np.sum(codes * expected, axis=0))
    assert_allclose(codes, expected * signs, atol=1e-3)
    restored = np.clip(pca.inverse_transform(expected), 0, 16)
    assert_allclose(dae.inverse_transform(codes / 16), restored, atol=1e-3)


@pytest.mark.parametrize("n_components", [2, 4, 8, 16, 32])
def test_it_is_never_worse_than_pca(digits_split, n_components):
    training, test = digits_split
    training = training[:700]
    dae = DeepAutoencoderCompressor(n_components, random_state=0).fit(training)
    assert (dae.solver_, dae.n_iter_) == ("kfac", 40)
    assert -dae.score(test) < 0.75 * error_of_pca(n_components, training, test, 16)


def test_principal_axes_of_wide_rows_are_close_to_exact_ones(rng):
    n_features = 2100
    scales = 1 / np.arange(1, n_features + 1)
    X = (rng.standard_normal((400, n_features)) * scales).astype(np.float32) + 3
    found = principal_axes(RowBlocks(X), 5)
    pca = PCA(5, svd_solver="full").fit(X.astype(np.float64))
    assert_allclose(found.mean, pca.mean_, atol=1e-3)
    assert_allclose(np.abs(found.axes @ pca.components_.T), np.eye(5), atol=0.02)
    centered = X - pca.mean_
    left = np.square(centered - centered @ found.axes.T @ found.axes).sum(axis=1).mean()
    assert found.residual == pytest.approx(left, rel=0.02)


def test_alpha_is_chosen_by_what_pca_leaves(digits):
    settings = {"n_components": 8, "max_iter": 0, "random_state": 0}
    dae = DeepAutoencoderCompressor(**settings).fit(digits)
    pca = PCA(8).fit(digits / 16)
    left = pca.noise_variance_ * (64 - 8)
    assert dae.alpha_ == pytest.approx(left / len(digits), rel=0.01)
    few = DeepAutoencoderCompressor(**settings).fit(digits[::4])
    assert few.alpha_ > 3 * dae.alpha_
    wide = np.tile(digits, (1, 49))  # 4 x 784 pixels, and as much for PCA to leave
    wide_alpha = DeepAutoencoderCompressor(**settings).fit(wide).alpha_
    assert wide_alpha == pytest.approx(2 * 49 * dae.alpha_, rel=0.02)
    assert DeepAutoencoderCompressor(**settings, alpha=0.1).fit(digits).alpha_ == 0.1
    plain = DeepAutoencoderCompressor(**settings, linear_path=False).fit(digits)
    assert plain.alpha_ == 0.0


def test_it_is_trained_where_there_is_something_to_learn(digits_split):
    training, _ = digits_split
    dae = DeepAutoencoderCompressor(16, **SMALLER, max_iter=20).fit(training)
    guess = DeepAutoencoderCompressor(16, max_iter=0).fit(training).alpha_
    assert dae.alpha_ == guess
    assert dae.n_iter_ == 20


@pytest.mark.parametrize(
    ("errors", "multiple"),
    [({1: 0.9}, 1), ({1: 1.1, 64: 0.9}, 64), ({1: 0.999, 64: 1.0}, 0)],
)
def test_the_first_penalty_that_is_clearly_better_is_taken(
    digits, errors, multiple, monkeypatch
):
    class Fold(_penalty._Fold):
        def errors(self, multiple):
            noise = np.random.default_rng(0).normal(1, 0.1, len(self._held_out.rows))
            return self.errors_at_start() * errors[multiple] * noise

    settings = {"hidden_layer_sizes": (9,), "max_iter": 12, "random_state": 0}
    dae = DeepAutoencoderCompressor(8, **settings)
    guess = clone(dae).set_params(max_iter=0).fit(digits).alpha_
    monkeypatch.setattr(_penalty, "_Fold", Fold)
    assert dae.fit(digits).alpha_ == multiple * guess
    assert dae.is_linear_ == (multiple == 0)


@pytest.mark.parametrize(("n_rows", "tried"), [(19, 0), (20, 5), (301, 1), (10_001, 0)])
def test_alpha_is_tried_on_neither_too_few_nor_too_many_rows(
    digits, n_rows, tried, monkeypatch
):
    folds = []

    class Fold(_penalty._Fold):
        def __init__(self, *arguments):
            folds.append(self)
            super().__init__(*arguments)

    monkeypatch.setattr(_penalty, "_Fold", Fold)
    X = np.tile(digits[:, 20:36], (6, 1))[:n_rows]
    DeepAutoencoderCompressor(2, hidden_layer_sizes=(4,), max_iter=12).fit(X)
    assert len(folds) == tried


def test_it_is_left_as_pca_where_there_is_not(rng):
    # Of normal numbers a network can learn nothing that PCA has not.
    X = (rng.standard_normal((600, 64)) / np.arange(1, 65) ** 0.5).astype(np.float32)
    training, test = X[:300], np.clip(X[300:], X[:300].min(), X[:300].max())
    settings = {**SMALLER, "max_iter": 20}
    dae = DeepAutoencoderCompressor(8, **settings).fit(training)
    assert dae.is_linear_
    assert dae.alpha_ == 0
    assert dae.n_iter_ == 1
    assert dae.n_evaluations_ == 0
    assert "left as PCA" in dae.message_
    assert str(dae.network_.layout) == "64-8-64"
    codes = dae.activations(test, dae.network_.layout.n_encoder_layers)
    assert_array_equal(codes, dae.set_params(transform_max_iter=0).transform(test))
    dae.set_params(transform_max_iter=10)
    with pytest.raises(ValueError, match=r"no iteration.*left as PCA"):
        LossCurveDisplay.from_estimator(dae)
    start = DeepAutoencoderCompressor(8, max_iter=0, random_state=0).fit(training)
    assert_allclose(dae.transform(test), start.transform(test), atol=1e-4)
    pca = PCA(8).fit(training)
    restored = pca.inverse_transform(pca.transform(test))
    error = np.square(restored - test).sum(axis=1).mean()
    assert -dae.score(test) <= error
    light = DeepAutoencoderCompressor(8, alpha=start.alpha_, **settings).fit(training)
    assert -light.score(test) > 1.03 * error
    # There is nothing to go on with: a warm start begins anew.
    dae.set_params(warm_start=True).fit(training)
    assert dae.loss_curve_ == []
    assert dae.set_params(alpha=start.alpha_).fit(training).n_iter_ == 20
    assert_array_equal(dae.network_.theta, light.network_.theta)


def test_left_as_pca_it_forgets_its_rbms(rng):
    X = rng.random((60, 16), dtype=np.float32)
    dae = DeepAutoencoderCompressor(
        3, hidden_layer_sizes=[8], activation="logistic", pretraining="rbm"
    )
    dae.set_params(max_iter=12, random_state=0).fit(X)
    assert str(dae.network_.layout) == "16-3-16"
    assert dae.pretraining_errors_ == []


@pytest.mark.parametrize(("n_rows", "n_components"), [(60, 4), (300, 16)])
def test_few_patches_of_a_photograph_are_not_memorised(n_rows, n_components):
    patches = extract_patches_2d(
        load_sample_image("china.jpg")[..., 1], (8, 8), max_patches=1300, random_state=0
    )
    X = patches.reshape(-1, 64).astype(np.float32)
    training, _, test = np.split(X, [n_rows, 300])
    guess = DeepAutoencoderCompressor(n_components, max_iter=0).fit(training).alpha_
    settings = {**SMALLER, "max_iter": 40}
    light = DeepAutoencoderCompressor(n_components, alpha=guess, **settings)
    dae = DeepAutoencoderCompressor(n_components, **settings).fit(training)
    error = error_of_pca(n_components, training, test, 255)
    assert -dae.score(test) < error
    assert -light.fit(training).score(test) > 1.03 * error


def test_too_short_a_fit_keeps_the_guess_and_a_warm_start_its_alpha(digits):
    dae = DeepAutoencoderCompressor(8, max_iter=2, random_state=0).fit(digits)
    alpha = dae.alpha_
    assert alpha == DeepAutoencoderCompressor(8, max_iter=0).fit(digits).alpha_
    dae.set_params(warm_start=True).fit(digits[:900])
    assert dae.alpha_ == alpha
    assert dae.set_params(alpha=0.5).fit(digits).alpha_ == 0.5


def test_without_hidden_layers_it_starts_as_pca(digits_split):
    training, test = digits_split
    dae = DeepAutoencoderCompressor(
        8, hidden_layer_sizes=(), max_iter=0, transform_max_iter=0, random_state=0
    ).fit(training)
    pca = PCA(8).fit(training)
    restored = np.clip(pca.inverse_transform(pca.transform(test)), 0, 16)
    assert_allclose(dae.inverse_transform(dae.transform(test)), restored, atol=1e-3)
    assert dae.alpha_ == 0
    start = dae.score(test)
    assert dae.set_params(max_iter=20).fit(training).score(test) > start


@pytest.mark.parametrize("solver", ["kfac-lbfgs", "kfac", "adam", "lbfgs"])
@pytest.mark.parametrize("value", [0, 7])
def test_equal_images_come_back_as_they_are(solver, value):
    X = np.full((301, 16), value, np.uint8)
    dae = DeepAutoencoderCompressor(solver=solver, max_iter=3, random_state=0).fit(X)
    assert dae.score(X) == 0


@pytest.mark.parametrize("solver", ["kfac", "adam"])
def test_rows_in_a_regular_pattern_are_learned(digits, solver):
    X = digits[:1000].astype(np.float32)
    mixed = np.empty((2000, 64), np.float32)
    mixed[::2], mixed[1::2] = 0.1 * X, X  # every other image is easy
    settings = {"hidden_layer_sizes": (60, 30), "solver": solver, "random_state": 0}
    start, dae = (
        DeepAutoencoderCompressor(8, **settings, max_iter=n_iter).fit(mixed)
        for n_iter in (0, 5)
    )
    assert "undone" not in dae.message_
    assert dae.score(mixed) > 0.95 * start.score(mixed)


def test_pca_of_wide_images_does_not_depend_on_threads(rng):
    X = rng.random((220, 4096), dtype=np.float32)
    settings = {"hidden_layer_sizes": (20,), "max_iter": 0, "random_state": 0}
    fits = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            fits.append(DeepAutoencoderCompressor(196, **settings).fit(X))
    assert_array_equal(fits[0].network_.theta, fits[1].network_.theta)


@pytest.mark.parametrize("n_features", [784, 2500])
def test_what_pca_leaves_is_found_where_images_hardly_differ(rng, n_features):
    noise = 3e-4 * rng.standard_normal((300, n_features))
    X = (rng.random(n_features) + noise).astype(np.float32)
    centered = X - X.mean(axis=0, dtype=np.float64)
    variances = np.linalg.eigvalsh(centered @ centered.T)[::-1] / len(X)
    residual = principal_axes(RowBlocks(X), 10).residual
    assert residual == pytest.approx(variances[10:].sum(), rel=0.02)


@pytest.mark.parametrize(
    ("n_rows", "n_steps"), [(3, 3), (20, 2), (150, 2), (300, 3), (1000, 10)]
)
def test_few_rows_make_few_mini_batches(digits, n_rows, n_steps):
    settings = {"n_components": 4, "hidden_layer_sizes": (8,), "max_iter": 1}
    dae = DeepAutoencoderCompressor(**settings, alpha=0.1, random_state=0)
    dae.fit(digits[:n_rows])
    assert dae.solver_ == "kfac"
    assert dae.n_evaluations_ == n_steps


@pytest.mark.parametrize("activation", ["tanh", "relu", "logistic"])
def test_a_network_without_linear_path_is_trained_from_any_start(
    digits_split, activation
):
    training, test = digits_split
    dae = DeepAutoencoderCompressor(
        8, **SMALLER, activation=activation, linear_path=False
    ).fit(training)
    assert -dae.score(test) < 0.6 * error_of_pca(8, training, test, 16)


@pytest.mark.parametrize("solver", ["kfac-lbfgs", "kfac", "adam", "lbfgs"])
def test_every_solver_beats_pca(digits_split, solver):
    training, test = digits_split
    settings = {**SMALLER, "solver": solver}
    start = DeepAutoencoderCompressor(8, **settings, max_iter=0).fit(training)
    dae = DeepAutoencoderCompressor(8, **settings, max_iter=40).fit(training)
    assert dae.n_iter_ == 40
    assert dae.score(test) > 0.9 * start.score(test)


@pytest.mark.parametrize("solver", ["kfac-lbfgs", "kfac", "adam", "lbfgs"])
def test_cost_is_known_before_a_fit(digits, solver):
    dae = DeepAutoencoderCompressor(8, solver=solver, max_iter=20, random_state=0)
    cost = dae.fit_cost(digits)
    assert not hasattr(dae, "network_")
    assert cost.n_parameters == dae.layout_for(64).n_parameters
    assert cost.n_iter == 20
    assert cost.seconds == 20 * cost.seconds_per_iteration > 0
    assert cost.memory > 4 * cost.n_parameters
    assert f"{cost.n_parameters:,} parameters" in str(cost)


def test_the_last_step_of_a_trial_looks_at_the_curvature(digits, monkeypatch):
    looked = []
    measure = NaturalGradient._measure

    def note(step, state, *arguments):
        looked.append(state.n_steps)
        return measure(step, state, *arguments)

    monkeypatch.setattr(NaturalGradient, "_measure", note)
    DeepAutoencoderCompressor(8, solver="kfac").fit_cost(digits)
    assert looked[-2:] == [_cost._PLAIN_STEPS.start - 1, _cost._TRIAL_STEPS - 1]


@pytest.mark.parametrize("solver", ["kfac-lbfgs", "kfac"])
def test_ctrl_c_ends_a_question_for_the_cost(digits, solver, monkeypatch):
    pressed = []

    def press(*arguments):
        if len(pressed) == 3:
            signal.raise_signal(signal.SIGINT)
        pressed.append(True)
        return loss_and_gradient(*arguments)

    monkeypatch.setattr("sklearn_dae.training._problem.loss_and_gradient", press)
    with pytest.raises(KeyboardInterrupt):
        DeepAutoencoderCompressor(8, solver=solver).fit_cost(digits)


def test_asking_for_the_cost_draws_nothing_from_a_random_state(digits):
    random_state = np.random.RandomState(0)
    dae = DeepAutoencoderCompressor(4, max_iter=1, random_state=random_state)
    dae.fit_cost(digits[:200])
    assert random_state.randint(1000) == np.random.RandomState(0).randint(1000)


@pytest.mark.parametrize("solver", ["kfac-lbfgs", "lbfgs"])
def test_cost_is_known_where_nothing_is_left_to_improve(solver):
    dae = DeepAutoencoderCompressor(
        4, output_activation="relu", solver=solver, random_state=0
    )
    assert dae.fit_cost(np.zeros((50, 16))).seconds_per_iteration > 0


def test_cost_grows_with_rows_but_its_memory_does_not(digits):
    dae = DeepAutoencoderCompressor(8, solver="kfac-lbfgs", random_state=0)
    few, many = (dae.fit_cost(np.tile(digits, (n, 1))) for n in (1, 40))
    assert many.memory == few.memory
    assert many.seconds > 3 * few.seconds


def test_rbms_may_start_the_hidden_layers_beside_a_linear_path(digits):
    settings = {
        "n_components": 4,
        "hidden_layer_sizes": (20, 10),
        "activation": "logistic",
        "pretraining": default_rbm(len(digits)).set_params(n_iter=2),
        "random_state": 0,
    }
    dae = DeepAutoencoderCompressor(**settings, max_iter=0).fit(digits)
    assert [len(errors) for errors in dae.pretraining_errors_] == [2, 2]
    # 64 -> 20 -> 10 -> 4 -> 10 -> 20 -> 64
    assert_array_equal(dae.coefs_[1], dae.coefs_[4].T)
    linear = DeepAutoencoderCompressor(4, max_iter=0, random_state=0).fit(digits)
    assert_allclose(dae.score(digits), linear.score(digits), rtol=1e-5)
    assert dae.set_params(max_iter=30).fit(digits).score(digits) > linear.score(digits)
