"""Frequency tables: what an entropy coder uses as the probabilities of symbols.

In: counts, or the symbols themselves. Out: whole frequencies that sum to a power of
two, one table per context, in the forms that coders look up.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from sklearn_dae._fields import Fields, array, count, expect_equal
from sklearn_dae._validation import check_integer
from sklearn_dae.coding._lookup import pack_intervals, spread_slots
from sklearn_dae.coding._quantization import quantize_counts, shortest_tables
from sklearn_dae.coding._symbols import integers
from sklearn_dae.coding._table_bytes import (
    MAX_PRECISION,
    MAX_SLOTS,
    MAX_SYMBOLS,
    MIN_PRECISION,
    pack_tables,
    unpack_tables,
)

#: Largest count of a symbol: up to it, no sum of a table's counts overflows.
MAX_COUNT = 2**46


class FrequencyTables:
    """Integer frequencies of symbols, one table per context or column.

    A table gives each symbol of its alphabet ``0, 1, ..., n - 1`` a frequency. The
    frequencies of a table sum to ``2**precision``; a symbol of frequency ``f`` costs
    ``precision - log2(f)`` bits, and one of frequency 0 cannot be coded.

    Make them with `from_counts` or `from_symbols`, and store them with `to_bytes`.

    Parameters
    ----------
    frequencies : sequence of array-like of int
        The tables, each of 1 to 65,536 symbols. Alphabets may differ in size.

    precision : int
        Binary logarithm of the sum of each table, 8 to 16. There may be at most
        ``2**24 >> precision`` tables, and 2**24 symbols in all of them together.

    Raises
    ------
    TypeError
        If a frequency is not an integer.

    ValueError
        If a table is empty, has a negative frequency or a different sum, or there are
        too many tables.

    Examples
    --------
    >>> from sklearn_dae.coding import FrequencyTables
    >>> tables = FrequencyTables.from_counts([[3, 1], [5, 0, 5]], precision=8)
    >>> tables
    FrequencyTables(n_tables=2, precision=8)
    >>> [table.tolist() for table in tables]
    [[192, 64], [128, 0, 128]]
    >>> tables.bits([[0, 2], [1, 0]])
    array([[0.4150375, 1.       ],
           [2.       , 1.       ]])
    >>> FrequencyTables.from_bytes(tables.to_bytes()) == tables
    True
    """

    _stored_fields: ClassVar[Fields] = {
        "precision": count(8, 16),
        "sizes": array("tables", kinds="u"),
        "frequencies": array("symbols", kinds="u"),
    }

    def _to_stored(self) -> dict[str, Any]:
        return {
            "precision": self.precision,
            "sizes": np.array([len(table) for table in self], np.uint32),
            "frequencies": np.concatenate(list(self)).astype(np.uint32),
        }

    @classmethod
    def _from_stored(
        cls, precision: int, sizes: np.ndarray, frequencies: np.ndarray
    ) -> Self:
        ends = np.cumsum(sizes, dtype=np.int64)
        if not len(ends) or ends[-1] != len(frequencies):
            raise ValueError(f"{len(frequencies)} frequencies are in tables of {sizes}")
        return cls(np.split(frequencies, ends[:-1]), precision)

    def __init__(self, frequencies: Sequence[Any], precision: int) -> None:
        check_integer("precision", precision, MIN_PRECISION, MAX_PRECISION)
        tables = _check_vectors(frequencies, "frequencies")
        for j, table in enumerate(tables):
            if table.sum() != 2**precision:
                raise ValueError(
                    f"Table {j} sums to {table.sum()}, expected 2**{precision}: "
                    "FrequencyTables.from_counts takes any counts."
                )
        if len(tables) << precision > MAX_SLOTS:
            raise ValueError(
                f"{len(tables)} tables of {precision} bits are too many: there may be "
                f"{MAX_SLOTS >> precision} of that precision."
            )
        self.precision = int(precision)
        self._starts = np.cumsum([0, *(len(table) for table in tables)])
        self._flat = np.concatenate(tables)
        self._flat.flags.writeable = False

    @classmethod
    def from_counts(
        cls, counts: Sequence[Any], precision: int | None = None, pseudo_count: int = 0
    ) -> Self:
        """Make the tables under which the counted symbols take the fewest bits.

        Parameters
        ----------
        counts : sequence of array-like of int
            How often each symbol of each table was seen. Symbols that were seen get a
            frequency of at least 1.

        precision : int, default=None
            Binary logarithm of the sum of each table, 8 to 16. None chooses the one
            with which the counted symbols and `to_bytes` together are shortest; pass
            one where more symbols will be coded than were counted.

        pseudo_count : int, default=0
            Added to every count. From 1 on, every symbol of an alphabet can be coded.
            With an alphabet of 65,536 symbols, each gets a frequency of 1.

        Returns
        -------
        FrequencyTables
            The tables. They are the best of their precision: no other frequencies
            make the counted symbols shorter.

        Raises
        ------
        TypeError
            If a count is not an integer.

        ValueError
            If a table is empty, has a negative count or no counts at all, or more
            symbols were seen than frequencies of that precision can tell apart.
        """
        check_integer("pseudo_count", pseudo_count, 0, MAX_COUNT)
        vectors = [v + pseudo_count for v in _check_vectors(counts, "counts")]
        for j, vector in enumerate(vectors):
            if not vector.any():
                raise ValueError(
                    f"Table {j} has no counts: leave it out, or pass pseudo_count=1 "
                    "to make all its symbols equally likely."
                )
        most_seen = max(np.count_nonzero(vector) for vector in vectors)
        lowest = max(MIN_PRECISION, int(most_seen - 1).bit_length())
        highest = min(MAX_PRECISION, (MAX_SLOTS // len(vectors)).bit_length() - 1)
        if precision is None:
            if lowest > highest:
                raise ValueError(
                    f"{len(vectors)} tables, one of {most_seen} symbols, are too many: "
                    f"there may be {MAX_SLOTS >> lowest} of {lowest} bits."
                )
            return cls(*shortest_tables(vectors, range(lowest, highest + 1)))
        check_integer("precision", precision, MIN_PRECISION, MAX_PRECISION)
        if precision < lowest:
            raise ValueError(
                f"precision == {precision}, but one table has {most_seen} symbols to "
                f"code: it must be at least {lowest}."
            )
        return cls([quantize_counts(v, precision) for v in vectors], precision)

    @classmethod
    def from_symbols(
        cls,
        symbols: Any,
        n_symbols: int | None = None,
        precision: int | None = None,
        pseudo_count: int = 0,
    ) -> Self:
        """Count the symbols of each column and make a table from them.

        Parameters
        ----------
        symbols : array-like of int of shape (n_rows, n_tables)
            Symbols, from 0 upwards.

        n_symbols : int, default=None
            Size of every alphabet. None makes each as large as its column needs.

        precision : int, default=None
            As in `from_counts`.

        pseudo_count : int, default=0
            As in `from_counts`.

        Returns
        -------
        FrequencyTables
            One table per column.

        Raises
        ------
        TypeError
            If the symbols are not integers.

        ValueError
            If the symbols are not two-dimensional, or one is negative or not in the
            alphabet; and as in `from_counts`.
        """
        symbols = integers(symbols)
        if symbols.ndim != 2:
            raise ValueError(
                f"Symbols have shape {symbols.shape}, expected (n_rows, n_tables): "
                "reshape(-1, 1) makes one table of all of them."
            )
        limit = MAX_SYMBOLS if n_symbols is None else n_symbols
        check_integer("n_symbols", limit, 1, MAX_SYMBOLS)
        if symbols.size and not 0 <= symbols.min() <= symbols.max() < limit:
            raise ValueError(
                f"Symbols lie in [{symbols.min()}, {symbols.max()}], expected them in "
                f"[0, {limit - 1}]."
            )
        n_least = 1 if n_symbols is None else limit
        counts = [
            np.bincount(column.astype(np.intp), minlength=n_least)
            for column in symbols.T
        ]
        return cls.from_counts(counts, precision, pseudo_count)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote.

        Raises
        ------
        BitstreamError
            If the bytes are not complete, or not those of tables.
        """
        return cls(*unpack_tables(data))

    def to_bytes(self) -> bytes:
        """Write the tables: about half a byte per symbol where neighbours are alike."""
        return pack_tables([table.tolist() for table in self], self.precision)

    def bits(self, symbols: Any, table_index: Any = None) -> np.ndarray:
        """Return the code length of each symbol, in bits.

        Parameters
        ----------
        symbols : array-like of int
            Symbols, each in the alphabet of its table.

        table_index : array-like of int, default=None
            As in `positions`.

        Returns
        -------
        bits : ndarray of float of the shape of symbols
            Code lengths, infinite where a symbol has frequency 0. A coder comes close
            to their sum: a symbol need not take a whole number of bits.
        """
        with np.errstate(divide="ignore"):
            lengths = self.precision - np.log2(self._flat)
        return lengths[self.positions(symbols, table_index)]

    def positions(self, symbols: Any, table_index: Any = None) -> np.ndarray:
        """Find the symbols among the entries of all tables, laid end to end.

        Parameters
        ----------
        symbols : array-like of int
            Symbols, each in the alphabet of its table.

        table_index : array-like of int, default=None
            Table of each symbol; any shape that broadcasts to that of the symbols.
            None means the only table, or for symbols of shape (n_rows, n_tables) that
            of the column.

        Returns
        -------
        positions : ndarray of int of the shape of symbols
            Positions in ``numpy.concatenate(list(tables))``.

        Raises
        ------
        TypeError
            If symbols or indices are not integers.

        ValueError
            If a symbol is not in its alphabet, or there is no such table.
        """
        symbols = integers(symbols)
        tables = self.table_index(symbols.shape, table_index)
        sizes = np.diff(self._starts)[tables]
        if symbols.size and (symbols.min() < 0 or (symbols >= sizes).any()):
            outside = np.argwhere((symbols < 0) | (symbols >= sizes))[0]
            table = np.broadcast_to(tables, symbols.shape)[tuple(outside)]
            raise ValueError(
                f"Symbol {symbols[tuple(outside)]} is not in the alphabet of table "
                f"{table}, which has the symbols 0 to {len(self[table]) - 1}."
            )
        return symbols.astype(np.intp, copy=False) + self._starts[tables]

    def table_index(self, shape: tuple[int, ...], table_index: Any = None) -> Any:
        """Return the table of each symbol: indices that broadcast to the shape.

        Parameters
        ----------
        shape : tuple of int
            Shape of the symbols.

        table_index : array-like of int, default=None
            As in `positions`.

        Returns
        -------
        table_index : ndarray of int
            The indices, checked.

        Raises
        ------
        TypeError
            If the indices are not integers.

        ValueError
            If there is no such table, or the indices do not broadcast to the shape.
        """
        if table_index is None:
            if len(self) == 1:
                return np.zeros((), np.intp)
            if len(shape) == 2 and shape[1] == len(self):
                return np.arange(len(self))
            raise ValueError(
                f"Symbols have shape {shape} and there are {len(self)} tables, "
                "expected (n_rows, n_tables): pass table_index to say which table a "
                "symbol has."
            )
        indices = integers(table_index)
        if indices.size and not 0 <= indices.min() <= indices.max() < len(self):
            raise ValueError(
                f"table_index lies in [{indices.min()}, {indices.max()}], expected it "
                f"in [0, {len(self) - 1}]."
            )
        np.broadcast_to(indices, shape)
        return indices

    @cached_property
    def intervals(self) -> np.ndarray:
        """Part of ``range(2**precision)`` that belongs to each entry of the tables.

        Frequency minus one in the upper and first slot in the lower 16 bits of a
        uint32. All bits are set where the frequency is 0; no interval has this value,
        since one of 65,536 slots starts at 0.
        """
        return pack_intervals(self._flat, self._starts)

    @cached_property
    def slots(self) -> tuple[np.ndarray, np.ndarray]:
        """What a slot decodes to, for the ``2**precision`` slots of each table.

        Returns
        -------
        intervals : ndarray of uint64 of shape (n_tables * 2**precision,)
            Frequency in the upper, place in the interval in the lower 32 bits.

        symbols : ndarray of uint16 of shape (n_tables * 2**precision,)
            Symbols.
        """
        return spread_slots(self._flat, self._starts)

    @cached_property
    def whole_bits(self) -> np.ndarray:
        """Code lengths of the entries, rounded up to whole bits."""
        n_digits = np.frexp(self._flat)[1]
        return (self.precision + 1 - n_digits).astype(np.uint8)

    @cached_property
    def least_bits(self) -> float:
        """Total bits of the most frequent symbols, one of each table."""
        most_frequent = np.maximum.reduceat(self._flat, self._starts[:-1])
        return float((self.precision - np.log2(most_frequent)).sum())

    def __len__(self) -> int:
        """Return the number of tables."""
        return len(self._starts) - 1

    def __getitem__(self, j: int) -> np.ndarray:
        """Return the frequencies of a table."""
        if not 0 <= j < len(self):
            raise IndexError(f"There is no table {j} of {len(self)}.")
        return self._flat[self._starts[j] : self._starts[j + 1]]

    def __iter__(self) -> Iterator[np.ndarray]:
        """Return the frequencies of one table after another."""
        return (self[j] for j in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FrequencyTables):
            return NotImplemented
        return (
            self.precision == other.precision
            and np.array_equal(self._starts, other._starts)
            and np.array_equal(self._flat, other._flat)
        )

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Callable[[bytes], "FrequencyTables"], tuple[bytes]]:
        return FrequencyTables.from_bytes, (self.to_bytes(),)

    def __repr__(self) -> str:
        return f"FrequencyTables(n_tables={len(self)}, precision={self.precision})"


