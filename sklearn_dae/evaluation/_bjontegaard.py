"""Two rate-distortion curves, compared in one number.

In: curves. Out: Bjøntegaard's differences, of rates in per cent and of qualities in
decibels.
"""

from collections.abc import Callable

import numpy as np
from scipy.interpolate import Akima1DInterpolator, PchipInterpolator

from sklearn_dae._validation import check_choice
from sklearn_dae.evaluation._curves import log_rates
from sklearn_dae.evaluation._measurement import RateDistortionCurve

#: Fewest points that a curve is drawn through.
_FEWEST_POINTS = {"akima": 2, "cubic": 4, "pchip": 2}


def bd_rate(
    reference: RateDistortionCurve,
    curve: RateDistortionCurve,
    *,
    method: str = "pchip",
) -> float:
    """Bytes that a codec takes more than another, on average over equal qualities.

    Parameters
    ----------
    reference, curve : RateDistortionCurve
        What was measured of the other codec, and of the one in question.

    method : {"pchip", "akima", "cubic"}, default="pchip"
        What is drawn through the points: piecewise polynomials that rise where the
        points rise, Akima's, which modern practice uses too, or the one polynomial of
        the original, which needs four points and may swing between them.

    Returns
    -------
    float
        In per cent: -50 means half of the bytes. The mean is that of the logarithm of
        the rate, over the qualities that both curves have.

    Raises
    ------
    ValueError
        If the curves have no quality in common, or too few points.

    References
    ----------
    Bjøntegaard, G. (2001). Calculation of average PSNR differences between RD-curves.
    ITU-T VCEG-M33.
    """
    check_choice("method", method, _FEWEST_POINTS)
    points = [log_rates(each) for each in (reference, curve)]
    theirs, ours = (_mean(x, y, points, method, axis=0) for x, y in points)
    return float(100 * np.expm1(ours - theirs))


def bd_psnr(
    reference: RateDistortionCurve,
    curve: RateDistortionCurve,
    *,
    method: str = "pchip",
) -> float:
    """Decibels that a codec gains on another, on average over equal rates.

    Parameters
    ----------
    reference, curve : RateDistortionCurve
        What was measured of the other codec, and of the one in question.

    method : {"pchip", "akima", "cubic"}, default="pchip"
        As in `bd_rate`.

    Returns
    -------
    float
        In decibels; the mean is over the logarithm of the rates that both curves have.

    Raises
    ------
    ValueError
        If the curves have no rate in common, or too few points.
    """
    check_choice("method", method, _FEWEST_POINTS)
    points = [log_rates(each) for each in (reference, curve)]
    theirs, ours = (_mean(y, x, points, method, axis=1) for x, y in points)
    return float(ours - theirs)


def _mean(
    x: np.ndarray,
    y: np.ndarray,
    curves: list[tuple[np.ndarray, np.ndarray]],
    method: str,
    axis: int,
) -> float:
    """Mean of y over the x that all curves have."""
    for curve in curves:
        if len(curve[axis]) < _FEWEST_POINTS[method]:
            raise ValueError(
                f"A curve has {len(curve[axis])} points with loss; method={method!r} "
                f"needs {_FEWEST_POINTS[method]}."
            )
    low = max(float(curve[axis][0]) for curve in curves)
    high = min(float(curve[axis][-1]) for curve in curves)
    if low >= high:
        what = ("qualities", "rates")[axis]
        raise ValueError(
            f"The curves have no {what} in common; measure settings that overlap."
        )
    return _integral(x, y, method)(low, high) / (high - low)


def _integral(
    x: np.ndarray, y: np.ndarray, method: str
) -> Callable[[float, float], float]:
    if method == "cubic":
        antiderivative = np.polynomial.Polynomial.fit(x, y, 3).integ()
        return lambda low, high: antiderivative(high) - antiderivative(low)
    kind = Akima1DInterpolator if method == "akima" else PchipInterpolator
    polynomials = kind(x, y)
    return lambda low, high: float(polynomials.integrate(low, high))
