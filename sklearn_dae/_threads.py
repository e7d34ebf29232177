"""Threads that do not change a result.

BLAS rounds differently with every number of threads it uses, and training
amplifies the difference. So work is cut into lanes, as many as this process may use
cores; each runs on a BLAS of one thread, and the results are put together in a
fixed order. Under joblib, where a worker may use a part of the cores only, fewer
lanes run at once, to the same result. What BLAS does not spread over threads,
such as applying an activation function, is spread too.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from contextvars import copy_context
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeVar

import joblib
from threadpoolctl import OpenBLASController, ThreadpoolController

#: Parts that work is cut into: the cores of the machine, within reason.
N_LANES = min(joblib.cpu_count(), 16)

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Limit:
    """BLAS of one thread for as long as anybody in the process needs it.

    The number of BLAS threads is a setting of the whole process. The first to need
    the limit sets it and the last lifts it, be they different threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_users = 0
        self._n_threads = 1
        self._limiter: Any = None

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
                    self.lift()

    def lift(self) -> None:
        """Give BLAS back the threads that it had."""
        if self._limiter is not None:
            # threadpoolctl lets only the thread that set a limit lift it.
            _disown_limits(force=True)
            self._limiter.restore_original_limits()
            _disown_limits()
            self._limiter = None


def _disown_limits(force: bool = False) -> None:
    """Make threadpoolctl, where it minds, forget which thread set a limit."""
    disown = getattr(OpenBLASController, "clear_controlling_thread", None)
    if disown is not None:
        disown(force=force)


_limit = _Limit()


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, N_LANES - 1), thread_name_prefix="sklearn-dae")


def _start_anew() -> None:
    """Forget threads, which do not survive a fork, and the limits they held."""
    global _limit
    before, _limit = _limit, _Limit()
    before.lift()
    _pool.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)


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
        n_shares = min(n_threads, len(items))
        if n_shares < 2:
            return [function(item) for item in items]

        def work(share: slice) -> list[Result]:
            return [function(item) for item in items[share]]

        # This thread takes a share, which saves it a change of thread. The others run
        # in a copy of its context, where np.errstate lives.
        own, *others = _cut(len(items), n_shares)
        futures = [_pool().submit(copy_context().run, work, share) for share in others]
        try:
            results = work(own)
            for future in futures:
                results += future.result()
        finally:
            # After an error or Ctrl-C, nobody goes on writing behind the caller's back.
            for future in futures:
                future.cancel()
            wait(futures)
        return results


def lanes(n: int) -> list[slice]:
    """Cut ``range(n)`` into a slice for each lane, none of them empty if n > 0."""
    return _cut(n, max(1, min(N_LANES, n)))


def _cut(n: int, n_parts: int) -> list[slice]:
    ends = [n * part // n_parts for part in range(n_parts + 1)]
    return [slice(*pair) for pair in pairwise(ends)]
