"""Solvers: coordinates, steps, and what they achieve."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer
from threadpoolctl import threadpool_limits

from sklearn_dae.network import Layout, Objective
from sklearn_dae.network._curvature import kronecker_factors
from sklearn_dae.rows import RowBlocks
from sklearn_dae.training import _lbfgs, _preconditioner
from sklearn_dae.training._adam import Adam
from sklearn_dae.training._lbfgs import minimize_lbfgs
from sklearn_dae.training._minibatch import count_batches, minimize_minibatch
from sklearn_dae.training._natural import NaturalGradient
from sklearn_dae.training._preconditioner import Preconditioner
from sklearn_dae.training._problem import Problem
from sklearn_dae.training._progress import Progress

LAYOUT = Layout.autoencoder([64, 30, 8], output="logistic")


def _random_theta(layout, rng, scale=0.3):
    return (scale * rng.standard_normal(layout.n_parameters)).astype(np.float32)


@pytest.fixture
def problem(digits):
    X = digits.astype(np.float32) / np.float32(16)
    return Problem(RowBlocks(X), LAYOUT, Objective("log_loss", alpha=1e-4))


def _minimize(solver, problem, theta, n, seed=0):
    progress = Progress(theta)
    if solver in ("lbfgs", "kfac-lbfgs"):
        renew_every = 20 if solver == "kfac-lbfgs" else None
        outcome = minimize_lbfgs(
            problem, theta, progress, max_iter=n, renew_every=renew_every, seed=seed
        )
    else:
        step, rate = {
            "kfac": (NaturalGradient(damping=0.1, seed=seed), 0.1),
            "adam": (Adam(), 0.003),
        }[solver]
        outcome = minimize_minibatch(
            problem,
            theta,
            progress,
            step,
            max_iter=n,
            batch_size=200,
            learning_rate=rate,
            rng=np.random.default_rng(seed),
        )
    return progress, outcome


# Coordinates.


@pytest.mark.parametrize("block_size", [2048, 20])
@pytest.mark.parametrize("alpha", [0.0, 0.05])
@pytest.mark.parametrize("lapack_rows", [256, 3])
def test_natural_gradient_solves_with_the_damped_factors(
    rng, block_size, alpha, lapack_rows, monkeypatch
):
    monkeypatch.setattr(_preconditioner, "_LAPACK_ROWS", lapack_rows)
    layout = Layout.autoencoder([25, 12, 5], output="identity", linear_path=True)
    theta = _random_theta(layout, rng)
    X = rng.random((200, 25), dtype=np.float32)
    factors = kronecker_factors(theta, X, layout, "squared_error", 0, block_size)
    natural = Preconditioner(factors, layout, 0.1, alpha).natural(theta)
    weakest = 0.1 * max(np.mean(np.diag(_dense(G))) for _, G in factors)
    views = zip(factors, layout.split(theta), layout.split(natural), strict=True)
    for (A, G), gradient, found in views:
        A, G = _dense(A), _dense(G)
        a, g = np.mean(np.diag(A)), max(np.mean(np.diag(G)), weakest)
        strength = 0.1 * a * g + alpha
        A = A + np.sqrt(strength * a / g) * np.eye(len(A))
        G = G + np.sqrt(strength * g / a) * np.eye(len(G))
        expected = np.linalg.solve(A, np.linalg.solve(G, gradient.T).T)
        assert_allclose(found, expected, rtol=2e-3, atol=2e-3 * np.abs(expected).max())


def _dense(blocks):
    size = sum(len(block) for block in blocks)
    dense, start = np.zeros((size, size)), 0
    for block in blocks:
        part = slice(start, start + len(block))
        dense[part, part] = np.diag(block) if block.ndim == 1 else block
        start += len(block)
    return dense


def test_whitened_coordinates_are_consistent(rng):
    layout = Layout.autoencoder([25, 12, 5])
    theta = _random_theta(layout, rng)
    X = rng.random((200, 25), dtype=np.float32)
    factors = kronecker_factors(theta, X, layout, "log_loss", 0)
    preconditioner = Preconditioner(factors, layout, 0.1, 0.0)
    gradient = rng.standard_normal(layout.n_parameters).astype(np.float32)
    step = rng.standard_normal(layout.n_parameters).astype(np.float32)
    # The slope along a step is the same in both coordinates.
    slope = np.dot(gradient, preconditioner.unwhiten(step))
    assert np.dot(preconditioner.whiten(gradient), step) == pytest.approx(
        slope, rel=1e-3
    )
    there_and_back = preconditioner.unwhiten(preconditioner.whiten(gradient))
    assert_allclose(
        there_and_back,
        preconditioner.natural(gradient),
        rtol=1e-3,
        atol=1e-3 * np.abs(there_and_back).max(),
    )


@pytest.mark.parametrize("lapack_rows", [256, 1])
def test_a_factor_that_is_not_positive_definite_is_damped_more(
    rng, lapack_rows, monkeypatch
):
    monkeypatch.setattr(_preconditioner, "_LAPACK_ROWS", lapack_rows)
    layout = Layout.autoencoder([6, 3])
    factors = [
        ([np.ones((n_in + 1,) * 2, np.float32)], [np.ones((n_out,) * 2, np.float32)])
        for n_in, n_out in ((6, 3), (3, 6))
    ]
    preconditioner = Preconditioner(factors, layout, 1e-20, 0.0)
    assert np.isfinite(preconditioner.natural(_random_theta(layout, rng))).all()


# Solvers.


def test_whitening_gets_far_ahead_of_plain_lbfgs(problem, rng):
    theta = _random_theta(LAYOUT, rng, 0.1)
    plain, _ = _minimize("lbfgs", problem, theta, 45)
    whitened, outcome = _minimize("kfac-lbfgs", problem, theta, 45)
    assert outcome.n_evaluations < 60
    start = problem.loss_and_gradient(theta)[0]
    best = _minimize("kfac-lbfgs", problem, theta, 400)[0].loss_curve[-1]
    plain_gap, gap = (p.loss_curve[-1] - best for p in (plain, whitened))
    assert 0 < gap < 0.5 * plain_gap < 0.5 * (start - best)


@pytest.mark.parametrize("solver", ["lbfgs", "kfac-lbfgs", "kfac", "adam"])
def test_solvers_lower_the_objective_and_leave_the_start_alone(problem, rng, solver):
    theta = _random_theta(LAYOUT, rng, 0.1)
    before = theta.copy()
    progress, outcome = _minimize(solver, problem, theta, 8)
    assert_array_equal(theta, before)
    assert progress.n_iter == 8
    assert not outcome.interrupted
    assert (
        problem.loss_and_gradient(progress.best_theta)[0]
        < 0.7 * (problem.loss_and_gradient(theta)[0])
    )


@pytest.mark.parametrize("solver", ["kfac-lbfgs", "kfac", "adam"])
def test_solvers_do_not_depend_on_threads_but_on_the_seed(problem, rng, solver):
    theta = _random_theta(LAYOUT, rng, 0.1)
    results = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, user_api="blas"):
            results.append(_minimize(solver, problem, theta, 3)[0].best_theta)
    assert_array_equal(*results)
    other = _minimize(solver, problem, theta, 3, seed=1)[0].best_theta
    assert np.abs(other - results[0]).max() > 0


def test_renewing_the_curvature_costs_no_evaluation(problem, rng):
    theta = _random_theta(LAYOUT, rng, 0.1)
    evaluated = []

    class Counted(Problem):
        def loss_and_gradient(self, theta):
            evaluated.append(theta)
            return super().loss_and_gradient(theta)

    counted = Counted(problem.rows, problem.layout, problem.objective)
    _, outcome = _minimize("kfac-lbfgs", counted, theta, 50)
    assert len(evaluated) == outcome.n_evaluations
    assert len({theta.tobytes() for theta in evaluated}) == len(evaluated)


def test_after_a_line_search_that_fails_it_goes_on_from_the_last_iterate(
    problem, rng, monkeypatch
):
    theta = _random_theta(LAYOUT, rng, 0.1)
    looked, reported = [], [theta]

    def give_up(function, start, **arguments):
        """Fail as SciPy does: after some iterations, with a step that it rejects."""
        arguments["options"]["maxiter"] = 5
        result = minimize(function, start, **arguments)
        function(result.x + 0.1)
        result.status = 2
        return result

    class Looked(Problem):
        def kronecker_factors(self, theta, seed):
            looked.append(theta)
            assert_array_equal(theta, reported[-1])
            return super().kronecker_factors(theta, seed)

    class Reported(Progress):
        def update(self, theta, loss):
            reported.append(theta)
            return super().update(theta, loss)

    monkeypatch.setattr(_lbfgs, "minimize", give_up)
    progress = Reported(theta)
    minimize_lbfgs(
        Looked(problem.rows, problem.layout, problem.objective),
        theta,
        progress,
        max_iter=20,
        renew_every=10,
    )
    assert len(looked) == 4
    assert progress.n_iter == 20
    assert np.all(np.diff(progress.loss_curve) < 0)


def test_curvature_is_measured_on_a_part_of_many_rows(digits, monkeypatch):
    X = np.tile(digits[:, :16], (6, 1)).astype(np.float32) / 16
    layout = Layout.autoencoder([16, 3])
    problem = Problem(RowBlocks(X), layout, Objective("squared_error"))
    looked = []

    def note(theta, rows, *arguments):
        looked.append(rows.rows)
        return kronecker_factors(theta, rows, *arguments)

    monkeypatch.setattr("sklearn_dae.training._problem.kronecker_factors", note)
    theta = _random_theta(layout, np.random.default_rng(0))
    _minimize("kfac-lbfgs", problem, theta, 1)
    (rows,) = looked
    assert len(set(rows)) == len(rows) == 10_000 < len(X)


def test_curvature_that_overflows_is_an_error(problem):
    layout = Layout.autoencoder([64, 2], code="identity")
    linear = Problem(problem.rows, layout, Objective("squared_error"))
    theta = np.full(layout.n_parameters, 1e-30, np.float32)
    layout.split(theta)[0][...] = 1e20
    assert np.isfinite(linear.loss_and_gradient(theta)[0])
    with pytest.raises(ValueError, match="curvature, of the network 64-2-64"):
        linear.kronecker_factors(theta, seed=0)


def test_loss_curve_of_whitened_lbfgs_is_the_objective(problem, rng):
    theta = _random_theta(LAYOUT, rng, 0.1)
    progress, _ = _minimize("kfac-lbfgs", problem, theta, 30)
    assert np.all(np.diff(progress.loss_curve) < 0)
    final = problem.loss_and_gradient(progress.best_theta)[0]
    assert final == pytest.approx(progress.loss_curve[-1], rel=1e-6)


class Still:
    """A step that goes nowhere."""

    def init(self, n_parameters):
        return 0

    def update(self, state, theta, loss, gradient, batch, rate):
        return theta, state + 1

    def restart(self, state):
        raise AssertionError("There is no reason to.")


@pytest.mark.parametrize(
    ("n_rows", "batch_size", "sizes"),
    [(10, 3, [3, 3, 4]), (11, 3, [3, 3, 3, 2]), (5, 100, [5]), (4, 1, [1, 1, 1, 1])],
)
def test_an_epoch_takes_every_row_once(rng, n_rows, batch_size, sizes):
    layout = Layout.autoencoder([4, 2])
    X = np.arange(4.0 * n_rows, dtype=np.float32).reshape(n_rows, 4) / 100
    problem = Problem(RowBlocks(X), layout, Objective("squared_error"))
    seen, rates = [], []

    class Watcher(Still):
        def update(self, state, theta, loss, gradient, batch, rate):
            seen.append(np.concatenate(list(batch.rows)))
            rates.append(rate)
            return theta, state

    theta = _random_theta(layout, rng)
    minimize_minibatch(
        problem,
        theta,
        Progress(theta),
        Watcher(),
        max_iter=2,
        batch_size=batch_size,
        learning_rate=1.0,
        rng=np.random.default_rng(0),
    )
    assert [len(batch) for batch in seen] == sizes * 2
    for epoch in (seen[: len(sizes)], seen[len(sizes) :]):
        rows = np.concatenate(epoch)
        assert_array_equal(rows[np.argsort(rows[:, 0])], X)
    assert rates[0] == 1.0
    assert np.all(np.diff(rates) < 0)


def _take_three_epochs(problem, theta, progress, step):
    return minimize_minibatch(
        problem,
        theta,
        progress,
        step,
        max_iter=3,
        batch_size=200,
        learning_rate=1.0,
        rng=np.random.default_rng(0),
    )


def test_an_epoch_that_makes_things_worse_is_undone(problem, rng):
    theta = _random_theta(LAYOUT, rng)
    start = theta.copy()
    rates, restarts = [], []

    class Wanderer(Still):
        """Stays where it is for an epoch, then leaves, then stays again."""

        def update(self, state, theta, loss, gradient, batch, rate):
            rates.append(rate)
            if len(rates) == n_batches + 1:
                theta = theta + 100
            return theta, state

        def restart(self, state):
            restarts.append(len(rates))
            return state

    n_batches = count_batches(problem.rows.n_rows, 200)
    progress = Progress(theta)
    outcome = _take_three_epochs(problem, theta, progress, Wanderer())
    assert len(restarts) == 1
    assert outcome.message == "STOP: all of 3 epochs, 1 of them undone"
    assert n_batches < restarts[0] < 2 * n_batches
    assert_array_equal(progress.best_theta, start)
    assert progress.loss_curve[1] > 1.5 * progress.loss_curve[0]
    # The rate follows its cosine as if nothing had happened.
    assert rates[restarts[0]] == pytest.approx(0.5 * (1 + np.cos(2 * np.pi / 3)))


def test_an_epoch_that_goes_astray_at_its_end_is_undone_too(problem, rng):
    theta = _random_theta(LAYOUT, rng)
    restarts = []

    class Stumbler(Still):
        """Goes astray in the last step of the first epoch; stays where it is after."""

        def update(self, state, theta, loss, gradient, batch, rate):
            theta -= 1e-4 * gradient
            if state + 1 == n_batches:
                theta += 100
            return theta, state + 1

        def restart(self, state):
            restarts.append(state)
            return state

    n_batches = count_batches(problem.rows.n_rows, 200)
    progress = Progress(theta)
    _take_three_epochs(problem, theta, progress, Stumbler())
    assert restarts == [n_batches]
    assert_allclose(progress.best_theta, theta, atol=0.1)
    assert progress.loss_curve[2] < 1.01 * progress.loss_curve[0]


@pytest.mark.parametrize("step", [Adam(), NaturalGradient()])
def test_after_going_astray_a_step_is_shorter(problem, rng, step):
    theta = _random_theta(LAYOUT, rng)
    loss, gradient = problem.loss_and_gradient(theta)
    state, lengths = step.init(len(theta)), []
    for _ in range(2):
        moved, state = step.update(
            state, theta.copy(), loss, gradient.copy(), problem, 1e-3
        )
        lengths.append(np.linalg.norm(moved - theta))
        state = step.restart(state)
    assert 0 < lengths[1] < 0.8 * lengths[0]


def test_adam_is_that_of_scikit_learn(rng):
    theta = rng.standard_normal(100_000).astype(np.float32)
    theirs = [theta.astype(np.float64)]
    optimizer = AdamOptimizer(theirs, learning_rate_init=0.01)
    state = Adam().init(len(theta))
    for _ in range(5):
        gradient = rng.standard_normal(len(theta)).astype(np.float32)
        optimizer.update_params(theirs, [gradient.astype(np.float64)])
        theta, state = Adam().update(state, theta, 1.0, gradient, None, 0.01)
    assert_allclose(theta, theirs[0], atol=1e-5)


def test_a_step_is_no_longer_than_its_bound(problem, rng):
    theta = _random_theta(LAYOUT, rng)
    loss, gradient = problem.loss_and_gradient(theta)
    lengths = {}
    for max_change in (1e-4, 1e-6):
        step = NaturalGradient(max_change=max_change)
        start = step.init(len(theta)), theta.copy()
        moved, _ = step.update(*start, loss, gradient.copy(), problem, 10.0)
        lengths[max_change] = np.linalg.norm(moved - theta)
    assert lengths[1e-4] == pytest.approx(10 * lengths[1e-6], rel=1e-2)


def test_a_loss_that_overflows_names_the_layer(rng):
    layout = Layout.autoencoder([4, 3, 2], hidden="relu", code="relu")
    theta = _random_theta(layout, rng)
    layout.split(theta)[1][...] = 1e38
    X = rng.random((10, 4), dtype=np.float32) + 1
    layout.split(theta)[0][...] = 1
    problem = Problem(RowBlocks(X), layout, Objective())
    with pytest.raises(ValueError, match=r"layer 2 \(3 -> 2, relu\)"):
        problem.loss_and_gradient(theta)
