"""The values that images use, so that the others cost nothing.

In: images of whole numbers. Out: the same as *levels*: their numbers among the values
that occur, or how far they are above the smallest, and what is needed to undo that.
"""

import zlib
from dataclasses import dataclass
from typing import Self

import numpy as np

from sklearn_dae._bytes import ByteReader, frame, leb128
from sklearn_dae.exceptions import BitstreamError

#: Most levels that there may be.
MOST_LEVELS = 2**16

#: Neighbours among the values used by which it is told how dense they lie.
_N_NEAR = 8

#: Most values from the smallest to the largest.
_MOST_SPAN = 2**62

#: Up to so many of them, a bit says of each whether it is used; of more, those that are
#: used are listed.
_MOST_BITS = 2**20

#: Most bytes of one that is listed.
_MOST_LISTED = 9


@dataclass(frozen=True, eq=False)
class Levels:
    """The values that some images use.

    Parameters
    ----------
    low : int
        The smallest value.

    n : int
        Number of levels.

    used : ndarray of int of shape (n,) or None
        How far above the smallest each level is; None if they are all the values from
        the smallest on.
    """

    low: int
    n: int
    used: np.ndarray | None = None

    @classmethod
    def of(cls, images: np.ndarray, *, may_skip: bool = True) -> Self:
        """Find the levels of images.

        Parameters
        ----------
        images : ndarray of int of shape (..., channels)
            The images.

        may_skip : bool, default=True
            Whether values that do not occur may be left out.

        Raises
        ------
        ValueError
            If there are more than 65,536 levels, or they are too far apart.
        """
        low, high = int(images.min()), int(images.max())
        levels = cls(low, high - low + 1)
        if may_skip and levels.n <= _MOST_SPAN:
            above = np.unique(images).astype(np.int64) - low
            used = cls(low, len(above), above)
            # What it saves: the logarithm of how far apart values are, but nothing for
            # a number that is the one before it once more.
            pixels = images.reshape(-1, images.shape[-1])
            changed = pixels[1:][pixels[1:] != pixels[:-1]]
            at = np.searchsorted(above, changed.astype(np.int64) - low)
            saved = np.bincount(at, minlength=len(above)) @ np.log2(_spacings(above))
            if levels.n > MOST_LEVELS or saved > 8 * len(used.to_bytes()) + 64:
                levels = used
        if levels.n > MOST_LEVELS:
            raise ValueError(
                f"X holds numbers from {low} to {high}, {levels.n} levels; PixelCodec "
                f"takes at most {MOST_LEVELS}, or, without loss, so many that are "
                f"used. Store them by GeneralCodec('lzma')."
            )
        return levels

    def levels(self, images: np.ndarray) -> np.ndarray:
        """Turn values into levels, from 0 on."""
        above = images.astype(np.int64) - self.low
        return above if self.used is None else np.searchsorted(self.used, above)

    def values(self, levels: np.ndarray) -> np.ndarray:
        """Turn levels into values."""
        levels = levels.astype(np.int64)
        return self.low + (levels if self.used is None else self.used[levels])

    def to_bytes(self) -> bytes:
        """Write the levels."""
        low = 2 * self.low if self.low >= 0 else -2 * self.low - 1
        parts = [leb128(low), leb128(self.n - 1)]
        if self.used is None:
            return b"".join([*parts, leb128(0)])
        n_values = int(self.used[-1]) + 1
        if n_values <= _MOST_BITS:
            bits = np.zeros(n_values, bool)
            bits[self.used] = True
            listed = np.packbits(bits).tobytes()
        else:
            listed = b"".join(map(leb128, np.diff(self.used).tolist()))
        packed = zlib.compress(listed, 9)
        return b"".join([*parts, leb128(n_values), frame(packed)])

    @classmethod
    def read(cls, reader: ByteReader) -> Self:
        """Read levels.

        Raises
        ------
        BitstreamError
            If there are none such.
        """
        folded, n, n_values = reader.leb128(), reader.leb128() + 1, reader.leb128()
        if folded >= 2**64 or n > MOST_LEVELS or n_values > _MOST_SPAN:
            raise BitstreamError(
                f"Images have {n} levels out of {n_values}; expected at most "
                f"{MOST_LEVELS}."
            )
        low = (folded >> 1) ^ -(folded & 1)
        if not n_values:
            return cls(low, n)
        has_bits = n_values <= _MOST_BITS
        most = -(-n_values // 8) if has_bits else _MOST_LISTED * n
        try:
            unpacker = zlib.decompressobj()
            listed = unpacker.decompress(reader.frame("Levels"), most)
        except zlib.error as error:
            raise BitstreamError(
                f"The levels of images are damaged: {error}."
            ) from None
        if has_bits:
            bits = np.unpackbits(np.frombuffer(listed, np.uint8))
            used = np.flatnonzero(bits[:n_values])
        else:
            gaps = ByteReader(listed)
            steps = [gaps.leb128() for _ in range(n - 1)]
            # Those that are too large are told from what they add up to.
            used = np.cumsum([0, *steps] if sum(steps) < _MOST_SPAN else [0])
        if len(used) != n or used[0] or used[-1] != n_values - 1:
            raise BitstreamError(f"{len(used)} levels where {n} were expected.")
        return cls(low, n, used)


def _spacings(values: np.ndarray) -> np.ndarray:
    """Return how far apart values lie around each of them, on average."""
    n = min(_N_NEAR, len(values) - 1)
    if not n:
        return np.ones(1)
    firsts = np.clip(np.arange(len(values)) - n // 2, 0, len(values) - 1 - n)
    return (values[firsts + n] - values[firsts]) / n
