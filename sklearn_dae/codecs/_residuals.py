"""Residuals of integer predictions <-> symbols for rANS, and bits beside them.

In: any differences of integers of 8 to 32 bits. Out: symbols, few enough that there can
be tables for them. A difference below 128 is a symbol of its own; for a larger one the
symbol gives the leading bits and how many follow, and those, the sign last, are stored
as they are.

Differences wrap around as integers of their number of bits do, so that there are no
more of them than there are pixel values.
"""

import numpy as np

from sklearn_dae._fields import expect_equal
from sklearn_dae.coding import FrequencyTables
from sklearn_dae.exceptions import BitstreamError

#: Folded differences below 2**8 are their own symbols; of larger ones, the first four
#: bits, of which the highest is set, are in the symbol.
_OWN_BITS, _LEADING_BITS = 8, 4

_PER_LENGTH = 1 << (_LEADING_BITS - 1)


def n_symbols(n_bits: int) -> int:
    """Return how many symbols differences of ``n_bits`` bits have."""
    return (1 << _OWN_BITS) + _PER_LENGTH * max(n_bits - _OWN_BITS, 0)


def wrap(differences: np.ndarray, n_bits: int) -> np.ndarray:
    """Wrap differences to the range of signed integers of ``n_bits`` bits."""
    half = 1 << (n_bits - 1)
    return ((differences + half) & ((1 << n_bits) - 1)) - half


def to_symbols(differences: np.ndarray, n_bits: int) -> tuple[np.ndarray, bytes]:
    r"""Return the symbols of wrapped differences, and the bits that follow, as bytes.

    Parameters
    ----------
    differences : ndarray of int64
        Differences from ``wrap``.

    n_bits : int
        Bits of the pixels, 8 to 32.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae.codecs._residuals import to_symbols
    >>> to_symbols(np.array([0, -1, 1, 127, -1000]), 16)
    (array([  0,   1,   2, 254, 279]), b'\x9e')
    """
    # 0, -1, 1, -2, 2, ...
    folded = (differences << 1) ^ (differences >> 63)
    large = folded >> _OWN_BITS != 0
    if not large.any():
        return folded, b""
    values = folded[large]
    lengths = np.frexp(values.astype(np.float64))[1].astype(np.int64)
    n_follow = lengths - _LEADING_BITS
    leading = (values >> n_follow) - _PER_LENGTH
    first = (1 << _OWN_BITS) + _PER_LENGTH * (lengths - _OWN_BITS - 1)
    symbols = folded.copy()
    symbols[large] = first + leading
    places = _places(n_bits)
    bits = (values[:, np.newaxis] >> places) & 1
    return symbols, np.packbits(bits[places < n_follow[:, np.newaxis]]).tobytes()


def from_symbols(symbols: np.ndarray, bits: bytes, n_bits: int) -> np.ndarray:
    """Return the differences that `to_symbols` was given.

    Raises
    ------
    BitstreamError
        If there are more or fewer bits than the symbols call for.
    """
    large = symbols >> _OWN_BITS != 0
    beyond = symbols[large] - (1 << _OWN_BITS)
    n_follow = beyond // _PER_LENGTH + _OWN_BITS + 1 - _LEADING_BITS
    n_expected = int(n_follow.sum())
    if len(bits) != -(-n_expected // 8):
        raise BitstreamError(
            f"{len(bits)} bytes follow the differences, expected {n_expected} bits."
        )
    stored = np.unpackbits(np.frombuffer(bits, np.uint8))
    if stored[n_expected:].any():
        raise BitstreamError("Bits follow the last difference.")
    folded = symbols.copy()
    if n_expected:
        places = _places(n_bits)
        follow = np.zeros((len(beyond), len(places)), np.int64)
        follow[places < n_follow[:, np.newaxis]] = stored[:n_expected]
        leading = beyond % _PER_LENGTH + _PER_LENGTH
        folded[large] = (leading << n_follow) + follow @ (1 << places)
    return (folded >> 1) ^ -(folded & 1)


def _places(n_bits: int) -> np.ndarray:
    """Places of the bits that may follow a symbol, the highest first."""
    return np.arange(n_bits - _LEADING_BITS)[::-1]


def check_all_codable(tables: FrequencyTables, n: int) -> None:
    """Raise ValueError unless all tables have ``n`` symbols, none of frequency 0."""
    expect_equal("Precision of the tables", tables.precision, 16)
    expect_equal("Symbols of the tables", {len(table) for table in tables}, {n})
    if min(table.min() for table in tables) < 1:
        raise ValueError("A symbol has frequency 0")
