"""Range asymmetric numeral systems: symbols <-> bytes, close to their entropy.

The arithmetic and the stream are those of the module `_lanes`.
"""

import math
from typing import Any

import numpy as np

from sklearn_dae._validation import check_integer
from sklearn_dae.coding._lanes import MAX_LANES, LaneDecoder, encode_lanes
from sklearn_dae.coding._lookup import NO_INTERVAL
from sklearn_dae.coding._symbols import integers
from sklearn_dae.coding._tables import FrequencyTables
from sklearn_dae.exceptions import BitstreamError


def rans_encode(
    symbols: Any,
    tables: FrequencyTables,
    table_index: Any = None,
    n_lanes: int | None = None,
) -> bytes:
    """Code symbols in close to their code lengths under the tables.

    Parameters
    ----------
    symbols : array-like of int
        Symbols, each in the alphabet of its table and with a frequency above 0. They
        are coded in C order.

    tables : FrequencyTables
        The tables. They are not in the stream.

    table_index : array-like of int, default=None
        Table of each symbol; any shape that broadcasts to that of the symbols. None
        means the only table, or for symbols of shape (n_rows, n_tables) that of the
        column.

    n_lanes : int, default=None
        How many symbols are coded at a time, at most 65,536. A lane costs three bytes
        on average, and many lanes are faster. None means one lane per KiB, which costs
        0.3%, but at least one per 16,384 symbols, and at most 4,096.

    Returns
    -------
    bytes
        The stream; empty if there are no symbols.

    Raises
    ------
    TypeError
        If symbols or indices are not integers.

    ValueError
        If a symbol is not in its alphabet or has frequency 0, or there is no such
        table.

    References
    ----------
    Duda, J. (2013). Asymmetric numeral systems. arXiv:1311.2540.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae.coding import FrequencyTables, rans_decode, rans_encode
    >>> symbols = np.random.default_rng(0).poisson([1, 4, 16], size=(1000, 3))
    >>> tables = FrequencyTables.from_symbols(symbols)
    >>> data = rans_encode(symbols, tables)
    >>> len(data), round(tables.bits(symbols).sum() / 8)
    (1125, 1121)
    >>> np.array_equal(rans_decode(data, symbols.shape, tables), symbols)
    True
    """
    symbols = integers(symbols)
    positions = tables.positions(symbols, table_index).ravel()
    if n_lanes is None:
        n_lanes = _default_lanes(tables, positions)
    check_integer("n_lanes", n_lanes, 1, MAX_LANES)
    intervals = _intervals(tables, positions)
    bounds = [*range(0, positions.size, n_lanes), positions.size]
    return encode_lanes(intervals, bounds, tables.precision)


def rans_decode(
    data: bytes,
    shape: int | tuple[int, ...],
    tables: FrequencyTables,
    table_index: Any = None,
) -> np.ndarray:
    """Recover the symbols from a stream.

    Parameters
    ----------
    data : bytes
        What `rans_encode` returned.

    shape : int or tuple of int
        Shape of the symbols.

    tables : FrequencyTables
        The same tables.

    table_index : array-like of int, default=None
        The same indices.

    Returns
    -------
    symbols : ndarray of int64 of the given shape
        The symbols.

    Raises
    ------
    BitstreamError
        If the stream is cut off or extended, or does not lead every lane back to where
        it started. Damage that passes both checks goes unnoticed: keep a checksum where
        that matters.

    ValueError
        If there is no such table.
    """
    shape = tuple(np.atleast_1d(shape).tolist())
    indices = tables.table_index(shape, table_index)
    n = math.prod(shape)
    lanes = LaneDecoder(data)
    if lanes.n_lanes > n or (n and not lanes.n_lanes):
        raise BitstreamError(f"A stream of {lanes.n_lanes} lanes for {n} symbols.")
    slots = np.empty(shape, np.int64)
    slots[...] = indices.astype(np.int64) << tables.precision
    intervals, symbols = tables.slots
    lanes.advance(slots.reshape(-1), intervals, tables.precision)
    lanes.finish()
    slots[...] = symbols.take(slots, mode="clip")
    return slots


def _default_lanes(tables: FrequencyTables, positions: np.ndarray) -> int:
    n_bits = int(tables.whole_bits.take(positions).sum(dtype=np.int64))
    return max(1, min(4096, max(n_bits >> 13, positions.size >> 14)))


def _intervals(tables: FrequencyTables, positions: np.ndarray) -> np.ndarray:
    intervals = tables.intervals.take(positions)
    if intervals.size and intervals.max() == NO_INTERVAL:
        position = positions[intervals.argmax()]
        sizes = [len(table) for table in tables]
        table = int(np.searchsorted(np.cumsum(sizes), position, side="right"))
        raise ValueError(
            f"Symbol {position - sum(sizes[:table])} has frequency 0 in table {table} "
            "and cannot be coded: make the tables of data that has it, or with "
            "pseudo_count=1."
        )
    return intervals
