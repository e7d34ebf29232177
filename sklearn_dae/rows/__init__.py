"""Rows of X as blocks, wherever they live.

In: an array of rows, in memory or memory-mapped, and which of them to take. Out: blocks
of rows, converted as they are read; maps and sums over them. The order of a sum is
fixed by the number of rows, never by the machine. Rows that live elsewhere need
what `RowBlocks` has: ``n_rows``, ``take``, ``map``, ``sum``, ``sum_lanes``, and blocks
in order when iterated over.
"""

from sklearn_dae.rows._blocks import RowBlocks

__all__ = ["RowBlocks"]
