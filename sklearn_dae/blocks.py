"""Rows of X as blocks, wherever they live.

In: an array of rows, in memory or memory-mapped, of any numeric dtype.
Out: blocks of rows, converted one at a time, and sums of a function over them.
Every full-data quantity of training (loss, gradient, mean activations) is such
a sum, so the converted data never exist all at once.
"""

import operator
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any, TypeVar

import numpy as np

from sklearn_dae._threads import lanes, map_in_lanes

#: Rows in one block. Large enough that matrix products run at full speed,
#: small enough that the activations of a block stay near the processor.
BLOCK_ROWS = 640

Result = TypeVar("Result")


class RowBlocks:
    """The rows of an array, a block at a time.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The rows.

    rows : ndarray of int, default=None
        Which rows, in which order; all of them when None.

    convert : callable, default=None
        Applied to every block as it is read, for example to scale pixels.

    block_rows : int, default=640
        Maximum number of rows in a block. The blocks of a lane differ by at most one
        row.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae.blocks import RowBlocks
    >>> blocks = RowBlocks(np.arange(10).reshape(5, 2), block_rows=2)
    >>> [len(block) for block in blocks]
    [1, 2, 2]
    >>> count, total = blocks.sum(lambda block: (len(block), block.sum(axis=0)))
    >>> count, total
    (5, array([20, 25]))
    """

    def __init__(
        self,
        X: np.ndarray,
        *,
        rows: np.ndarray | None = None,
        convert: Callable[[np.ndarray], np.ndarray] | None = None,
        block_rows: int = BLOCK_ROWS,
    ) -> None:
        self.X = X
        self.rows = rows
        self.convert = convert
        self.block_rows = block_rows

    @classmethod
    def of(cls, X: "np.ndarray | RowBlocks") -> "RowBlocks":
        """Return X as blocks, which it may already be."""
        return X if isinstance(X, RowBlocks) else cls(X)

    @property
    def n_rows(self) -> int:
        """Number of rows in all blocks together."""
        return len(self.X) if self.rows is None else len(self.rows)

    def take(self, rows: np.ndarray) -> "RowBlocks":
        """Return the rows with the given indices, in the order given."""
        rows = rows if self.rows is None else self.rows[rows]
        return RowBlocks(
            self.X, rows=rows, convert=self.convert, block_rows=self.block_rows
        )

    def __iter__(self) -> Iterator[np.ndarray]:
        return (block for _, block in self._blocks(slice(0, self.n_rows)))

    def _blocks(self, lane: slice) -> Iterator[tuple[int, np.ndarray]]:
        """Yield, along a lane, the index of each block's first row, and the block."""
        n_rows = lane.stop - lane.start
        n_blocks = -(-n_rows // self.block_rows)
        for k in range(n_blocks):
            start, stop = (n_rows * end // n_blocks for end in (k, k + 1))
            part = slice(lane.start + start, lane.start + stop)
            block = self.X[part] if self.rows is None else self.X[self.rows[part]]
            yield part.start, block if self.convert is None else self.convert(block)

    def map(self, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Apply a function to the blocks; concatenate the results."""
        parts = self.map_lanes(lambda lane: [function(block) for block in lane])
        return np.concatenate([block for part in parts for block in part])

    def sum(
        self, function: Callable[..., tuple], *, with_start: bool = False
    ) -> tuple[Any, ...]:
        """Sum ``function(block)``, a tuple of numbers and new arrays, over the blocks.

        ``with_start`` makes it ``function(start, block)``, with the index of the
        block's first row, which tells apart blocks that draw random numbers.

        Lanes of rows are summed in parallel and then added up in order, so the result
        does not depend on the number of threads.
        """

        def go_along(lane: slice) -> tuple:
            parts = (
                function(start, block) if with_start else function(block)
                for start, block in self._blocks(lane)
            )
            return reduce(_add, parts)

        return reduce(_add, map_in_lanes(go_along, lanes(self.n_rows)))

    def map_lanes(
        self, function: Callable[[Iterator[np.ndarray]], Result]
    ) -> list[Result]:
        """Apply a function to each lane; it is given all blocks of the lane.

        For sums of large arrays, which are cheaper to accumulate in place.
        """

        def go_along(lane: slice) -> Result:
            return function(block for _, block in self._blocks(lane))

        return map_in_lanes(go_along, lanes(self.n_rows))


def _add(total: tuple, part: tuple) -> tuple:
    """Add tuples item by item, arrays in place."""
    return tuple(map(operator.iadd, total, part))
