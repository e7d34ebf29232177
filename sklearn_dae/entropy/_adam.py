"""Adam, for the small networks that say how likely symbols are."""

from collections.abc import Sequence

import numpy as np

#: What moments are multiplied by, and the share of steps in which the rate grows.
_MOMENTUM, _SECOND_MOMENTUM, _WARM_UP = 0.9, 0.99, 0.1


class Adam:
    """Changes parameters, in place, against their slopes.

    Parameters
    ----------
    parameters : sequence of ndarray
        The parameters.

    n_steps : int
        How many steps there will be.

    rate : float
        Largest learning rate: it grows from a twentieth of it, and falls to nothing by
        a cosine.

    References
    ----------
    Kingma, D. P., & Ba, J. (2015). Adam: a method for stochastic optimization. ICLR.
    """

    def __init__(
        self, parameters: Sequence[np.ndarray], n_steps: int, rate: float
    ) -> None:
        self._parameters, self._n_steps, self._rate = parameters, n_steps, rate
        self._first = [np.zeros_like(each) for each in parameters]
        self._second = [np.zeros_like(each) for each in parameters]
        self._n_taken = 0

    def step(self, slopes: Sequence[np.ndarray]) -> None:
        """Take a step."""
        rate = self._rate_at(self._n_taken / self._n_steps)
        self._n_taken += 1
        rate *= np.sqrt(1 - _SECOND_MOMENTUM**self._n_taken)
        rate /= 1 - _MOMENTUM**self._n_taken
        for parameter, slope, first, second in zip(
            self._parameters, slopes, self._first, self._second, strict=True
        ):
            first += (1 - _MOMENTUM) * (slope - first)
            second += (1 - _SECOND_MOMENTUM) * (slope * slope - second)
            parameter -= np.float32(rate) * first / (np.sqrt(second) + 1e-8)

    def _rate_at(self, progress: float) -> float:
        if progress < _WARM_UP:
            return self._rate * (0.05 + 0.95 * progress / _WARM_UP)
        done = (progress - _WARM_UP) / (1 - _WARM_UP)
        return self._rate * 0.5 * (1 + np.cos(np.pi * done))
