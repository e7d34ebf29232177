"""Counts of symbols -> whole frequencies that sum to a power of two."""

from collections.abc import Sequence

import numpy as np

from sklearn_dae.coding._table_bytes import pack_tables


def quantize_counts(counts: np.ndarray, precision: int) -> np.ndarray:
    """Find the frequencies under which the counted symbols take the fewest bits.

    The cost ``-sum(counts * log2(frequencies))`` is a sum of convex functions, one per
    symbol. So frequencies that no exchange of one unit between two symbols improves
    are optimal.

    Parameters
    ----------
    counts : ndarray of int of shape (n_symbols,)
        At least one and at most ``2**precision`` of them positive, none negative.

    precision : int
        Binary logarithm of the sum of the frequencies.

    Returns
    -------
    frequencies : ndarray of int64 of shape (n_symbols,)
        At least 1 where the count is positive, 0 elsewhere.
    """
    seen = np.flatnonzero(counts)
    c = counts[seen].astype(np.float64)
    f = np.maximum(np.rint(c * (2.0**precision / c.sum())), 1).astype(np.int64)
    while excess := int(f.sum()) - 2**precision:
        # A symbol may have to change by several units: change half of them at a time.
        n_changed = (abs(excess) + 1) // 2
        if excess > 0:
            changed = np.argsort(_worth(c, f - 1), kind="stable")[:n_changed]
            f[changed[f[changed] > 1]] -= 1
        else:
            f[np.argsort(-_worth(c, f), kind="stable")[:n_changed]] += 1
    while True:
        gains, losses = _worth(c, f), _worth(c, f - 1)
        takers = np.argsort(-gains, kind="stable")
        givers = np.argsort(losses, kind="stable")
        n_exchanged = np.count_nonzero(gains[takers] > losses[givers])
        if not n_exchanged:
            break
        f[takers[:n_exchanged]] += 1
        f[givers[:n_exchanged]] -= 1
    frequencies = np.zeros(counts.size, np.int64)
    frequencies[seen] = f
    return frequencies


def shortest_tables(
    counts: Sequence[np.ndarray], precisions: range
) -> tuple[list[np.ndarray], int]:
    """Raise the precision as long as that saves more bits than the tables cost.

    Returns
    -------
    tables : list of ndarray of int64
        Frequencies for each vector of counts.

    precision : int
        The chosen precision.
    """
    best: tuple[list[np.ndarray], int] = ([], precisions[0])
    fewest = np.inf
    all_counts = np.concatenate(counts)
    seen = np.flatnonzero(all_counts)
    for precision in precisions:
        tables = [quantize_counts(c, precision) for c in counts]
        n_bits = all_counts[seen] @ (precision - np.log2(np.concatenate(tables)[seen]))
        n_bits += 8 * len(pack_tables([t.tolist() for t in tables], precision))
        if n_bits >= fewest:
            break
        best, fewest = (tables, precision), n_bits
    return best


def _worth(counts: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Return the nats saved by one more unit; infinite where there is none yet."""
    with np.errstate(divide="ignore"):
        return counts * np.log1p(1.0 / frequencies)
