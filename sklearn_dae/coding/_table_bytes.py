"""Frequency tables <-> bytes.

A table is written as differences, since neighbouring frequencies are similar. Each is
folded to 0, 1, 2, ... (for 0, -1, 1, -2, ...) and written in an exponential Golomb code
whose order follows the size of the differences before it. A repeated frequency is
followed by the number of repetitions to come. The sum of a table is known, so its
trailing zeros need no bits.

Exponential Golomb code of order k (Teuhola 1978): ``(n >> k) + 1`` in binary, preceded
by one zero for each of its digits but the first, then the k lowest bits of n.
"""

from collections.abc import Iterator, Sequence

from bitarray import bitarray
from bitarray.util import ba2int, int2ba

from sklearn_dae.exceptions import BitstreamError

MIN_PRECISION, MAX_PRECISION = 8, 16

#: Number of symbols of the largest alphabet.
MAX_SYMBOLS = 2**16

#: Bound on the sum of all alphabets, and on ``n_tables << precision``, which is what a
#: decoder holds in memory. A few damaged bytes could otherwise claim any amount.
MAX_SLOTS = 2**24

_N_PRECISION_BITS = 4


def pack_tables(tables: Sequence[Sequence[int]], precision: int) -> bytes:
    """Write tables, each of which sums to ``2**precision``."""
    writer = _Writer()
    writer.bits.extend(int2ba(precision - MIN_PRECISION, _N_PRECISION_BITS))
    writer.put(len(tables) - 1)
    for n_symbols in _differences([len(table) for table in tables]):
        writer.put(n_symbols)
    for table in tables:
        _pack_table(writer, table, 2**precision)
    return writer.bits.tobytes()


def unpack_tables(data: bytes) -> tuple[list[list[int]], int]:
    """Read what `pack_tables` wrote; return the tables and their precision."""
    reader = _Reader(data)
    precision = MIN_PRECISION + reader.fixed(_N_PRECISION_BITS)
    if precision > MAX_PRECISION:
        raise BitstreamError(
            f"Frequency tables claim a precision of {precision} bits, expected "
            f"{MIN_PRECISION} to {MAX_PRECISION}."
        )
    n_tables = reader.get() + 1
    if n_tables << precision > MAX_SLOTS or n_tables > 8 * len(data):
        raise BitstreamError(
            f"{len(data)} bytes claim {n_tables} frequency tables of {precision} bits."
        )
    sizes = []
    n_symbols = 0
    for _ in range(n_tables):
        n_symbols += _unfold(reader.get())
        sizes.append(n_symbols)
    if not 1 <= min(sizes) <= max(sizes) <= MAX_SYMBOLS or sum(sizes) > MAX_SLOTS:
        raise BitstreamError(
            f"Frequency tables claim alphabets of {min(sizes)} to {max(sizes)} symbols,"
            f" {sum(sizes)} in all; expected 1 to {MAX_SYMBOLS}, and at most "
            f"{MAX_SLOTS} in all."
        )
    tables = [_unpack_table(reader, n_symbols, 2**precision) for n_symbols in sizes]
    reader.finish()
    return tables, precision


def _pack_table(writer: "_Writer", table: Sequence[int], total: int) -> None:
    order = _Order()
    before = i = 0
    while total:
        frequency = table[i]
        difference = _fold(frequency - before)
        writer.put(difference, order.follow(difference))
        n_written = 1
        if not difference:
            while n_written < len(table) - i and table[i + n_written] == frequency:
                n_written += 1
            writer.put(n_written - 1)
        total -= n_written * frequency
        i += n_written
        before = frequency


def _unpack_table(reader: "_Reader", n_symbols: int, total: int) -> list[int]:
    order = _Order()
    table: list[int] = []
    before = 0
    while total:
        difference = reader.get(order.k)
        order.follow(difference)
        frequency = before + _unfold(difference)
        n_read = 1 if difference else 1 + reader.get()
        if len(table) + n_read > n_symbols or not 0 <= n_read * frequency <= total:
            raise BitstreamError(
                f"A frequency table of {n_symbols} symbols has a frequency of "
                f"{frequency}, {n_read} times from symbol {len(table)} on, where "
                f"{total} is left of the sum."
            )
        table += [frequency] * n_read
        total -= n_read * frequency
        before = frequency
    return table + [0] * (n_symbols - len(table))


class _Order:
    """Order of the next code: the binary logarithm of a moving mean, rounded down."""

    def __init__(self) -> None:
        self.k = self._twice_mean = 0

    def follow(self, difference: int) -> int:
        """Return the order before the difference, which counts from now on."""
        k = self.k
        self._twice_mean += difference - (self._twice_mean >> 1)
        self.k = max(0, (self._twice_mean >> 1).bit_length() - 1)
        return k


class _Writer:
    def __init__(self) -> None:
        self.bits = bitarray()

    def put(self, n: int, order: int = 0) -> None:
        digits = int2ba((n >> order) + 1)
        self.bits.extend(bitarray(len(digits) - 1))
        self.bits.extend(digits)
        if order:
            self.bits.extend(int2ba(n & ((1 << order) - 1), order))


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._bits = bitarray()
        self._bits.frombytes(data)
        self._at = 0

    def fixed(self, n_bits: int) -> int:
        """Read a number of ``n_bits`` bits."""
        end = self._at + n_bits
        if end > len(self._bits):
            raise BitstreamError(
                f"Frequency tables end at bit {self._at} of {len(self._bits)}, "
                "where more was expected: bytes are missing."
            )
        number = ba2int(self._bits[self._at : end]) if n_bits else 0
        self._at = end
        return number

    def get(self, order: int = 0) -> int:
        """Read a number in exponential Golomb code."""
        one = self._bits.find(1, self._at)
        # No number here needs more digits: a longer run of zeros is damage.
        n_zeros = (len(self._bits) if one < 0 else one) - self._at
        if n_zeros > 32:
            raise BitstreamError(
                f"Frequency tables have {n_zeros} zero bits from bit {self._at} on, "
                "where a number was expected."
            )
        self._at += n_zeros
        prefix = self.fixed(n_zeros + 1) - 1
        return (prefix << order) + self.fixed(order)

    def finish(self) -> None:
        """Raise unless only zeros up to the end of the byte are left."""
        n_left = len(self._bits) - self._at
        if n_left >= 8 or self._bits.find(1, self._at) >= 0:
            raise BitstreamError(f"{n_left} bits follow the last frequency table.")


def _fold(difference: int) -> int:
    return 2 * difference if difference >= 0 else -2 * difference - 1


def _unfold(folded: int) -> int:
    return -(folded + 1 >> 1) if folded & 1 else folded >> 1


def _differences(numbers: Sequence[int]) -> Iterator[int]:
    return (
        _fold(after - before)
        for before, after in zip([0, *numbers], numbers, strict=False)
    )
