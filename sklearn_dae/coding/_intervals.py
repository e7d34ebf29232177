"""rANS for models that compute the interval of each symbol afresh.

Where a table is mixed afresh for every symbol, it would be a waste to make all of it:
an encoder needs the interval of one symbol, and a decoder compares one slot with the
cumulative frequencies. The stream is that of the module `_lanes`.
"""

from itertools import pairwise

import numpy as np

from sklearn_dae._validation import check_integer
from sklearn_dae.coding._lanes import MAX_LANES, LaneDecoder, encode_lanes

#: Binary logarithm of the number of slots that intervals are cut from.
PRECISION = 16


class IntervalEncoder:
    """Codes symbols by their intervals, within 2**16 slots.

    Symbols that are pushed are kept, and coded by `to_bytes`.

    Parameters
    ----------
    n_lanes : int
        How many symbols are coded at a time, at most 65,536. Each push begins with the
        first lane.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae.coding._intervals import IntervalDecoder, IntervalEncoder
    >>> encoder = IntervalEncoder(n_lanes=2)
    >>> encoder.push(np.array([0, 30000, 7]), np.array([30000, 5, 1]))
    >>> decoder = IntervalDecoder(encoder.to_bytes())
    >>> decoder.slots(2) >= [0, 30000]
    array([ True,  True])
    >>> decoder.take(np.array([0, 30000]), np.array([30000, 5]))
    >>> decoder.take(np.array([7]), np.array([1]))
    >>> decoder.finish()
    """

    def __init__(self, n_lanes: int) -> None:
        check_integer("n_lanes", n_lanes, 1, MAX_LANES)
        self.n_lanes = n_lanes
        self._pushed: list[np.ndarray] = []

    def push(self, starts: np.ndarray, frequencies: np.ndarray) -> None:
        """Append symbols.

        Parameters
        ----------
        starts, frequencies : ndarray of int of shape (n,)
            The first slot of each interval, and its number of slots, at least 1.
        """
        interval = (frequencies.astype(np.uint32) - np.uint32(1)) << np.uint32(16)
        self._pushed.append(interval | starts.astype(np.uint32))

    def to_bytes(self) -> bytes:
        """Code all symbols; return the stream."""
        ends = np.cumsum([0, *(pushed.size for pushed in self._pushed)]).tolist()
        bounds = [step for a, b in pairwise(ends) for step in range(a, b, self.n_lanes)]
        intervals = np.concatenate([np.empty(0, np.uint32), *self._pushed])
        return encode_lanes(intervals, [*bounds, ends[-1]], PRECISION)


class IntervalDecoder:
    """Decodes what `IntervalEncoder` coded, one step of the lanes at a time.

    Parameters
    ----------
    data : bytes
        What `IntervalEncoder.to_bytes` returned.

    Raises
    ------
    BitstreamError
        If the stream is too short for the lanes it claims, or a lane is in a state in
        which no encoder leaves it.
    """

    def __init__(self, data: bytes) -> None:
        self._lanes = LaneDecoder(data)

    @property
    def n_lanes(self) -> int:
        """Largest number of symbols in a step."""
        return self._lanes.n_lanes

    def slots(self, n: int) -> np.ndarray:
        """Return the slots that the next symbols of the first n lanes were coded to.

        Returns
        -------
        slots : ndarray of int64 of shape (n,)
            Each lies in the interval of its symbol.
        """
        return self._lanes.slots(n, PRECISION)

    def take(self, starts: np.ndarray, frequencies: np.ndarray) -> None:
        """Advance past the next symbols, now known by their intervals.

        Parameters
        ----------
        starts, frequencies : ndarray of int of shape (n,)
            As they were pushed.

        Raises
        ------
        BitstreamError
            If the stream has ended.
        """
        self._lanes.take(starts, frequencies, PRECISION)

    def finish(self) -> None:
        """Verify that the stream was decoded to its end, with the right intervals.

        Raises
        ------
        BitstreamError
            If words are left, or a lane is not back where it started.
        """
        self._lanes.finish()
