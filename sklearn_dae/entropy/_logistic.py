"""What mixtures of logistic distributions are learned by: bits, and their slopes.

For training only: what is coded is computed by tables; see `_mixture`.
"""

from typing import NamedTuple

import numpy as np

from sklearn_dae.coding._intervals import N_SLOTS
from sklearn_dae.entropy._mixture import MOST_OCTAVES

#: Number of logistic distributions in a mixture.
N_LOGISTIC = 3

#: Largest logarithm of a width; least likelihood of any value.
_MOST_WIDTH, _FLOOR = np.float32(MOST_OCTAVES * np.log(2)), np.float32(1 / N_SLOTS)


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


class Values(NamedTuple):
    """Values of n samples that are to be likely.

    Parameters
    ----------
    target, half : ndarray of float32 of shape (n,)
        How far values are above what is expected, and half the width of a cell,
        relative to the scale.

    is_first, is_last : ndarray of bool of shape (n,)
        Whether there is no cell below, and none above.

    hits : ndarray of float32 of shape (n_points, n)
        1 where the value is that of a point, else 0.
    """

    target: np.ndarray
    half: np.ndarray
    is_first: np.ndarray
    is_last: np.ndarray
    hits: np.ndarray

    def part(self, places: slice | np.ndarray) -> "Values":
        """Return some of them."""
        return Values(*(np.ascontiguousarray(x[..., places]) for x in self))


def bits_and_slopes(outputs: np.ndarray, values: Values) -> tuple[float, np.ndarray]:
    """Return the mean number of bits of samples, and its slopes by the outputs.

    Parameters
    ----------
    outputs : ndarray of float32 of shape (n_outputs, n)
        Logarithms of shares, of logistic distributions and then of points; centres; and
        logarithms of widths, all relative to the scale.

    values : Values
        The samples.
    """
    logits, shifts, widths = np.split(outputs, [-2 * N_LOGISTIC, -N_LOGISTIC])
    shares = np.exp(logits - logits.max(axis=0))
    shares /= shares.sum(axis=0)
    per_width = np.exp(-np.clip(widths, -_MOST_WIDTH, _MOST_WIDTH))
    far = values.target - shifts
    upper, lower = (far + values.half) * per_width, (far - values.half) * per_width
    inside, above, below, sign = between = Between.of(lower, upper)
    slope_above, slope_below = between.slopes()
    first, last = values.is_first, values.is_last
    inside = np.where(first, np.where(sign > 0, above, 1 - above), inside)
    inside = np.where(last & ~first, np.where(sign > 0, 1 - below, below), inside)
    inside = np.where(first & last, 1, inside)
    slope_above, slope_below = slope_above * ~last, slope_below * ~first
    parts = np.concatenate([inside, values.hits])
    parts *= shares
    likelihood = parts.sum(axis=0) + _FLOOR
    n = np.float32(len(likelihood))
    parts /= likelihood
    of_logits = (shares * parts.sum(axis=0) - parts) / n
    weight = shares[:N_LOGISTIC] / (likelihood * n)
    of_shifts = weight * (slope_above - slope_below) * per_width
    of_widths = weight * (upper * slope_above - lower * slope_below)
    bits = -float(np.log2(likelihood).mean())
    return bits, np.concatenate([of_logits, of_shifts, of_widths])
