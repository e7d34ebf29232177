"""How far a reconstruction is from the image."""

from typing import Any

import numpy as np


def squared_error_per_image(
    X: np.ndarray, Y: np.ndarray, pixel_range: tuple[float, float] = (0.0, 1.0)
) -> float:
    """Return the squared differences summed over pixels, averaged over images.

    Parameters
    ----------
    X, Y : ndarray of shape (n_images, n_pixels)
        Images and their reconstructions.

    pixel_range : tuple of (low, high), default=(0.0, 1.0)
        The error is given in units of this range, so that it does not depend on
        whether pixels go from 0 to 1 or from 0 to 255.

    Returns
    -------
    float
        The error per image, in squared units of the range.

    Raises
    ------
    ValueError
        If the range is empty.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae.evaluation import squared_error_per_image
    >>> X = np.array([[0, 255], [255, 255]], np.uint8)
    >>> squared_error_per_image(X, np.zeros((2, 2)), (0, 255))
    1.5
    """
    low, high = pixel_range
    if low >= high:
        raise ValueError(f"pixel_range must have low < high, got {pixel_range!r}.")
    total = 0.0
    for start in range(0, len(X), 1024):
        rows = slice(start, start + 1024)
        difference = np.subtract(X[rows], Y[rows], dtype=np.float64)
        total += float(np.square(difference).sum())
    return total / len(X) / (high - low) ** 2


def psnr(
    X: np.ndarray, Y: np.ndarray, pixel_range: tuple[float, float] = (0.0, 1.0)
) -> float:
    """Return the peak signal-to-noise ratio of all images together.

    Parameters
    ----------
    X, Y : ndarray of shape (n_images, n_pixels)
        Images and their reconstructions.

    pixel_range : tuple of (low, high), default=(0.0, 1.0)
        Smallest and largest value a pixel can have; their difference is the peak.

    Returns
    -------
    float
        In decibels; infinite when the reconstructions are exact.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae.evaluation import psnr
    >>> round(psnr(np.ones((1, 4)), np.full((1, 4), 0.9)), 6)
    20.0
    """
    error = squared_error_per_image(X, Y, pixel_range) / X.shape[1]
    return float("inf") if error == 0 else float(-10 * np.log10(error))


def reconstruction_scorer(estimator: Any, X: np.ndarray, y: Any = None) -> float:
    """Score any transformer that has an inverse, for grid searches over several.

    Parameters
    ----------
    estimator : transformer with ``inverse_transform``
        A fitted autoencoder, PCA, or Pipeline of these.

    X : ndarray of shape (n_images, n_pixels)
        Images.

    y : Ignored
        Not used, present for API consistency by convention.

    Returns
    -------
    float
        Minus the squared error per image, in squared units of X. Higher is better.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_dae.evaluation import reconstruction_scorer
    >>> search = GridSearchCV(
    ...     PCA(), {"n_components": [8, 16]}, scoring=reconstruction_scorer
    ... )
    >>> search.fit(load_digits().data).best_params_
    {'n_components': 16}
    """
    images = estimator.inverse_transform(estimator.transform(X))
    return -squared_error_per_image(np.asarray(X), np.asarray(images))
