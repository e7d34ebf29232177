"""Images as rows <-> planes of whole numbers, and what these may be."""

from collections.abc import Sequence
from math import gcd
from typing import NamedTuple, Self

import numpy as np

from sklearn_dae._bytes import ByteReader, leb128
from sklearn_dae.codecs._levels import Levels
from sklearn_dae.codecs._ycocg import from_ycocg, to_ycocg
from sklearn_dae.entropy import Stack
from sklearn_dae.entropy._generic import N_COLOURS
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec

#: Largest number that is taken, and smallest, less its sign.
_MOST_WHOLE = 2**61


class Form(NamedTuple):
    """How images of a chunk become planes, and back.

    Parameters
    ----------
    repeats : int
        How many equal pixels follow each other everywhere, in rows and in columns, of
        images that were enlarged; only one of them is coded.

    levels : Levels
        The values that they use.

    is_exact : bool
        Whether planes come back as they are. Then colours may be transformed; a bound
        on errors would not survive that.
    """

    repeats: int
    levels: Levels
    is_exact: bool

    @classmethod
    def of(cls, rows: np.ndarray, spec: ImageSpec, *, is_exact: bool) -> Self:
        """Find the form of images."""
        images = rows.reshape(len(rows), spec.height, spec.width, spec.channels)
        levels = Levels.of(images, may_skip=is_exact)
        return cls(_repeats(images), levels, is_exact)

    @classmethod
    def read(cls, reader: ByteReader, *, is_exact: bool) -> Self:
        """Read what `to_bytes` wrote.

        Raises
        ------
        BitstreamError
            If it is none.
        """
        return cls(reader.leb128(), Levels.read(reader), is_exact)

    def to_bytes(self) -> bytes:
        """Write a form: its first byte is not 0."""
        return leb128(self.repeats) + self.levels.to_bytes()

    def stack(self, n_images: int, spec: ImageSpec) -> Stack:
        """Describe what is coded of images of a kind.

        Raises
        ------
        BitstreamError
            If there are no such images.
        """
        if not self.repeats or spec.height % self.repeats or spec.width % self.repeats:
            raise BitstreamError(
                f"Images of {spec} cannot consist of {self.repeats} equal rows and "
                "columns everywhere: the bytes are damaged."
            )
        height, width = spec.height // self.repeats, spec.width // self.repeats
        return Stack(n_images, height, width, spec.channels)

    def planes(self, rows: np.ndarray, spec: ImageSpec) -> np.ndarray:
        """Turn rows of values into planes: (n_images, channels, height, width)."""
        images = rows.reshape(len(rows), spec.height, spec.width, spec.channels)
        images = images[:, :: self.repeats, :: self.repeats]
        planes = np.moveaxis(self.levels.levels(images).astype(np.int32), 3, 1)
        return to_ycocg(planes) if self._transforms(spec.channels) else planes

    def rows(self, planes: np.ndarray) -> np.ndarray:
        """Turn planes into rows of values."""
        numbers = planes.astype(np.int64)
        if self._transforms(numbers.shape[1]):
            numbers = from_ycocg(numbers)
            if numbers.min() < 0 or numbers.max() >= self.levels.n:
                raise BitstreamError("A colour is none: the bytes are damaged.")
        images = self.levels.values(np.moveaxis(numbers, 1, 3))
        if self.repeats > 1:
            images = images.repeat(self.repeats, axis=1).repeat(self.repeats, axis=2)
        return images.reshape(len(images), -1)

    def _transforms(self, channels: int) -> bool:
        """Whether the first channels are colours that are transformed."""
        return self.is_exact and channels >= N_COLOURS


def _repeats(images: np.ndarray) -> int:
    """Return how many equal rows, and columns, follow each other everywhere."""
    _, height, width, _ = images.shape
    n = gcd(height, width)
    for rows in (images.swapaxes(1, 2), images):
        if n > 1:
            differ = (rows[:, 1:] != rows[:, :-1]).any(axis=(0, 2, 3))
            n = int(np.gcd.reduce(np.flatnonzero(differ) + 1, initial=n))
    return n


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
    forms: Sequence[Form], stacks: Sequence[Stack]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the largest number of each plane of all images."""
    n = np.repeat([form.levels.n for form in forms], [of.n_images for of in stacks])
    high = np.repeat(n[:, np.newaxis] - 1, stacks[0].channels, axis=1)
    low = np.zeros_like(high)
    if forms[0].is_exact and stacks[0].channels >= N_COLOURS:
        low[:, 1:N_COLOURS] = -high[:, 1:N_COLOURS]
    return low, high
