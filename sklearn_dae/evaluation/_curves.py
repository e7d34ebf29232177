"""Rate-distortion curves: made, read, and compared point by point.

In: a codec and its settings, or curves. Out: curves, and rates and qualities between
their points.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import joblib
import numpy as np
from scipy.interpolate import PchipInterpolator
from sklearn.base import clone

from sklearn_dae.codecs import Codec
from sklearn_dae.evaluation._measure import FAILURES, fit_and_measure, unfitted
from sklearn_dae.evaluation._measurement import Measurement, RateDistortionCurve


def rate_distortion_curve(
    codec: Codec,
    X: np.ndarray,
    *,
    param_name: str,
    param_range: Iterable[Any],
    X_train: np.ndarray | None = None,
    image_shape: tuple[int, int] | None = None,
    pixel_range: tuple[float, float] | None = None,
    name: str | None = None,
    n_jobs: int | None = None,
) -> RateDistortionCurve:
    """Measure a codec at several values of a parameter.

    Parameters
    ----------
    codec : Codec
        The codec; it is copied, not changed. A fitted transformer within a
        `TransformCodec` is used as it is.

    X : ndarray of shape (n_images, n_pixels)
        Images to code.

    param_name : str
        The parameter, such as ``"target_psnr"`` or ``"quality"``; for a part of the
        codec as in a grid search, ``"transformer__n_components"``.

    param_range : iterable
        Its values.

    X_train : ndarray of shape (n_images, n_pixels), default=None
        Images to fit on; X by default.

    image_shape : tuple of (height, width), default=None
        Size of an image, as in `measure`.

    pixel_range : tuple of (low, high), default=None
        Smallest and largest value a pixel can have; by default those of the training
        images.

    name : str, default=None
        Name of the codec; by default that of its class.

    n_jobs : int, default=None
        How many values are measured at the same time, as in joblib.

    Returns
    -------
    RateDistortionCurve
        A point for each value. Where the codec failed, the point says why.

    Raises
    ------
    ValueError
        If the codec has no such parameter.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_dae.codecs import TransformCodec
    >>> from sklearn_dae.evaluation import rate_distortion_curve
    >>> X = load_digits().data
    >>> curve = rate_distortion_curve(
    ...     TransformCodec(PCA(16)),
    ...     X[1500:],
    ...     param_name="target_psnr",
    ...     param_range=[14, 16, 18],
    ...     X_train=X[:1500],
    ... )
    >>> len(curve)
    3
    """
    X = np.asarray(X)
    X_train = X if X_train is None else np.asarray(X_train)
    if pixel_range is None:
        pixel_range = float(X_train.min()), float(X_train.max())
    name = name or type(codec).__name__
    values = list(param_range)
    # A fitted transformer would ignore a change of its parameters.
    copied = clone if param_name.startswith("transformer__") else unfitted
    codecs = [copied(codec).set_params(**{param_name: value}) for value in values]
    points = joblib.Parallel(n_jobs)(
        joblib.delayed(_point)(
            candidate, X, X_train, name, {param_name: value}, image_shape, pixel_range
        )
        for candidate, value in zip(codecs, values, strict=True)
    )
    return RateDistortionCurve(name, tuple(points))


def _point(
    codec: Codec,
    X: np.ndarray,
    X_train: np.ndarray,
    name: str,
    setting: Mapping[str, Any],
    image_shape: tuple[int, int] | None,
    pixel_range: tuple[float, float],
) -> Measurement:
    try:
        return fit_and_measure(
            codec, X_train, X, name, setting, image_shape, pixel_range
        )[0]
    except FAILURES as error:
        return Measurement.failed(name, setting, X.shape, error)


def front(curve: RateDistortionCurve) -> list[Measurement]:
    """Return the points that no other beats in both rate and distortion, by rate.

    Lossless points count too: the last may be one.
    """
    best: list[Measurement] = []
    for point in curve:
        if not best or point.psnr > best[-1].psnr:
            best.append(point)
    return best


def bytes_at_psnr(curve: RateDistortionCurve, psnr: float) -> float | None:
    """Return the bytes per image that a quality takes.

    Parameters
    ----------
    curve : RateDistortionCurve
        What was measured.

    psnr : float
        The quality, in decibels.

    Returns
    -------
    float or None
        Interpolated, the logarithm of the bytes being a monotone piecewise cubic of
        decibels; for a curve with several branches, the fewest that one of them takes
        for at least this quality. None outside what was measured.

    Examples
    --------
    >>> from sklearn_dae.evaluation import (
    ...     Measurement,
    ...     RateDistortionCurve,
    ...     bytes_at_psnr,
    ... )
    >>> points = [
    ...     Measurement("codec", {"values": n_values}, 1, 64, n_bytes, mse=mse)
    ...     for n_values, n_bytes, mse in ((4, 1, 0.1), (4, 4, 0.01), (8, 8, 0.003))
    ... ]
    >>> curve = RateDistortionCurve("codec", tuple(points), branch_by="values")
    >>> for psnr in (15, 21):
    ...     print(f"{bytes_at_psnr(curve, psnr):.1f}")
    2.0
    8.0
    >>> print(bytes_at_psnr(curve, 9))
    None
    """
    branches = log_rates(curve)
    if not any(qualities[0] <= psnr for qualities, _ in branches):
        return None
    return finite(math.exp(least(branches, psnr)))


def psnr_at_bytes(curve: RateDistortionCurve, bytes_per_image: float) -> float | None:
    """Return the quality at a rate, interpolated as in `bytes_at_psnr`.

    Parameters
    ----------
    curve : RateDistortionCurve
        What was measured.

    bytes_per_image : float
        The rate.

    Returns
    -------
    float or None
        In decibels; None outside what was measured.

    Examples
    --------
    >>> from sklearn_dae.evaluation import (
    ...     Measurement,
    ...     RateDistortionCurve,
    ...     psnr_at_bytes,
    ... )
    >>> points = [
    ...     Measurement("codec", {}, 1, 64, n_bytes, mse=mse)
    ...     for n_bytes, mse in ((1, 0.1), (4, 0.01))
    ... ]
    >>> curve = RateDistortionCurve("codec", tuple(points))
    >>> print(f"{psnr_at_bytes(curve, 2):.1f} dB")
    15.0 dB
    """
    if not bytes_per_image > 0:
        return None
    less = -math.log(bytes_per_image)
    branches = turned(log_rates(curve))
    if not any(rates[0] <= less for rates, _ in branches):
        return None
    return finite(-float(least(branches, less)))


def finite(number: float) -> float | None:
    """Return the number, or None if it is NaN or infinite."""
    return number if math.isfinite(number) else None


#: Abscissas of each branch of a curve, rising, and its ordinates, which rise too.
Branches = Sequence[tuple[np.ndarray, np.ndarray]]


def log_rates(curve: RateDistortionCurve) -> Branches:
    """Return qualities in decibels and logarithms of rates of the best lossy points."""
    branches = []
    for branch in curve.branches:
        points = [point for point in front(branch) if not point.is_lossless]
        if points:
            qualities = np.array([point.psnr for point in points])
            rates = np.array([math.log(point.bytes_per_image) for point in points])
            branches.append((qualities, rates))
    return branches


def turned(branches: Branches) -> Branches:
    """Return minus the rate and minus the quality, so that again less is better."""
    return [(-rates[::-1], -qualities[::-1]) for qualities, rates in branches]


def least(
    branches: Branches,
    x: np.ndarray | float,
    through: Callable[..., Any] = PchipInterpolator,
) -> np.ndarray:
    """Read the lowest branch at some abscissas.

    Parameters
    ----------
    branches : list of tuple of (ndarray, ndarray)
        What `log_rates` returned.

    x : ndarray or float
        The abscissas.

    through : callable, default=PchipInterpolator
        Takes the points of a branch, at least two, and returns a function through
        them.

    Returns
    -------
    ndarray
        The ordinates. Before its first point, a branch counts as it does there, since
        it has nothing less; beyond its last one, not at all. Infinite where none
        counts.
    """
    lowest = np.full(np.shape(x), np.inf)
    for at, y in branches:
        within = np.clip(x, at[0], at[-1])
        ordinates = through(at, y)(within) if len(at) > 1 else y[0]
        lowest = np.where(x <= at[-1], np.minimum(lowest, ordinates), lowest)
    return lowest
