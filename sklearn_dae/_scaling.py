"""Pixel values to and from [0, 1]."""

from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True)
class PixelScaler:
    """An affine map of the pixel range [low, high] to [0, 1], and back.

    One range serves all pixels: images keep their contrast, and a pixel that is
    constant in the training set is no special case.

    Parameters
    ----------
    low, high : float
        The range of the pixel values.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae._scaling import PixelScaler
    >>> scaler = PixelScaler.from_data(np.array([[0, 255], [51, 102]], np.uint8))
    >>> print(scaler.to_unit(np.array([[51, 255]], np.uint8)))
    [[0.2 1. ]]
    """

    low: float
    high: float

    @classmethod
    def from_data(cls, X: np.ndarray) -> Self:
        """Learn the range from the smallest and the largest value of X."""
        return cls(float(X.min()), float(X.max()))

    @property
    def span(self) -> float:
        """Width of the range; 1 when all pixels are equal."""
        return (self.high - self.low) or 1.0

    def to_unit(self, X: np.ndarray, dtype: type | np.dtype = np.float32) -> np.ndarray:
        """Map X to [0, 1] in a new array; values outside the range are clipped."""
        # The differences are taken in double precision where single precision
        # would lose a narrow range that lies far from zero.
        far = max(abs(self.low), abs(self.high)) > 1e4 * self.span
        scaled = X.astype(np.float64 if far else dtype)
        scaled -= self.low
        scaled *= 1.0 / self.span
        np.clip(scaled, 0.0, 1.0, out=scaled)
        return scaled.astype(dtype, copy=False)

    def from_unit(self, scaled: np.ndarray) -> np.ndarray:
        """Map [0, 1] back to the pixel range, in place."""
        scaled *= self.span
        scaled += self.low
        return np.clip(scaled, self.low, max(self.high, self.low), out=scaled)
