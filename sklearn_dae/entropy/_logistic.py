"""What logistic distributions are learned by: shares of what lies between two places.

For training only: what is coded is computed by tables; see `_mixture`.
"""

from typing import NamedTuple

import numpy as np


class Between(NamedTuple):
    """The share of a logistic distribution between two places.

    Parameters
    ----------
    share : ndarray
        The share.

    above, below : ndarray
        The logistic function at the upper and at the lower place, or, where ``sign`` is
        negative, one less that.

    sign : ndarray
        Which side of the distribution was looked at: that on which the function is
        small, so that differences are exact.
    """

    share: np.ndarray
    above: np.ndarray
    below: np.ndarray
    sign: np.ndarray

    @classmethod
    def of(cls, lower: np.ndarray, upper: np.ndarray) -> "Between":
        """Find the share between places, in units of the width."""
        sign = np.where(upper + lower > 0, -1, 1).astype(upper.dtype)
        above, below = _logistic(sign * upper), _logistic(sign * lower)
        return cls(sign * (above - below), above, below, sign)

    def slopes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the slopes of the function at the upper and at the lower place."""
        return self.above * (1 - self.above), self.below * (1 - self.below)


def _logistic(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(z, -40, 40)))
