"""A few numbers say how the symbols of each column are distributed.

In: columns of whole numbers, mostly small. Out: bytes. Where a table of frequencies
takes some twenty bytes a column, a mixture of one to three logistic distributions takes
five to eleven, and fits as well. Each column gets as many as pay.

Bytes of a column: the number of its distributions and its scale, and of each of them
the logarithm of its share, the place of its centre and the logarithm of its width,
these two relative to the scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from scipy.optimize import minimize

from sklearn_dae._bytes import ByteReader
from sklearn_dae._fields import Fields, array, count
from sklearn_dae.coding._intervals import N_SLOTS, IntervalDecoder, encode_intervals
from sklearn_dae.entropy._logistic import N_LOGISTIC, Between
from sklearn_dae.entropy._mixture import PER_FOLD, PER_OCTAVE, Cells, Mixture
from sklearn_dae.exceptions import BitstreamError

#: Largest symbol that may be asked for.
MOST_LIMIT = 2**15 - 1

#: Units of what is stored: of logarithms of shares, an e-fold; of centres, a scale; of
#: widths, an octave; and of scales, an octave, from the smallest one on.
_OF_SHARES, _OF_CENTRES, _OF_WIDTHS, _OF_SCALES = 8, 16, 8, 8
_LEAST_SCALE = -4

#: Range of what is stored.
_MOST_STORED = 127

#: Bits of a lane of rANS, which costs nine: fewer make decoding faster.
_BITS_OF_LANE = 5_000

#: Symbols of the last step.
_LAST_STEP = 64

#: Most symbols of all columns, of which all first slots are held in memory.
_MOST_SYMBOLS = 2**22

#: Least likelihood of a symbol.
_FLOOR = 2.0**-20

#: Iterations of a fit.
_MOST_ITER = 100


@dataclass(frozen=True, eq=False)
class ColumnMixtures:
    """Symbols of each column, coded by rANS with mixtures of logistic distributions.

    Parameters
    ----------
    limit : int
        Largest absolute value of a symbol.

    packed : ndarray of uint8 of shape (n_bytes,)
        The distributions of each column.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae.entropy import ColumnMixtures
    >>> rng = np.random.default_rng(0)
    >>> symbols = np.rint(rng.normal(0, [1, 4, 16], size=(1000, 3))).astype(int)
    >>> model = ColumnMixtures.fit(symbols)
    >>> data = model.encode(symbols)
    >>> len(model.packed), len(data), round(model.bits(symbols).sum() / 8)
    (15, 1535, 1525)
    >>> np.array_equal(model.decode(data, 1000), symbols)
    True
    """

    limit: int
    packed: np.ndarray

    _stored_fields: ClassVar[Fields] = {
        "limit": count(1, MOST_LIMIT),
        "packed": array("bytes", kinds="u"),
    }

    def _check_stored(self) -> None:
        if not self.packed.size:
            raise ValueError("There are no columns")
        most = _most_limit(self.n_columns)
        if self.limit > most:
            raise ValueError(f"Symbols up to {self.limit}, expected at most {most}")

    @classmethod
    def fit(cls, symbols: np.ndarray) -> Self:
        """Find distributions of few bits, their own bits counted.

        Parameters
        ----------
        symbols : ndarray of int of shape (n_rows, n_columns)
            Training symbols.
        """
        # Other rows may go a little further.
        limit = 4 * int(np.abs(symbols).max(initial=0)) + 16
        limit = min(limit, _most_limit(symbols.shape[1]))
        columns = [_Column.of(column) for column in symbols.T]
        best = [(np.inf, b"")] * len(columns)
        for n_parts in range(1, N_LOGISTIC + 1):
            for number, packed in enumerate(_fitted(columns, n_parts)):
                n_bits = columns[number].bits(packed, limit) + 8 * len(packed)
                best[number] = min(best[number], (n_bits, packed))
        packed = b"".join(of_column for _, of_column in best)
        return cls(limit, np.frombuffer(packed, np.uint8))

    @property
    def n_bytes(self) -> int:
        """Bytes of the distributions."""
        return self.packed.size

    @cached_property
    def _unpacked(self) -> tuple[np.ndarray, np.ndarray]:
        reader, columns = ByteReader(self.packed.tobytes()), []
        while reader.n_left:
            columns.append(_unpack(reader))
        outputs, deviations = zip(*columns, strict=True)
        return np.stack(outputs, axis=1), np.array(deviations, np.float32)

    @property
    def outputs(self) -> np.ndarray:
        """Logarithms of shares, centres and widths, as `Mixture` reads them.

        An array of float32 of shape (n_outputs, n_columns).
        """
        return self._unpacked[0]

    @property
    def deviations(self) -> np.ndarray:
        """Standard deviations, or so, of the columns: float32 of shape (n_columns,)."""
        return self._unpacked[1]

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return len(self.deviations)

    @cached_property
    def _starts(self) -> np.ndarray:
        """The first slot of each symbol of each column, and at last the end of all."""
        symbols = np.arange(2 * self.limit + 2, dtype=np.float32)
        starts = np.empty((self.n_columns, len(symbols)), np.int64)
        for column, outputs in enumerate(self.outputs.T):
            of_symbols = np.repeat(outputs[:, np.newaxis], len(symbols), axis=1)
            starts[column] = self.mixture(column, of_symbols).below(symbols)
        return starts

    def mixture(self, column: int, outputs: np.ndarray) -> Mixture:
        """Return distributions of symbols of a column, whose cells are all symbols.

        Parameters
        ----------
        column : int
            The column.

        outputs : ndarray of float32 of shape (n_outputs, n)
            As `outputs` has them for the column, or changed.
        """
        n = outputs.shape[1]
        limit = np.full(n, self.limit, np.float32)
        return Mixture.of_outputs(
            outputs,
            N_LOGISTIC,
            np.zeros_like(limit),
            np.full_like(limit, self.deviations[column]),
            np.empty((0, n), np.float32),
            Cells.around(limit, -limit, limit, 0),
        )

    @cached_property
    def _sorted_starts(self) -> np.ndarray:
        """The first slots of all columns, one after another, each above the last."""
        columns = np.arange(self.n_columns)[:, np.newaxis]
        return (self._starts + (N_SLOTS + 1) * columns).ravel()

    def _intervals(self, symbols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the first slots of symbols, and how many each has."""
        columns, cells = np.arange(self.n_columns), symbols + self.limit
        starts = self._starts[columns, cells]
        return starts.ravel(), (self._starts[columns, cells + 1] - starts).ravel()

    def bits(self, symbols: np.ndarray) -> np.ndarray:
        """Return the bits of each row: float of shape (n_rows,)."""
        _, frequencies = self._intervals(symbols)
        return np.log2(N_SLOTS / frequencies).reshape(symbols.shape).sum(axis=1)

    def encode(self, symbols: np.ndarray) -> bytes:
        """Code rows of symbols between minus and plus the limit."""
        if not symbols.size:
            return b""
        starts, frequencies = self._intervals(symbols)
        n_bits = float(np.log2(N_SLOTS / frequencies).sum())
        n_lanes = n_lanes_for(n_bits, symbols.size)
        counts = _counts(symbols.size)
        (data,) = encode_intervals(starts, frequencies, counts, [n_lanes])
        return data

    def decode(self, data: bytes, n_rows: int) -> np.ndarray:
        """Decode what `encode` made of ``n_rows`` rows, as an array of ints.

        Raises
        ------
        BitstreamError
            If the bytes cannot be those of so many rows.
        """
        # Claims are checked before memory is allocated for them.
        if n_rows * self._least_bits > 8 * len(data) or (data and not n_rows):
            raise BitstreamError(
                f"{len(data)} bytes cannot hold {n_rows} images of at least "
                f"{self._least_bits:.2f} bits."
            )
        symbols = np.zeros(n_rows * self.n_columns, np.int32)
        if not n_rows:
            return symbols.reshape(0, self.n_columns)
        counts, begin = _counts(symbols.size), 0
        n_starts = self._starts.shape[1]
        decoder = IntervalDecoder([data], counts)
        for step, n in enumerate(counts[:, 0].tolist()):
            for part in decoder.parts(step):
                places = begin + part
                columns = places % self.n_columns
                slots = decoder.slots() + (N_SLOTS + 1) * columns
                found = np.searchsorted(self._sorted_starts, slots, side="right") - 1
                cells = found - n_starts * columns
                starts = self._starts[columns, cells]
                decoder.take(starts, self._starts[columns, cells + 1] - starts)
                symbols[places] = cells - self.limit
            begin += n
        decoder.finish()
        return symbols.reshape(n_rows, self.n_columns)

    @cached_property
    def _least_bits(self) -> float:
        """The bits of the most frequent symbols of all columns."""
        most_frequent = np.diff(self._starts, axis=1).max(axis=1)
        return float(np.log2(N_SLOTS / most_frequent).sum())


