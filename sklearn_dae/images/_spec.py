"""What one image is: its size, its channels, and the numbers in it."""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from sklearn_dae._validation import check_integer

#: Kinds of numbers that pixels may be: booleans, integers, real numbers.
_KINDS = "biuf"

#: What channels are called, by their number.
_COLOURS = {1: "grey", 2: "grey and opacity", 3: "RGB", 4: "RGB and opacity"}

#: The kind of numbers that most images have.
_BYTES = np.dtype(np.uint8)


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """The size of an image, its channels, and the kind and range of its numbers.

    Parameters
    ----------
    height, width : int
        Size in pixels.

    channels : int, default=1
        Numbers of a pixel. An image of one channel has the shape (height, width), any
        other (height, width, channels).

    dtype : dtype, default=uint8
        Kind of the numbers, in this machine's byte order.

    range : tuple of (low, high), default=None
        The smallest and the largest number that there may be, such as (0, 4095) for 12
        bits of 16. None means what the dtype can hold, and for real numbers that
        nothing is known.

    Raises
    ------
    ValueError
        If there can be no such image: no pixel, numbers of another kind, or a range
        that the dtype does not hold.

    Examples
    --------
    >>> from sklearn_dae.images import ImageSpec
    >>> spec = ImageSpec(480, 640, 3)
    >>> print(spec)
    640 x 480 pixels, RGB, uint8
    >>> spec.shape, spec.n_numbers
    ((480, 640, 3), 921600)
    """

    height: int
    width: int
    channels: int = 1
    dtype: np.dtype = _BYTES
    range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        for name in ("height", "width", "channels"):
            check_integer(name, getattr(self, name), 1)
        dtype = np.dtype(self.dtype).newbyteorder("=")
        if dtype.kind not in _KINDS or dtype.itemsize > 8:
            raise ValueError(
                f"Pixels are {dtype}; expected integers or real numbers of at most 64 "
                "bits: convert them, such as by images.astype(np.float64)."
            )
        object.__setattr__(self, "dtype", dtype)
        limits = self.range
        if limits is not None:
            limits = _checked_range(limits, dtype)
        elif dtype.kind != "f":
            limits = _range_of(dtype)
        object.__setattr__(self, "range", limits)

    @classmethod
    def of_shape(cls, shape: tuple[int, ...], dtype: Any = np.uint8) -> Self:
        """Describe an image of shape (height, width) or (height, width, channels).

        Raises
        ------
        ValueError
            If it is another shape.
        """
        if not isinstance(shape, tuple | list) or len(shape) not in (2, 3):
            raise ValueError(
                f"An image has the shape {shape!r}; expected (height, width) or "
                "(height, width, channels)."
            )
        if 0 in shape:
            raise ValueError(f"An image has the shape {shape}: there is no pixel.")
        height, width, channels = (*shape, 1)[:3]
        return cls(height, width, channels, dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an image as an array."""
        size = self.height, self.width
        return size if self.channels == 1 else (*size, self.channels)

    @property
    def n_pixels(self) -> int:
        """Number of pixels of an image."""
        return self.height * self.width

    @property
    def n_numbers(self) -> int:
        """Number of numbers of an image: of its pixels times its channels."""
        return math.prod(self.shape)

    @property
    def n_bytes(self) -> int:
        """Bytes of an image in memory."""
        return self.n_numbers * self.dtype.itemsize

    @property
    def depth(self) -> int:
        """Bits that a number of the range takes; those of its dtype for real ones."""
        if self.range is None or self.dtype.kind == "f":
            return 8 * self.dtype.itemsize
        low, high = self.range
        return max(1, int(high - low).bit_length())

    def __str__(self) -> str:
        colours = _COLOURS.get(self.channels, f"{self.channels} channels")
        plain = self.dtype.kind == "b" or self.depth == 8 * self.dtype.itemsize
        depth = "" if plain else f", {self.depth} bit{'s' if self.depth > 1 else ''}"
        return f"{self.width} x {self.height} pixels, {colours}, {self.dtype}{depth}"


def _range_of(dtype: np.dtype) -> tuple[float, float]:
    """Return the smallest and the largest number of a dtype."""
    if dtype.kind == "b":
        return 0, 1
    if dtype.kind == "f":
        return float(np.finfo(dtype).min), float(np.finfo(dtype).max)
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


def _checked_range(limits: Any, dtype: np.dtype) -> tuple[float, float]:
    """Return a range as Python's numbers; raises ValueError if there is none such."""
    number: type = float if dtype.kind == "f" else int
    lowest, highest = _range_of(dtype)
    try:
        low, high = given = tuple(map(number, limits))
        is_sound = given == tuple(limits) and lowest <= low <= high <= highest
    except (TypeError, ValueError, OverflowError):
        is_sound = False
    if not is_sound:
        raise ValueError(
            f"Pixels have the range {limits!r}; expected (low, high), {dtype} from "
            f"{lowest:g} to {highest:g}."
        )
    return low, high
