"""Mini-batch solvers: natural gradient with Kronecker factors, and Adam.

Both go through the rows in a new order each epoch, and lower the learning rate along
half a cosine from its initial value to zero over the epochs.
"""

import math
from typing import NamedTuple, Protocol

import numpy as np

from sklearn_dae._blas import one_blas_thread
from sklearn_dae._threads import map_slabs
from sklearn_dae.network import Blocks
from sklearn_dae.training._kronecker import Preconditioner
from sklearn_dae.training._outcome import Outcome
from sklearn_dae.training._problem import Problem
from sklearn_dae.training._progress import Progress

#: An epoch whose mean objective exceeds the lowest so far by this factor is undone.
_RISE = 1.5

#: Factors on the damping after the curvature has promised too much, and on Adam's rate
#: after it has led astray.
_MORE_DAMPING, _LOWER_RATE = 3.0, 0.5

#: Maximum number of rows that the objective at the start is measured on.
_START_ROWS = 1000

#: Maximum number of rows of a mini-batch that the curvature is measured on; the
#: measurements are averaged.
_CURVATURE_ROWS = 1000


class Step(Protocol):
    """How a mini-batch solver moves the parameters."""

    def __call__(
        self,
        theta: np.ndarray,
        loss: float,
        gradient: np.ndarray,
        batch: Problem,
        rate: float,
    ) -> None:
        """Move theta in place.

        ``loss`` and ``gradient`` are those of the batch; ``gradient`` may be
        overwritten.
        """

    def start_again(self) -> None:
        """Forget the last steps, which led astray, and take safer ones from now on."""


class _Place(NamedTuple):
    """Parameters to go back to, and what the objective was on the way there.

    ``is_estimate`` is True if the latter was measured on some of the rows only.
    """

    theta: np.ndarray
    loss: float
    is_estimate: bool


class _Retreat:
    """Watch for an epoch in which the objective rises, and know the way back.

    Parameters
    ----------
    problem : Problem
        The objective.

    theta : ndarray of shape (n_parameters,)
        The parameters to start from.
    """

    def __init__(self, problem: Problem, theta: np.ndarray) -> None:
        n_rows = problem.rows.n_rows
        seen = problem.take(_spread(n_rows, _START_ROWS))
        loss, _ = seen.loss_and_gradient(theta)
        self.n_undone = 0
        self._problem = problem
        self._best = _Place(theta.copy(), loss, seen.rows.n_rows < n_rows)
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

    step : callable
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
    theta = theta.copy()
    n_evaluations = 0
    try:
        with one_blas_thread():
            retreat = _Retreat(problem, theta)
            for epoch in range(max_iter):
                order = rng.permutation(n_rows)
                for number in range(n_batches):
                    rows = order[ends[number] : ends[number + 1]]
                    batch = problem.take(np.sort(rows))
                    loss, gradient = batch.loss_and_gradient(theta)
                    n_evaluations += 1
                    if retreat.is_due(loss, len(rows)):
                        theta = retreat.go_back()
                        step.start_again()
                        break
                    done = (epoch + number / n_batches) / max_iter
                    rate = 0.5 * learning_rate * (1 + math.cos(math.pi * done))
                    step(theta, loss, gradient, batch, rate)
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


