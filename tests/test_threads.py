"""Threads that do not change a result, and leave no trace."""

import multiprocessing
import os
import signal
import threading
import time
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from threadpoolctl import threadpool_info, threadpool_limits

from sklearn_dae import _blas, _threads
from sklearn_dae._blas import one_blas_thread
from sklearn_dae._threads import (
    lanes,
    map_in_threads,
    map_slabs,
    multiply,
    n_threads,
    sum_in_threads,
)


def _blas_threads():
    return [
        library["num_threads"]
        for library in threadpool_info()
        if library["user_api"] == "blas"
    ]


needs_two_threads = pytest.mark.skipif(
    n_threads() < 2, reason="there is one thread only"
)


@pytest.mark.parametrize(
    ("n", "n_lanes"),
    [(1, 1), (2, 2), (3, 2), (2048, 2), (2049, 4), (5000, 8), (9000, 16), (10**6, 16)],
)
def test_lanes_cover_everything_once_and_their_number_depends_on_nothing_else(
    n, n_lanes
):
    parts = lanes(n)
    assert len(parts) == n_lanes
    assert_array_equal(np.concatenate([np.arange(n)[part] for part in parts]), range(n))
    sizes = [part.stop - part.start for part in parts]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("n", [3, 300])
def test_products_do_not_depend_on_threads(rng, n):
    a, b = (rng.standard_normal((n, n), dtype=np.float32) for _ in range(2))
    results = []
    for limit in (1, 2):
        with threadpool_limits(limit, user_api="blas"):
            results.append(multiply(a, b.T))
    assert_array_equal(*results)
    np.testing.assert_allclose(results[0], a @ b.T, atol=1e-3)
    out = np.empty((n, n), np.float32)
    assert multiply(a, b.T, out=out) is out
    assert_array_equal(out, results[0])


@needs_two_threads
def test_ctrl_c_waits_for_the_other_lanes():
    started, finished = threading.Event(), threading.Event()

    def work(item):
        if item == 1:
            started.set()
            time.sleep(0.3)
            finished.set()
        else:
            assert started.wait(10)
            timer = threading.Timer(0.05, signal.raise_signal, [signal.SIGINT])
            timer.start()

    with pytest.raises(KeyboardInterrupt):
        map_in_threads(work, [0, 1])
    assert finished.is_set()


def test_results_come_in_the_order_of_the_items():
    items = list(range(7))
    assert map_in_threads(lambda item: item**2, items) == [n**2 for n in items]
    assert map_in_threads(str, []) == []


@pytest.mark.parametrize("n_items", [1, 2, 7, 16])
def test_sums_are_taken_in_order_with_few_results_at_a_time(n_items):
    # Numbers whose sum depends on the order of addition.
    values = np.logspace(0, 20, n_items, dtype=np.float32) * (-1) ** np.arange(n_items)
    alive, most = set(), [0]

    class Part(np.ndarray):
        def __del__(self):
            alive.discard(id(self))

    def part(number):
        array = np.array([values[number]]).view(Part)
        alive.add(id(array))
        most[0] = max(most[0], len(alive))
        return number, array

    count, total = sum_in_threads(part, list(range(n_items)))
    assert count == sum(range(n_items))
    expected = values[0]
    for value in values[1:]:
        expected += value
    assert total[0] == expected
    assert most[0] <= n_threads() + 1


def test_large_arrays_are_added_as_small_ones_are(rng):
    parts = rng.standard_normal((5, 700, 600), dtype=np.float32)
    (total,) = sum_in_threads(lambda part: (part.copy(),), list(parts))
    expected = parts[0].copy()
    for part in parts[1:]:
        expected += part
    assert_array_equal(total, expected)


@needs_two_threads
@pytest.mark.parametrize("failing", [0, 1, 5, 6])
def test_a_lane_that_fails_leaves_nobody_waiting_for_its_turn(failing):
    def fail_late(number):
        if number == failing:
            time.sleep(0.1)
            raise KeyError(f"lane {failing}")
        return (number,)

    with pytest.raises(KeyError, match=f"lane {failing}"):
        sum_in_threads(fail_late, range(7))
    assert sum_in_threads(lambda number: (number,), range(7)) == (21,)


