"""How finely to round: the step of codes that meets a wish.

In: images, their codes, and what restores them. Out: a step for all values of a code.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_dae._scaling import cast
from sklearn_dae.codecs._base import mean_squared_error
from sklearn_dae.codecs._code_model import (
    CodeModel,
    QuantizedCodes,
    RoundedCodes,
    as_restored,
)

#: Most rows that a step, and a fineness of weights, is chosen on.
SEARCH_ROWS = 2_000

#: Unless told otherwise, rounding adds this fraction to the transformer's error.
_ADDED_ERROR = 0.25

#: Halvings of the range of steps, 17 octaves wide, in the search for a step.
_N_BISECTIONS = 14

#: How much worse than all together an image may be, unless told otherwise, and the
#: lowest quality that is asked for, in decibels.
_FLOOR, _LEAST_PSNR = 6.0, 1.0

#: Restores images from codes.
Decode = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Wish:
    """How good images are to be, or how small: at most one of these.

    Parameters
    ----------
    quantizer : quantiser or None
        What rounds codes.

    target_psnr : float or None
        Peak signal-to-noise ratio wanted, in decibels.

    most_bits : float or None
        Most bits an image may take on average.

    low, high : float
        Range of the pixels.

    dtype : dtype
        Of the images that come back.
    """

    quantizer: Any
    target_psnr: float | None
    most_bits: float | None
    low: float
    high: float
    dtype: np.dtype

    @property
    def span(self) -> float:
        """Width of the range of pixels."""
        return (self.high - self.low) or 1.0

    @property
    def is_quality(self) -> bool:
        """Whether it is a quality that is to be met in the fewest bytes."""
        return self.quantizer is None and self.most_bits is None

    def images(self, restored: np.ndarray) -> np.ndarray:
        """Return restored images as they come back."""
        return cast(np.clip(restored, self.low, self.high), self.dtype)

    def squared_error(self, psnr: float, n_pixels: int) -> float:
        """Return the squared error of an image of so many pixels at a quality."""
        return n_pixels * self.span**2 * 10 ** (-psnr / 10)

    def psnr(self, X: np.ndarray, restored: np.ndarray) -> float:
        """Return the quality of restored images, in decibels."""
        return decibels(mean_squared_error(X, self.images(restored)), self.span)

    def least_psnr(self, mse: float) -> float:
        """Return the quality wanted of a transformer that makes a squared error.

        Raises
        ------
        ValueError
            If the transformer itself is no better.
        """
        if self.target_psnr is None:
            return decibels(self._allowed(mse), self.span)
        best = decibels(mse, self.span)
        if self.target_psnr >= best:
            raise ValueError(
                f"target_psnr == {self.target_psnr:g}, but the transformer itself "
                f"restores the training images with {best:.2f} dB; ask for less, or "
                "give the transformer more components."
            )
        return self.target_psnr

    def added_error(self, mse: float) -> float:
        """Return how much squared error rounding may add to a transformer's."""
        if self.target_psnr is None:
            return self._allowed(mse) - mse
        return max(self.span**2 * 10 ** (-self.target_psnr / 10) - mse, 0.0)

    def _allowed(self, mse: float) -> float:
        # Where the transformer makes no error, allow that of rounding to 8 bits.
        return (1 + _ADDED_ERROR) * mse + self.span**2 / 255**2 / 12

    def code_model(
        self, X: np.ndarray, codes: np.ndarray, decode: Decode, least_psnr: float
    ) -> CodeModel | None:
        """Find how to round codes, and how to code them.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Training images.

        codes : ndarray of shape (n_samples, n_values)
            Their codes.

        decode : callable
            Restores images from codes.

        least_psnr : float
            The quality wanted, if that is the wish.

        Returns
        -------
        CodeModel or None
            Rather of too few bits than of too many, and rather of too high a quality
            than of too low. None if no step reaches the quality.

        Raises
        ------
        ValueError
            If codes take too many bits however they are rounded.
        """
        if self.quantizer is not None:
            return QuantizedCodes.fit(codes, self.quantizer)
        if self.most_bits is not None:
            step = self._step_for_bits(codes, self.most_bits)
        elif (found := self.step(X, codes, decode, least_psnr)) is not None:
            step = found
        else:
            return None
        return RoundedCodes.fit(codes, step)

    def step(
        self, X: np.ndarray, codes: np.ndarray, decode: Decode, least_psnr: float
    ) -> float | None:
        """Find the widest step of a quality; None if there is none."""
        if self.psnr(X, decode(codes)) < least_psnr:
            return None

        def is_good(step: float) -> bool:
            return self.psnr(X, decode(as_restored(codes, step))) >= least_psnr

        return _widest_step(codes, is_good)[0]

    @staticmethod
    def _step_for_bits(codes: np.ndarray, most: float) -> float:
        def takes(step: float) -> float:
            model = RoundedCodes.fit(codes, step)
            return float(model.bits(model.symbols(codes)).mean())

        _, step = _widest_step(codes, lambda step: takes(step) > most)
        if (n_bits := takes(step)) > most:
            raise ValueError(
                f"target_bits_per_sample == {most:g}, but codes take {n_bits:.2f} "
                "bits when all of them are restored as their mean; ask for more, or "
                "give the transformer fewer components."
            )
        return step


def _widest_step(
    codes: np.ndarray, is_fine: Callable[[float], bool]
) -> tuple[float, float]:
    """Return the widest step that is fine, and the narrowest that is not, by bisection.

    Up to a little; a step wider than the codes keeps nothing of them, one of the
    smallest all.
    """
    widest = float(np.ptp(codes, axis=0).max()) or 1.0
    low, high = widest * 2.0**-15, 4 * widest
    for _ in range(_N_BISECTIONS):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if is_fine(middle) else (low, middle)
    return low, high


def decibels(mse: float, span: float) -> float:
    """Return the peak signal-to-noise ratio of a mean squared error."""
    return math.inf if mse == 0 else 10 * math.log10(span**2 / mse)


def floor_of(psnr: float) -> float:
    """Return the lowest quality of any single image beside that of all together."""
    return max(psnr - _FLOOR, _LEAST_PSNR)


def relative_to(span: float, psnr: float, peak: float) -> float:
    """Return a quality whose errors are relative to a peak, relative to a span.

    Never less than a decibel, as codecs are asked for no less than that.
    """
    return max(psnr + 20 * math.log10(span / peak), _LEAST_PSNR)


def sample(rows: np.ndarray, most: int) -> np.ndarray:
    """Return at most ``most`` rows, the same ones for arrays of equal length.

    They are drawn at random: every second row of MNIST, say, is from writers of another
    kind.
    """
    if len(rows) <= most:
        return rows
    chosen = np.random.default_rng(0).choice(len(rows), most, replace=False)
    return rows[np.sort(chosen)]
