"""Two rate-distortion curves, compared in one number.

In: curves. Out: Bjøntegaard's differences, of rates in per cent and of qualities in
decibels.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.integrate import trapezoid
from scipy.interpolate import Akima1DInterpolator, PchipInterpolator

from sklearn_dae._validation import check_choice
from sklearn_dae.evaluation._curves import Branches, least, log_rates, turned
from sklearn_dae.evaluation._measurement import RateDistortionCurve

#: Number of points at which curves are read, for a mean over their length.
_N_ABSCISSAS = 2001


def bd_rate(
    reference: RateDistortionCurve,
    curve: RateDistortionCurve,
    *,
    method: str = "pchip",
) -> float:
    """Return the extra bytes of a codec over another, averaged at equal qualities.

    Parameters
    ----------
    reference, curve : RateDistortionCurve
        Measurements of the other codec, and of the one in question.

    method : {"pchip", "akima", "cubic"}, default="pchip"
        What is drawn through the points: piecewise polynomials that rise where the
        points rise, Akima's, which modern practice also uses, or the single polynomial
        of the original, which needs four points and may swing between them.

    Returns
    -------
    float
        In per cent: -50 means half the bytes. The mean is that of the logarithm of the
        rate, over the qualities that both curves have. For a curve with several
        branches, the one with the fewest bytes counts at each quality.

    Raises
    ------
    ValueError
        If the curves have no quality in common, or too few points.

    References
    ----------
    Bjøntegaard, G. (2001). Calculation of average PSNR differences between RD-curves.
    ITU-T VCEG-M33.

    Examples
    --------
    >>> from sklearn_dae.evaluation import Measurement, RateDistortionCurve, bd_rate
    >>> large, small = (
    ...     RateDistortionCurve(
    ...         name,
    ...         tuple(
    ...             Measurement(name, {}, 1, 64, factor * n_bytes, mse=mse)
    ...             for n_bytes, mse in ((1, 0.1), (3, 0.01), (9, 0.001))
    ...         ),
    ...     )
    ...     for name, factor in (("large", 2), ("small", 1))
    ... )
    >>> print(f"{bd_rate(large, small):.1f}%")
    -50.0%
    """
    check_choice("method", method, _METHODS)
    difference = _mean_difference(
        log_rates(reference), log_rates(curve), method, "qualities"
    )
    return float(100 * np.expm1(difference))


def bd_psnr(
    reference: RateDistortionCurve,
    curve: RateDistortionCurve,
    *,
    method: str = "pchip",
) -> float:
    """Return the decibels that a codec gains over another, averaged at equal rates.

    Parameters
    ----------
    reference, curve : RateDistortionCurve
        Measurements of the other codec, and of the one in question.

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

    Examples
    --------
    >>> from sklearn_dae.evaluation import Measurement, RateDistortionCurve, bd_psnr
    >>> poor, good = (
    ...     RateDistortionCurve(
    ...         name,
    ...         tuple(
    ...             Measurement(name, {}, 1, 64, n_bytes, mse=factor * mse)
    ...             for n_bytes, mse in ((1, 0.1), (3, 0.01), (9, 0.001))
    ...         ),
    ...     )
    ...     for name, factor in (("poor", 2), ("good", 1))
    ... )
    >>> print(f"{bd_psnr(poor, good):.2f} dB")
    3.01 dB
    """
    check_choice("method", method, _METHODS)
    return -_mean_difference(
        turned(log_rates(reference)), turned(log_rates(curve)), method, "rates"
    )


def _mean_difference(
    reference: Branches, curve: Branches, method: str, abscissas: str
) -> float:
    """Return the mean of second minus first over the abscissas that both have."""
    fewest, through = _METHODS[method]
    curves = []
    for branches in (reference, curve):
        long = [branch for branch in branches if len(branch[0]) >= fewest]
        if not long:
            most = max((len(x) for x, _ in branches), default=0)
            raise ValueError(
                f"A curve has {most} points with loss; method={method!r} needs "
                f"{fewest}."
            )
        curves.append(long)
    low = max(min(x[0] for x, _ in branches) for branches in curves)
    high = min(max(x[-1] for x, _ in branches) for branches in curves)
    if low >= high:
        raise ValueError(
            f"The curves have no {abscissas} in common; measure settings that overlap."
        )
    at = np.linspace(low, high, _N_ABSCISSAS)
    theirs, ours = (least(branches, at, through) for branches in curves)
    return float(trapezoid(ours - theirs, at) / (high - low))


def _cubic(x: np.ndarray, y: np.ndarray) -> np.polynomial.Polynomial:
    return np.polynomial.Polynomial.fit(x, y, 3)


#: Fewest points that a curve is drawn through, and what is drawn.
_METHODS: dict[str, tuple[int, Callable[..., Any]]] = {
    "akima": (2, Akima1DInterpolator),
    "cubic": (4, _cubic),
    "pchip": (2, PchipInterpolator),
}
