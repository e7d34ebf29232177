"""What every solver reports to after an iteration: curves, best weights, stopping."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Outcome(NamedTuple):
    """How a minimisation ended: why, after how many gradients, whether by Ctrl-C."""

    message: str
    n_evaluations: int
    interrupted: bool


class Progress:
    """Record of a minimisation in progress, and the judge of when it ends.

    Parameters
    ----------
    theta : ndarray of shape (n_parameters,)
        The parameters to start from, kept until better ones are reported.

    validation_loss : callable, default=None
        Maps parameters to the loss of held-out rows. The best parameters are then
        those with the lowest such loss, otherwise the last ones reported.

    n_iter_no_change : int, default=10
        Number of consecutive iterations without a lower validation loss after which to
        stop.

    tol : float, default=0.0
        How much lower than the best so far, as a fraction of itself, a validation loss
        must be to count as an improvement.

    on_iteration : callable, default=None
        Called with this object after each iteration; stops the solver by
        returning True.

    Attributes
    ----------
    best_theta : ndarray of shape (n_parameters,)
        The parameters to keep.

    loss_curve, validation_loss_curve : list of float
        The objective, and the loss of held-out rows, after each iteration.
    """

    def __init__(
        self,
        theta: np.ndarray,
        *,
        validation_loss: Callable[[np.ndarray], float] | None = None,
        n_iter_no_change: int = 10,
        tol: float = 0.0,
        on_iteration: Callable[["Progress"], bool] | None = None,
    ) -> None:
        self.best_theta = theta
        self.loss_curve: list[float] = []
        self.validation_loss_curve: list[float] = []
        self._validation_loss = validation_loss
        self._n_iter_no_change = n_iter_no_change
        self._tol = tol
        self._on_iteration = on_iteration
        self._best_loss = np.inf if validation_loss is None else validation_loss(theta)
        self._n_without_gain = 0

    @property
    def n_iter(self) -> int:
        """Number of iterations reported."""
        return len(self.loss_curve)

    def update(self, theta: np.ndarray, loss: float) -> str | None:
        """Report an iteration.

        Parameters
        ----------
        theta : ndarray of shape (n_parameters,)
            The parameters it arrived at, which the solver will not change.

        loss : float
            The objective there.

        Returns
        -------
        str or None
            Why to stop, or None to go on.
        """
        patient = True
        if self._validation_loss is None:
            self.best_theta = theta
        else:
            patient = self._judge(theta, self._validation_loss(theta))
        self.loss_curve.append(loss)
        if self._on_iteration is not None and self._on_iteration(self):
            return "STOP: a callback asked to stop"
        if not patient:
            return (
                f"STOP: validation loss did not improve for "
                f"{self._n_iter_no_change} iterations"
            )
        return None

    def _judge(self, theta: np.ndarray, loss: float) -> bool:
        """Keep theta if it is the best so far; return whether to be patient."""
        self.validation_loss_curve.append(loss)
        if loss < self._best_loss - self._tol * abs(loss):
            self._n_without_gain = 0
        else:
            self._n_without_gain += 1
        if loss < self._best_loss:
            self._best_loss = loss
            self.best_theta = theta
        return self._n_without_gain < self._n_iter_no_change
