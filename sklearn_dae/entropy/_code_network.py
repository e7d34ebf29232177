"""The network of `AutoregressiveMixtures`: what columns say of those after them.

In: what is known of rows already, as whole numbers. Out: how the distributions of a
column change. All weights and activations are whole numbers, so small that sums are
exact in single precision; see `_arithmetic`.

Bytes of a network: the number of hidden units; how many bits of their weights, and of
those of outputs, are after the point; biases; the width of the distribution of the
weights of hidden units, and of those of each column; and one stream of all weights that
are not zero by the order of columns.

References
----------
Germain, M., Gregor, K., Murray, I., & Larochelle, H. (2015). MADE: masked autoencoder
for distribution estimation. ICML.
"""

from typing import NamedTuple, Self

import numpy as np

from sklearn_dae._bytes import ByteReader, frame, leb128, zigzag
from sklearn_dae.entropy._arithmetic import check_sums
from sklearn_dae.entropy._column_mixtures import ColumnMixtures
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

#: Most hidden units, largest weight, most bits of it after the point.
_MOST_HIDDEN, MOST_WEIGHT, _MOST_BITS = 512, 2**14, 16


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
