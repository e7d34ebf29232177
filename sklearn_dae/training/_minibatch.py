"""Minimisation over mini-batches, by steps of any kind.

It goes through the rows in a new order each epoch, and lowers the learning rate along
half a cosine from its initial value to zero over the epochs.
"""

import math
from typing import Any, Protocol

import numpy as np

from sklearn_dae._blas import one_blas_thread
from sklearn_dae.training._problem import Problem
from sklearn_dae.training._progress import Outcome, Progress
from sklearn_dae.training._retreat import Retreat


class Step(Protocol):
    """How a mini-batch solver moves the parameters: a pair of functions, and a brake.

    The state is whatever `init` made. A step may overwrite the arrays that it is given,
    and return them: they are long.
    """

    def init(self, n_parameters: int) -> Any:
        """Make the state before the first step."""

    def update(
        self,
        state: Any,
        theta: np.ndarray,
        loss: float,
        gradient: np.ndarray,
        batch: Problem,
        rate: float,
    ) -> tuple[np.ndarray, Any]:
        """Return the parameters after a step of some rate, and the next state.

        ``loss`` and ``gradient`` are those of the mini-batch at ``theta``.
        """

    def restart(self, state: Any) -> Any:
        """Forget the last steps, which led astray, and take safer ones from now on."""


def minimize_minibatch(
    problem: Problem,
    theta: np.ndarray,
    progress: Progress,
    step: Step,
    *,
    max_iter: int,
    batch_size: int,
    learning_rate: float,
    rng: np.random.Generator,
) -> Outcome:
    """Minimise over mini-batches, reporting every epoch to ``progress``.

    If the objective rises instead, the parameters go back to those after the epoch in
    which it was lowest, or to the start, and steps are safer from then on. If that
    epoch ended worse than it was on average, they go back to the best place before it.

    Parameters
    ----------
    problem : Problem
        The objective.

    theta : ndarray of shape (n_parameters,)
        The parameters to start from.

    progress : Progress
        Is told of every epoch, and of the mean objective of its mini-batches.

    step : Step
        Moves the parameters.

    max_iter : int
        Number of epochs.

    batch_size : int
        Number of rows in a mini-batch. The last one of an epoch may have up to half as
        many rows more or fewer.

    learning_rate : float
        Initial learning rate.

    rng : Generator
        Determines the order of the rows.
    """
    n_rows = problem.rows.n_rows
    n_batches = count_batches(n_rows, batch_size)
    ends = [n_rows if k == n_batches else k * batch_size for k in range(n_batches + 1)]
    n_evaluations = 0
    try:
        with one_blas_thread():
            retreat = Retreat(problem, theta)
            theta = theta.copy()
            state = step.init(len(theta))
            for epoch in range(max_iter):
                order = rng.permutation(n_rows)
                for number in range(n_batches):
                    rows = order[ends[number] : ends[number + 1]]
                    batch = problem.take(np.sort(rows))
                    loss, gradient = batch.loss_and_gradient(theta)
                    n_evaluations += 1
                    if retreat.is_due(loss, len(rows)):
                        theta = retreat.go_back()
                        state = step.restart(state)
                        break
                    done = (epoch + number / n_batches) / max_iter
                    rate = 0.5 * learning_rate * (1 + math.cos(math.pi * done))
                    theta, state = step.update(
                        state, theta, loss, gradient, batch, rate
                    )
                reached = theta.copy()
                stop_reason = progress.update(reached, retreat.end_epoch(reached))
                if stop_reason is not None:
                    return Outcome(stop_reason, n_evaluations, False)
    except KeyboardInterrupt:
        message = f"STOP: interrupted after {progress.n_iter} iterations"
        return Outcome(message, n_evaluations, True)
    n_undone = retreat.n_undone
    of_them = f", {n_undone} of them undone" if n_undone else ""
    return Outcome(f"STOP: all of {max_iter} epochs{of_them}", n_evaluations, False)


def count_batches(n_rows: int, batch_size: int) -> int:
    """Return the number of mini-batches, and so of steps, in an epoch."""
    return max(1, round(n_rows / batch_size))
