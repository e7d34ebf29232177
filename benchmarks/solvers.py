"""Fine-tuning of the paper's network from the same start by each full-batch solver.

784-1000-500-196 logistic units, the first 20,000 MNIST images, RBMs trained for 5
epochs, then 45 evaluations of the gradient by plain and by Kronecker-whitened L-BFGS,
with the paper's log loss and with the squared error. It prints the loss, the seconds,
and what shares of the time go to SciPy itself and to neither SciPy nor gradients:
measuring curvature, whitening by it, copies. No network gets a log loss below the
entropy of the pixels, so the two are also compared above it. Then scikit-learn's
`MLPRegressor`, as an autoencoder of the same shape (its output is linear, its cost the
squared error), for as long as ours took, and ours on its problem from its own start.

Needs MNIST in the folder named by SKLEARN_DAE_DATA. Takes about twelve minutes.

    python -m benchmarks.solvers
"""

import time
import warnings
from collections import Counter
from unittest import mock

import numpy as np
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from benchmarks._timing import machine
from benchmarks.rbms import rbm
from sklearn_dae import PAPER_SETTINGS, DeepAutoencoderCompressor
from sklearn_dae.datasets import load_mnist
from sklearn_dae.network import Layout, Objective
from sklearn_dae.network._passes import activations
from sklearn_dae.rows import RowBlocks
from sklearn_dae.training import _lbfgs
from sklearn_dae.training._lbfgs import RENEW_EVERY, minimize_lbfgs
from sklearn_dae.training._problem import Problem
from sklearn_dae.training._progress import Progress

N_EVALUATIONS = 45
SIZES = [784, 1000, 500, 196]

#: Iterations after which coordinates are whitened afresh.
SOLVERS = {"lbfgs": None, "kfac-lbfgs": RENEW_EVERY}

#: Seconds spent on gradients, and in SciPy itself.
seconds: Counter[str] = Counter()
counts: Counter[str] = Counter()


class TimedProblem(Problem):
    """A problem that counts its gradients, and records the seconds they take."""

    def loss_and_gradient(self, theta):
        """Compute both, and record how long it took."""
        begin = time.perf_counter()
        result = super().loss_and_gradient(theta)
        seconds["gradients"] += time.perf_counter() - begin
        counts["gradients"] += 1
        return result


def timed_minimize(fun, x0, *, callback, **settings):
    """Call SciPy's `minimize`, and record the seconds not spent in our functions."""

    def apart(function):
        def call(*args, **kwargs):
            begin = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                seconds["SciPy"] -= time.perf_counter() - begin

        return call

    def report(intermediate_result):
        apart(callback)(intermediate_result)

    begin = time.perf_counter()
    result = minimize(apart(fun), x0, callback=report, **settings)
    seconds["SciPy"] += time.perf_counter() - begin
    return result


def squared_error(X, restored):
    """Return the squared error per image."""
    return float(np.square(restored - X).sum(axis=1).mean())


def fine_tune(X, layout, objective, theta, renew_every):
    """Fine-tune; return the progress, and seconds."""
    seconds.clear()
    counts.clear()
    progress = Progress(
        theta, on_iteration=lambda _: counts["gradients"] >= N_EVALUATIONS
    )
    problem = TimedProblem(RowBlocks(X), layout, objective)
    begin = time.perf_counter()
    with mock.patch.object(_lbfgs, "minimize", timed_minimize):
        minimize_lbfgs(
            problem,
            theta,
            progress,
            max_iter=1000,
            renew_every=renew_every,
        )
    return progress, time.perf_counter() - begin


def mlp(X, budget):
    """Train scikit-learn's network until the time is up."""
    hidden = (*SIZES[1:], *SIZES[-2:0:-1])
    network = MLPRegressor(
        hidden_layer_sizes=hidden,
        activation="logistic",
        solver="lbfgs",
        alpha=0.0,
        random_state=0,
    )
    network.set_params(tol=0.0)
    begin = time.perf_counter()
    # A fit of one iteration costs two evaluations, so all are asked for at once, after
    # a first fit to learn what an iteration costs.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.set_params(max_iter=5).fit(X, X)
        each = (time.perf_counter() - begin) / 5
        n_iter = max(1, int(budget / each))
        network.set_params(max_iter=n_iter)
        begin = time.perf_counter()
        network.fit(X, X)
    return network, (time.perf_counter() - begin) / network.n_iter_


