"""Restricted Boltzmann machines."""

import inspect
import re
import tracemalloc

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn.neural_network
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.neural_network.tests import test_rbm as scikit_learn_tests
from sklearn.preprocessing import StandardScaler

from sklearn_dae import BernoulliRBM, GaussianRBM
from sklearn_dae.rbm._bernoulli import _hash_rows
from sklearn_dae.rbm._units import KINDS, seeded

#: Tests of scikit-learn that hold the weights which its own random numbers lead to.
TIED_TO_A_STREAM = ("test_fit_gibbs", "test_fit_gibbs_sparse")


def _cases_of_scikit_learn():
    """Every test in scikit-learn's file, with each of its parametrizations."""
    for name, test in inspect.getmembers(scikit_learn_tests, inspect.isfunction):
        if not name.startswith("test_") or name in TIED_TO_A_STREAM:
            continue
        cases = [{}]
        for mark in getattr(test, "pytestmark", []):
            if mark.name != "parametrize":
                continue
            names = [name.strip() for name in mark.args[0].split(",")]
            values = [v if len(names) > 1 else (v,) for v in mark.args[1]]
            cases = [
                case | dict(zip(names, value, strict=True))
                for case in cases
                for value in values
            ]
        for number, case in enumerate(cases):
            yield pytest.param(test, case, id=f"{name}-{number}")


@pytest.mark.parametrize(("test", "case"), list(_cases_of_scikit_learn()))
def test_passes_the_tests_of_scikit_learn(test, case, monkeypatch, capsys):
    monkeypatch.setattr(scikit_learn_tests, "BernoulliRBM", BernoulliRBM)
    if "capsys" in inspect.signature(test).parameters:
        case = case | {"capsys": capsys}
    test(**case)


def test_scikit_learn_has_tests_to_pass():
    assert len(list(_cases_of_scikit_learn())) >= 20


def test_same_parameters_with_the_same_defaults_as_scikit_learn():
    theirs = sklearn.neural_network.BernoulliRBM().get_params()
    ours = BernoulliRBM().get_params()
    assert {name: ours[name] for name in theirs} == theirs


class _SameNoise(np.random.RandomState):
    """Gives scikit-learn's RBM the random numbers that ours draws."""

    def __init__(self, seed):
        super().__init__(seed)
        self._generator = seeded(seed)

    def normal(self, loc, scale, size):
        return self._generator.normal(loc, scale, size)

    def uniform(self, size):
        # Ours is 1 where noise + p >= 1, theirs where noise < p.
        noise = KINDS["bernoulli"].noise(size, self._generator) / 2**16
        return np.nextafter(1 - noise, 0)


@pytest.mark.parametrize("shape", [(600, 64), (2, 1)])
def test_equal_to_scikit_learn_where_that_one_is_right(digits, shape):
    n_rows, n_features = shape
    X = (digits / 16.0)[:n_rows, 2 : 2 + n_features]
    settings = {"n_components": 30, "batch_size": min(20, n_rows), "n_iter": 3}
    theirs = sklearn.neural_network.BernoulliRBM(
        random_state=_SameNoise(3), **settings
    ).fit(X)
    ours = BernoulliRBM(random_state=3, shuffle=False, **settings).fit(X)
    for name in ("components_", "intercept_hidden_", "intercept_visible_"):
        assert_allclose(getattr(ours, name), getattr(theirs, name), atol=1e-12)
    assert_array_equal(ours.h_samples_, theirs.h_samples_)


@pytest.mark.parametrize("estimator", [BernoulliRBM, GaussianRBM])
def test_a_seed_and_a_random_state_of_that_seed_give_the_same(digits, estimator):
    X = digits / 16.0
    one = estimator(5, n_iter=2, random_state=3).fit(X)
    other = estimator(5, n_iter=2, random_state=np.random.RandomState(3)).fit(X)
    assert_array_equal(one.components_, other.components_)


