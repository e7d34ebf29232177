"""Images as rows <-> planes of whole numbers, and what these may be."""

from collections.abc import Sequence

import numpy as np

from sklearn_dae.codecs._levels import Levels
from sklearn_dae.codecs._ycocg import from_ycocg, to_ycocg
from sklearn_dae.entropy import Stack
from sklearn_dae.entropy._generic import N_COLOURS
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec

#: Largest number that is taken, and smallest, less its sign.
_MOST_WHOLE = 2**61


def stack_of(n_images: int, spec: ImageSpec) -> Stack:
    """Describe images of a kind as they are coded together."""
    return Stack(n_images, spec.height, spec.width, spec.channels)


def to_planes(levels: np.ndarray, stack: Stack, transforms: bool) -> np.ndarray:
    """Turn rows of levels into planes: (n_images, channels, height, width)."""
    n_images, height, width, channels = stack
    images = levels.reshape(n_images, height, width, channels)
    planes = np.moveaxis(images, 3, 1)
    return to_ycocg(planes) if transforms and channels >= N_COLOURS else planes


def from_planes(planes: np.ndarray, levels: Levels, transforms: bool) -> np.ndarray:
    """Turn planes into rows of values."""
    numbers = planes.astype(np.int64)
    if transforms and numbers.shape[1] >= N_COLOURS:
        numbers = from_ycocg(numbers)
        if numbers.min() < 0 or numbers.max() >= levels.n:
            raise BitstreamError("A colour is none: the bytes are damaged.")
    return levels.values(np.moveaxis(numbers, 1, 3).reshape(len(numbers), -1))


def whole(rows: np.ndarray) -> np.ndarray:
    """Return numbers as integers.

    Raises
    ------
    ValueError
        If they are none.
    """
    if rows.dtype.kind in "iub":
        if (
            rows.size
            and not -_MOST_WHOLE <= int(rows.min()) <= int(rows.max()) <= _MOST_WHOLE
        ):
            raise ValueError(
                f"X holds numbers from {rows.min()} to {rows.max()}; PixelCodec takes "
                f"them from {-_MOST_WHOLE} to {_MOST_WHOLE}. Store them by "
                "GeneralCodec('lzma')."
            )
        return rows
    with np.errstate(invalid="ignore"):
        numbers = rows.astype(np.int64)
    if not np.array_equal(numbers, rows) or (np.signbit(rows) & (rows == 0)).any():
        raise ValueError(
            f"X holds {rows.dtype} numbers that are not all whole; PixelCodec takes "
            "whole numbers only: round them, such as by np.rint(X), or store them by "
            "GeneralCodec('lzma'), which takes them as they are."
        )
    return numbers


def limits_of(
    levels: Sequence[Levels], stacks: Sequence[Stack], transforms: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the largest number of each plane of all images."""
    n = np.repeat([of.n for of in levels], [stack.n_images for stack in stacks])
    high = np.repeat(n[:, np.newaxis] - 1, stacks[0].channels, axis=1)
    low = np.zeros_like(high)
    if transforms and stacks[0].channels >= N_COLOURS:
        low[:, 1:N_COLOURS] = -high[:, 1:N_COLOURS]
    return low, high