def mlp_start(network, layout, X):
    """Return the parameters that scikit-learn's network starts from."""
    start = clone(network).set_params(max_iter=1)
    found = []

    def note_start(fun, x0, **settings):
        found.append(x0.copy())
        return minimize(fun, x0, **settings)

    with (
        mock.patch("scipy.optimize.minimize", note_start),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", ConvergenceWarning)
        start.fit(X[:2], X[:2])
    start._unpack(found[0])
    theta = np.empty(layout.n_parameters, np.float32)
    for parameters, weights, biases in zip(
        layout.split(theta), start.coefs_, start.intercepts_, strict=True
    ):
        parameters[:-1], parameters[-1] = weights, biases
    return theta


def main():
    X = load_mnist().data[:20000].astype(np.float32) / 255
    test = load_mnist("test").data[:1000].astype(np.float32) / 255
    print(machine())
    pretrained = DeepAutoencoderCompressor(
        SIZES[-1],
        **PAPER_SETTINGS,
        pretraining=rbm(5),
        max_iter=0,
        random_state=0,
    ).fit(X)
    layout, start = pretrained.network_.layout, pretrained.network_.theta
    floors = {"log_loss": float(np.mean(_entropy(X))), "squared_error": 0.0}
    for loss, floor in floors.items():
        print(f"\n{layout}, {loss}, {N_EVALUATIONS} evaluations of the gradient")
        losses = {}
        for name, renew_every in SOLVERS.items():
            progress, total = fine_tune(X, layout, Objective(loss), start, renew_every)
            theta = progress.best_theta
            errors = (
                squared_error(Z, activations(theta, Z, layout)[-1]) for Z in (X, test)
            )
            losses[name] = progress.loss_curve[-1]
            scipy = seconds["SciPy"] / total
            rest = 1 - scipy - seconds["gradients"] / total
            print(
                f"{name:12s} loss {losses[name]:8.3f}   squared error, training and "
                f"test {next(errors):.3f} {next(errors):.3f}   {total:.0f} s, "
                f"SciPy {scipy:.1%} of it, rest {rest:.1%}",
                flush=True,
            )
        print(f"whitened over plain: {losses['kfac-lbfgs'] / losses['lbfgs']:.3f}")
        if floor:
            ratio = (losses["kfac-lbfgs"] - floor) / (losses["lbfgs"] - floor)
            print(f"  above the entropy of the pixels, {floor:.3f}: {ratio:.3f}")

    layout = Layout.autoencoder(SIZES, output="identity")
    network, each = mlp(X, total)
    print(f"\n{layout}, squared error, the start of MLPRegressor")
    errors = (squared_error(Z, network.predict(Z)) for Z in (X, test))
    print(
        f"MLPRegressor {each:.2f} s an iteration, {network.n_iter_} iterations, "
        f"squared error, training and test {next(errors):.3f} {next(errors):.3f}"
    )
    start = mlp_start(network, layout, X)
    for name, renew_every in SOLVERS.items():
        progress, total = fine_tune(
            X, layout, Objective("squared_error"), start, renew_every
        )
        theta = progress.best_theta
        errors = (
            squared_error(Z, activations(theta, Z, layout)[-1]) for Z in (X, test)
        )
        print(
            f"{name:12s} {total / progress.n_iter:.2f} s an iteration, "
            f"{progress.n_iter} iterations, squared error, training and test "
            f"{next(errors):.3f} {next(errors):.3f}"
        )


def _entropy(X):
    """Return the log loss of each image below which no reconstruction can go."""
    p = np.clip(X.astype(np.float64), 1e-12, 1 - 1e-12)
    return -(p * np.log(p) + (1 - p) * np.log(1 - p)).sum(axis=1)


if __name__ == "__main__":
    main()
