"""Numbers and framed parts in byte strings, and a reader that trusts nothing.

A frame is the length of a part, its CRC-32 and its bytes.
"""

import zlib

import numpy as np

from sklearn_dae.exceptions import BitstreamError

#: Bytes of the longest number: enough for 63 bits.
_MOST_BYTES = 9

#: Bytes of a checksum.
CHECKSUM_SIZE = 4


def leb128(number: int) -> bytes:
    """Write a non-negative number, seven bits per byte, lowest first.

    Examples
    --------
    >>> from sklearn_dae._bytes import leb128
    >>> leb128(5).hex(), leb128(300).hex()
    ('05', 'ac02')
    """
    if not 0 <= number < 1 << 7 * _MOST_BYTES:
        raise ValueError(f"{number} is not in [0, 2**63).")
    written = bytearray()
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    written.append(number)
    return bytes(written)


def zigzag(numbers: np.ndarray) -> bytes:
    """Write whole numbers of either sign, those near zero in few bytes.

    0, -1, 1, -2, ... are written as 0, 1, 2, 3, ... by `leb128`;
    `ByteReader.zigzag` reads them.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae._bytes import zigzag
    >>> zigzag(np.array([0, -1, 1, -64, 64])).hex(" ")
    '00 01 02 7f 80 01'
    """
    whole = numbers.astype(np.int64).tolist()
    return b"".join(leb128((n << 1) ^ (n >> 63)) for n in whole)


def checksum(*parts: bytes) -> bytes:
    """Return the CRC-32 of consecutive parts, lowest byte first.

    Examples
    --------
    >>> from sklearn_dae._bytes import checksum
    >>> checksum(b"abc") == checksum(b"a", b"bc")
    True
    """
    value = 0
    for part in parts:
        value = zlib.crc32(part, value)
    return value.to_bytes(CHECKSUM_SIZE, "little")


def frame(part: bytes) -> bytes:
    """Put its length and its checksum before a part; `ByteReader.frame` reads it.

    Examples
    --------
    >>> from sklearn_dae._bytes import ByteReader, frame
    >>> ByteReader(frame(b"abc")).frame("The part")
    b'abc'
    """
    return leb128(len(part)) + checksum(part) + part


class ByteReader:
    r"""Reads a byte string from its beginning to its end.

    A request that it cannot meet raises a `BitstreamError` that says where.

    Parameters
    ----------
    data : bytes
        The byte string.

    Examples
    --------
    >>> from sklearn_dae._bytes import ByteReader
    >>> reader = ByteReader(b"\xac\x02abc")
    >>> reader.leb128(), reader.take(3)
    (300, b'abc')
    >>> reader.take(1)
    Traceback (most recent call last):
        ...
    sklearn_dae.exceptions.BitstreamError: Byte 5: 1 bytes expected, 0 are left.
    """

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data).cast("B")
        self.position = 0

    @property
    def n_left(self) -> int:
        """Number of bytes not yet read."""
        return len(self._data) - self.position

    def take(self, n: int) -> bytes:
        """Read n bytes."""
        if n > self.n_left:
            raise BitstreamError(
                f"Byte {self.position}: {n} bytes expected, {self.n_left} are left."
            )
        self.position += n
        return bytes(self._data[self.position - n : self.position])

    def leb128(self) -> int:
        """Read a number that `leb128` wrote."""
        begin, number = self.position, 0
        for shift in range(0, 7 * _MOST_BYTES, 7):
            (byte,) = self.take(1)
            number |= (byte & 127) << shift
            if byte < 128:
                if byte == 0 and shift:
                    break
                return number
        raise BitstreamError(f"Byte {begin}: not a number in its shortest form.")

    def zigzag(self, n: int, limit: int = 2**15) -> np.ndarray:
        """Read n numbers that `zigzag` wrote, from -limit to limit - 1: int64."""
        folded = np.array([self.leb128() for _ in range(n)], dtype=object)
        if any(number >= 2 * limit for number in folded):
            raise BitstreamError(f"A number is larger than {limit}.")
        folded = folded.astype(np.int64)
        return (folded >> 1) ^ -(folded & 1)

    def frame(self, what: str) -> bytes:
        """Read a part that `frame` wrote; ``what`` is what errors call it."""
        size = self.leb128()
        expected = self.take(CHECKSUM_SIZE)
        part = self.take(size)
        if checksum(part) != expected:
            raise BitstreamError(f"{what} is damaged: its checksum is wrong.")
        return part

    def finish(self) -> None:
        """Make sure that nothing is left."""
        if self.n_left:
            raise BitstreamError(
                f"Byte {self.position}: {self.n_left} bytes more than expected."
            )
