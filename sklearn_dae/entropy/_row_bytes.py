"""Rows of whole numbers <-> bytes: each row by a logistic distribution around zero.

In: matrices, and the width of the distribution of each row. Out: one stream.
"""

from collections.abc import Sequence

import numpy as np

from sklearn_dae.coding._intervals import IntervalDecoder, encode_intervals
from sklearn_dae.entropy._mixture import PER_UNIT, Cells, Mixture

#: Widths have so many steps an octave.
_PER_OCTAVE = 4

#: Lanes of the stream: more make numbers faster to read.
_N_LANES = 32


def widths_of(numbers: np.ndarray) -> np.ndarray:
    """Return the binary logarithms of widths that suit rows, in steps: uint8."""
    typical = np.sqrt((numbers.astype(np.float64) ** 2).mean(axis=1))
    # The width of a logistic distribution, relative to its standard deviation.
    octaves = np.log2(typical * np.sqrt(3) / np.pi + 0.25)
    return np.rint(np.maximum(octaves, 0) * _PER_OCTAVE).astype(np.uint8)


def encode_rows(
    matrices: Sequence[np.ndarray], widths: Sequence[np.ndarray], limit: int
) -> bytes:
    """Code matrices of numbers up to ``limit``."""
    numbers = np.concatenate([numbers.ravel() for numbers in matrices])
    mixture = _mixture(widths, [matrix.shape[1] for matrix in matrices], limit)
    cells = mixture.cells.of(numbers.astype(np.float32))
    counts = np.array([[len(numbers)]])
    n_lanes = min(_N_LANES, len(numbers))
    (stream,) = encode_intervals(*mixture.intervals(cells), counts, [n_lanes])
    return stream


def decode_rows(
    stream: bytes,
    shapes: Sequence[tuple[int, int]],
    widths: Sequence[np.ndarray],
    limit: int,
) -> list[np.ndarray]:
    """Decode what `encode_rows` coded: arrays of int32.

    Raises
    ------
    BitstreamError
        If the bytes cannot be those of such matrices.
    """
    mixture = _mixture(widths, [n for _, n in shapes], limit)
    numbers = np.empty(len(mixture.cells.n), np.int32)
    decoder = IntervalDecoder([stream], np.array([[len(numbers)]]))
    for part in decoder.parts(0):
        of_part = mixture.take(part)
        cells, *interval = of_part.find(decoder.slots())
        decoder.take(*interval)
        numbers[part] = of_part.cells.values(cells)
    decoder.finish()
    ends = np.cumsum([rows * n for rows, n in shapes])[:-1]
    parts = np.split(numbers, ends)
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def _mixture(
    widths: Sequence[np.ndarray], n_columns: Sequence[int], limit: int
) -> Mixture:
    """Return the distributions of all numbers, matrix by matrix and row by row."""
    steps = np.concatenate(
        [np.repeat(rows, n) for rows, n in zip(widths, n_columns, strict=True)]
    )
    # On a coarse grid, so that all machines have the same widths.
    table = np.rint(2.0 ** (np.arange(256) / _PER_OCTAVE) * 16) / 16
    none = np.zeros((0, len(steps)), np.float32)
    limits = np.full(len(steps), limit, np.float32)
    cells = Cells.around(np.zeros_like(limits), -limits, limits, 0)
    per_width = np.float32(PER_UNIT) / table[steps].astype(np.float32)
    ones = np.ones((1, len(steps)), np.float32)
    return Mixture(ones, np.zeros_like(ones), per_width[np.newaxis], none, cells)
