"""What a transform may take, by the theory of rate and distortion.

In: variances, or images. Out: bits. Coordinates are taken for independent and Gaussian,
which no real ones are: a Gaussian takes the most bits of all with its variance, so
codecs may come out below, and what they cannot exploit may bring them above.
"""

from dataclasses import dataclass

import numpy as np
from scipy.fft import dctn

#: Side of the blocks that image formats transform.
_SIDE = 8

#: Part of the variance around the mean image that is left as error.
_ERROR = 0.1

#: Images of each half of the set, at least, and pixels of them beyond that.
_FEWEST_ROWS, _MOST_PIXELS = 1000, 2**21


@dataclass(frozen=True)
class Forecast:
    """Bytes of an image by two transforms.

    Parameters
    ----------
    mse : float
        Squared error of a pixel, the same for both.

    set_bytes : float
        By the principal axes of the set.

    image_bytes : float
        By the cosines of blocks of 8 x 8 pixels.
    """

    mse: float
    set_bytes: float
    image_bytes: float


def water_level(variances: np.ndarray, error: float) -> float:
    """Level at which the smaller of it and each variance add up to the error.

    Spreading the error so takes the fewest bits: reverse water-filling (Cover & Thomas,
    Elements of Information Theory, 2006, chapter 10.3).
    """
    falling = np.sort(variances)[::-1]
    # With the largest n above the level, the others give all they have.
    rest = falling.sum() - np.cumsum(falling)
    levels = (error - rest) / np.arange(1, len(falling) + 1)
    fits = (levels <= falling) & (levels > 0)
    return float(levels[fits][-1]) if fits.any() else float(falling[0])


def forecast(
    X: np.ndarray, shape: tuple[int, int], rng: np.random.Generator
) -> Forecast:
    """Forecast what axes of the set, and blocks of each image, take at equal error.

    The axes are those of one half of the images; the variances along them, and those of
    the cosines, are of the other half. The error is a tenth of the variance around the
    mean image, 10 dB above it.
    """
    n_rows = max(_FEWEST_ROWS, _MOST_PIXELS // X.shape[1])
    order = rng.permutation(len(X))[: 2 * n_rows]
    known, new = (X[half].astype(float) for half in np.array_split(order, 2))
    new -= known.mean(axis=0)
    error = _ERROR * float(np.square(new).sum(axis=1).mean())
    set_bits = _bits(_variances_along_axes(known, new), error)
    new += known.mean(axis=0)
    blocks = _blocks(new.reshape(-1, *shape))
    cosines = dctn(blocks, axes=(1, 2), norm="ortho").reshape(len(blocks), -1)
    side = cosines.shape[1]
    # Blocks that the edge cuts count by the part of them that is there.
    image_bits = _bits(cosines.var(axis=0), error * side / X.shape[1])
    image_bits *= X.shape[1] / side
    return Forecast(error / X.shape[1], set_bits / 8, image_bits / 8)


def _bits(variances: np.ndarray, error: float) -> float:
    if error <= 0:
        return 0.0
    level = water_level(variances, error)
    return float(np.log2(variances[variances > level] / level).sum() / 2)


def _variances_along_axes(known: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Variances of new images along the principal axes of known ones, and beside."""
    axes = np.linalg.svd(known - known.mean(axis=0), full_matrices=False)[2]
    variances = np.square(new @ axes.T).mean(axis=0)
    n_beside = known.shape[1] - len(axes)
    if n_beside:
        beside = float(np.square(new).sum(axis=1).mean()) - variances.sum()
        variances = np.append(variances, np.full(n_beside, max(beside, 0) / n_beside))
    return variances


def _blocks(images: np.ndarray) -> np.ndarray:
    """Cut images into blocks, the last ones filled up by repeating the edge."""
    height, width = (min(_SIDE, side) for side in images.shape[1:])
    fill = [(0, 0), (0, -images.shape[1] % height), (0, -images.shape[2] % width)]
    images = np.pad(images, fill, mode="edge")
    n, n_rows, n_columns = images.shape
    parts = images.reshape(n, n_rows // height, height, n_columns // width, width)
    return parts.transpose(0, 1, 3, 2, 4).reshape(-1, height, width)