def _check_vectors(vectors: Sequence[Any], name: str) -> list[np.ndarray]:
    """Return the vectors as int64, or raise unless they can be those of tables."""
    checked = [integers(vector) for vector in vectors]
    if not checked:
        raise ValueError(f"There are no {name}: expected a vector a table.")
    for j, vector in enumerate(checked):
        if vector.ndim != 1 or not 1 <= vector.size <= MAX_SYMBOLS:
            raise ValueError(
                f"The {name} of table {j} have shape {vector.shape}, expected a vector "
                f"of 1 to {MAX_SYMBOLS}."
            )
        if vector.min() < 0 or vector.max() > MAX_COUNT:
            raise ValueError(
                f"The {name} of table {j} lie in [{vector.min()}, {vector.max()}], "
                f"expected them in [0, {MAX_COUNT}]."
            )
    if sum(vector.size for vector in checked) > MAX_SLOTS:
        raise ValueError(f"The {name} are more than {MAX_SLOTS} in all.")
    return [vector.astype(np.int64, copy=False) for vector in checked]


def check_all_codable(tables: FrequencyTables, n: int) -> None:
    """Raise ValueError unless all tables have ``n`` symbols, none of frequency 0."""
    expect_equal("Precision of the tables", tables.precision, 16)
    expect_equal("Symbols of the tables", {len(table) for table in tables}, {n})
    if min(table.min() for table in tables) < 1:
        raise ValueError("A symbol has frequency 0")
