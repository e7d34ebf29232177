"""What curvature costs: a natural-gradient step, and a pass as rows grow.

784-1000-500-250-30 with a linear path, the default network. First the seconds per pass
over the rows, an epoch of "kfac" or an evaluation of "kfac-lbfgs", and the memory each
takes besides the rows, for 10,000 to 60,000 rows. Then as many steps of "kfac" as share
one look at the curvature, that look included, over as many gradients of the same
mini-batch. Images are random mixtures of twenty; the time is the same.

    python -m benchmarks.kronecker
"""

import multiprocessing
import resource
import time

import numpy as np

from benchmarks._timing import machine, side_by_side
from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae._blas import one_blas_thread
from sklearn_dae.network import Layout, Objective
from sklearn_dae.rows import RowBlocks
from sklearn_dae.training._natural import NaturalGradient
from sklearn_dae.training._problem import Problem

HIDDEN, N_COMPONENTS = (1000, 500, 250), 30


def step_cost(n_rows):
    """Print how much longer a step takes than the gradient alone."""
    rng = np.random.default_rng(0)
    layout = Layout.autoencoder(
        [784, *HIDDEN, N_COMPONENTS],
        hidden="relu",
        code="identity",
        output="clipped",
        linear_path=True,
    )
    theta = (0.03 * rng.standard_normal(layout.n_parameters)).astype(np.float32)
    X = rng.random((n_rows, 784), dtype=np.float32)
    batch = Problem(RowBlocks(X), layout, Objective("squared_error", 1e-4))
    step = NaturalGradient()
    state = step.init(layout.n_parameters)

    def gradients():
        return [batch.loss_and_gradient(theta) for _ in range(step.renew_every)]

    def steps():
        nonlocal state
        for _ in range(step.renew_every):
            loss, gradient = batch.loss_and_gradient(theta)
            _, state = step.update(state, theta, loss, gradient, batch, 1e-9)

    with one_blas_thread():
        steps()  # the first ones look at the curvature more often
        seconds = side_by_side({"gradients": gradients, "steps": steps}, n_rounds=7)
    gradient, a_step = (
        1e3 * np.median(times) / step.renew_every for times in seconds.values()
    )
    ratio = np.median(seconds["steps"] / seconds["gradients"])
    print(
        f"{n_rows:5d} rows: gradient {gradient:4.0f} ms, step {a_step:4.0f} ms; "
        f"step over gradient {ratio:.2f}"
    )


def fit(connection, solver, n_rows):
    """Fit for some iterations; send seconds per pass, and memory before and after."""
    rng = np.random.default_rng(0)
    X = np.empty((n_rows, 784), np.uint8)
    basis = rng.dirichlet(np.ones(20), 784).astype(np.float32).T
    for start in range(0, n_rows, 1000):  # so as to take little memory beside X
        X[start : start + 1000] = 255 * rng.random((1000, 20), dtype=np.float32) @ basis
    dae = DeepAutoencoderCompressor(
        N_COMPONENTS,
        hidden_layer_sizes=HIDDEN,
        solver=solver,
        alpha=1e-3,  # "auto" would try several
        random_state=0,
    )
    # A small fit first: it takes the code and threads that any fit takes, but none of
    # the memory of the network.
    DeepAutoencoderCompressor(
        2, hidden_layer_sizes=(4,), solver=solver, max_iter=1, random_state=0
    ).fit(X[:100, :16])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, passes = [], []
    for n_iter in (1, 3):
        begin = time.perf_counter()
        dae.set_params(max_iter=n_iter).fit(X)
        seconds.append(time.perf_counter() - begin)
        passes.append(n_iter if solver == "kfac" else dae.n_evaluations_)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    a_pass = (seconds[1] - seconds[0]) / (passes[1] - passes[0])
    connection.send((a_pass, before / 1024, after / 1024))


def main():
    print(machine())
    # These first: the peak memory of a process begins with that of its parent.
    context = multiprocessing.get_context("spawn")
    for solver in ("kfac", "kfac-lbfgs"):
        print(f"\n{solver}: rows, seconds a pass, memory (MiB), beside the rows")
        for n_rows in (10_000, 20_000, 40_000, 60_000):
            ours, theirs = context.Pipe()
            process = context.Process(target=fit, args=(theirs, solver, n_rows))
            process.start()
            theirs.close()  # so that its death ends the wait
            seconds, before, after = ours.recv()
            process.join()
            print(
                f"{n_rows:6d} {seconds:8.2f} {after:8.0f} {after - before:6.0f}",
                flush=True,
            )
    print()
    for n_rows in (500, 1000, 2000):
        step_cost(n_rows)


if __name__ == "__main__":
    main()
