"""Pixel values to and from [0, 1]."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from sklearn_dae._fields import Fields, number


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
    >>> scaler = PixelScaler.from_data(np.array([[0, 255], [127, 128]], np.uint8))
    >>> print(scaler.to_unit(np.array([[0, 255]], np.uint8)))
    [[0. 1.]]
    """

    low: float
    high: float

    _stored_fields: ClassVar[Fields] = {
        "low": number(),
        "high": number(),
    }

    def _check_stored(self) -> None:
        span = self.span
        if not (span > 0 and np.isfinite([span, 1 / span]).all()):
            raise ValueError(
                f"The pixel range from {self.low} to {self.high} is empty, or too "
                "narrow or too wide to be scaled"
            )

    @classmethod
    def from_data(cls, X: np.ndarray) -> Self:
        """Learn the range from the smallest and the largest value of X.

        Raises
        ------
        ValueError
            If the range is too wide or too narrow to divide by.
        """
        low, high = float(X.min()), float(X.max())
        span = high - low
        if span > 0 and not np.isfinite([span, 1 / span]).all():
            raise ValueError(
                f"X has values from {low:g} to {high:g}, a range that cannot be scaled "
                "to [0, 1] in double precision; bring X to another unit."
            )
        return cls(low, high)

    @property
    def span(self) -> float:
        """Width of the range; 1 when all pixels are equal."""
        return (self.high - self.low) or 1.0

    @property
    def _precision(self) -> type:
        """Precision that does not lose a narrow range far from zero."""
        largest = max(abs(self.low), abs(self.high))
        extreme = largest > 1e30 or self.span < 1e-30
        return np.float64 if extreme or largest > 4 * self.span else np.float32

    def to_unit(self, X: np.ndarray, dtype: type | np.dtype = np.float32) -> np.ndarray:
        """Map X to [0, 1] in a new array; values outside the range are clipped."""
        scaled = X.astype(np.promote_types(dtype, self._precision))
        scaled -= self.low
        scaled *= self._factor(scaled.dtype)
        np.clip(scaled, 0.0, 1.0, out=scaled)
        return scaled.astype(dtype, copy=False)

    def _factor(self, dtype: np.dtype) -> np.floating:
        """Find a factor that does not leave the largest pixel just below 1."""
        low, high = np.array([self.low, self.high], dtype)
        factor = dtype.type(1.0 / self.span)
        while 0 < (high - low) * factor < 1:
            factor = np.nextafter(factor, dtype.type(np.inf))
        return factor

    def from_unit(self, scaled: np.ndarray) -> np.ndarray:
        """Map [0, 1] back to the pixel range, clipping values beyond it.

        The result has double precision where single precision would be too coarse.
        """
        pixels = scaled.astype(np.promote_types(scaled.dtype, self._precision))
        pixels *= self.span
        pixels += self.low
        return np.clip(pixels, self.low, self.high, out=pixels)


def cast(images: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Cast to a dtype, rounding to the nearest value unless it is floating-point."""
    if images.dtype == dtype:
        return images
    if images.dtype.kind in "biu" and np.can_cast(images.dtype, dtype):
        return images.astype(dtype)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        # The largest 64-bit integers, as floats, round up to a number one too large.
        high = np.nextafter(float(limits.max), 0) if dtype.itemsize == 8 else limits.max
        images = np.rint(images)
        np.clip(images, limits.min, high, out=images)
    elif dtype.kind == "b":
        images = images >= 0.5
    return images.astype(dtype, copy=False)
