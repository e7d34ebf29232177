"""What a codec does to images, measured.

In: a codec and images. Out: a `Measurement`, of real bytes and of the images that came
out of them.
"""

import math
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from sklearn_dae.codecs import Codec, TransformCodec
from sklearn_dae.evaluation._measurement import Measurement
from sklearn_dae.evaluation._metrics import ssim_if_possible
from sklearn_dae.evaluation._shape import shape_of_rows
from sklearn_dae.exceptions import OutOfDomainWarning
from sklearn_dae.models import model_to_bytes

#: Pixels whose errors are computed at once.
_BLOCK_PIXELS = 2**20

_PERCENTILES = (1, 5, 25, 50, 75, 95, 99)


#: What a codec may raise on images or settings that it cannot handle.
FAILURES = (ValueError, TypeError, OSError, ImportError, ArithmeticError)


#: Images as codecs take them: rows, an array of them, or one by one.
Images = np.ndarray | Sequence[np.ndarray]


def measure(
    codec: Codec,
    X: Images,
    *,
    image_shape: tuple[int, int] | None = None,
    pixel_range: tuple[float, float] | None = None,
    name: str | None = None,
    setting: Mapping[str, Any] | None = None,
) -> Measurement:
    """Measure the rate, distortion and speed of a codec.

    Parameters
    ----------
    codec : Codec
        The fitted codec.

    X : ndarray of shape (n_images, n_pixels), or images
        Images, at least one; preferably not those that it was fitted on. Those of any
        size and in colours as an array of shape (n_images, height, width[, channels]),
        or as a list of arrays of shape (height, width[, channels]).

    image_shape : tuple of (height, width), default=None
        Size of an image that is a row, for structural similarity, which is left out
        without scikit-image, and for images that are no rows. None treats rows as
        squares if the number of pixels is a square, otherwise as single lines.

    pixel_range : tuple of (low, high), default=None
        Smallest and largest value a pixel can have, the unit of errors. None uses those
        of the codec.

    name : str, default=None
        Name of the codec; by default that of its class.

    setting : dict of str to object, default=None
        What distinguishes this measurement from others of the codec.

    Returns
    -------
    Measurement
        What was measured.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_dae.codecs import HuffmanCodec
    >>> from sklearn_dae.evaluation import measure
    >>> X = load_digits().data
    >>> huffman = measure(HuffmanCodec().fit(X[:1500]), X[1500:])
    >>> huffman.is_lossless, round(huffman.bits_per_pixel, 2)
    (True, 2.97)
    """
    return measure_restored(
        codec,
        X,
        image_shape=image_shape,
        pixel_range=pixel_range,
        name=name,
        setting=setting,
    )[0]


def measure_restored(
    codec: Codec,
    X: Images,
    *,
    image_shape: tuple[int, int] | None = None,
    pixel_range: tuple[float, float] | None = None,
    name: str | None = None,
    setting: Mapping[str, Any] | None = None,
) -> tuple[Measurement, Any]:
    """Measure a codec; also return the images that came out."""
    if not isinstance(X, list | tuple) or np.ndim(X[:1]) < 3:
        X = np.asarray(X)
    if len(X) == 0:
        raise ValueError("X has no image; at least one is needed to measure a codec.")
    low, high = pixel_range or (codec.low_, codec.high_)
    if low >= high:
        raise ValueError(f"pixel_range must have low < high, got {(low, high)!r}.")
    started = time.perf_counter()
    data = codec.encode(X)
    encoded = time.perf_counter()
    restored = codec.decode(data)
    decoded = time.perf_counter()

    errors, largest = _errors(X, restored)
    errors /= (high - low) ** 2
    weights = None if isinstance(X, np.ndarray) else [image.size for image in X]
    worst = int(np.argmax(errors))
    percentiles = np.percentile(errors, _PERCENTILES)
    ssim = None
    if isinstance(X, np.ndarray) and X.ndim == 2:
        shape = shape_of_rows(image_shape, X.shape[1])
        ssim = ssim_if_possible(X, restored, shape, (low, high))
    measurement = Measurement(
        codec=name or type(codec).__name__,
        setting=dict(setting or {}),
        n_images=len(X),
        n_pixels=pixels_of_image(X),
        n_bytes=len(data),
        model_bytes=len(model_to_bytes(codec)),
        mse=float(np.average(errors, weights=weights)),
        mse_percentiles={
            str(percentile): float(error)
            for percentile, error in zip(_PERCENTILES, percentiles, strict=True)
        },
        worst_image=worst,
        worst_mse=float(errors[worst]),
        largest_error=largest / (high - low),
        ssim=ssim,
        encode_seconds=encoded - started,
        decode_seconds=decoded - encoded,
    )
    return measurement, restored


def pixels_of_image(X: Images) -> float:
    """Return how many pixels an image has, each channel counted, or the mean."""
    if isinstance(X, np.ndarray):
        return math.prod(X.shape[1:])
    return sum(np.size(image) for image in X) / len(X)


def unfitted(codec: Codec) -> Codec:
    """Clone a codec, except for a fitted transformer, which it uses as it is."""
    cloned = clone(codec)
    if isinstance(codec, TransformCodec) and _is_fitted(codec.transformer):
        cloned.transformer = codec.transformer
    return cloned


def _is_fitted(estimator: Any) -> bool:
    try:
        check_is_fitted(estimator)
    except (NotFittedError, TypeError):
        return False
    return True


def fit_and_measure(
    codec: Codec,
    X_train: Images,
    X: Images,
    name: str,
    setting: Mapping[str, Any],
    image_shape: tuple[int, int] | None = None,
    pixel_range: tuple[float, float] | None = None,
) -> tuple[Measurement, Any]:
    """Fit a codec on some images, measure it on others; also return these restored."""
    begin = time.perf_counter()
    fitted = unfitted(codec).fit(X_train)
    seconds = time.perf_counter() - begin
    with warnings.catch_warnings():
        # Images apart cost bytes, which are counted.
        warnings.simplefilter("ignore", OutOfDomainWarning)
        # Once for a codec would be once too often for a curve.
        warnings.filterwarnings("ignore", "Structural similarity is left out")
        measurement, restored = measure_restored(
            fitted,
            X,
            image_shape=image_shape,
            pixel_range=pixel_range,
            name=name,
            setting=setting,
        )
    return replace(measurement, fit_seconds=seconds), restored


def _errors(X: Images, Y: Images) -> tuple[np.ndarray, float]:
    """Return the mean squared error of each image, and the largest error of a pixel."""
    errors, largest = np.empty(len(X)), 0.0
    n_images = 1
    if isinstance(X, np.ndarray):
        n_images = max(1, _BLOCK_PIXELS // max(1, math.prod(X.shape[1:])))
    for start in range(0, len(X), n_images):
        block = slice(start, start + n_images)
        difference = np.subtract(X[block], Y[block], dtype=np.float64)
        errors[block] = np.square(difference).reshape(len(difference), -1).mean(axis=1)
        largest = max(largest, float(np.abs(difference).max()))
    return errors, largest