def n_lanes_for(n_bits: float, most: int) -> int:
    """Return how many lanes of rANS code so many bits, at most ``most``."""
    return max(1, min(int(n_bits / _BITS_OF_LANE), most))


def _most_limit(n_columns: int) -> int:
    """Return the largest symbol that so many columns may have."""
    return min(MOST_LIMIT, max(1, _MOST_SYMBOLS // (2 * n_columns) - 1))


def _counts(n: int) -> np.ndarray:
    """Cut symbols into steps, each half of what is left, so that lanes can end."""
    counts = []
    while n > _LAST_STEP:
        counts.append(n // 2)
        n -= counts[-1]
    return np.array([[count] for count in [*counts, n]])


@dataclass(frozen=True, eq=False)
class _Column:
    """How often each symbol of a column occurs."""

    values: np.ndarray
    counts: np.ndarray
    scale: float
    mean: float

    @classmethod
    def of(cls, symbols: np.ndarray) -> Self:
        values, counts = np.unique(symbols, return_counts=True)
        mean = float(symbols.mean())
        octaves = np.log2(max(float(symbols.std()), 0.1)) - _LEAST_SCALE
        exponent = int(np.clip(np.rint(octaves * _OF_SCALES), 0, _MOST_STORED))
        return cls(values, counts, _scale(exponent), mean)

    def bits(self, packed: bytes, limit: int) -> float:
        """Return the bits of all symbols by the distributions of some bytes."""
        model = ColumnMixtures(limit, np.frombuffer(packed, np.uint8))
        return float(self.counts @ model.bits(self.values[:, np.newaxis]))


def _scale(exponent: int) -> float:
    """Return a scale, the same on all machines."""
    return float(np.rint(2.0 ** (exponent / _OF_SCALES + 8)) / 2**12)


def _fitted(columns: Sequence[_Column], n_parts: int) -> list[bytes]:
    """Fit so many distributions to each column, all at once; return their bytes."""
    n = max(len(column.values) for column in columns)
    values, counts = np.zeros((2, n, len(columns)))
    for number, column in enumerate(columns):
        values[: len(column.values), number] = (
            column.values - column.mean
        ) / column.scale
        counts[: len(column.counts), number] = column.counts
    half = np.array([0.5 / column.scale for column in columns])
    counts /= counts.sum(axis=0)

    def loss_and_slope(flat: np.ndarray) -> tuple[float, np.ndarray]:
        parameters = flat.reshape(3, n_parts, len(columns))
        loss, slope = _nats_and_slopes(parameters, values, counts, half)
        return loss, slope.ravel()

    start = np.zeros((3, n_parts, len(columns)))
    start[1] = np.linspace(-1, 1, n_parts + 2)[1:-1, np.newaxis] if n_parts > 1 else 0
    # A logistic distribution of standard deviation 1, if it is the only one.
    start[2] = np.log(np.sqrt(3) / np.pi) - 0.3 * (n_parts > 1)
    limit = 0.9 * _MOST_STORED
    bounds = [
        *[(-limit / _OF_SHARES, limit / _OF_SHARES)] * start[0].size,
        *[(-limit / _OF_CENTRES, limit / _OF_CENTRES)] * start[1].size,
        *[(-4.0, 2.0)] * start[2].size,
    ]
    found = minimize(
        loss_and_slope,
        start.ravel(),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": _MOST_ITER},
    )
    logits, centres, widths = found.x.reshape(start.shape)
    centres += [column.mean / column.scale for column in columns]
    logits -= logits.max(axis=0)
    return [
        pack_column(column.scale, logits[:, j], centres[:, j], widths[:, j])
        for j, column in enumerate(columns)
    ]


def _nats_and_slopes(
    parameters: np.ndarray, values: np.ndarray, counts: np.ndarray, half: np.ndarray
) -> tuple[float, np.ndarray]:
    """Return the nats of all columns, a symbol of each, and the slopes."""
    logits, centres, widths = parameters
    shares = np.exp(logits - logits.max(axis=0))
    shares /= shares.sum(axis=0)
    per_width = np.exp(-widths)
    far = values[:, np.newaxis] - centres
    upper, lower = (far + half) * per_width, (far - half) * per_width
    between = Between.of(lower, upper)
    inside, (slope_above, slope_below) = between.share, between.slopes()
    likelihood = (shares * inside).sum(axis=1) + _FLOOR
    nats = -float((counts * np.log(likelihood)).sum())
    weight = (counts / likelihood)[:, np.newaxis] * shares
    # The floor is no part, so all parts together have a little less than all symbols.
    in_parts = counts.sum(axis=0) - _FLOOR * (counts / likelihood).sum(axis=0)
    of_logits = shares * in_parts - (weight * inside).sum(axis=0)
    of_centres = (weight * (slope_above - slope_below) * per_width).sum(axis=0)
    of_widths = (weight * (upper * slope_above - lower * slope_below)).sum(axis=0)
    return nats, np.stack([of_logits, of_centres, of_widths])


def pack_column(
    scale: float, logits: np.ndarray, centres: np.ndarray, widths: np.ndarray
) -> bytes:
    """Write the distributions of a column."""
    exponent = int(np.rint((np.log2(scale) - _LEAST_SCALE) * _OF_SCALES))
    numbers = np.stack(
        [logits * _OF_SHARES, centres * _OF_CENTRES, widths / np.log(2) * _OF_WIDTHS]
    )
    whole = np.clip(np.rint(numbers), -_MOST_STORED, _MOST_STORED).astype(np.int8)
    return bytes([len(logits), exponent]) + whole.T.tobytes()


def _unpack(reader: ByteReader) -> tuple[np.ndarray, np.float32]:
    """Read the distributions of a column: the outputs of a network, and the scale."""
    n_parts, exponent = reader.take(2)
    if not 1 <= n_parts <= N_LOGISTIC or exponent > _MOST_STORED:
        raise BitstreamError(f"A column has {n_parts} distributions.")
    whole = np.frombuffer(reader.take(3 * n_parts), np.int8).reshape(n_parts, 3)
    # Those that are not there have no share.
    outputs = np.full((3, N_LOGISTIC), 0, np.float32)
    outputs[0] = -(2.0**15)
    outputs[:, :n_parts] = whole.T
    outputs[0, :n_parts] *= PER_FOLD / _OF_SHARES
    outputs[1] /= _OF_CENTRES
    outputs[2] *= PER_OCTAVE / _OF_WIDTHS
    return outputs.ravel(), np.float32(_scale(exponent))
