"""Codes <-> symbols <-> bytes: how finely codes are rounded, and how they are coded."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from sklearn_dae._fields import Fields, expect_equal, instance, number
from sklearn_dae.entropy import AutoregressiveMixtures, ColumnMixtures, ColumnTables
from sklearn_dae.quantizers import KMeansQuantizer, UniformQuantizer
from sklearn_dae.quantizers._uniform import round_to_bins

#: How much wider the bin around zero is, in steps: frequent symbols take fewer bits.
_DEAD_ZONE = 0.05

#: What codes are restored closer to zero by is a multiple of this share of a step.
_SHRINKING = 1 / 256


@dataclass(frozen=True, eq=False)
class RoundedCodes:
    """Codes rounded to multiples of one step, and a few numbers for each distribution.

    Parameters
    ----------
    step : float
        The step.

    shrinking : float
        By what share of a step codes other than zero are restored closer to zero, where
        most of those are that become the same symbol.

    mixtures : ColumnMixtures or AutoregressiveMixtures
        How symbols are distributed.
    """

    step: float
    shrinking: float
    mixtures: ColumnMixtures | AutoregressiveMixtures

    _stored_fields: ClassVar[Fields] = {
        "step": number(),
        "shrinking": number(),
        "mixtures": instance(ColumnMixtures, AutoregressiveMixtures),
    }

    def _check_stored(self) -> None:
        if not (self.step > 0 and abs(self.shrinking) < 1):
            raise ValueError(f"Steps are {self.step}, less {self.shrinking} of one")

    @classmethod
    def fit(cls, codes: np.ndarray, step: float) -> Self:
        """Learn distributions from codes of images, of shape (n_samples, n_values)."""
        symbols = rounded(codes, step)
        shrinking = _shrinking(codes, symbols, step)
        return cls(step, shrinking, ColumnMixtures.fit(symbols))

    def autoregressive(self, symbols: np.ndarray, n_images: int) -> Self:
        """Let values depend on each other, if that pays for so many images."""
        columns = self.mixtures
        if not (isinstance(columns, ColumnMixtures) and columns.n_columns > 1):
            return self
        found = AutoregressiveMixtures.fit(symbols, columns, n_rows=n_images)

        def n_bits(model: ColumnMixtures | AutoregressiveMixtures) -> float:
            return n_images * float(model.bits(symbols).mean()) + 8 * model.n_bytes

        better = n_bits(found) < n_bits(columns)
        return replace(self, mixtures=found) if better else self

    @property
    def n_values(self) -> int:
        """Values of a code."""
        return self.mixtures.n_columns

    def symbols(self, codes: np.ndarray) -> np.ndarray:
        """Round codes."""
        limit = self.mixtures.limit
        return np.clip(rounded(codes, self.step), -limit, limit).astype(np.int32)

    def codes(self, symbols: np.ndarray) -> np.ndarray:
        """Return the codes that symbols stand for."""
        return _restored(symbols, self.shrinking, self.step)

    def bits(self, symbols: np.ndarray) -> np.ndarray:
        """Return the bits of each row."""
        return self.mixtures.bits(symbols)

    def encode(self, symbols: np.ndarray) -> bytes:
        """Code symbols."""
        return self.mixtures.encode(symbols)

    def decode(self, data: bytes, n_rows: int) -> np.ndarray:
        """Decode what `encode` made of so many rows."""
        return self.mixtures.decode(data, n_rows)


def rounded(codes: np.ndarray, step: float) -> np.ndarray:
    """Return the multiples of a step that codes are rounded to."""
    return round_to_bins(codes / step, _DEAD_ZONE)


def entropy_of_columns(symbols: np.ndarray) -> float:
    """Return the bits of all symbols if each column's frequencies were known."""
    n_bits = 0.0
    for column in symbols.T:
        _, counts = np.unique(column, return_counts=True)
        n_bits -= float(counts @ np.log2(counts / len(column)))
    return n_bits


def _shrinking(codes: np.ndarray, symbols: np.ndarray, step: float) -> float:
    """Return how much farther from zero symbols are than codes, in steps."""
    farther = np.abs(symbols) - np.abs(codes) / step
    inside = symbols != 0
    share = farther[inside].mean() if inside.any() else 0.0
    return float(np.rint(share / _SHRINKING) * _SHRINKING)


def _restored(symbols: np.ndarray, shrinking: float, step: float) -> np.ndarray:
    return (symbols - shrinking * np.sign(symbols)) * step


def as_restored(codes: np.ndarray, step: float) -> np.ndarray:
    """Return codes as they come back from rounding to multiples of a step."""
    symbols = rounded(codes, step)
    return _restored(symbols, _shrinking(codes, symbols, step), step)


@dataclass(frozen=True, eq=False)
class QuantizedCodes:
    """Codes through a quantiser that the user chose, and a table for each column.

    Parameters
    ----------
    quantizer : quantiser
        The fitted quantiser.

    tables : ColumnTables
        How frequent symbols are.
    """

    quantizer: Any
    tables: ColumnTables

    _stored_fields: ClassVar[Fields] = {
        "quantizer": instance(UniformQuantizer, KMeansQuantizer),
        "tables": instance(ColumnTables),
    }

    def _check_stored(self) -> None:
        check_is_fitted(self.quantizer)
        expect_equal(
            "Units of the quantiser", self.quantizer.n_features_in_, self.n_values
        )
        sizes = [len(table) for table in self.tables.tables]
        expect_equal("Symbols of the tables", sizes, self.quantizer.n_levels_)

    @classmethod
    def fit(cls, codes: np.ndarray, quantizer: Any) -> Self:
        """Fit a quantiser to codes, and tables to its symbols."""
        fitted = clone(quantizer).fit(codes)
        return cls(fitted, ColumnTables.fit(fitted.transform(codes), fitted.n_levels_))

    @property
    def n_values(self) -> int:
        """Values of a code."""
        return len(self.tables.tables)

    def symbols(self, codes: np.ndarray) -> np.ndarray:
        """Quantise codes."""
        return self.quantizer.transform(codes)

    def codes(self, symbols: np.ndarray) -> np.ndarray:
        """Return the codes that symbols stand for."""
        return self.quantizer.inverse_transform(symbols)

    def bits(self, symbols: np.ndarray) -> np.ndarray:
        """Return the bits of each row."""
        return self.tables.bits(symbols)

    def encode(self, symbols: np.ndarray) -> bytes:
        """Code symbols."""
        return self.tables.encode(symbols)

    def decode(self, data: bytes, n_rows: int) -> np.ndarray:
        """Decode what `encode` made of so many rows."""
        return self.tables.decode(data, n_rows)


#: How codes are rounded and coded: one of these, of which a codec can exchange one for
#: another.
CodeModel = RoundedCodes | QuantizedCodes