def test_one_step_of_contrastive_divergence_by_the_formula(digits):
    X = (digits / 16.0)[:40]
    rbm = BernoulliRBM(
        6,
        persistent=False,
        sample_visible=False,
        learning_rate=0.3,
        batch_size=40,
        n_iter=0,
        random_state=3,
    ).fit(X)
    W, b, c = rbm.components_, rbm.intercept_hidden_, rbm.intercept_visible_
    moved = BernoulliRBM(**rbm.get_params()).set_params(n_iter=1).fit(X)
    rng = seeded(3)
    rng.normal(0, 0.01, W.shape)
    noise = KINDS["bernoulli"].noise((40, 6), rng) / 2**16
    h = expit(X @ W.T + b)
    v_model = expit((noise + h >= 1) @ W + c)
    h_model = expit(v_model @ W.T + b)
    assert_allclose(moved.components_ - W, 0.3 / 40 * (h.T @ X - h_model.T @ v_model))
    assert_allclose(moved.intercept_hidden_, 0.3 * (h - h_model).mean(axis=0))
    assert_allclose(moved.intercept_visible_, 0.3 * (X - v_model).mean(axis=0))


@pytest.mark.parametrize("persistent", [True, False])
def test_phases_of_a_ragged_batch_are_averages(persistent):
    # One step from zero weights on seven rows with ten chains: the visible biases
    # move by the rate times the difference of the two means, whatever the counts.
    rng = np.random.default_rng(0)
    X = rng.random((7, 400))
    rbm = BernoulliRBM(
        1,
        learning_rate=1.0,
        batch_size=10,
        n_iter=1,
        persistent=persistent,
        sample_visible=False,
        random_state=0,
    )
    rbm.fit(X)
    # The model's mean is 1/2, up to the initial weights of 0.01.
    assert_allclose(rbm.intercept_visible_, X.mean(axis=0) - 0.5, atol=0.02)


@pytest.mark.parametrize("n_rows", [1, 3, 10, 64, 101])
def test_partial_fit_takes_any_number_of_rows(digits, n_rows):
    X = digits[:n_rows] / 16.0
    rbm = BernoulliRBM(8, batch_size=10, random_state=0)
    assert rbm.partial_fit(X) is rbm
    assert rbm.partial_fit(X[: max(1, n_rows // 2)]) is rbm
    assert np.isfinite(rbm.components_).all()


def test_partial_fit_learns_as_fit_does(digits):
    X = digits / 16.0
    fitted = BernoulliRBM(40, batch_size=20, n_iter=8, random_state=0).fit(X)
    partly = BernoulliRBM(40, batch_size=20, random_state=0)
    for _ in range(8):
        partly.partial_fit(X)
    assert partly.score_samples(X).mean() == pytest.approx(
        fitted.score_samples(X).mean(), abs=1.0
    )


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"persistent": False},
        {"persistent": False, "n_gibbs_steps": 3},
        {"n_gibbs_steps": 2},
        {"persistent": False, "sample_visible": False, "momentum": 0.9},
        {"momentum": 0.5, "weight_decay": 1e-3},
    ],
)
def test_every_way_of_learning_lowers_the_error(digits, settings):
    X = (digits / 16.0).astype(np.float32)
    rbm = BernoulliRBM(40, batch_size=20, n_iter=8, random_state=0, **settings).fit(X)
    errors = rbm.reconstruction_errors_
    restored = rbm.inverse_transform(rbm.transform(X))
    error = np.square(X - restored).sum(axis=1).mean()
    constant = np.square(X - X.mean(axis=0)).sum(axis=1).mean()
    assert len(errors) == rbm.n_iter_ == 8
    assert errors[-1] < errors[0]
    assert error < 0.65 * constant


def test_reconstruction_error_is_what_transform_and_its_inverse_leave(digits):
    X = digits / 16.0
    rbm = BernoulliRBM(20, n_iter=2, random_state=0).fit(X)
    watched = X[::4]
    restored = rbm.inverse_transform(rbm.transform(watched))
    error = np.square(watched - restored).sum(axis=1).mean()
    assert rbm.reconstruction_errors_[-1] == pytest.approx(error)


def test_momentum_is_bounded_until_its_switch(digits):
    X = digits[:200] / 16.0
    settings = {"n_components": 5, "n_iter": 3, "random_state": 0}
    late = BernoulliRBM(momentum=0.9, momentum_switch=3, **settings).fit(X)
    low = BernoulliRBM(momentum=0.5, **settings).fit(X)
    early = BernoulliRBM(momentum=0.9, momentum_switch=0, **settings).fit(X)
    assert_array_equal(late.components_, low.components_)
    assert np.abs(early.components_ - low.components_).max() > 1e-3


