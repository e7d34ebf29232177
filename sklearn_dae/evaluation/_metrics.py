"""How far a reconstruction is from the image.

In: images and their reconstructions. Out: a number.
"""

from typing import Any

import numpy as np

from sklearn_dae._warnings import warn

#: What to say where it is left out.
WITHOUT_SSIM = (
    "Structural similarity is left out: it needs scikit-image "
    "(pip install 'sklearn-dae[full]')"
)

#: Side of the window of structural similarity, and pixels around its middle.
_WINDOW, _RADIUS = 11, 5

#: Pixels whose structural similarity is computed at once.
_BLOCK_PIXELS = 2**20


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


def ssim(
    X: np.ndarray,
    Y: np.ndarray,
    image_shape: tuple[int, int],
    pixel_range: tuple[float, float] = (0.0, 1.0),
) -> float:
    """Return the mean structural similarity, as scikit-image computes it.

    Parameters
    ----------
    X, Y : ndarray of shape (n_images, height * width)
        Images and their reconstructions.

    image_shape : tuple of (height, width)
        Size of an image in pixels, at least 11 x 11.

    pixel_range : tuple of (low, high), default=(0.0, 1.0)
        Smallest and largest value a pixel can have.

    Returns
    -------
    float
        The mean over all images and all places of the 11 x 11 window within them, at
        most 1.

    Raises
    ------
    ValueError
        If the window is larger than the images.

    ImportError
        If scikit-image is missing; the message says what to install.

    References
    ----------
    Wang, Z., Bovik, A. C., Sheikh, H. R. and Simoncelli, E. P. (2004). Image quality
    assessment: from error visibility to structural similarity. IEEE Transactions on
    Image Processing 13, 600-612.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae.evaluation import ssim
    >>> X = np.random.default_rng(0).random((2, 256))
    >>> ssim(X, X, (16, 16))
    1.0
    >>> ssim(X, 1 - X, (16, 16)) < 0
    True
    """
    height, width = image_shape
    if not fits_ssim(image_shape):
        raise ValueError(
            f"Images of {width} x {height} pixels are too small for structural "
            f"similarity: its window takes {_WINDOW} x {_WINDOW} pixels."
        )
    structural_similarity = _import_ssim()
    low, high = pixel_range
    total = 0.0
    n_rows = max(1, _BLOCK_PIXELS // X.shape[1])
    for start in range(0, len(X), n_rows):
        rows = slice(start, start + n_rows)
        x, y = ((Z[rows].astype(float) - low) / (high - low) for Z in (X, Y))
        # Images one below another are compared in one go; windows that reach from one
        # into the next are left out.
        _, places = structural_similarity(
            x.reshape(-1, width),
            y.reshape(-1, width),
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )
        inside = slice(_RADIUS, -_RADIUS)
        places = places.reshape(-1, height, width)[:, inside, inside]
        total += float(places.mean(axis=(1, 2)).sum())
    return total / len(X)


def ssim_if_possible(
    X: np.ndarray,
    Y: np.ndarray,
    image_shape: tuple[int, int],
    pixel_range: tuple[float, float],
) -> float | None:
    """Return `ssim`; None for small images, or, and a warning, without scikit-image."""
    if not fits_ssim(image_shape):
        return None
    if not has_ssim():
        warn(f"{WITHOUT_SSIM}.")
        return None
    return ssim(X, Y, image_shape, pixel_range)


def fits_ssim(image_shape: tuple[int, int]) -> bool:
    """Whether the window fits into images of a given size."""
    return min(image_shape) >= _WINDOW


def has_ssim() -> bool:
    """Whether scikit-image is installed."""
    try:
        _import_ssim()
    except ImportError:
        return False
    return True


def _import_ssim() -> Any:
    try:
        from skimage.metrics import structural_similarity
    except ImportError as error:
        raise ImportError(
            "Structural similarity needs scikit-image: pip install 'sklearn-dae[full]'."
        ) from error
    return structural_similarity


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
