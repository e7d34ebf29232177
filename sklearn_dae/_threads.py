"""Threads that do not change a result.

BLAS rounds differently with every number of threads it uses, and training
amplifies the difference. So work is cut into lanes, as many as the machine has
cores; each runs on a BLAS of one thread, and the results are put together in a
fixed order. Under joblib, where a worker may use a part of the cores only, fewer
lanes run at once, to the same result. What BLAS does not spread over threads,
such as applying an activation function, is spread too.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from contextvars import copy_context
from functools import lru_cache
from itertools import pairwise
from typing import TypeVar

import joblib
from threadpoolctl import ThreadpoolController

#: Parts that work is cut into: the cores of the machine, within reason.
N_LANES = min(joblib.cpu_count(), 16)

Item = TypeVar("Item")
Result = TypeVar("Result")


class _SharedLimit:
    """BLAS of one thread for as long as anybody in the process needs it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_users = 0
        self._n_threads = 1

    @contextmanager
    def held(self) -> Iterator[int]:
        """Limit BLAS; yield the number of threads that it had before."""
        with self._lock:
            if self._n_users == 0:
                blas = _controller().select(user_api="blas")
                counts = [library["num_threads"] for library in blas.info()]
                self._n_threads = min(max(counts, default=N_LANES), N_LANES)
                self._limiter = blas.limit(limits=1)
            self._n_users += 1
        try:
            yield self._n_threads
        finally:
            with self._lock:
                self._n_users -= 1
                if self._n_users == 0:
                    self._limiter.restore_original_limits()


_limit = _SharedLimit()


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, N_LANES - 1), thread_name_prefix="sklearn-dae")


if hasattr(os, "register_at_fork"):
    # Threads do not survive a fork, and locks may be taken in it.
    os.register_at_fork(after_in_child=_pool.cache_clear)


def one_blas_thread() -> AbstractContextManager[int]:
    """Hold BLAS to one thread; many short calls within are cheaper than without."""
    return _limit.held()


def map_in_lanes(function: Callable[[Item], Result], items: list[Item]) -> list[Result]:
    """Apply a function to at most `N_LANES` items, in threads where there are any.

    Parameters
    ----------
    function : callable
        Must not call this function itself.

    items : list
        One for each lane.

    Returns
    -------
    list
        The results in the order of the items.
    """
    with one_blas_thread() as n_threads:
        if n_threads == 1 or len(items) < 2:
            return [function(item) for item in items]
        # This thread takes its share, which saves it a change of thread.
        n_own = -(-len(items) // n_threads)
        # In a copy of this thread's context, where np.errstate lives.
        futures = [
            _pool().submit(copy_context().run, function, item) for item in items[n_own:]
        ]
        try:
            results = [function(item) for item in items[:n_own]]
            return results + [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()


def lanes(n: int) -> list[slice]:
    """Cut ``range(n)`` into a slice for each lane, none of them empty."""
    n_lanes = max(1, min(N_LANES, n))
    ends = [n * lane // n_lanes for lane in range(n_lanes + 1)]
    return [slice(*pair) for pair in pairwise(ends)]
