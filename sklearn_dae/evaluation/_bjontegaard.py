"""Two rate-distortion curves, compared in one number.

In: curves. Out: Bjøntegaard's differences, of rates in per cent and of qualities in
decibels, as the package bjontegaard computes them.
"""

from typing import Any

import numpy as np

from sklearn_dae.evaluation._curves import Branches, least, log_rates, turned
from sklearn_dae.evaluation._measurement import RateDistortionCurve

#: Number of points at which the best of several branches is read.
_N_ABSCISSAS = 2001


def bd_rate(reference: RateDistortionCurve, curve: RateDistortionCurve) -> float:
    """Return the extra bytes of a codec over another, averaged at equal qualities.

    Monotone piecewise cubics are drawn through the points.

    Parameters
    ----------
    reference, curve : RateDistortionCurve
        Measurements of the other codec, and of the one in question.

    Returns
    -------
    float
        In per cent: -50 means half the bytes. The mean is that of the logarithm of the
        rate, over the qualities that both curves have. For a curve with several
        branches, the one with the fewest bytes counts at each quality.

    Raises
    ------
    ValueError
        If the curves have no quality in common, or fewer than two points with loss.

    ImportError
        If bjontegaard is missing; the message says what to install.

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
    difference = _mean_difference(log_rates(reference), log_rates(curve), "qualities")
    return float(100 * np.expm1(difference))


def bd_psnr(reference: RateDistortionCurve, curve: RateDistortionCurve) -> float:
    """Return the decibels that a codec gains over another, averaged at equal rates.

    Parameters
    ----------
    reference, curve : RateDistortionCurve
        Measurements of the other codec, and of the one in question.

    Returns
    -------
    float
        In decibels; the mean is over the logarithm of the rates that both curves have.

    Raises
    ------
    ValueError
        If the curves have no rate in common, or fewer than two points with loss.

    ImportError
        If bjontegaard is missing; the message says what to install.

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
    return -_mean_difference(
        turned(log_rates(reference)), turned(log_rates(curve)), "rates"
    )


def import_bjontegaard() -> Any:
    """Return the package, or say what to install."""
    try:
        import bjontegaard
    except ImportError as error:
        raise ImportError(
            "Bjøntegaard's differences need bjontegaard: "
            "pip install 'sklearn-dae[full]'."
        ) from error
    return bjontegaard


def _mean_difference(reference: Branches, curve: Branches, abscissas: str) -> float:
    """Return the mean of second minus first over the abscissas that both have."""
    bjontegaard = import_bjontegaard()
    theirs, ours = _one_branch(reference), _one_branch(curve)
    if max(theirs[0][0], ours[0][0]) >= min(theirs[0][-1], ours[0][-1]):
        raise ValueError(
            f"The curves have no {abscissas} in common; measure settings that overlap."
        )
    return float(
        bjontegaard.bd_linear(
            *theirs, *ours, "pchip", require_matching_points=False, min_overlap=0
        )
    )


def _one_branch(branches: Branches) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of a curve, or closely those of the best of its branches."""
    # A branch of one point has no length to take a mean over.
    long = [branch for branch in branches if len(branch[0]) > 1]
    if not long:
        raise ValueError(
            f"A curve has {min(1, len(branches))} points with loss; at least 2 are "
            "needed."
        )
    if len(long) == 1:
        return long[0]
    at = np.linspace(
        min(x[0] for x, _ in long), max(x[-1] for x, _ in long), _N_ABSCISSAS
    )
    return at, least(long, at)
