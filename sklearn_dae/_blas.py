"""How many threads BLAS has: one, for as long as anybody here needs that.

In: nothing. Out: contexts that hold BLAS to one thread, and the number of threads that
it would have had, which is the number that this package may use instead.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Any

import joblib
from threadpoolctl import OpenBLASController, ThreadpoolController

#: The most threads that run at once: one for each core, within reason.
MOST_THREADS = min(joblib.cpu_count(), 16)


class _Limit:
    """Single-threaded BLAS for as long as anybody in the process needs it.

    The number of BLAS threads is a setting of the whole process, except for an OpenBLAS
    built on OpenMP. The first to need the limit sets it and the last lifts it, even if
    these are different threads.
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
                self._n_threads = min(max(counts, default=MOST_THREADS), MOST_THREADS)
                self._limiter = blas.limit(limits=1)
            self._n_users += 1
        try:
            with limit_of_this_thread():
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


@contextmanager
def limit_of_this_thread() -> Iterator[None]:
    """Limit BLAS where each thread has a setting of its own."""
    counts = [library.get_num_threads() for library in _set_by_each_thread()]
    for library in _set_by_each_thread():
        library.set_num_threads(1)
    try:
        yield
    finally:
        for library, count in zip(_set_by_each_thread(), counts, strict=True):
            library.set_num_threads(count)


@lru_cache(maxsize=1)
def _set_by_each_thread() -> list[OpenBLASController]:
    blas = _controller().select(internal_api="openblas").lib_controllers
    return [library for library in blas if library.threading_layer == "openmp"]


def _disown_limits(force: bool = False) -> None:
    """Make threadpoolctl, where it keeps track, forget which thread set a limit."""
    disown = getattr(OpenBLASController, "clear_controlling_thread", None)
    if disown is not None:
        disown(force=force)


_limit = _Limit()


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[int]:
    """Hold BLAS to one thread; many short calls are cheaper inside this context.

    It yields the number of threads that BLAS would have.
    """
    return _limit.held()


def _start_anew() -> None:
    """Forget the limits held before a fork, by threads which do not survive it."""
    global _limit
    before, _limit = _limit, _Limit()
    before.lift()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
