"""One table for every way to compress the same images."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sklearn_dae.coding import HuffmanCode
from sklearn_dae.evaluation._metrics import psnr, squared_error_per_image

#: A code value is counted as a single-precision number until it is quantised.
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
    """How one method did.

    Parameters
    ----------
    method : str
        Name of the method.

    n_values : int
        How many numbers an image is stored as.

    bits_per_image, bits_per_pixel : float
        What these numbers cost.

    training_error, test_error : float
        Squared error per image in units of the pixel range, on the images learned from
        and on held-out ones.

    psnr : float
        Peak signal-to-noise ratio of the held-out images, in decibels.
    """

    method: str
    n_values: int
    bits_per_image: float
    bits_per_pixel: float
    training_error: float
    test_error: float
    psnr: float

    def cells(self) -> tuple[str, ...]:
        """Return the row as text, one entry for each column of the table."""
        return (
            self.method,
            f"{self.n_values:,}",
            f"{self.bits_per_image:,.0f}",
            f"{self.bits_per_pixel:.2f}",
            f"{self.training_error:.3f}",
            f"{self.test_error:.3f}",
            "exact" if np.isinf(self.psnr) else f"{self.psnr:.2f}",
        )


@dataclass
class Comparison:
    """Rows of the table, and the held-out reconstructions behind them.

    Printing it gives the table.
    """

    rows: list[Row] = field(default_factory=list)
    reconstructions: dict[str, np.ndarray] = field(default_factory=dict)

    def __str__(self) -> str:
        table = [HEADINGS, *(row.cells() for row in self.rows)]
        widths = [max(len(line[at]) for line in table) for at in range(len(HEADINGS))]
        lines = [
            "  ".join(
                cell.ljust(width) if at == 0 else cell.rjust(width)
                for at, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in table
        ]
        return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def compare(
    methods: dict[str, Any],
    training: np.ndarray,
    test: np.ndarray,
    pixel_range: tuple[float, float],
) -> Comparison:
    """Compare fitted transformers, and Huffman coding of the pixels.

    Parameters
    ----------
    methods : dict of str to transformer
        Fitted on the training images; each with ``inverse_transform``.

    training, test : ndarray of shape (n_images, n_pixels)
        Images learned from, and images held out.

    pixel_range : tuple of (low, high)
        Reconstructions are clipped to it, and errors are given in units of it.

    Returns
    -------
    Comparison
        A row for each method, then one for Huffman coding if the pixels are whole
        numbers of at most 16 bits.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_dae.evaluation import compare
    >>> training, test = np.split(load_digits().data, [1437])
    >>> methods = {"PCA": PCA(16).fit(training)}
    >>> comparison = compare(methods, training, test, (0, 16))
    >>> [(row.method, row.n_values) for row in comparison.rows]
    [('PCA', 16), ('Huffman', 64)]
    """
    comparison = Comparison()
    low, high = pixel_range
    for name, transformer in methods.items():
        errors = {}
        for subset, images in (("training", training), ("test", test)):
            codes = transformer.transform(images)
            restored = np.clip(transformer.inverse_transform(codes), low, high)
            errors[subset] = squared_error_per_image(images, restored, pixel_range)
        n_values = codes.shape[1]
        n_bits = n_values * BITS_PER_VALUE
        comparison.reconstructions[name] = restored
        comparison.rows.append(
            Row(
                method=name,
                n_values=n_values,
                bits_per_image=n_bits,
                bits_per_pixel=n_bits / test.shape[1],
                training_error=errors["training"],
                test_error=errors["test"],
                psnr=psnr(test, restored, pixel_range),
            )
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
    n_pixels = test.shape[1]
    return Row("Huffman", n_pixels, n_bits, n_bits / n_pixels, 0.0, 0.0, np.inf)
