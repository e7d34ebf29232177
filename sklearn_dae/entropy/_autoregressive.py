"""The symbols of each column, given those of the columns before it.

In: rows of whole numbers, mostly small. Out: bytes. Columns may be uncorrelated and yet
say something of each other: an unusual value seldom comes alone. So a small network
moves and widens the distributions of a column, and changes their shares, by what is
known of the row already. Columns of large numbers come first. Each hidden unit sees the
columns up to one of its own, and each column the units that see only those before it.

All weights and activations are whole numbers, so small that sums are exact in single
precision; see `_arithmetic`.

Bytes of a network: the number of hidden units; how many bits of their weights, and of
those of outputs, are after the point; biases; the width of the distribution of the
weights of hidden units, and of those of each column; and one stream of all weights that
are not zero by the order of columns.

References
----------
Germain, M., Gregor, K., Murray, I., & Larochelle, H. (2015). MADE: masked autoencoder
for distribution estimation. ICML.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple, Self

import numpy as np

from sklearn_dae._bytes import ByteReader, frame, leb128, zigzag
from sklearn_dae._fields import Fields, array, instance
from sklearn_dae.coding._intervals import N_SLOTS, IntervalDecoder, encode_intervals
from sklearn_dae.entropy._arithmetic import check_sums
from sklearn_dae.entropy._column_mixtures import ColumnMixtures
from sklearn_dae.entropy._logistic import N_LOGISTIC
from sklearn_dae.entropy._mixture import PER_FOLD, PER_OCTAVE, Cells, Mixture
from sklearn_dae.entropy._row_bytes import decode_rows, encode_rows, widths_of
from sklearn_dae.exceptions import BitstreamError

#: Inputs are symbols, relative to their deviation, with so many bits after the point;
#: the largest.
INPUT_BITS, MOST = 5, 127

#: Activations of hidden units, and biases, have so many; the largest activation.
ACTIVE_BITS, MOST_ACTIVE = 4, 255

#: What a network changes, of each column: the logarithms of the shares of the first
#: and the last distribution, all centres, and the logarithms of all widths.
N_KINDS = 4

#: Units of these, in units of what a `Mixture` reads.
_UNITS = np.array([PER_FOLD, PER_FOLD, 1, PER_OCTAVE / np.log(2)], np.float32)

#: Most hidden units, largest weight, most bits of it after the point.
_MOST_HIDDEN, MOST_WEIGHT, _MOST_BITS = 512, 2**14, 16

#: Symbols whose distributions are held in memory.
_N_AT_ONCE = 2**16

#: Bits of a lane of rANS, and most lanes.
_BITS_OF_LANE, _MOST_LANES = 5_000, 4_096

#: Symbols around the centre of a distribution that are looked at first, and how far
#: they go, in spreads of all distributions of a column.
_MOST_NEAR, _SPREADS = 64, 8


class CodeNetwork(NamedTuple):
    """What changes distributions, in whole numbers.

    Parameters
    ----------
    hidden : ndarray of int of shape (n_hidden, n_columns - 1)
        Weights of hidden units. None sees the last column.

    biases : ndarray of int of shape (n_hidden,)
        Their biases.

    outputs : ndarray of int of shape (n_columns - 1, N_KINDS, n_hidden)
        Weights of what is changed of each column but the first.

    hidden_bits, output_bits : int
        How many bits of weights are after the point.
    """

    hidden: np.ndarray
    biases: np.ndarray
    outputs: np.ndarray
    hidden_bits: int
    output_bits: int

    def check(self) -> None:
        """Raise ValueError unless all sums are exact."""
        if max(self.hidden_bits, self.output_bits) > _MOST_BITS:
            raise ValueError(f"Weights have more than {_MOST_BITS} bits")
        unit = 2 ** (INPUT_BITS + self.hidden_bits - ACTIVE_BITS)
        check_sums(self.hidden, MOST, self.biases * unit)
        check_sums(self.outputs.reshape(-1, len(self.hidden)), MOST_ACTIVE)

    def to_bytes(self) -> bytes:
        """Write the network."""
        seen, used = masks(len(self.outputs), len(self.hidden))
        hidden = [row[mask] for row, mask in zip(self.hidden, seen, strict=True)]
        outputs = [
            kinds[:, mask].ravel()
            for kinds, mask in zip(self.outputs, used, strict=True)
        ]
        rows = [row[np.newaxis] for row in hidden + outputs]
        width = widths_of(np.concatenate(hidden)[np.newaxis])
        widths = [width] * len(hidden) + list(map(widths_of, rows[len(hidden) :]))
        return b"".join(
            [
                *map(leb128, (len(hidden), self.hidden_bits, self.output_bits)),
                zigzag(self.biases),
                *(each.tobytes() for each in widths[len(hidden) - 1 :]),
                frame(encode_rows(rows, widths, MOST_WEIGHT)),
            ]
        )

    @classmethod
    def read(cls, reader: ByteReader, n_columns: int) -> Self:
        """Read a network.

        Raises
        ------
        BitstreamError
            If it is none.
        """
        n_hidden, hidden_bits, output_bits = (reader.leb128() for _ in range(3))
        if not 1 <= n_hidden <= _MOST_HIDDEN or n_columns < 2:
            raise BitstreamError(f"{n_hidden} units for {n_columns} columns.")
        biases = reader.zigzag(n_hidden)
        stored = np.frombuffer(reader.take(n_columns), np.uint8)
        seen, used = masks(n_columns - 1, n_hidden)
        shapes = [(1, int(mask.sum())) for mask in seen]
        shapes += [(1, N_KINDS * int(mask.sum())) for mask in used]
        widths = [stored[:1]] * n_hidden + np.split(stored[1:], n_columns - 1)
        rows = decode_rows(reader.frame("Weights"), shapes, widths, MOST_WEIGHT)
        hidden = np.zeros((n_hidden, n_columns - 1), np.int64)
        outputs = np.zeros((n_columns - 1, N_KINDS, n_hidden), np.int64)
        for unit, mask in enumerate(seen):
            hidden[unit, mask] = rows[unit]
        for column, mask in enumerate(used):
            outputs[column][:, mask] = rows[n_hidden + column].reshape(N_KINDS, -1)
        network = cls(hidden, biases, outputs, hidden_bits, output_bits)
        try:
            network.check()
        except ValueError as error:
            raise BitstreamError(f"A network of codes cannot be: {error}.") from None
        return network


def masks(n_seen: int, n_hidden: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which columns each unit sees, and which units the column after each uses.

    Returns
    -------
    seen : ndarray of bool of shape (n_hidden, n_seen)
        The columns up to the last one of each unit.

    used : ndarray of bool of shape (n_seen, n_hidden)
        The units of which the last column is that one, or one before it.
    """
    last = np.arange(n_hidden) * n_seen // n_hidden
    columns = np.arange(n_seen)
    return columns <= last[:, np.newaxis], last <= columns[:, np.newaxis]


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
        from sklearn_dae.entropy._autoregressive_training import fit_network

        columns, network = fit_network(symbols, columns, n_rows)
        return cls(columns, np.frombuffer(network.to_bytes(), np.uint8))

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
        column, n = self._order[step], active.shape[1]
        outputs = np.repeat(self.columns.outputs[:, [column]], n, axis=1)
        if step:
            changes = self._layers[2][step - 1] @ active
            changes *= _UNITS[:, np.newaxis]
            logits, centres, widths = np.split(outputs, 3)
            logits[[0, -1]] += changes[:2]
            centres += changes[2]
            widths += changes[3]
        limit = np.full(n, self.limit, np.float32)
        return Mixture.of_outputs(
            outputs,
            N_LOGISTIC,
            np.zeros_like(limit),
            np.full_like(limit, self.columns.deviations[column]),
            np.empty((0, n), np.float32),
            Cells.around(limit, -limit, limit, 0),
        )

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
        n_lanes = int(
            np.clip(n_bits / _BITS_OF_LANE, 1, min(len(symbols), _MOST_LANES))
        )
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


def order_of(columns: ColumnMixtures) -> np.ndarray:
    """Return the columns in the order in which they are coded, the widest first."""
    return np.argsort(-columns.deviations, kind="stable")


def inputs_of(symbols: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """Return symbols as a network reads them: whole numbers in float32.

    Parameters
    ----------
    symbols : ndarray of float32 of shape (n_columns, n_rows)
        Symbols.

    deviations : ndarray of float32 of shape (n_columns,)
        Standard deviations of their columns.
    """
    scaled = symbols * np.float32(2**INPUT_BITS) / deviations[:, np.newaxis]
    np.rint(scaled, out=scaled)
    return np.clip(scaled, np.float32(-MOST), np.float32(MOST), out=scaled)


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