def test_weight_decay_shrinks_weights(digits):
    X = digits / 16.0
    norms = [
        np.linalg.norm(
            BernoulliRBM(10, weight_decay=decay, n_iter=3, random_state=0)
            .fit(X)
            .components_
        )
        for decay in (0.0, 0.01, 0.1)
    ]
    assert norms[0] > norms[1] > norms[2]


def test_rows_are_shuffled_each_epoch(digits):
    X = digits[:100] / 16.0
    orders = []

    class Watched(BernoulliRBM):
        def _update(self, X, rows, *others):
            orders.append(rows)
            super()._update(X, rows, *others)

    Watched(5, batch_size=10, n_iter=2, random_state=0).fit(X)
    first, second = (np.concatenate(orders[at : at + 10]) for at in (0, 10))
    assert_array_equal(np.sort(first), np.arange(100))
    assert_array_equal(np.sort(second), np.arange(100))
    assert (first != second).mean() > 0.8


@pytest.mark.parametrize("estimator", [BernoulliRBM, GaussianRBM])
def test_single_precision_is_kept(digits, estimator):
    X = (digits / 16.0).astype(np.float32)
    rbm = estimator(10, n_iter=2, momentum=0.5, weight_decay=1e-4, random_state=0)
    rbm.fit(X)
    for name in ("components_", "intercept_hidden_", "intercept_visible_"):
        assert getattr(rbm, name).dtype == np.float32
    assert rbm.transform(X).dtype == np.float32
    assert rbm.inverse_transform(rbm.transform(X)).dtype == np.float32
    assert rbm.partial_fit(X).components_.dtype == np.float32


@pytest.mark.parametrize("sparse", [sp.csr_array, sp.csr_matrix, sp.csc_array])
@pytest.mark.parametrize("estimator", [BernoulliRBM, GaussianRBM])
def test_sparse_rows_give_the_same_as_dense_ones(digits, estimator, sparse):
    X = digits / 16.0
    S = sparse(X)
    settings = {"n_components": 10, "n_iter": 2, "batch_size": 100, "random_state": 0}
    dense, ours = estimator(**settings).fit(X), estimator(**settings).fit(S)
    assert_allclose(ours.components_, dense.components_)
    assert ours.partial_fit(S) is ours
    assert_allclose(ours.components_, dense.partial_fit(X).components_)
    assert_allclose(ours.transform(S), dense.transform(X))
    assert_allclose(ours.gibbs(S), dense.gibbs(X), atol=1e-5)
    if estimator is BernoulliRBM:
        assert_allclose(ours.score_samples(S), dense.score_samples(X), rtol=1e-6)


