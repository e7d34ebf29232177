"""Codecs to rate-distortion curves.

In: a codec, one of its parameters with the values to try, and images. Out: what was
measured with each value, of real bytes and of the images that come back from them.
"""

import time
from collections.abc import Iterable
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone

from sklearn_dae.archive import model_to_bytes
from sklearn_dae.evaluation._measurement import Measurement, RateDistortionCurve
from sklearn_dae.evaluation._metrics import squared_error_per_image


def rate_distortion_curve(
    codec: Any,
    X: Any,
    *,
    param_name: str,
    param_range: Iterable[Any],
    X_train: Any = None,
    pixel_range: tuple[float, float] | None = None,
    name: str | None = None,
    n_jobs: int | None = None,
) -> RateDistortionCurve:
    """Measure a codec with several values of one parameter.

    Parameters
    ----------
    codec : Codec
        Left as it is. A fitted transformer in it is used as it is, unless the parameter
        belongs to the transformer.

    X : array-like of shape (n_samples, n_pixels)
        Images to code, better not those of the training.

    param_name : str
        The parameter.

    param_range : iterable
        Its values.

    X_train : array-like of shape (n_samples, n_pixels), default=None
        Images to fit on; X by default.

    pixel_range : tuple of (low, high), default=None
        Smallest and largest value a pixel can have; by default those of the training
        images.

    name : str, default=None
        What the curve is called; the class by default.

    n_jobs : int, default=None
        Values that are measured at once.

    Returns
    -------
    RateDistortionCurve
        A point for each value; where one fails, its point has the error.
    """
    X, X_train = np.asarray(X), np.asarray(X if X_train is None else X_train)
    pixel_range = pixel_range or (float(X_train.min()), float(X_train.max()))
    name = name or type(codec).__name__
    points = Parallel(n_jobs=n_jobs)(
        delayed(_measure)(codec, X, X_train, {param_name: value}, pixel_range, name)
        for value in param_range
    )
    return RateDistortionCurve(name, tuple(points))


def _measure(
    codec: Any,
    X: np.ndarray,
    X_train: np.ndarray,
    setting: dict[str, Any],
    pixel_range: tuple[float, float],
    name: str,
) -> Measurement:
    try:
        clock = [time.perf_counter()]
        fitted = _with(codec, setting).fit(X_train)
        clock.append(time.perf_counter())
        data = fitted.encode(X)
        clock.append(time.perf_counter())
        restored = fitted.decode(data)
        clock.append(time.perf_counter())
    except (ValueError, TypeError, ImportError) as error:
        return Measurement(name, setting, len(X), X.shape[1], error=str(error))
    fit_seconds, encode_seconds, decode_seconds = np.diff(clock).tolist()
    error_per_image = squared_error_per_image(X, restored, pixel_range)
    return Measurement(
        name,
        setting,
        len(X),
        X.shape[1],
        n_bytes=len(data),
        model_bytes=len(model_to_bytes(fitted)),
        mse=error_per_image / X.shape[1],
        fit_seconds=fit_seconds,
        encode_seconds=encode_seconds,
        decode_seconds=decode_seconds,
    )


def _with(codec: Any, setting: dict[str, Any]) -> Any:
    """Make an unfitted codec with a setting; keep a fitted transformer if possible."""
    if any("__" in name for name in setting):
        return clone(codec).set_params(**setting)
    return type(codec)(**codec.get_params(deep=False) | setting)
