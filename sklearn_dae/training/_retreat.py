"""The way back where mini-batches lead astray."""

import math
from typing import NamedTuple

import numpy as np

from sklearn_dae.training._problem import Problem

#: An epoch whose mean objective exceeds the lowest so far by this factor is undone.
_RISE = 1.5

#: Maximum number of rows that the objective at the start is measured on.
_START_ROWS = 1000


class _Place(NamedTuple):
    """Parameters to go back to, and what the objective was on the way there.

    ``is_estimate`` is True if the latter was measured on some of the rows only.
    """

    theta: np.ndarray
    loss: float
    is_estimate: bool


class Retreat:
    """Watch for an epoch in which the objective rises, and know the way back.

    Parameters
    ----------
    problem : Problem
        The objective.

    theta : ndarray of shape (n_parameters,)
        The parameters to start from; they are kept, and must not be changed.
    """

    def __init__(self, problem: Problem, theta: np.ndarray) -> None:
        n_rows = problem.rows.n_rows
        seen = problem.take_spread(_START_ROWS)
        loss, _ = seen.loss_and_gradient(theta)
        self.n_undone = 0
        self._problem = problem
        self._best = _Place(theta, loss, seen.rows.n_rows < n_rows)
        self._before = self._best
        self._is_at_best = True
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self._total, self._n_seen = 0.0, 0
        self._first_loss = math.nan
        self._is_undone = False

    def is_due(self, loss: float, n_rows: int) -> bool:
        """Record a mini-batch; return whether the objective has risen too far."""
        if self._n_seen == 0:
            self._first_loss = loss
        self._total += loss * n_rows
        self._n_seen += n_rows
        if self._best.is_estimate and self._has_risen():
            # Are these rows harder than those that were measured?
            theta = self._best.theta
            start_loss, _ = self._problem.loss_and_gradient(theta)
            self._best = _Place(theta, max(self._best.loss, start_loss), False)
        return self._has_risen()

    def _has_risen(self) -> bool:
        return self._total > _RISE * self._best.loss * self._problem.rows.n_rows

    def go_back(self) -> np.ndarray:
        """Return the parameters to go on from."""
        if self._is_at_best and self._first_loss > _RISE * self._best.loss:
            # The epoch before went astray, unnoticed, at its end.
            self._best = self._before
        self._is_undone = self._is_at_best = True
        self.n_undone += 1
        return self._best.theta.copy()

    def end_epoch(self, theta: np.ndarray) -> float:
        """Record where an epoch has ended; return its mean objective."""
        mean = self._total / self._n_seen
        if not self._is_undone:
            self._is_at_best = mean <= self._best.loss
            if self._is_at_best:
                self._before, self._best = self._best, _Place(theta, mean, False)
        self._begin_epoch()
        return mean
