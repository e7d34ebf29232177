"""Natural gradient with Kronecker-factored curvature, and momentum."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sklearn_dae._threads import map_slabs
from sklearn_dae.network.layers._layer import Factor
from sklearn_dae.training._preconditioner import Preconditioner
from sklearn_dae.training._problem import Problem

#: Factor on the damping after the curvature has promised too much.
_MORE_DAMPING = 3.0

#: Maximum number of rows of a mini-batch that the curvature is measured on; the
#: measurements are averaged.
_CURVATURE_ROWS = 1000

Factors = list[tuple[Factor, Factor]]


class NaturalState(NamedTuple):
    """The last step, the curvature so far, steps taken, and the damping."""

    velocity: np.ndarray
    factors: Factors
    preconditioner: Preconditioner | None
    n_steps: int
    damping: float


@dataclass(frozen=True)
class NaturalGradient:
    """Natural gradient with momentum; see `Step`.

    Parameters
    ----------
    damping : float, default=0.1
        Fraction of a layer's mean curvature that is added to its curvature.

    max_change : float, default=0.01
        Bound on how much a step changes the loss, by its quadratic model, as a fraction
        of the loss; a longer step is shortened to it.

    seed : int, default=0
        Seed of the targets that curvature is measured with.

    momentum : float, default=0.9
        Share of the last step in the next one.

    renew_every : int, default=25
        Number of steps between two measurements of the curvature.

    decay : float, default=0.4
        Weight of earlier measurements in the running average of the curvature.

    References
    ----------
    Martens, J. and Grosse, R. (2015). Optimizing neural networks with
    Kronecker-factored approximate curvature. ICML.
    """

    damping: float = 0.1
    max_change: float = 0.01
    seed: int = 0
    momentum: float = 0.9
    renew_every: int = 25
    decay: float = 0.4

    def init(self, n_parameters: int) -> NaturalState:
        """Start at rest, with no curvature known."""
        at_rest = np.zeros(n_parameters, np.float32)
        return NaturalState(at_rest, [], None, 0, self.damping)

    def update(
        self,
        state: NaturalState,
        theta: np.ndarray,
        loss: float,
        gradient: np.ndarray,
        batch: Problem,
        rate: float,
    ) -> tuple[np.ndarray, NaturalState]:
        """Move along the natural gradient, measuring the curvature now and then."""
        if state.preconditioner is None or self._is_due(state.n_steps):
            state = self._measure(state, theta, batch)
        assert state.preconditioner is not None
        direction = state.preconditioner.natural(gradient)
        change = rate**2 * _dot(direction, gradient)
        rate *= min(1.0, math.sqrt(self.max_change * loss / max(change, 1e-30)))

        def move(part: slice) -> None:
            v, d = state.velocity[part], direction[part]
            v *= self.momentum
            d *= rate
            v -= d
            theta[part] += v

        map_slabs(move, len(theta))
        return theta, state._replace(n_steps=state.n_steps + 1)

    def restart(self, state: NaturalState) -> NaturalState:
        """Stop, forget the curvature, and damp more."""
        state.velocity[...] = 0
        damping = state.damping * _MORE_DAMPING
        return NaturalState(state.velocity, [], None, 0, damping)

    def _is_due(self, n_steps: int) -> bool:
        """Whether to measure the curvature; at first, at powers of two as well."""
        if n_steps < self.renew_every:
            return n_steps & (n_steps - 1) == 0
        return n_steps % self.renew_every == 0

    def _measure(
        self, state: NaturalState, theta: np.ndarray, batch: Problem
    ) -> NaturalState:
        """Measure the curvature on a mini-batch, and average it with earlier ones."""
        seen = batch.take_spread(_CURVATURE_ROWS)
        factors = seen.kronecker_factors(theta, self.seed + state.n_steps)
        if state.factors:
            _blend(factors, state.factors, self.decay)
        preconditioner = Preconditioner(
            factors, batch.layout, state.damping, batch.objective.alpha
        )
        return state._replace(factors=factors, preconditioner=preconditioner)


def _blend(factors: Factors, earlier: Factors, keep: float) -> None:
    """Average factors with earlier ones of weight ``keep``; overwrites both."""
    for pair, old_pair in zip(factors, earlier, strict=True):
        for blocks, old_blocks in zip(pair, old_pair, strict=True):
            for block, old in zip(blocks, old_blocks, strict=True):
                block *= 1 - keep
                old *= keep
                block += old


def _dot(a: np.ndarray, b: np.ndarray) -> float:
    """Scalar product of two long vectors, in threads."""
    return float(sum(map_slabs(lambda slab: np.dot(a[slab], b[slab]), len(a))))
