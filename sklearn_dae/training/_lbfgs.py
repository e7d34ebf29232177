"""Full-batch minimisation by SciPy's L-BFGS."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from sklearn_dae._threads import one_blas_thread
from sklearn_dae.training._progress import Progress


class Outcome(NamedTuple):
    """How a minimisation ended."""

    message: str
    n_evaluations: int
    interrupted: bool


def minimize_lbfgs(
    function: Callable[[np.ndarray], tuple[float, np.ndarray]],
    theta: np.ndarray,
    progress: Progress,
    *,
    max_iter: int,
    max_fun: int = 15000,
    tol: float = 1e-7,
) -> Outcome:
    """Minimise a function of a parameter vector, reporting to ``progress``.

    Parameters
    ----------
    function : callable
        Maps parameters to the objective and its gradient, both in the dtype of
        ``theta``. SciPy itself works in double precision.

    theta : ndarray of shape (n_parameters,)
        The parameters to start from.

    progress : Progress
        Is told of every iteration, keeps the best parameters, decides to stop.

    max_iter : int
        Most iterations.

    max_fun : int, default=15000
        Most evaluations of the function.

    tol : float, default=1e-7
        Stop when an iteration lowers the objective by less than this fraction of it,
        or of 1, if it is below 1.

    Returns
    -------
    Outcome
        SciPy's message, or the reason for an earlier stop; the number of
        evaluations; whether the user interrupted.
    """
    stop_reason = None
    n_evaluations = 0

    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal n_evaluations
        n_evaluations += 1
        return function(x.astype(theta.dtype))

    def report(intermediate_result: OptimizeResult) -> None:
        nonlocal stop_reason
        at = intermediate_result.x.astype(theta.dtype)
        stop_reason = progress.update(at, float(intermediate_result.fun))
        if stop_reason is not None:
            raise StopIteration

    try:
        # SciPy has a BLAS of its own, whose threads would get in the way of ours.
        with one_blas_thread():
            result = minimize(
                evaluate,
                theta.astype(np.float64),
                method="L-BFGS-B",
                jac=True,
                callback=report,
                # The gradient of a mean loss is small long before the end: no gtol.
                options={
                    "maxiter": max_iter,
                    "maxfun": max_fun,
                    "ftol": tol,
                    "gtol": 0.0,
                },
            )
    except KeyboardInterrupt:
        message = f"STOP: interrupted after {progress.n_iter} iterations"
        return Outcome(message, n_evaluations, True)
    return Outcome(stop_reason or str(result.message), n_evaluations, False)
