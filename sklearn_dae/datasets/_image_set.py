"""What every loader returns."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np


def shape_of_row(n_pixels: int) -> tuple[int, int]:
    """Take a row of pixels as a square image if it can be one, else as a line."""
    side = math.isqrt(n_pixels)
    return (side, side) if side * side == n_pixels else (1, n_pixels)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one size, one per row.

    Parameters
    ----------
    data : ndarray of shape (n_images, height * width)
        Pixels, row by row, in the dtype they came in.

    shape : tuple of (height, width)
        Size of an image in pixels.

    source : str
        Where the images came from, for people to read.

    names : sequence of str
        A name for each image, such as its file name; empty if they have none.

    Examples
    --------
    >>> from sklearn_dae.datasets import load_digits
    >>> digits = load_digits()
    >>> len(digits), digits.shape
    (1797, (8, 8))
    """

    data: np.ndarray
    shape: tuple[int, int]
    source: str
    names: Sequence[str] = field(default=(), repr=False)

    @classmethod
    def from_array(cls, array: np.ndarray, source: str) -> Self:
        """Take images of shape (n, height, width), or rows of shape (n, n_pixels).

        Rows whose length is a square number are taken as square images, others
        as images of a single line.

        Raises
        ------
        ValueError
            If the array has another number of dimensions, has no pixels, or is not
            numeric.
        """
        if array.ndim not in (2, 3):
            raise ValueError(
                f"{source} has shape {array.shape}; expected (n_images, height, width) "
                "or (n_images, n_pixels), in shades of grey."
            )
        if 0 in array.shape:
            raise ValueError(f"{source} has shape {array.shape}: there is no pixel.")
        if array.dtype.kind not in "buif":
            raise ValueError(
                f"{source} has dtype {array.dtype}; expected integers or real numbers."
            )
        shape = array.shape[1:] if array.ndim == 3 else shape_of_row(array.shape[1])
        return cls(array.reshape(len(array), -1), shape, source)

    def __len__(self) -> int:
        return len(self.data)

    def blocks(self, n_images: int) -> Iterator["ImageSet"]:
        """Yield the images, ``n_images`` at a time; the last block may have fewer."""
        for start in range(0, len(self), n_images):
            part = slice(start, start + n_images)
            yield replace(self, data=self.data[part], names=self.names[part])
