"""Threads that do not change a result.

BLAS rounds differently with every number of threads it uses, and training
amplifies the difference. So work is cut into lanes, one for each core that this
process may use, up to 16. Each runs on a single BLAS thread, and the results are
combined in a fixed order. Under joblib, where a worker may use only some of the
cores, fewer lanes run at once, with the same result. Work that BLAS does not spread
over threads, such as applying an activation function, is spread too.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import copy_context
from functools import lru_cache, partial
from itertools import chain, pairwise
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

import joblib
import numpy as np
from threadpoolctl import OpenBLASController, ThreadpoolController

#: Parts that work is cut into: one for each core, within reason.
N_LANES = min(joblib.cpu_count(), 16)

#: Items in the buffer of a ufunc. Rows that do not follow each other in memory are
#: copied through it, several at a time, wherever they fit; with NumPy's 8,192 items
#: that takes three times as long as the addition or multiplication itself.
_BUFFER_ITEMS = 512

#: Multiplications in a matrix product below which threads cost more than they save.
_WORTH_THREADS = 4_000_000

#: Entries of a vector that stay in cache while several operations go over them. With
#: fewer, threads would spend their time waiting for the interpreter's lock.
_SLAB = 262_144

Item = TypeVar("Item")
Result = TypeVar("Result")


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
                self._n_threads = min(max(counts, default=N_LANES), N_LANES)
                self._limiter = blas.limit(limits=1)
            self._n_users += 1
        try:
            with _limit_of_this_thread():
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
def _limit_of_this_thread() -> Iterator[None]:
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


@lru_cache(maxsize=1)
def _inbox() -> SimpleQueue[Callable[[], None]]:
    """Start the threads; return the queue that they take work from.

    A queue written in C wakes a thread in a tenth of the time that
    concurrent.futures takes, which matters for a mini-batch of a few milliseconds.
    """
    inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def serve() -> None:
        with _limit_of_this_thread():
            while True:
                inbox.get()()

    for number in range(max(1, N_LANES - 1)):
        name = f"sklearn-dae-{number}"
        threading.Thread(target=serve, name=name, daemon=True).start()
    return inbox


class _Share(Generic[Result]):
    """A part of the work for another thread and, once it is done, the result."""

    def __init__(self, work: Callable[[], Result], done: SimpleQueue[None]) -> None:
        self._work = work
        # The other thread runs in a copy of this one's context, which holds np.errstate
        # and the size of ufuncs' buffers.
        self._context = copy_context()
        self._done = done
        self.finished = False
        self._result: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Do the work and notify the thread that waits for it."""
        try:
            self._result = self._context.run(self._work)
        except BaseException as error:
            self._error = error
        self.finished = True
        self._done.put(None)

    def result(self) -> Result:
        """Return what the work returned, or raise what it raised."""
        if self._error is not None:
            raise self._error
        return self._result


def _start_anew() -> None:
    """Forget threads, which do not survive a fork, and the limits they held."""
    global _limit
    before, _limit = _limit, _Limit()
    before.lift()
    _inbox.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)


def one_blas_thread() -> AbstractContextManager[int]:
    """Hold BLAS to one thread; many short calls are cheaper inside this context."""
    return _limit.held()


@contextmanager
def _rows_as_they_lie() -> Iterator[None]:
    """Let ufuncs work on long rows of part of an array without copying them."""
    with np.errstate():  # which restores the size of the buffer, too
        np.setbufsize(_BUFFER_ITEMS)
        yield


def map_in_lanes(function: Callable[[Item], Result], items: list[Item]) -> list[Result]:
    """Apply a function to at most `N_LANES` items, in threads where there are any.

    Parameters
    ----------
    function : callable
        Must not itself call `map_in_lanes`.

    items : list
        One for each lane.

    Returns
    -------
    list
        The results in the order of the items.
    """
    with one_blas_thread() as n_threads, _rows_as_they_lie():
        n_shares = min(n_threads, len(items))
        if n_shares < 2:
            return [function(item) for item in items]

        def work(part: slice) -> list[Result]:
            return [function(item) for item in items[part]]

        # This thread takes a share itself, which saves a switch of threads.
        own, *others = cut(len(items), n_shares)
        done: SimpleQueue[None] = SimpleQueue()
        shares = [_Share(partial(work, part), done) for part in others]
        for share in shares:
            _inbox().put(share.run)
        try:
            results = work(own)
        finally:
            _wait_for(shares, done)
        for share in shares:
            results += share.result()
        return results


def _wait_for(shares: list[_Share[Any]], done: SimpleQueue[None]) -> None:
    """Wait for other threads, so that none goes on writing behind the caller's back.

    Ctrl-C is put off until they have finished their lanes.
    """
    interrupt = None
    while not all(share.finished for share in shares):
        try:
            done.get()
        except KeyboardInterrupt as error:
            interrupt = error
    if interrupt is not None:
        raise interrupt


def lanes(n: int) -> list[slice]:
    """Cut ``range(n)`` into a slice for each lane, none of them empty if n > 0."""
    return cut(n, max(1, min(N_LANES, n)))


def lanes_if_worth(n: int, n_products: int) -> list[slice]:
    """Cut n units into lanes if there are enough multiplications for threads."""
    return lanes(n) if n_products > _WORTH_THREADS else [slice(0, n)]


def map_slabs(
    function: Callable[[slice], Result], n: int, size: int = _SLAB
) -> list[Result]:
    """Apply a function to parts of ``range(n)`` of at most some size, in lanes.

    By default they are parts of a vector that stay in cache.
    """

    def go_along(lane: slice) -> list[Result]:
        return [function(slab) for slab in slabs(lane, size)]

    return list(chain.from_iterable(map_in_lanes(go_along, lanes(n))))


def slabs(part: slice, size: int) -> Iterator[slice]:
    """Cut a slice into consecutive ones of at most some size."""
    for start in range(part.start, part.stop, size):
        yield slice(start, min(start + size, part.stop))


def cut(n: int, n_parts: int) -> list[slice]:
    """Cut ``range(n)`` into parts whose sizes differ by at most 1."""
    ends = [n * part // n_parts for part in range(n_parts + 1)]
    return [slice(*pair) for pair in pairwise(ends)]


def multiply(a: np.ndarray, b: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Multiply matrices; lanes share the columns where threads are worth it."""
    if out is None:
        out = np.empty((len(a), b.shape[1]), np.result_type(a, b))
    product = out

    def go_along(columns: slice) -> None:
        np.matmul(a, b[:, columns], out=product[:, columns])

    map_in_lanes(go_along, lanes_if_worth(b.shape[1], a.size * b.shape[1]))
    return out
