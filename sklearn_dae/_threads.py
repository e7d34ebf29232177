"""Threads that do not change a result.

BLAS rounds differently with every number of threads it uses, training amplifies the
difference, and a sum rounds differently in every order. So work is cut into parts by
its size alone, each part runs on a single BLAS thread, and results are combined in the
order of the parts. The machine decides only how many parts run at once: as many as
BLAS may use threads, which under joblib is a share of the cores.
"""

import operator
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import lru_cache, reduce
from itertools import chain
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np

from sklearn_dae import _blas
from sklearn_dae._blas import one_blas_thread

#: Rows, columns or units in a lane at most, while there are fewer lanes than the most.
#: With half as many, gradients of 5,000 rows take a tenth longer: their products are
#: smaller and there are more of them to add up.
_LANE, _MOST_LANES = 1024, 16

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


@lru_cache(maxsize=1)
def _inbox() -> SimpleQueue[Callable[[], None]]:
    """Start the threads; return the queue that they take work from.

    A queue written in C wakes a thread in a tenth of the time that
    concurrent.futures takes, which matters for a mini-batch of a few milliseconds.
    """
    inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def serve() -> None:
        with _blas.limit_of_this_thread():
            while True:
                inbox.get()()

    for number in range(max(1, _blas.MOST_THREADS - 1)):
        name = f"sklearn-dae-{number}"
        threading.Thread(target=serve, name=name, daemon=True).start()
    return inbox


class _Share:
    """Work for another thread, and what became of it."""

    def __init__(
        self,
        work: Callable[[], None],
        stop: Callable[[], None],
        done: SimpleQueue[None],
    ) -> None:
        self._work = work
        self._stop = stop
        # The other thread runs in a copy of this one's context, which holds np.errstate
        # and the size of ufuncs' buffers.
        self._context = copy_context()
        self._done = done
        self.finished = False
        self.error: BaseException | None = None

    def run(self) -> None:
        """Do the work and notify the thread that waits for it."""
        try:
            self._context.run(self._work)
        except BaseException as error:
            self.error = error
            self._stop()
        self.finished = True
        self._done.put(None)


if hasattr(os, "register_at_fork"):
    # Threads do not survive a fork.
    os.register_at_fork(after_in_child=_inbox.cache_clear)


@contextmanager
def _rows_as_they_lie() -> Iterator[None]:
    """Let ufuncs work on long rows of part of an array without copying them."""
    with np.errstate():  # which restores the size of the buffer, too
        np.setbufsize(_BUFFER_ITEMS)
        yield


def n_threads() -> int:
    """Return the number of parts that run at once."""
    with one_blas_thread() as n:
        return n


def map_in_threads(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    on_error: Callable[[], None] | None = None,
) -> list[Result]:
    """Apply a function to items, in threads where there are any.

    Parameters
    ----------
    function : callable
        Must not itself call `map_in_threads`.

    items : sequence
        Any number of them. Threads take them in this order.

    on_error : callable, default=None
        Called as soon as an item fails; no more items are taken then.

    Returns
    -------
    list
        The results in the order of the items.
    """
    if len(items) < 2:
        with one_blas_thread():
            return [function(item) for item in items]
    with one_blas_thread() as n_threads, _rows_as_they_lie():
        n_others = min(n_threads, len(items)) - 1
        if n_others < 1:
            return [function(item) for item in items]

        results: list[Any] = [None] * len(items)
        waiting = deque(range(len(items)))

        def work() -> None:
            for number in _take_from(waiting):
                results[number] = function(items[number])

        def stop() -> None:
            waiting.clear()
            if on_error is not None:
                on_error()

        _work_together(work, n_others, stop)
        return results


def _take_from(waiting: deque[int]) -> Iterator[int]:
    """Take what waits, one at a time, until other threads have taken the last."""
    with suppress(IndexError):
        while True:
            yield waiting.popleft()


def _work_together(
    work: Callable[[], None], n_others: int, stop: Callable[[], None]
) -> None:
    """Let this thread and some others do the same work; stop them all after an error.

    It returns when all have ended, so that none goes on writing behind the caller's
    back. Ctrl-C is put off until they have finished the items that they are at.
    """
    done: SimpleQueue[None] = SimpleQueue()
    shares = [_Share(work, stop, done) for _ in range(n_others)]
    for share in shares:
        _inbox().put(share.run)
    error: BaseException | None = None
    try:
        work()  # This thread takes its share, which saves a switch of threads.
    except BaseException as own_error:
        error = own_error
        stop()
    while not all(share.finished for share in shares):
        try:
            done.get()
        except KeyboardInterrupt as interrupt:
            error = interrupt
            stop()
    for raised in (error, *(share.error for share in shares)):
        if raised is not None:
            raise raised


