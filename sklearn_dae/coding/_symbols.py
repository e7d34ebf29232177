"""What every coder works on: arrays of integers."""

from typing import Any

import numpy as np


def integers(symbols: Any) -> np.ndarray:
    """Return symbols as an array, or raise TypeError unless they are integers."""
    symbols = np.asarray(symbols)
    if symbols.size == 0:
        return symbols.astype(np.int64)
    if symbols.dtype.kind not in "ui":
        raise TypeError(f"Symbols must be integers, got an array of {symbols.dtype}.")
    return symbols
