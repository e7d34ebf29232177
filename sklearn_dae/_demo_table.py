"""The table of the demonstration: every way to compress the same images, a line each.

In: fitted transformers and images. Out: a `Comparison`, which prints as the table.
Nothing is quantised or coded here, unlike in `sklearn_dae.evaluation.measure`: a value
counts as a number of single precision.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sklearn_dae.coding._huffman import HuffmanCode
from sklearn_dae.evaluation import squared_error_per_image
from sklearn_dae.evaluation._measurement import decibels

#: Bits of a code value.
BITS_PER_VALUE = 32

HEADINGS = (
    "",
    "values",
    "bits/image",
    "bits/pixel",
    "error, training",
    "error, held out",
    "PSNR (dB)",
)


@dataclass(frozen=True)
class Row:
    """How one method did; errors are squared ones an image, in units of the range."""

    method: str
    n_pixels: int
    n_values: int
    bits_per_image: float
    training_error: float
    test_error: float

    @property
    def psnr(self) -> float:
        """Peak signal-to-noise ratio of the held-out images, in decibels."""
        return decibels(self.test_error / self.n_pixels)

    def cells(self) -> tuple[str, ...]:
        """Return the row as text, one entry for each column of the table."""
        return (
            self.method,
            f"{self.n_values:,}",
            f"{self.bits_per_image:,.0f}",
            f"{self.bits_per_image / self.n_pixels:.2f}",
            f"{self.training_error:.3f}",
            f"{self.test_error:.3f}",
            "exact" if np.isinf(self.psnr) else f"{self.psnr:.2f}",
        )


@dataclass
class Comparison:
    """Rows of the table, and the held-out reconstructions behind them."""

    rows: list[Row] = field(default_factory=list)
    reconstructions: dict[str, np.ndarray] = field(default_factory=dict)

    def __str__(self) -> str:
        table = [HEADINGS, *(row.cells() for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join([name.ljust(widths[0]), *map(str.rjust, numbers, widths[1:])])
            for name, *numbers in table
        ]
        return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def compare(
    methods: dict[str, Any],
    training: np.ndarray,
    test: np.ndarray,
    pixel_range: tuple[float, float],
) -> Comparison:
    """Compare fitted transformers, and Huffman coding of the pixels.

    Reconstructions are clipped to the range of the pixels. Huffman coding, which comes
    last, has a row if the pixels are whole numbers of at most 16 bits.
    """
    comparison = Comparison()
    for name, transformer in methods.items():
        errors = []
        for images in (training, test):
            codes = transformer.transform(images)
            restored = np.clip(transformer.inverse_transform(codes), *pixel_range)
            errors.append(squared_error_per_image(images, restored, pixel_range))
        n_values = codes.shape[1]
        comparison.reconstructions[name] = restored
        comparison.rows.append(
            Row(name, test.shape[1], n_values, n_values * BITS_PER_VALUE, *errors)
        )
    if (row := _huffman_row(training, test)) is not None:
        comparison.rows.append(row)
    return comparison


def _huffman_row(training: np.ndarray, test: np.ndarray) -> Row | None:
    """Code the test pixels with the Huffman code of the training pixels."""
    # Differences of pixels may not fit the dtype of the pixels.
    training, test = (
        X.astype(np.int64) if X.dtype.kind in "bui" else X for X in (training, test)
    )
    low = min(training.min(), test.min())
    n_symbols = max(training.max(), test.max()) - low + 1
    whole = all(np.array_equal(X, np.rint(X)) for X in (training, test))
    if not whole or n_symbols > 2**16:
        return None
    symbols, held_out = ((X - low).astype(np.int64) for X in (training, test))
    # A value that is not seen in training counts as seen once.
    counts = np.maximum(np.bincount(symbols.ravel(), minlength=int(n_symbols)), 1)
    code = HuffmanCode(np.arange(int(n_symbols)), counts)
    n_bits = code.lengths[held_out].sum() / len(test)
    return Row("Huffman", test.shape[1], test.shape[1], n_bits, 0.0, 0.0)
