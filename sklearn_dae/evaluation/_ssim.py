"""Structural similarity of images, on one scale and on several.

In: images and their reconstructions. Out: a number, 1 for equal images.
"""

from collections.abc import Iterator

import numpy as np
from scipy.ndimage import correlate1d

#: Wang et al.'s window: a Gaussian of this deviation, this many pixels to each side.
_DEVIATION, _RADIUS = 1.5, 5

#: Their constants, which keep quotients finite, in units of the pixel range.
_K1, _K2 = 0.01, 0.03

#: Weight of each scale, from the full size down; each halves the one before.
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)

#: Pixels that are processed at once.
_BLOCK_PIXELS = 2**20


def fits_ssim(shape: tuple[int, int]) -> bool:
    """Whether the window fits into images of a given shape."""
    return min(shape) > 2 * _RADIUS


def fits_ms_ssim(shape: tuple[int, int]) -> bool:
    """Whether the window fits into images of a given shape on the smallest scale."""
    height, width = (side >> (len(_SCALE_WEIGHTS) - 1) for side in shape)
    return fits_ssim((height, width))


def ssim(
    X: np.ndarray,
    Y: np.ndarray,
    image_shape: tuple[int, int],
    pixel_range: tuple[float, float] = (0.0, 1.0),
) -> float:
    """Return the mean structural similarity.

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
        _refuse(image_shape, 1)
    similarities = [
        (luminance * structure).mean(axis=(1, 2))
        for x, y in _blocks(X, Y, image_shape, pixel_range)
        for luminance, structure in [_compare(x, y)]
    ]
    return float(np.concatenate(similarities).mean())


def ms_ssim(
    X: np.ndarray,
    Y: np.ndarray,
    image_shape: tuple[int, int],
    pixel_range: tuple[float, float] = (0.0, 1.0),
) -> float:
    """Return mean structural similarity on five scales, each half of the one before.

    Parameters
    ----------
    X, Y : ndarray of shape (n_images, height * width)
        Images and their reconstructions.

    image_shape : tuple of (height, width)
        Size of an image in pixels, at least 176 x 176.

    pixel_range : tuple of (low, high), default=(0.0, 1.0)
        Smallest and largest value a pixel can have.

    Returns
    -------
    float
        The mean over all images, between 0 and 1.

    Raises
    ------
    ValueError
        If the window is larger than the images on the smallest scale.

    References
    ----------
    Wang, Z., Simoncelli, E. P. and Bovik, A. C. (2003). Multiscale structural
    similarity for image quality assessment. Asilomar Conference on Signals, Systems
    and Computers, 1398-1402.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae.evaluation import ms_ssim
    >>> X = np.random.default_rng(0).random((2, 176 * 176))
    >>> ms_ssim(X, X, (176, 176))
    1.0
    """
    if not fits_ms_ssim(image_shape):
        _refuse(image_shape, 2 ** (len(_SCALE_WEIGHTS) - 1))
    similarities = [
        _over_scales(x, y) for x, y in _blocks(X, Y, image_shape, pixel_range)
    ]
    return float(np.concatenate(similarities).mean())


def _refuse(image_shape: tuple[int, int], factor: int) -> None:
    height, width = image_shape
    side = factor * (2 * _RADIUS + 1)
    raise ValueError(
        f"Images of {width} x {height} pixels are too small for this similarity: its "
        f"window takes {side} x {side} pixels."
    )


def _blocks(
    X: np.ndarray,
    Y: np.ndarray,
    image_shape: tuple[int, int],
    pixel_range: tuple[float, float],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield images and reconstructions, some at a time, scaled to [0, 1]."""
    low, high = pixel_range
    n_rows = max(1, _BLOCK_PIXELS // X.shape[1])
    for start in range(0, len(X), n_rows):
        rows = slice(start, start + n_rows)
        x, y = ((Z[rows].astype(float) - low) / (high - low) for Z in (X, Y))
        yield x.reshape(-1, *image_shape), y.reshape(-1, *image_shape)


def _over_scales(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Similarity of each image: structure on all scales, luminance on the last."""
    product = np.ones(len(x))
    *first, last = _SCALE_WEIGHTS
    for weight in first:
        _, structure = _compare(x, y)
        # A power of a negative number is not real; such images are not alike at all.
        product *= structure.mean(axis=(1, 2)).clip(0) ** weight
        x, y = _halve(x), _halve(y)
    luminance, structure = _compare(x, y)
    return product * (luminance * structure).mean(axis=(1, 2)).clip(0) ** last


def _halve(images: np.ndarray) -> np.ndarray:
    """Average squares of 2 x 2 pixels; an odd line at the end is left out."""
    height, width = (side // 2 * 2 for side in images.shape[1:])
    squares = images[:, :height, :width].reshape(-1, height // 2, 2, width // 2, 2)
    return squares.mean(axis=(2, 4))


def _compare(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Similarity of luminance, and of structure, at every place of the window."""
    mean_x, mean_y = _blur(x), _blur(y)
    var_x = _blur(x * x) - mean_x**2
    var_y = _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _K1**2) / (mean_x**2 + mean_y**2 + _K1**2)
    structure = (2 * covariance + _K2**2) / (var_x + var_y + _K2**2)
    return luminance, structure


def _blur(images: np.ndarray) -> np.ndarray:
    offsets = np.arange(-_RADIUS, _RADIUS + 1)
    window = np.exp(-(offsets**2) / (2 * _DEVIATION**2))
    window /= window.sum()
    for axis in (1, 2):
        images = correlate1d(images, window, axis=axis)
    inside = slice(_RADIUS, -_RADIUS)
    return images[:, inside, inside]