class _OrderedSum:
    """Adds up what threads bring, in the order of its numbers."""

    def __init__(self) -> None:
        self.total: list[tuple[Any, ...]] = []
        self._n_added = 0
        self._stopped = False
        self._turn = threading.Condition()

    def wait_for(self, number: int) -> None:
        """Wait until all that comes before a number has been added."""
        with self._turn:
            self._turn.wait_for(lambda: self._stopped or self._n_added >= number)

    def add(self, number: int, part: tuple[Any, ...]) -> None:
        """Add a part when its turn comes."""
        self.wait_for(number)
        self.total = [reduce(add, [*self.total, part])]
        with self._turn:
            self._n_added += 1
            self._turn.notify_all()

    def stop(self) -> None:
        """Let nobody wait any longer: what comes before has failed."""
        with self._turn:
            self._stopped = True
            self._turn.notify_all()


def sum_in_threads(
    function: Callable[[Item], tuple[Any, ...]], items: Sequence[Item]
) -> tuple[Any, ...]:
    """Add up tuples of numbers and new arrays in the order of the items.

    There are never more of them at once than threads, plus the sum so far: whoever is
    early waits.
    """
    with one_blas_thread() as n_threads:
        first = _OrderedSum()
        n_first = max(0, len(items) - n_threads)

        def go_along(number: int) -> list[tuple[Any, ...]]:
            part = function(items[number])
            if number < n_first:
                first.add(number, part)
                return []
            first.wait_for(n_first)
            return [part]

        parts = map_in_threads(go_along, range(len(items)), on_error=first.stop)
        # All threads together add up the last parts, which end at about the same time.
        return reduce(_add_in_threads, chain(first.total, *parts))


def add(total: tuple[Any, ...], part: tuple[Any, ...]) -> tuple[Any, ...]:
    """Add tuples item by item, arrays in place."""
    return tuple(map(operator.iadd, total, part))


def _add_in_threads(total: tuple[Any, ...], part: tuple[Any, ...]) -> tuple[Any, ...]:
    """Do as `add` does, but let threads share large arrays."""

    def add_items(a: Any, b: Any) -> Any:
        if not isinstance(a, np.ndarray) or a.size <= _SLAB:
            return operator.iadd(a, b)
        rows = lanes(len(a))
        map_in_threads(lambda part: operator.iadd(a[part], b[part]), rows)
        return a

    return tuple(map(add_items, total, part))


def lanes(n: int) -> list[slice]:
    """Cut ``range(n)`` into lanes: 2, 4, 8 or 16 that differ by at most one in size.

    There are as many as n asks for, whatever the machine, and a power of two of them
    so that they occupy most numbers of cores evenly.
    """
    n_lanes = 2
    while n_lanes < _MOST_LANES and n > n_lanes * _LANE:
        n_lanes *= 2
    return cut(n, max(1, min(n_lanes, n)))


def lanes_if_worth(n: int, n_products: int) -> list[slice]:
    """Cut n units into lanes if there are enough multiplications for threads."""
    return lanes(n) if n_products > _WORTH_THREADS else [slice(0, n)]


def map_slabs(
    function: Callable[[slice], Result], n: int, size: int = _SLAB
) -> list[Result]:
    """Apply a function, in threads, to parts of ``range(n)`` of at most some size.

    By default they are parts of a vector that stay in cache. There is an even number of
    them, for two threads.
    """
    return map_in_threads(function, cut(n, min(n, 2 * -(-n // (2 * size)))))


def cut(n: int, n_parts: int) -> list[slice]:
    """Cut ``range(n)`` into parts whose sizes differ by at most 1."""
    return [slice(n * k // n_parts, n * (k + 1) // n_parts) for k in range(n_parts)]


def multiply(a: np.ndarray, b: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Multiply matrices, lane by lane of columns where threads are worth it."""
    if out is None:
        out = np.empty((len(a), b.shape[1]), np.result_type(a, b))
    product = out

    def go_along(columns: slice) -> None:
        np.matmul(a, b[:, columns], out=product[:, columns])

    map_in_threads(go_along, lanes_if_worth(b.shape[1], a.size * b.shape[1]))
    return out
