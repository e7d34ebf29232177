"""What was decoded last, as long as it takes little memory."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

import numpy as np

#: Bytes that are kept.
_MOST_BYTES = 2**26


class Recent:
    """Arrays by a key: the last one, and those before it that fit in some memory."""

    def __init__(self) -> None:
        self._arrays: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock = Lock()

    def get(self, key: int, make: Callable[[int], np.ndarray]) -> np.ndarray:
        """Return the array of a key, made if it is not there, and not to be changed."""
        with self._lock:
            array = self._arrays.get(key)
            if array is not None:
                self._arrays.move_to_end(key)
                return array
        array = make(key)
        with self._lock:
            self._arrays[key] = array
            self._arrays.move_to_end(key)
            n_bytes = sum(kept.nbytes for kept in self._arrays.values())
            while n_bytes > _MOST_BYTES and len(self._arrays) > 1:
                n_bytes -= self._arrays.popitem(last=False)[1].nbytes
        return array

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._arrays.clear()
