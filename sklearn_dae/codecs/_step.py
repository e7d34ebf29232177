"""How finely to quantise: the step that meets a wish.

In: images, their coordinates, and what restores them. Out: a step for all coordinates.
"""

import math
from collections.abc import Callable

import numpy as np

from sklearn_dae.codecs._base import mean_squared_error
from sklearn_dae.entropy import ColumnTables
from sklearn_dae.quantizers import UniformQuantizer

#: Most rows that a step is chosen on.
_SEARCH_ROWS = 2_000

#: Unless told otherwise, quantising adds this fraction to the transformer's error.
_ADDED_ERROR = 0.25

#: Halvings of the range of steps, 17 octaves wide, in the search for a step.
_N_BISECTIONS = 14


def choose_step(
    X: np.ndarray,
    coordinates: np.ndarray,
    restore: Callable[[np.ndarray], np.ndarray],
    span: float,
    *,
    target_psnr: float | None = None,
    most_bits: float | None = None,
) -> float:
    """Choose a step by bisection.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Training images.

    coordinates : ndarray of shape (n_samples, n_components)
        Their coordinates.

    restore : callable
        Turns coordinates into images.

    span : float
        Width of the pixel range.

    target_psnr : float, default=None
        Peak signal-to-noise ratio wanted, in decibels.

    most_bits : float, default=None
        Most bits an image may take on average. Without either, little is lost.

    Returns
    -------
    float
        Rather a step of too few bits than of too many, and rather one of too high a
        quality than of too low.

    Raises
    ------
    ValueError
        If no step meets the wish.
    """
    X, at = sample(X, _SEARCH_ROWS), sample(coordinates, _SEARCH_ROWS)
    least_psnr = 0.0
    if most_bits is None:
        mse = mean_squared_error(X, restore(at))
        least_psnr = _least_psnr(mse, span, target_psnr)

    def too_fine(step: float) -> bool:
        if most_bits is not None:
            return _mean_bits(coordinates, step) > most_bits
        quantizer = UniformQuantizer(step=step).fit(coordinates)
        images = restore(quantizer.inverse_transform(quantizer.transform(at)))
        return decibels(mean_squared_error(X, images), span) >= least_psnr

    # A step wider than the coordinates keeps nothing of them, one of the smallest all.
    widest = float(np.ptp(coordinates, axis=0).max()) or 1.0
    low, high = widest * 2.0**-15, 4 * widest
    for _ in range(_N_BISECTIONS):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if too_fine(middle) else (low, middle)
    if most_bits is None:
        return low
    if (n_bits := _mean_bits(coordinates, high)) > most_bits:
        raise ValueError(
            f"target_bits_per_sample == {most_bits:g}, but codes take {n_bits:.2f} "
            "bits when all of them are restored as their mean; ask for more, or give "
            "the transformer fewer components."
        )
    return high


def _mean_bits(coordinates: np.ndarray, step: float) -> float:
    quantizer = UniformQuantizer(step=step).fit(coordinates)
    symbols = quantizer.transform(coordinates)
    model = ColumnTables.fit(symbols, quantizer.n_levels_)
    return float(model.bits(symbols).mean())


def _least_psnr(mse: float, span: float, target_psnr: float | None) -> float:
    """Return the quality asked for, or else one that loses little."""
    if target_psnr is None:
        # Where the transformer makes no error, allow that of rounding to 8 bits.
        return decibels((1 + _ADDED_ERROR) * mse + span**2 / 255**2 / 12, span)
    best = decibels(mse, span)
    if target_psnr >= best:
        raise ValueError(
            f"target_psnr == {target_psnr:g}, but the transformer itself restores the "
            f"training images with {best:.2f} dB; ask for less, or give the "
            "transformer more components."
        )
    return target_psnr


def decibels(mse: float, span: float) -> float:
    """Return the peak signal-to-noise ratio of a mean squared error."""
    return math.inf if mse == 0 else 10 * math.log10(span**2 / mse)


def sample(rows: np.ndarray, most: int) -> np.ndarray:
    """Return at most ``most`` rows, the same ones for arrays of equal length.

    They are drawn at random: every second row of MNIST, say, is from writers of another
    kind.
    """
    if len(rows) <= most:
        return rows
    chosen = np.random.default_rng(0).choice(len(rows), most, replace=False)
    return rows[np.sort(chosen)]
