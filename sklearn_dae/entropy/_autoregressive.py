"""The symbols of each column, given those of the columns before it.

In: rows of whole numbers, mostly small. Out: bytes. Columns may be uncorrelated and yet
say something of each other: an unusual value seldom comes alone. So a small network
moves and widens the distributions of a column, and changes their shares, by what is
known of the row already. Columns of large numbers come first. Each hidden unit sees the
columns up to one of its own, and each column the units that see only those before it.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np

from sklearn_dae._bytes import ByteReader
from sklearn_dae._fields import Fields, array, instance
from sklearn_dae.coding._intervals import N_SLOTS, IntervalDecoder, encode_intervals
from sklearn_dae.entropy._autoregressive_training import fit_model
from sklearn_dae.entropy._code_network import (
    ACTIVE_BITS,
    INPUT_BITS,
    MOST_ACTIVE,
    CodeNetwork,
    inputs_of,
    order_of,
)
from sklearn_dae.entropy._column_mixtures import ColumnMixtures, n_lanes_for
from sklearn_dae.entropy._mixture import PER_FOLD, PER_OCTAVE, Mixture
from sklearn_dae.exceptions import BitstreamError

#: Units of what a network changes, in units of what a `Mixture` reads.
_UNITS = np.array([PER_FOLD, PER_FOLD, 1, PER_OCTAVE / np.log(2)], np.float32)

#: Symbols whose distributions are held in memory.
_N_AT_ONCE = 2**16

#: Most lanes of rANS.
_MOST_LANES = 4_096

#: Symbols around the centre of a distribution that are looked at first, and how far
#: they go, in spreads of all distributions of a column.
_MOST_NEAR, _SPREADS = 64, 8


@dataclass(frozen=True, eq=False)
class AutoregressiveMixtures:
    """Symbols of each column, coded by rANS with distributions that follow from others.

    Parameters
    ----------
    columns : ColumnMixtures
        The distribution of each column if nothing unusual is known.

    packed : ndarray of uint8 of shape (n_bytes,)
        The network that changes it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae.entropy import AutoregressiveMixtures, ColumnMixtures
    >>> rng = np.random.default_rng(0)
    >>> sizes = rng.choice([1, 8], size=(2000, 1))  # those of a row are alike
    >>> symbols = np.rint(sizes * rng.normal(size=(2000, 4))).astype(int)
    >>> columns = ColumnMixtures.fit(symbols)
    >>> model = AutoregressiveMixtures.fit(symbols, columns, n_rows=2000)
    >>> model.bits(symbols).sum() < 0.95 * columns.bits(symbols).sum()
    np.True_
    >>> np.array_equal(model.decode(model.encode(symbols), 2000), symbols)
    True
    """

    columns: ColumnMixtures
    packed: np.ndarray

    _stored_fields: ClassVar[Fields] = {
        "columns": instance(ColumnMixtures),
        "packed": array("bytes", kinds="u"),
    }

    def _check_stored(self) -> None:
        # The network is read, so that damage is noticed before it is used.
        self.columns._check_stored()
        self._network.check()

    @classmethod
    def fit(cls, symbols: np.ndarray, columns: ColumnMixtures, *, n_rows: int) -> Self:
        """Learn what columns say of each other.

        Parameters
        ----------
        symbols : ndarray of int of shape (n_samples, n_columns)
            Training symbols, of two columns or more.

        columns : ColumnMixtures
            What was learned of each column.

        n_rows : int
            How many rows are to be coded: the more there are, the more the network may
            take.
        """
        return fit_model(symbols, columns, n_rows, cls)

    @cached_property
    def _network(self) -> CodeNetwork:
        reader = ByteReader(self.packed.tobytes())
        network = CodeNetwork.read(reader, self.n_columns)
        reader.finish()
        return network

    @cached_property
    def _layers(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights and biases of hidden units, and weights of outputs, as numbers."""
        network = self._network
        # Multiples of a power of two are as exact as whole numbers.
        of_sum = INPUT_BITS + network.hidden_bits - ACTIVE_BITS
        hidden = np.ldexp(network.hidden.astype(np.float32), -of_sum)
        of_output = ACTIVE_BITS + network.output_bits
        outputs = np.ldexp(network.outputs.astype(np.float32), -of_output)
        return hidden, network.biases[:, np.newaxis].astype(np.float32), outputs

    @property
    def n_bytes(self) -> int:
        """Bytes of the distributions, and of the network."""
        return self.columns.n_bytes + self.packed.size

    @property
    def limit(self) -> int:
        """Largest absolute value of a symbol."""
        return self.columns.limit

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return self.columns.n_columns

    @property
    def deviations(self) -> np.ndarray:
        """Standard deviations of the columns, about: (n_columns,)."""
        return self.columns.deviations

    @cached_property
    def _order(self) -> np.ndarray:
        return order_of(self.columns)

    def _active(self, symbols: np.ndarray) -> np.ndarray:
        """Return activations of hidden units: (n_hidden, n_rows).

        Parameters
        ----------
        symbols : ndarray of float32 of shape (n_columns, n_rows)
            Symbols in the order in which they are coded; zeros where they are not known
            yet, which no unit sees that is asked for already.
        """
        hidden, biases, _ = self._layers
        scales = self.columns.deviations[self._order[:-1]]
        active = hidden @ inputs_of(symbols[:-1], scales)
        active += biases
        np.rint(active, out=active)
        return np.clip(active, np.float32(0), np.float32(MOST_ACTIVE), out=active)

    def _mixture(self, step: int, active: np.ndarray) -> Mixture:
        """Return the distributions of the column that is coded in a step."""
        column = int(self._order[step])
        outputs = np.repeat(self.columns.outputs[:, [column]], active.shape[1], axis=1)
        if step:
            changes = self._layers[2][step - 1] @ active
            changes *= _UNITS[:, np.newaxis]
            logits, centres, widths = np.split(outputs, 3)
            logits[[0, -1]] += changes[:2]
            centres += changes[2]
            widths += changes[3]
        return self.columns.mixture(column, outputs)

    def _intervals(self, symbols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the first slots of symbols, and how many each has, step by step."""
        in_order = symbols.T[self._order].astype(np.float32)
        intervals = np.empty((2, *in_order.shape), np.int64)
        size = max(1, _N_AT_ONCE // self.n_columns)
        for begin in range(0, len(symbols), size):
            rows = slice(begin, begin + size)
            active = self._active(in_order[:, rows])
            for step, known in enumerate(in_order[:, rows]):
                mixture = self._mixture(step, active)
                intervals[:, step, rows] = mixture.intervals(known + self.limit)
        return intervals[0], intervals[1]

    def bits(self, symbols: np.ndarray) -> np.ndarray:
        """Return the bits of each row: float of shape (n_rows,)."""
        _, frequencies = self._intervals(symbols)
        return np.log2(N_SLOTS / frequencies).sum(axis=0)

    def encode(self, symbols: np.ndarray) -> bytes:
        """Code rows of symbols between minus and plus the limit."""
        if not symbols.size:
            return b""
        starts, frequencies = self._intervals(symbols)
        n_bits = float(np.log2(N_SLOTS / frequencies).sum())
        n_lanes = n_lanes_for(n_bits, min(len(symbols), _MOST_LANES))
        counts = np.full((self.n_columns, 1), len(symbols))
        (data,) = encode_intervals(
            starts.ravel(), frequencies.ravel(), counts, [n_lanes]
        )
        return data

    def decode(self, data: bytes, n_rows: int) -> np.ndarray:
        """Decode what `encode` made of ``n_rows`` rows, as an array of ints.

        Raises
        ------
        BitstreamError
            If the bytes cannot be those of so many rows.
        """
        if bool(data) != bool(n_rows):
            raise BitstreamError(f"{len(data)} bytes cannot hold {n_rows} images.")
        symbols = np.zeros((n_rows, self.n_columns), np.int32)
        if not n_rows:
            return symbols
        in_order = np.zeros((self.n_columns, n_rows), np.float32)
        decoder = IntervalDecoder([data], np.full((self.n_columns, 1), n_rows))
        for step, known in enumerate(in_order):
            finder = _Finder(self._mixture(step, self._active(in_order)))
            for rows in decoder.parts(step):
                cells, starts, counts = finder.find(rows, decoder.slots())
                decoder.take(starts, counts)
                known[rows] = cells - self.limit
        decoder.finish()
        symbols[:, self._order] = in_order.T
        return symbols


class _Finder:
    """Finds the symbols of slots, a few rows at a time, by a table of those near."""

    def __init__(self, mixture: Mixture) -> None:
        self._mixture = mixture
        middle, spread = mixture.place()
        n_near = min(2 * _SPREADS * float(spread.max()) + 2, _MOST_NEAR)
        self._near = np.arange(int(n_near) + 1, dtype=np.float32)
        self._first = np.clip(
            np.rint(middle - n_near / 2), np.float32(0), mixture.cells.n
        )
        size = max(1, _N_AT_ONCE // len(self._near))
        parts = [
            self._table(np.arange(begin, min(begin + size, len(middle))))
            for begin in range(0, len(middle), size)
        ]
        self._starts = np.concatenate(parts)

    def _table(self, rows: np.ndarray) -> np.ndarray:
        cells = self._first[rows] + self._near[:, np.newaxis]
        mixture = self._mixture.take(rows)
        return mixture.below(np.minimum(cells, mixture.cells.n)).T

    def find(
        self, rows: np.ndarray, slots: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the cells that have slots, as `Mixture.find` does."""
        starts = self._starts[rows]
        at = (starts <= slots[:, np.newaxis]).sum(axis=1) - 1
        is_far = (at < 0) | (at == len(self._near) - 1)
        at = np.where(is_far, 0, at)
        places = np.arange(len(rows))
        cells, first = self._first[rows] + at, starts[places, at]
        counts = starts[places, at + 1] - first
        if is_far.any():
            far = self._mixture.take(rows[is_far]).find(slots[is_far])
            cells[is_far], first[is_far], counts[is_far] = far
        return cells, first, counts
