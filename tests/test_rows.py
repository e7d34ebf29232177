"""Blocks of rows, and sums and maps over them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from threadpoolctl import threadpool_limits

from sklearn_dae.rows import RowBlocks


@pytest.fixture
def X():
    X = np.random.default_rng(0).normal(size=(23, 4)).astype(np.float32)
    X.flags.writeable = False
    return X


@settings(max_examples=50)
@given(data=st.data(), n=st.integers(1, 40), block_rows=st.integers(1, 50))
def test_blocks_hold_the_chosen_rows_in_their_order(data, n, block_rows):
    X = np.arange(3 * n).reshape(n, 3)
    rows = data.draw(
        st.none() | st.lists(st.integers(0, n - 1), min_size=1).map(np.array)
    )
    chosen = X if rows is None else X[rows]
    blocks = RowBlocks(X, rows=rows, block_rows=block_rows)
    sizes = [len(block) for block in blocks]
    assert max(sizes) - min(sizes) <= 1 <= min(sizes)
    assert len(sizes) == -(-len(chosen) // block_rows)
    assert blocks.n_rows == sum(sizes) == len(chosen)
    np.testing.assert_array_equal(np.concatenate(list(blocks)), chosen)
    np.testing.assert_array_equal(blocks.map(lambda block: 2 * block), 2 * chosen)
    count, total = blocks.sum(lambda block: (len(block), block.sum(axis=0)))
    assert count == len(chosen)
    np.testing.assert_array_equal(total, chosen.sum(axis=0))


@pytest.mark.parametrize("block_rows", [1, 5, 7, 23, 1024])
def test_products_summed_over_blocks_equal_the_direct_product(X, block_rows):
    (gram,) = RowBlocks(X, block_rows=block_rows).sum(lambda block: (block.T @ block,))
    np.testing.assert_allclose(gram, X.T @ X, rtol=1e-5, atol=1e-5)


def test_no_block_is_larger_than_asked_for_while_summing_and_mapping(X):
    blocks = RowBlocks(X, block_rows=3)
    seen = []

    def note(block):
        seen.append(len(block))
        return (len(block),)

    assert blocks.sum(note) == (23,)
    assert max(seen) <= 3


def test_a_sum_over_lanes_is_given_every_block_once_in_order(X):
    n_lanes, rows = RowBlocks(X, block_rows=3).sum_lanes(
        lambda blocks: (1, [row for block in blocks for row in block])
    )
    assert n_lanes == 2
    assert_array_equal(rows, X)


def test_every_row_is_converted_once_and_x_is_left_alone(X):
    before = X.copy()
    converted = []

    def halve(block):
        converted.append(len(block))
        return block / 2

    blocks = RowBlocks(X, rows=np.array([4, 0, 4]), convert=halve, block_rows=2)
    np.testing.assert_array_equal(blocks.map(np.negative), -X[[4, 0, 4]] / 2)
    assert sum(converted) == 3
    np.testing.assert_array_equal(X, before)


def test_blocks_can_be_read_again_and_again(X):
    blocks = RowBlocks(X, block_rows=5)
    first, second = np.concatenate(list(blocks)), np.concatenate(list(blocks))
    np.testing.assert_array_equal(first, second)


def test_memory_mapped_rows_are_read_a_block_at_a_time(X, tmp_path):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    largest = []

    def convert(block):
        largest.append(block.nbytes)
        return np.asarray(block, np.float64)

    blocks = RowBlocks(mapped, convert=convert, block_rows=4)
    (total,) = blocks.sum(lambda block: (block.sum(axis=0),))
    np.testing.assert_allclose(total, X.sum(axis=0, dtype=float), rtol=1e-12)
    assert max(largest) <= 4 * X[0].nbytes


def test_the_number_of_threads_changes_no_bit_of_a_sum():
    X = np.random.default_rng(1).normal(size=(3000, 50)).astype(np.float32)
    blocks = RowBlocks(X, block_rows=100)
    sums = []
    for n_threads in (1, 2, 3):
        with threadpool_limits(n_threads, user_api="blas"):
            sums.extend(blocks.sum(lambda block: (block.T @ block,)))
    np.testing.assert_array_equal(sums[0], sums[1])
    np.testing.assert_array_equal(sums[0], sums[2])


def test_an_error_in_one_block_reaches_the_caller(X):
    def fail(block):
        if (block == X[22]).all(axis=1).any():
            raise ZeroDivisionError("in the last row")
        return (0,)

    with pytest.raises(ZeroDivisionError, match="in the last row"):
        RowBlocks(X, block_rows=4).sum(fail)


def test_some_of_the_rows_are_rows_again():
    X = np.arange(20.0).reshape(10, 2)
    blocks = RowBlocks(
        X, rows=np.array([9, 3, 5, 7]), block_rows=2, convert=np.negative
    )
    taken = blocks.take(np.array([3, 0]))
    assert taken.n_rows == 2
    assert_array_equal(np.concatenate(list(taken)), -X[[7, 9]])
    assert_array_equal(np.concatenate(list(RowBlocks(X).take(np.array([4])))), X[[4]])


def test_a_sum_can_tell_its_blocks_apart():
    blocks = RowBlocks(np.ones((7, 1)), block_rows=2)
    starts, n_rows = blocks.sum(lambda start, x: ([start], len(x)), with_start=True)
    assert n_rows == 7
    assert len(set(starts)) == len(starts)
    assert 0 in starts
