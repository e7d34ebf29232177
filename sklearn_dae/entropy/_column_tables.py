"""A distribution for each column of symbols, whatever the other columns hold."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from sklearn_dae._fields import Fields, instance
from sklearn_dae.coding import FrequencyTables, rans_decode, rans_encode
from sklearn_dae.exceptions import BitstreamError

#: Rows in a lane of rANS. Fewer make decoding many rows faster, which should cost
#: little next to what restores images; more save three bytes a lane.
_ROWS_OF_LANE = 64


@dataclass(frozen=True, eq=False)
class ColumnTables:
    """Symbols of each column, coded by rANS with a table of their frequencies.

    Parameters
    ----------
    tables : FrequencyTables
        A table for each column.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae.entropy import ColumnTables
    >>> symbols = np.random.default_rng(0).poisson([1, 4, 16], size=(1000, 3))
    >>> model = ColumnTables.fit(symbols, [10, 20, 40])
    >>> data = model.encode(symbols)
    >>> len(data), round(model.bits(symbols).sum() / 8)
    (1185, 1139)
    >>> np.array_equal(model.decode(data, 1000), symbols)
    True
    """

    tables: FrequencyTables

    _stored_fields: ClassVar[Fields] = {"tables": instance(FrequencyTables)}

    @classmethod
    def fit(cls, symbols: np.ndarray, n_levels: np.ndarray) -> Self:
        """Count the symbols of each column; those not seen count as seen once more.

        Parameters
        ----------
        symbols : ndarray of int of shape (n_rows, n_columns)
            Training symbols.

        n_levels : array-like of int of shape (n_columns,)
            Sizes of the columns' alphabets.
        """
        counts = [
            np.bincount(column, minlength=n)
            for column, n in zip(symbols.T, n_levels, strict=True)
        ]
        return cls(FrequencyTables.from_counts(counts, pseudo_count=1))

    def bits(self, symbols: np.ndarray) -> np.ndarray:
        """Return the bits of each row: float of shape (n_rows,)."""
        return self.tables.bits(symbols).sum(axis=1)

    def encode(self, symbols: np.ndarray) -> bytes:
        """Code rows of symbols."""
        n_lanes = max(1, -(-len(symbols) // _ROWS_OF_LANE))
        return rans_encode(symbols, self.tables, n_lanes=n_lanes)

    def decode(self, data: bytes, n_rows: int) -> np.ndarray:
        """Decode what `encode` made of ``n_rows`` rows, as an array of ints.

        Raises
        ------
        BitstreamError
            If the bytes cannot be those of so many rows.
        """
        # Claims are checked before memory is allocated for them.
        least_bits = self.tables.least_bits
        if n_rows * least_bits > 8 * len(data):
            raise BitstreamError(
                f"{len(data)} bytes cannot hold {n_rows} images of at least "
                f"{least_bits:.2f} bits."
            )
        return rans_decode(data, (n_rows, len(self.tables)), self.tables)