@pytest.mark.parametrize("method", ["fit", "partial_fit", "transform", "score_samples"])
def test_sparse_rows_are_never_dense_all_at_once(rng, method):
    X = sp.random_array((20_000, 3_000), density=1e-4, format="csr", rng=rng)
    rbm = BernoulliRBM(2, batch_size=100, n_iter=1, random_state=0).fit(X[:100])
    tracemalloc.start()
    getattr(rbm, method)(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000 * 3_000 * 8 / 4


def test_partial_fit_keeps_the_precision_it_began_with(digits):
    X = digits / 16.0
    for first, then in ((np.float64, np.float32), (np.float32, np.float64)):
        rbm = BernoulliRBM(5, random_state=0).partial_fit(X.astype(first))
        assert rbm.partial_fit(X.astype(then)).components_.dtype == first


def test_partial_fit_goes_on_with_other_settings(digits):
    X = digits / 16.0
    rbm = BernoulliRBM(5, persistent=False, n_iter=1, random_state=0).fit(X)
    assert not hasattr(rbm, "h_samples_")
    rbm.set_params(persistent=True, momentum=0.5).partial_fit(X)
    assert rbm.h_samples_.shape == (10, 5)
    assert not hasattr(rbm.set_params(persistent=False).fit(X), "h_samples_")


def test_partial_fit_of_a_memory_mapped_model(digits, tmp_path):
    X = digits / 16.0
    joblib.dump(BernoulliRBM(5, n_iter=1, random_state=0).fit(X), tmp_path / "rbm")
    rbm = joblib.load(tmp_path / "rbm", mmap_mode="r")
    before = rbm.components_.copy()
    assert np.abs(rbm.partial_fit(X).components_ - before).max() > 0


def test_sampling_and_mixed_input_keep_precision(digits):
    X = (digits / 16.0).astype(np.float32)
    rbm = GaussianRBM(5, n_iter=1, random_state=0).fit(X)
    assert rbm.gibbs(X).dtype == np.float32
    for rows in (X.astype(float), sp.csr_array(X.astype(float))):
        assert rbm.transform(rows).dtype == np.float64


def test_verbose_fit_of_a_data_frame_does_not_warn(digits):
    frame = pd.DataFrame(digits / 16.0, columns=[f"pixel{i}" for i in range(64)])
    rbm = BernoulliRBM(4, n_iter=1, verbose=1, random_state=0).fit(frame)
    assert rbm.feature_names_in_[0] == "pixel0"


def _assert_uniform(flipped):
    """Chi-squared test over 60 features: exceeded once in 10,000 times by chance."""
    counts = np.bincount(flipped, minlength=60)
    assert np.square(counts - counts.mean()).sum() / counts.mean() < 103


def test_features_that_score_samples_flips_are_uniform_over_rows_and_seeds(rng):
    keys = rng.integers(0, 2**64, (3000, 61), np.uint64)
    rows = np.unique((rng.random((3000, 60)) < 0.1).astype(float), axis=0)
    _assert_uniform((_hash_rows(rows, keys[0]) % np.uint64(60)).astype(int))
    blank = np.zeros((1, 60))
    hashes = np.concatenate([_hash_rows(blank, key) for key in keys])
    _assert_uniform((hashes % np.uint64(60)).astype(int))


def test_draws_have_their_probabilities():
    probabilities = np.tile(np.linspace(0, 1, 11, dtype=np.float32), (40000, 1))
    drawn = KINDS["bernoulli"].draw(probabilities, np.random.default_rng(0))
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert_allclose(drawn.mean(axis=0), probabilities[0], atol=0.01)
    assert_array_equal(drawn[:, 0], 0)


def test_score_samples_ranks_data_above_noise(digits, rng):
    X = (digits > 8).astype(float)
    rbm = BernoulliRBM(64, n_iter=10, random_state=0).fit(X)
    noise = rng.permuted(X, axis=1)
    assert rbm.score_samples(X).mean() > rbm.score_samples(noise).mean() + 10


def test_gaussian_visible_units_learn_real_values(digits):
    X = StandardScaler().fit_transform(digits.astype(float))
    rbm = GaussianRBM(80, n_iter=30, random_state=0).fit(X)
    variance = np.square(X)[::4].sum(axis=1).mean()
    assert rbm.reconstruction_errors_[-1] < 0.6 * variance
    assert rbm.transform(X).min() >= 0
    assert rbm.transform(X).max() <= 1


def test_gaussian_hidden_units_make_a_linear_code(digits):
    X = digits / 16.0
    rbm = GaussianRBM(
        20,
        visible_units="bernoulli",
        hidden_units="gaussian",
        batch_size=20,
        n_iter=30,
        random_state=0,
    ).fit(X)
    assert_allclose(
        rbm.transform(X), X @ rbm.components_.T + rbm.intercept_hidden_, atol=1e-10
    )
    constant = np.square(X - X.mean(axis=0)).sum(axis=1).mean()
    assert rbm.reconstruction_errors_[-1] < 0.6 * constant


def test_gaussian_samples_have_unit_variance(rng):
    X = rng.normal(size=(20000, 1))
    rbm = GaussianRBM(1, n_iter=0, random_state=0).fit(X)
    assert rbm.gibbs(X).std() == pytest.approx(1.0, abs=0.02)


def test_callbacks_see_every_epoch_and_can_stop(digits):
    class Stopper:
        def __init__(self):
            self.epochs = []

        def setup(self, estimator, context):
            pass

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            if context.task_name == "epoch":
                self.epochs.append(fitted_estimator.components_)
                return context.task_id == 2
            return False

    stopper = Stopper()
    rbm = BernoulliRBM(4, n_iter=10, random_state=0).set_callbacks(stopper)
    rbm.fit(digits / 16.0)
    assert rbm.n_iter_ == len(stopper.epochs) == 3
    assert_array_equal(stopper.epochs[-1], rbm.components_)
    assert np.abs(stopper.epochs[0] - rbm.components_).max() > 0


def test_verbose_prints_a_line_an_epoch(digits, capsys):
    BernoulliRBM(4, n_iter=2, verbose=1).fit(digits / 16.0)
    GaussianRBM(4, n_iter=1, verbose=1).fit(digits / 16.0)
    first, second, third = capsys.readouterr().out.splitlines()
    number = r"-?[\d.]+"
    assert re.fullmatch(
        rf"\[BernoulliRBM\] Iteration 1, pseudo-likelihood = {number}, "
        rf"time = {number}s, reconstruction error = {number}",
        first,
    )
    assert second.startswith("[BernoulliRBM] Iteration 2, ")
    assert third.startswith("[GaussianRBM] Iteration 1, reconstruction error = ")


@pytest.mark.parametrize(
    ("parameter", "value", "error"),
    [
        ("n_components", 0, ValueError),
        ("n_components", 2.5, TypeError),
        ("n_components", "ten", TypeError),
        ("learning_rate", 0, ValueError),
        ("learning_rate", -1.0, ValueError),
        ("learning_rate", "fast", TypeError),
        ("learning_rate", np.inf, ValueError),
        ("batch_size", 0, ValueError),
        ("batch_size", None, TypeError),
        ("n_iter", -1, ValueError),
        ("n_iter", 1.5, TypeError),
        ("n_gibbs_steps", 0, ValueError),
        ("n_gibbs_steps", "1", TypeError),
        ("persistent", 1, TypeError),
        ("sample_visible", "yes", TypeError),
        ("momentum", 1.0, ValueError),
        ("momentum", "high", TypeError),
        ("initial_momentum", -0.1, ValueError),
        ("initial_momentum", None, TypeError),
        ("momentum_switch", -1, ValueError),
        ("momentum_switch", 0.5, TypeError),
        ("weight_decay", -1e-3, ValueError),
        ("weight_decay", np.nan, ValueError),
        ("shuffle", None, TypeError),
        ("verbose", "loud", TypeError),
        ("random_state", "seed", ValueError),
    ],
)
@pytest.mark.parametrize("estimator", [BernoulliRBM, GaussianRBM])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_bad_parameters_are_named(digits, estimator, method, parameter, value, error):
    rbm = estimator(**{parameter: value})
    with pytest.raises(error, match=f"'{parameter}' parameter of {estimator.__name__}"):
        getattr(rbm, method)(digits[:20] / 16.0)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"visible_units": "poisson"}, "'visible_units' parameter.*Got 'poisson'"),
        ({"hidden_units": 3}, "'hidden_units' parameter.*Got 3"),
        ({"visible_units": "bernoulli"}, "for binary units use BernoulliRBM"),
    ],
)
def test_bad_units_are_named(digits, settings, match):
    with pytest.raises(ValueError, match=match):
        GaussianRBM(**settings).fit(digits)


def test_a_rate_that_diverges_is_named(digits):
    rbm = GaussianRBM(
        10,
        visible_units="bernoulli",
        hidden_units="gaussian",
        learning_rate=1e30,
        n_iter=5,
        random_state=0,
    )
    with pytest.raises(ValueError, match=r"GaussianRBM 64 -> 10.*smaller learning"):
        rbm.fit(digits / 16.0)


def test_codes_of_another_width_are_refused(digits):
    rbm = BernoulliRBM(6, n_iter=1).fit(digits / 16.0)
    with pytest.raises(ValueError, match=r"X has 5 columns.*6 hidden units"):
        rbm.inverse_transform(np.zeros((3, 5)))


def test_values_that_no_visible_unit_can_have_are_warned_of(digits):
    with pytest.warns(UserWarning, match=r"from 0 to 16.*MinMaxScaler") as caught:
        BernoulliRBM(4, n_iter=1).fit(digits)
    assert caught[0].filename == __file__
    units = {"visible_units": "bernoulli", "hidden_units": "gaussian"}
    with pytest.warns(UserWarning, match="from 0 to 16"):
        GaussianRBM(4, **units, n_iter=1).fit(digits)
    GaussianRBM(4, n_iter=1).fit((digits - 8.0) / 8)
