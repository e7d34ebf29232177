"""Adam: each parameter's step is scaled by its own running moments."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sklearn_dae._threads import map_slabs
from sklearn_dae.training._problem import Problem

#: Factor on the rate after it has led astray.
_LOWER_RATE = 0.5


class AdamState(NamedTuple):
    """Running moments of the gradient, steps taken, and a factor on the rate."""

    mean: np.ndarray
    square: np.ndarray
    n_steps: int
    caution: float


@dataclass(frozen=True)
class Adam:
    """Adam; see `Step`.

    Parameters
    ----------
    beta_1, beta_2 : float, default=0.9, 0.999
        Decay of the first and of the second moment.

    epsilon : float, default=1e-8
        Added to the root of the second moment.

    References
    ----------
    Kingma, D. and Ba, J. (2015). Adam: a method for stochastic optimization. ICLR.
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    def init(self, n_parameters: int) -> AdamState:
        """Start from moments of zero."""
        mean, square = np.zeros((2, n_parameters), np.float32)
        return AdamState(mean, square, 0, 1.0)

    def update(
        self,
        state: AdamState,
        theta: np.ndarray,
        loss: float,
        gradient: np.ndarray,
        batch: Problem,
        rate: float,
    ) -> tuple[np.ndarray, AdamState]:
        """Move against the mean gradient, divided by its root mean square."""
        n_steps = state.n_steps + 1
        rate *= state.caution * math.sqrt(1 - self.beta_2**n_steps)
        rate /= 1 - self.beta_1**n_steps

        def move(part: slice) -> None:
            g, m, v = gradient[part], state.mean[part], state.square[part]
            m *= self.beta_1
            m += (1 - self.beta_1) * g
            np.square(g, out=g)
            g *= 1 - self.beta_2
            v *= self.beta_2
            v += g
            np.sqrt(v, out=g)
            g += self.epsilon
            np.divide(m, g, out=g)
            g *= rate
            theta[part] -= g

        map_slabs(move, len(theta))
        return theta, state._replace(n_steps=n_steps)

    def restart(self, state: AdamState) -> AdamState:
        """Forget where the steps were heading, and halve them."""
        state.mean[...] = 0
        return state._replace(caution=state.caution * _LOWER_RATE)
