"""What a transform may take, according to rate-distortion theory.

In: variances, or images. Out: bits. Coordinates are taken to be independent and
Gaussian, which real ones never are: a Gaussian takes the most bits of all distributions
of its variance, so codecs may come out below, and what they cannot exploit may bring
them above.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.fft import dctn

from sklearn_dae.rows import RowBlocks

#: Largest sides of blocks: those that image formats transform.
_SIDES = (8, 16, 32, 64)

#: Fraction of the variance around the mean image that is left as error.
_ERROR = 0.1

#: Numbers that are processed at once.
BLOCK_NUMBERS = 2**19


@dataclass(frozen=True)
class Forecast:
    """Bytes per image with two transforms.

    Parameters
    ----------
    mse : float
        Squared error of a pixel, the same for both; 0 if all images are equal.

    set_bytes : float
        With the principal axes of the set.

    image_bytes : float
        With the cosines of blocks of each image, of the size that suits the images
        best.
    """

    mse: float
    set_bytes: float
    image_bytes: float


def water_level(variances: np.ndarray, error: float) -> float:
    """Return the level for which the smaller of it and each variance sum to the error.

    Spreading the error this way takes the fewest bits: reverse water-filling (Cover &
    Thomas, Elements of Information Theory, 2006, chapter 10.3).
    """
    falling = np.sort(variances)[::-1]
    # With the largest n above the level, the others contribute all they have.
    rest = falling.sum() - np.cumsum(falling)
    levels = (error - rest) / np.arange(1, len(falling) + 1)
    fits = (levels <= falling) & (levels > 0)
    return float(levels[fits][-1]) if fits.any() else float(falling[0])


def forecast(
    X: np.ndarray,
    known: np.ndarray,
    new: np.ndarray,
    shape: tuple[int, int],
    mse: float | None = None,
) -> Forecast:
    """Forecast what axes of the set, and blocks of each image, take at equal error.

    The axes are those of the known images; the variances along them, and those of the
    cosines, are those of the new ones. Without ``mse`` the error is a tenth of the
    variance around the mean image, 10 dB above it.

    Blocks have the size that takes the fewest bytes. If they were all of 8 x 8 pixels,
    axes of whole images would win by what neighbouring blocks have in common, however
    unlike the images are.
    """
    n_pixels = X.shape[1]
    along_axes = _variances_along_axes(X, known, new)
    variance = along_axes.sum() / n_pixels
    if variance <= 0:
        return Forecast(0.0, 0.0, 0.0)
    mse = _ERROR * variance if mse is None else mse
    bits_by_cosines = min(
        _bits_by_cosines(X, new, shape, side, mse)
        for side in _SIDES
        if side == _SIDES[0] or side < 2 * max(shape)
    )
    set_bits = _bits(along_axes, mse * n_pixels)
    return Forecast(float(mse), set_bits / 8, bits_by_cosines / 8)


def _bits(variances: np.ndarray, error: float) -> float:
    level = water_level(variances, error)
    return float(np.log2(variances[variances > level] / level).sum() / 2)


def _variances_along_axes(
    X: np.ndarray, known: np.ndarray, new: np.ndarray
) -> np.ndarray:
    """Return variances of new images along the principal axes of known ones, and off.

    They are taken around the mean of the known images. The axes come from the smaller
    of two matrices: the products of pixels, or those of images.
    """
    if len(known) > X.shape[1]:
        return _variances_by_pixels(X, known, new)
    return _variances_by_images(X, known, new)


def _variances_by_pixels(
    X: np.ndarray, known: np.ndarray, new: np.ndarray
) -> np.ndarray:
    # Differences from an image are exactly 0 where images are equal.
    origin = X[known[0]].astype(float)
    total = sum((images - origin).sum(axis=0) for images in some_at_a_time(X, known))
    mean = origin + total / len(known)
    axes = np.linalg.eigh(_scatter(X, known, mean))[1]
    return (_scatter(X, new, mean) @ axes * axes).sum(axis=0) / len(new)


def _scatter(X: np.ndarray, rows: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return products of pixels, summed over images."""
    total = np.zeros((X.shape[1], X.shape[1]))
    for images in some_at_a_time(X, rows):
        images -= mean
        total += images.T @ images
    return total


