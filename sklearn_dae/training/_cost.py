"""What a fit will cost, from a short trial."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sklearn_dae._blas import one_blas_thread
from sklearn_dae._threads import n_threads
from sklearn_dae.network import Layout
from sklearn_dae.network._curvature import factor_numbers
from sklearn_dae.rows import RowBlocks
from sklearn_dae.training._lbfgs import (
    HISTORY,
    RENEW_EVERY,
    WHITENED_HISTORY,
    whitening,
)
from sklearn_dae.training._minibatch import count_batches
from sklearn_dae.training._natural import NaturalGradient
from sklearn_dae.training._problem import Problem
from sklearn_dae.training._progress import Progress
from sklearn_dae.training._train import FULL_BATCH, SOLVERS, Settings, train

#: Rows and iterations that a full-batch solver is tried with.
_TRIAL_ROWS, _TRIAL_ITER = 2560, 4

#: Steps that a mini-batch solver is tried with. The first ones include preparations;
#: with "kfac" the last one measures the curvature, as a few in a fit do, and those just
#: before it do not.
_TRIAL_STEPS, _PLAIN_STEPS = 17, slice(9, 16)


@dataclass(frozen=True)
class FitCost:
    """What fine-tuning will cost. Printing it gives one line of text.

    Parameters
    ----------
    n_parameters : int
        Number of weights and biases of the network.

    n_iter : int
        Number of iterations, or of epochs, if nothing stops fine-tuning earlier.

    seconds_per_iteration : float
        Time of an iteration or an epoch, as measured on this machine.

    memory : int
        Bytes that fine-tuning takes, besides the rows themselves.
    """

    n_parameters: int
    n_iter: int
    seconds_per_iteration: float
    memory: int

    @property
    def seconds(self) -> float:
        """Total time of all iterations."""
        return self.n_iter * self.seconds_per_iteration

    def __str__(self) -> str:
        return (
            f"{self.n_parameters:,} parameters, {self.memory / 2**20:,.0f} MiB, "
            f"{self.n_iter} iterations of {self.seconds_per_iteration:.2g} s: "
            f"{self.seconds:,.0f} s"
        )


def measure_cost(
    rows: RowBlocks, layout: Layout, settings: Settings, theta: np.ndarray
) -> FitCost:
    """Try a few steps from ``theta``, which stays unchanged, and extrapolate."""
    problem = Problem(rows, layout, settings.objective)
    with one_blas_thread():
        if settings.solver in FULL_BATCH:
            seconds = _full_batch_seconds(problem, theta, settings)
        else:
            seconds = _epoch_seconds(problem, theta, settings)
        memory = fit_memory(layout, settings, rows.block_rows)
    return FitCost(layout.n_parameters, settings.n_iter, seconds, memory)


def _full_batch_seconds(
    problem: Problem, theta: np.ndarray, settings: Settings
) -> float:
    """Time iterations on some rows; add the time that the others' gradient takes."""
    n_rows = problem.rows.n_rows
    trial = problem.take(np.arange(min(n_rows, _TRIAL_ROWS)))
    ends: list[float] = []

    def note(progress: Progress) -> bool:
        ends.append(time.perf_counter())
        return False

    trial_settings = replace(settings, max_iter=_TRIAL_ITER, tol=0)
    begin = time.perf_counter()
    trained = train(trial.rows, trial.layout, trial_settings, theta, on_iteration=note)
    if trained.interrupted:
        raise KeyboardInterrupt
    if len(ends) > 1:  # The first one includes preparations.
        iteration = (ends[-1] - ends[0]) / (len(ends) - 1)
    else:
        iteration = time.perf_counter() - begin
    gradient = _time(lambda: trial.loss_and_gradient(theta))
    seconds = iteration + gradient * (n_rows / trial.rows.n_rows - 1)
    if settings.solver == "kfac-lbfgs":
        seconds += _time(lambda: _whiten(problem, theta, settings)) / RENEW_EVERY
    return seconds


def _whiten(problem: Problem, theta: np.ndarray, settings: Settings) -> None:
    damping = SOLVERS[settings.solver].damping
    whitening(problem, theta, damping, settings.seed).whiten(theta)


def _epoch_seconds(problem: Problem, theta: np.ndarray, settings: Settings) -> float:
    n_rows = problem.rows.n_rows
    batch_size = settings.batch_rows(n_rows)
    batch = problem.take(np.arange(min(n_rows, batch_size)))
    step = settings.make_step()
    theta, state = theta.copy(), step.init(len(theta))
    seconds = []
    for _ in range(_TRIAL_STEPS):
        begin = time.perf_counter()
        loss, gradient = batch.loss_and_gradient(theta)
        theta, state = step.update(state, theta, loss, gradient, batch, 1e-9)
        seconds.append(time.perf_counter() - begin)
    a_step = float(np.mean(seconds[_PLAIN_STEPS]))
    if isinstance(step, NaturalGradient):
        a_step += max(0.0, seconds[-1] - a_step) / step.renew_every
    return a_step * count_batches(n_rows, batch_size)


def _time(function: Callable[[], object]) -> float:
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def fit_memory(layout: Layout, settings: Settings, block_rows: int) -> int:
    """Return the bytes of parameter-length vectors, of factors and of activations.

    Nothing is tried, so this is known before there is memory for it.
    """
    single, n_lanes = 4, n_threads()
    # Parameters, those to start from, the best ones, the gradients of the lanes that
    # run at once, and the step.
    vectors = (4 + n_lanes) * single
    if settings.solver in FULL_BATCH:
        whitened = settings.solver == "kfac-lbfgs"
        n_remembered = WHITENED_HISTORY if whitened else HISTORY
        vectors += (2 * n_remembered + 7) * 2 * single
    else:
        vectors += 2 * single
    factors = 0
    if settings.solver.startswith("kfac"):
        # One for each lane, their sum, the inverse root and the inverse.
        factors = (n_lanes + 3) * single * factor_numbers(layout)
    # Inputs and error signals of all layers, for a block of rows in each lane.
    widths = sum(layer.n_inputs + 2 * layer.n_out for layer in layout.layers)
    blocks = n_lanes * block_rows * single * widths
    return layout.n_parameters * vectors + factors + blocks