class KroneckerStep:
    """Natural gradient with Kronecker-factored curvature, and momentum.

    Parameters
    ----------
    n_parameters : int
        Length of the parameter vector.

    momentum : float, default=0.9
        Share of the last step in the next one.

    damping : float, default=0.1
        Fraction of a layer's mean curvature that is added to its curvature.

    max_change : float, default=0.01
        Bound on how much a step changes the loss, by its quadratic model, as a fraction
        of the loss; a longer step is shortened to it.

    renew_every : int, default=25
        Number of steps between two measurements of the curvature.

    decay : float, default=0.4
        Weight of earlier measurements in the running average of the curvature.

    seed : int, default=0
        Seed of the targets that curvature is measured with.

    References
    ----------
    Martens, J. and Grosse, R. (2015). Optimizing neural networks with
    Kronecker-factored approximate curvature. ICML.
    """

    def __init__(
        self,
        n_parameters: int,
        *,
        momentum: float = 0.9,
        damping: float = 0.1,
        max_change: float = 0.01,
        renew_every: int = 25,
        decay: float = 0.4,
        seed: int = 0,
    ) -> None:
        self._velocity = np.zeros(n_parameters, np.float32)
        self._momentum = momentum
        self._damping = damping
        self._max_change = max_change
        self.renew_every = renew_every
        self._decay = decay
        self._seed = seed
        self._n_steps = 0
        self._factors: list[tuple[Blocks, Blocks]] = []
        self._preconditioner: Preconditioner

    def __call__(
        self,
        theta: np.ndarray,
        loss: float,
        gradient: np.ndarray,
        batch: Problem,
        rate: float,
    ) -> None:
        # At first the curvature changes fast: measure it at powers of two as well.
        n = self._n_steps
        if n % self.renew_every == 0 or (n < self.renew_every and n & (n - 1) == 0):
            self._renew(theta, batch)
        self._n_steps += 1
        direction = self._preconditioner.natural(gradient)
        change = rate**2 * _dot(direction, gradient)
        rate *= min(1.0, math.sqrt(self._max_change * loss / max(change, 1e-30)))
        velocity, momentum = self._velocity, self._momentum

        def move(part: slice) -> None:
            v, d = velocity[part], direction[part]
            v *= momentum
            d *= rate
            v -= d
            theta[part] += v

        map_slabs(move, len(theta))

    def start_again(self) -> None:
        self._velocity[...] = 0
        self._factors = []
        self._n_steps = 0
        self._damping *= _MORE_DAMPING

    def _renew(self, theta: np.ndarray, batch: Problem) -> None:
        """Measure the curvature on a batch, and average it with earlier ones."""
        seen = batch.take(_spread(batch.rows.n_rows, _CURVATURE_ROWS))
        factors = seen.kronecker_factors(theta, self._seed + self._n_steps)
        if self._factors:
            keep = self._decay
            for pair, old_pair in zip(factors, self._factors, strict=True):
                for blocks, old_blocks in zip(pair, old_pair, strict=True):
                    for block, old in zip(blocks, old_blocks, strict=True):
                        block *= 1 - keep
                        old *= keep
                        block += old
        self._factors = factors
        self._preconditioner = Preconditioner(
            factors, batch.layout, self._damping, batch.objective.alpha
        )


class AdamStep:
    """Adam: each parameter's step is scaled by its own running moments.

    Parameters
    ----------
    n_parameters : int
        Length of the parameter vector.

    beta_1, beta_2 : float, default=0.9, 0.999
        Decay of the first and of the second moment.

    epsilon : float, default=1e-8
        Added to the root of the second moment.

    References
    ----------
    Kingma, D. and Ba, J. (2015). Adam: a method for stochastic optimization. ICLR.
    """

    def __init__(
        self,
        n_parameters: int,
        *,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        self._mean = np.zeros(n_parameters, np.float32)
        self._square = np.zeros(n_parameters, np.float32)
        self._betas = beta_1, beta_2
        self._epsilon = epsilon
        self._caution = 1.0
        self._n_steps = 0

    def __call__(
        self,
        theta: np.ndarray,
        loss: float,
        gradient: np.ndarray,
        batch: Problem,
        rate: float,
    ) -> None:
        self._n_steps += 1
        beta_1, beta_2 = self._betas
        rate *= self._caution * math.sqrt(1 - beta_2**self._n_steps)
        rate /= 1 - beta_1**self._n_steps
        epsilon = self._epsilon
        mean, square = self._mean, self._square

        def move(part: slice) -> None:
            g, m, v = gradient[part], mean[part], square[part]
            m *= beta_1
            m += (1 - beta_1) * g
            np.square(g, out=g)
            g *= 1 - beta_2
            v *= beta_2
            v += g
            np.sqrt(v, out=g)
            g += epsilon
            np.divide(m, g, out=g)
            g *= rate
            theta[part] -= g

        map_slabs(move, len(theta))

    def start_again(self) -> None:
        self._mean[...] = 0
        self._caution *= _LOWER_RATE


def _spread(n_rows: int, most: int) -> np.ndarray:
    """Return the indices of at most ``most`` rows, evenly spread."""
    return np.linspace(0, n_rows - 1, min(n_rows, most)).astype(int)


def _dot(a: np.ndarray, b: np.ndarray) -> float:
    """Scalar product of two long vectors, in threads."""
    return float(sum(map_slabs(lambda slab: np.dot(a[slab], b[slab]), len(a))))