@needs_two_threads
def test_after_an_error_what_waits_is_left_undone():
    begun = []
    failed = threading.Event()

    def fail_or_wait(item):
        begun.append(item)
        if item == 0:
            failed.set()
            raise KeyError("item 0")
        assert failed.wait(10)
        time.sleep(0.1)

    with pytest.raises(KeyError, match="item 0"):
        map_in_threads(fail_or_wait, list(range(50)))
    assert len(begun) <= n_threads()


def test_blas_has_one_thread_inside_and_its_own_number_again_outside():
    before = _blas_threads()
    inside = map_in_threads(lambda _: _blas_threads(), [0, 1])
    assert all(count == 1 for counts in inside for count in counts)
    assert _blas_threads() == before
    with pytest.raises(ZeroDivisionError), one_blas_thread():
        1 / 0  # noqa: B018
    assert _blas_threads() == before


def test_the_limit_ends_with_the_last_who_needs_it():
    before = _blas_threads()
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with one_blas_thread():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    with one_blas_thread() as n:
        thread.start()
        assert inside.wait(10)
        with one_blas_thread() as nested:
            assert nested == n
        assert set(_blas_threads()) == {1}
    assert set(_blas_threads()) == {1}  # the other thread still needs it
    leave.set()
    thread.join(10)
    assert _blas_threads() == before
    with threadpool_limits(1, user_api="blas"):
        assert set(_blas_threads()) == {1}
    assert _blas_threads() == before


@needs_two_threads
def test_blas_of_openmp_is_limited_in_every_thread(monkeypatch):
    class OpenMPBlas:
        """Stands for an OpenBLAS on OpenMP, whose setting is that of each thread."""

        def __init__(self):
            self._of_thread = threading.local()

        def get_num_threads(self):
            return getattr(self._of_thread, "n", 4)

        def set_num_threads(self, n):
            self._of_thread.n = n

    blas = OpenMPBlas()
    monkeypatch.setattr(_blas, "_set_by_each_thread", lambda: [blas])
    _threads._inbox.cache_clear()  # threads that start now know of it
    try:
        assert map_in_threads(lambda _: blas.get_num_threads(), [0, 1]) == [1, 1]
        assert blas.get_num_threads() == 4
    finally:
        _threads._inbox.cache_clear()


@needs_two_threads
def test_no_lane_goes_on_after_an_error():
    started, finished = threading.Event(), threading.Event()

    def fail_or_finish(item):
        if item == 0:
            assert started.wait(10)
            raise KeyError("lane 0")
        started.set()
        time.sleep(0.2)
        finished.set()

    with pytest.raises(KeyError, match="lane 0"):
        map_in_threads(fail_or_finish, [0, 1])
    assert finished.is_set()


def test_no_more_threads_than_blas_may_use():
    names = set()

    def note(_):
        names.add(threading.current_thread().name)

    with threadpool_limits(1, user_api="blas"):
        map_in_threads(note, list(range(8)))
    assert names == {threading.current_thread().name}


def test_errors_come_out():
    def fail(item):
        if item == 1:
            raise KeyError("lane 1")
        return item

    with pytest.raises(KeyError, match="lane 1"):
        map_in_threads(fail, [0, 1])
    assert map_in_threads(str, [0, 1]) == ["0", "1"]


def test_error_state_of_numpy_holds_in_every_lane():
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        map_in_threads(lambda x: np.float32(x) * np.float32(1e38), [1.0, 100.0])
    with np.errstate(over="ignore"):
        results = map_in_threads(
            lambda x: np.float32(x) * np.float32(1e38), [100.0] * 2
        )
    assert np.isinf(results).all()


def test_ufuncs_have_small_buffers_in_lanes_and_nowhere_else():
    before = np.getbufsize()
    assert set(map_in_threads(lambda _: np.getbufsize(), [0, 1])) == {512}
    assert np.getbufsize() == before


@pytest.mark.parametrize("n", [1, 1000, 1_000_003])
def test_slabs_cover_everything_once_in_order(n):
    parts = map_slabs(lambda slab: slab, n)
    assert parts[0].start == 0
    assert parts[-1].stop == n
    assert all(a.stop == b.start for a, b in pairwise(parts))
    assert all(part.start < part.stop for part in parts)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    map_in_threads(str, [0, 1])  # the pool exists before the fork

    def work(connection):
        connection.send((map_in_threads(str, [0, 1]), _blas_threads()))

    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs,))
    before = _blas_threads()
    with one_blas_thread():
        process.start()
    assert ours.poll(20)
    assert ours.recv() == (["0", "1"], before)
    process.join(20)
    assert process.exitcode == 0
