"""An array of rows, a block at a time.

In: an array of rows, in memory or memory-mapped, of any numeric dtype.
Out: blocks of rows, converted one at a time, and sums of a function over them.
Every full-data quantity of training (loss, gradient, mean activations) is such
a sum, so the converted data never exist all at once.
"""

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

import numpy as np

from sklearn_dae._threads import add, cut, lanes, map_in_threads, sum_in_threads

#: Rows in one block. Large enough that matrix products run at full speed,
#: small enough that the activations of a block stay near the processor.
_BLOCK_ROWS = 640


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
    >>> from sklearn_dae.rows import RowBlocks
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
        block_rows: int = _BLOCK_ROWS,
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
        return (self._read(part) for part in self._parts(slice(0, self.n_rows)))

    def _parts(self, lane: slice) -> Iterator[slice]:
        """Cut a lane of rows into blocks."""
        n_rows = lane.stop - lane.start
        for part in cut(n_rows, -(-n_rows // self.block_rows)):
            yield slice(lane.start + part.start, lane.start + part.stop)

    def _read(self, part: slice) -> np.ndarray:
        """Return a block of rows, converted."""
        block = self.X[part] if self.rows is None else self.X[self.rows[part]]
        return block if self.convert is None else self.convert(block)

    def map(self, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Apply a function to the blocks; concatenate the results."""
        parts = [part for lane in lanes(self.n_rows) for part in self._parts(lane)]
        return np.concatenate(
            map_in_threads(lambda part: function(self._read(part)), parts)
        )

    def sum(
        self, function: Callable[..., tuple], *, with_start: bool = False
    ) -> tuple[Any, ...]:
        """Sum ``function(block)``, a tuple of numbers and new arrays, over the blocks.

        ``with_start`` makes it ``function(start, block)``, with the index of the
        block's first row, which tells apart blocks that draw random numbers.

        Lanes of rows, cut by their number alone, are summed in parallel and then added
        up in order, so the result depends neither on threads nor on the machine.
        """

        def go_along(lane: slice) -> tuple:
            parts = (
                function(part.start, self._read(part))
                if with_start
                else function(self._read(part))
                for part in self._parts(lane)
            )
            return reduce(add, parts)

        return sum_in_threads(go_along, lanes(self.n_rows))

    def sum_lanes(
        self, function: Callable[[Iterator[np.ndarray]], tuple]
    ) -> tuple[Any, ...]:
        """Sum as `sum` does, with a function that is given all blocks of a lane.

        It returns the tuple of the whole lane, and may accumulate large arrays in place
        on the way.
        """

        def go_along(lane: slice) -> tuple:
            return function(self._read(part) for part in self._parts(lane))

        return sum_in_threads(go_along, lanes(self.n_rows))
