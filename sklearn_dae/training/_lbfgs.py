"""Full-batch minimisation by SciPy's L-BFGS, in plain or in whitened coordinates."""

import math
from typing import NamedTuple

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from sklearn_dae._blas import one_blas_thread
from sklearn_dae.training._preconditioner import Preconditioner
from sklearn_dae.training._problem import Problem
from sklearn_dae.training._progress import Outcome, Progress

#: Number of iterations after which coordinates are whitened anew.
RENEW_EVERY = 20

#: Maximum number of rows that curvature is measured on.
_CURVATURE_ROWS = 10_000

#: Steps that SciPy remembers, each as two double-precision vectors: in plain
#: coordinates, and in whitened ones, where more would cost time and gain nothing.
HISTORY, WHITENED_HISTORY = 7, 5


def minimize_lbfgs(
    problem: Problem,
    theta: np.ndarray,
    progress: Progress,
    *,
    max_iter: int,
    tol: float = 1e-7,
    renew_every: int | None = None,
    damping: float = 0.03,
    seed: int = 0,
) -> Outcome:
    """Minimise over all rows, reporting every iteration to ``progress``.

    Parameters
    ----------
    problem : Problem
        The objective.

    theta : ndarray of shape (n_parameters,)
        The parameters to start from.

    progress : Progress
        Is told of every iteration, keeps the best parameters, decides when to stop.

    max_iter : int
        Maximum number of iterations.

    tol : float, default=1e-7
        Stop when an iteration lowers the objective by less than this fraction of it
        (of 1, if the objective is below 1).

    renew_every : int, default=None
        Number of iterations after which the curvature is measured again, and SciPy
        restarts in coordinates whitened by it. When None, the coordinates are the
        parameters.

    damping : float, default=0.03
        Fraction of a layer's mean curvature that is added to its curvature.

    seed : int, default=0
        Seed of the targets that curvature is measured with.

    Returns
    -------
    Outcome
        SciPy's message, or the reason for an earlier stop; the number of
        evaluations; whether the user interrupted.
    """
    search = _Search(problem, theta, progress)
    history = HISTORY if renew_every is None else WHITENED_HISTORY
    goes_on = True
    try:
        # SciPy has a BLAS of its own, whose threads would get in the way of ours.
        with one_blas_thread():
            while goes_on:
                before = progress.n_iter
                n_left = max_iter - before
                if renew_every is not None:
                    search.whiten(damping, seed + before)
                    n_left = min(n_left, renew_every)
                result = search.run(n_left, tol, history)
                # Where a line search fails, other coordinates may make progress.
                stuck = result.status == 2 and progress.n_iter == before
                goes_on = (
                    renew_every is not None
                    and search.stop_reason is None
                    and result.status in (1, 2)
                    and not stuck
                    and progress.n_iter < max_iter
                )
    except KeyboardInterrupt:
        message = f"STOP: interrupted after {progress.n_iter} iterations"
        return Outcome(message, search.n_evaluations, True)
    message = search.stop_reason or str(result.message)
    return Outcome(message, search.n_evaluations, False)


def whitening(
    problem: Problem, theta: np.ndarray, damping: float, seed: int
) -> Preconditioner:
    """Measure the curvature at ``theta``, on some of the rows if there are many."""
    n_rows = problem.rows.n_rows
    if n_rows > _CURVATURE_ROWS:
        # At random, as rows may come in a regular pattern.
        rng = np.random.default_rng(seed)
        chosen = rng.choice(n_rows, _CURVATURE_ROWS, replace=False)
        problem = problem.take(np.sort(chosen))
    factors = problem.kronecker_factors(theta, seed)
    return Preconditioner(factors, problem.layout, damping, problem.objective.alpha)


class _Point(NamedTuple):
    """Parameters, and the objective and its gradient there, once known."""

    theta: np.ndarray
    loss: float = math.nan
    gradient: np.ndarray | None = None


class _Search:
    """SciPy's search, resumed from the point reached, in coordinates that may change.

    The coordinates are those of the step from ``_start``, so they begin as zeros, and
    the gradient there, known from before, is not computed again. The last point
    evaluated is the one reached only if an iteration ended there: a line search that
    fails ends elsewhere.
    """

    def __init__(self, problem: Problem, theta: np.ndarray, progress: Progress) -> None:
        self.n_evaluations = 0
        self.stop_reason: str | None = None
        self._problem = problem
        self._progress = progress
        self._coordinates: Preconditioner | None = None
        self._start = theta
        self._at = np.zeros(0)
        self._evaluated = self._reached = _Point(theta)

    def whiten(self, damping: float, seed: int) -> None:
        """Switch to coordinates in which the curvature is close to the identity."""
        theta = self._reached.theta
        self._coordinates = whitening(self._problem, theta, damping, seed)

    def run(self, max_iter: int, tol: float, history: int) -> OptimizeResult:
        """Let SciPy search on from the point reached."""
        self._evaluated = self._reached
        self._start = self._reached.theta
        self._at = np.zeros(len(self._start))
        return minimize(
            self._evaluate,
            self._at,
            method="L-BFGS-B",
            jac=True,
            callback=self._report,
            # The gradient of a mean loss is small long before the end: no gtol.
            options={
                "maxiter": max_iter,
                "maxfun": np.iinfo(np.int32).max,
                "maxcor": history,
                "ftol": tol,
                "gtol": 0.0,
            },
        )

    def _evaluate(self, at: np.ndarray) -> tuple[float, np.ndarray]:
        if self._evaluated.gradient is None or not np.array_equal(at, self._at):
            self._at = at.copy()
            theta = self._parameters(at)
            self._evaluated = _Point(theta, *self._problem.loss_and_gradient(theta))
            self.n_evaluations += 1
        _, loss, gradient = self._evaluated
        assert gradient is not None
        if self._coordinates is not None:
            gradient = self._coordinates.whiten(gradient)
        return loss, gradient.astype(np.float64)

    def _parameters(self, at: np.ndarray) -> np.ndarray:
        step = at.astype(self._start.dtype)
        if self._coordinates is not None:
            step = self._coordinates.unwhiten(step)
        step += self._start
        return step

    def _report(self, intermediate_result: OptimizeResult) -> None:
        # A line search that succeeds ends at the point it evaluated last.
        self._reached = self._evaluated
        self.stop_reason = self._progress.update(
            self._reached.theta, float(intermediate_result.fun)
        )
        if self.stop_reason is not None:
            raise StopIteration