def _variances_by_images(
    X: np.ndarray, known: np.ndarray, new: np.ndarray
) -> np.ndarray:
    products = np.zeros((len(known), len(known)))
    cross_products = np.zeros((len(new), len(known)))
    square = 0.0
    width = max(1, BLOCK_NUMBERS // len(known))
    for start in range(0, X.shape[1], width):
        ours, theirs = (
            X[rows, start : start + width].astype(float) for rows in (known, new)
        )
        # As above: equal images must differ by exactly 0.
        origin = ours[0].copy()
        ours -= origin
        theirs -= origin
        mean = ours.mean(axis=0)
        ours -= mean
        theirs -= mean
        products += ours @ ours.T
        cross_products += theirs @ ours.T
        square += float(np.square(theirs).sum())
    lengths, vectors = np.linalg.eigh(products)
    is_axis = lengths > lengths[-1] * len(known) * np.finfo(float).eps
    along = np.square(cross_products @ vectors[:, is_axis]).sum(axis=0)
    along /= lengths[is_axis]
    n_beside = X.shape[1] - len(along)
    beside = np.full(n_beside, max(square - along.sum(), 0) / max(n_beside, 1))
    return np.append(along, beside) / len(new)


def _bits_by_cosines(
    X: np.ndarray, rows: np.ndarray, shape: tuple[int, int], side: int, mse: float
) -> float:
    """Return the bits per image in blocks of at most this side."""
    height, width = (_even_part(length, side) for length in shape)
    # Near zero, little is lost in the difference of mean square and squared mean.
    offset = float(X[rows[0], 0])
    n_blocks, total, squares = 0, 0.0, np.zeros(height * width)
    for images in some_at_a_time(X, rows):
        blocks = _blocks((images - offset).reshape(-1, *shape), height, width)
        cosines = dctn(blocks, axes=(1, 2), norm="ortho").reshape(len(blocks), -1)
        n_blocks += len(blocks)
        total += cosines[:, 0].sum()
        squares += np.square(cosines).sum(axis=0)
    variances = squares / n_blocks
    # The means of the other cosines are not known without the set.
    variances[0] = max(variances[0] - (total / n_blocks) ** 2, 0)
    # Blocks cut by the edge count by the part of them that is there.
    return X.shape[1] / len(variances) * _bits(variances, mse * len(variances))


def _even_part(length: int, most: int) -> int:
    """Return the length of the fewest, most equal parts of at most this length."""
    n_parts = -(-length // most)
    return -(-length // n_parts)


def _blocks(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """Cut images into blocks, the last ones padded by repeating the edge."""
    fill = [(0, 0), (0, -images.shape[1] % height), (0, -images.shape[2] % width)]
    images = np.pad(images, fill, mode="edge")
    n, n_rows, n_columns = images.shape
    parts = images.reshape(n, n_rows // height, height, n_columns // width, width)
    return parts.transpose(0, 1, 3, 2, 4).reshape(-1, height, width)


def _as_floats(images: np.ndarray) -> np.ndarray:
    """Copy images, in double precision."""
    return images.astype(float)


def some_at_a_time(
    X: np.ndarray,
    rows: np.ndarray | None = None,
    convert: Callable[[np.ndarray], np.ndarray] = _as_floats,
) -> RowBlocks:
    """Return images, all or some of them, in blocks that take little memory."""
    n_rows = max(1, BLOCK_NUMBERS // X.shape[1])
    return RowBlocks(X, rows=rows, convert=convert, block_rows=n_rows)
