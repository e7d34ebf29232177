"""Structural similarity of images.

In: images and their reconstructions. Out: a number, 1 for equal ones.
"""

import numpy as np
from scipy.ndimage import correlate1d

#: Wang et al.'s window: a Gaussian of this deviation, so many pixels to each side.
_DEVIATION, _RADIUS = 1.5, 5

#: Their constants, which keep quotients finite, in units of the pixel range.
_K1, _K2 = 0.01, 0.03

#: Pixels that are worked on at once.
_BLOCK_PIXELS = 2**20


def fits_ssim(shape: tuple[int, int]) -> bool:
    """Whether the window fits into images of a shape."""
    return min(shape) > 2 * _RADIUS


def ssim(
    X: np.ndarray,
    Y: np.ndarray,
    image_shape: tuple[int, int],
    pixel_range: tuple[float, float] = (0.0, 1.0),
) -> float:
    """Mean structural similarity.

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
    if not fits_ssim(image_shape):
        height, width = image_shape
        side = 2 * _RADIUS + 1
        raise ValueError(
            f"Images of {width} x {height} pixels are smaller than the window of "
            f"structural similarity, {side} x {side} pixels."
        )
    low, high = pixel_range
    rows = max(1, _BLOCK_PIXELS // X.shape[1])
    total = 0.0
    for start in range(0, len(X), rows):
        x, y = (
            (Z[start : start + rows].astype(float).reshape(-1, *image_shape) - low)
            / (high - low)
            for Z in (X, Y)
        )
        total += float(_ssim_map(x, y).mean(axis=(1, 2)).sum())
    return total / len(X)


def _ssim_map(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Structural similarity at every place where the window fits."""
    mean_x, mean_y = _blur(x), _blur(y)
    var_x = _blur(x * x) - mean_x**2
    var_y = _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _K1**2) / (mean_x**2 + mean_y**2 + _K1**2)
    structure = (2 * covariance + _K2**2) / (var_x + var_y + _K2**2)
    return luminance * structure


def _blur(images: np.ndarray) -> np.ndarray:
    offsets = np.arange(-_RADIUS, _RADIUS + 1)
    window = np.exp(-(offsets**2) / (2 * _DEVIATION**2))
    window /= window.sum()
    for axis in (1, 2):
        images = correlate1d(images, window, axis=axis)
    inside = slice(_RADIUS, -_RADIUS)
    return images[:, inside, inside]
