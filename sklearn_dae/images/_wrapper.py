"""What stands around the pixels of a file, and how both become the file again.

In: a file that was read. Out: a record from which, with the pixels, the file can be
made again: byte for byte, or, where a format compresses, with the same pixels and
everything else that was in it. Such a record becomes bytes and back, as an archive
needs it. Files of other formats have none: who stores them keeps their own bytes.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from gzip import GzipFile
from typing import IO, ClassVar, Self

import numpy as np

from sklearn_dae._bytes import leb128

#: Most bytes of a record. What stands around pixels stands in memory; a file with more
#: of it than this is better kept as it is.
MOST_BYTES = 2**24


class Wrapper(ABC):
    """How a file is made again from its images.

    A subclass is a frozen dataclass, and is listed in `WRAPPERS` of `_wrappers`.
    """

    #: What it is called in bytes.
    tag: ClassVar[bytes]

    #: Whether the file comes back byte for byte.
    is_exact: ClassVar[bool] = True

    @abstractmethod
    def rebuild(self, images: Iterable[np.ndarray]) -> Iterator[bytes]:
        """Yield the bytes of the file, piece by piece.

        Parameters
        ----------
        images : iterable of ndarray
            The pixels of all images of the file, in its order. They are taken one at a
            time, unless the file holds them interleaved.

        Raises
        ------
        ValueError
            If these are not the images of the file.
        """

    @abstractmethod
    def to_parts(self) -> list[bytes]:
        """Return what makes up this record."""

    @classmethod
    @abstractmethod
    def from_parts(cls, parts: list[bytes]) -> Self:
        """Make a record of its parts; raises ValueError or IndexError if it cannot."""

    def to_bytes(self) -> bytes:
        """Return the record as bytes."""
        parts = self.to_parts()
        sizes = b"".join(leb128(len(part)) for part in parts)
        return b"".join([self.tag, leb128(len(parts)), sizes, *parts])


def are_same(pieces: Iterable[bytes], stream: IO[bytes] | GzipFile) -> bool:
    """Whether pieces are what a stream holds from here to its end."""
    for piece in pieces:
        if stream.read(len(piece)) != piece:
            return False
    return not stream.read(1)
