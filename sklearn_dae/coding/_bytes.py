"""Numbers in byte strings, and a reader that trusts nothing."""

from sklearn_dae.exceptions import BitstreamError

#: Bytes of the longest number: enough for 63 bits.
_MOST_BYTES = 9


def leb128(number: int) -> bytes:
    """Write a non-negative number, seven bits per byte, lowest first.

    Examples
    --------
    >>> from sklearn_dae.coding import leb128
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


class ByteReader:
    r"""Reads a byte string from its beginning to its end.

    A request that it cannot meet raises a `BitstreamError` that says where.

    Parameters
    ----------
    data : bytes
        The byte string.

    Examples
    --------
    >>> from sklearn_dae.coding import ByteReader
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

    def finish(self) -> None:
        """Make sure that nothing is left."""
        if self.n_left:
            raise BitstreamError(
                f"Byte {self.position}: {self.n_left} bytes more than expected."
            )
