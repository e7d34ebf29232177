"""Huffman codes: exact, optimal, and strict about their alphabet."""

import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sklearn_dae.coding._huffman import HuffmanCode
from sklearn_dae.exceptions import BitstreamError


@st.composite
def alphabets_and_symbols(draw):
    n_symbols = draw(st.integers(1, 40))
    symbols = arrays(np.int64, st.integers(0, 200), elements=st.integers(0, 10**9))
    # A power of the draw makes alphabets that are used unevenly.
    uneven = (draw(symbols) / 10**9) ** draw(st.integers(1, 6))
    return n_symbols, np.minimum(uneven * n_symbols, n_symbols - 1).astype(np.int64)


def smoothed_counts(symbols, n_symbols):
    """Frequencies in which a symbol that is not seen counts as seen once."""
    return [max(1, int((symbols == symbol).sum())) for symbol in range(n_symbols)]


def least_total_length(counts):
    """Bits of the best prefix code: each merge of a Huffman tree costs its weight."""
    if len(counts) == 1:
        return counts[0]
    heap = list(counts)
    heapq.heapify(heap)
    total = 0
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        total += merged
        heapq.heappush(heap, merged)
    return total


def make_code(symbols, n_symbols):
    return HuffmanCode(
        np.arange(n_symbols), np.array(smoothed_counts(symbols, n_symbols))
    )


def coded(code, symbols):
    return code.encode(symbols, code.indices(symbols))


@settings(max_examples=60)
@given(drawn=alphabets_and_symbols())
def test_decoding_gives_the_symbols_back(drawn):
    n_symbols, symbols = drawn
    code = make_code(symbols, n_symbols)
    data = coded(code, symbols)
    # One bit tells that words follow.
    assert len(data) == -(-(1 + int(code.lengths[symbols].sum())) // 8)
    np.testing.assert_array_equal(code.decode(data, len(symbols)), symbols)


@settings(max_examples=60)
@given(drawn=alphabets_and_symbols())
def test_no_prefix_code_is_shorter(drawn):
    n_symbols, symbols = drawn
    counts = smoothed_counts(symbols, n_symbols)
    lengths = make_code(symbols, n_symbols).lengths
    assert int(lengths @ counts) == least_total_length(counts)


@settings(max_examples=60)
@given(drawn=alphabets_and_symbols())
def test_mean_length_is_within_a_bit_of_the_entropy(drawn):
    n_symbols, symbols = drawn
    counts = smoothed_counts(symbols, n_symbols)
    p = np.array(counts) / sum(counts)
    entropy = -(p * np.log2(p)).sum()
    mean_length = p @ make_code(symbols, n_symbols).lengths
    assert entropy - 1e-9 <= mean_length <= entropy + 1


def test_frequent_symbols_get_short_words():
    symbols = np.repeat([3, 1, 0, 2], [100, 50, 20, 10])
    lengths = make_code(symbols, 4).lengths
    assert lengths[[3, 1, 0, 2]].tolist() == [1, 2, 3, 3]


@pytest.mark.parametrize("n_symbols", [1, 256])
def test_one_distinct_symbol_costs_one_bit_each(n_symbols):
    symbols = np.full(1000, n_symbols - 1)
    code = make_code(symbols, n_symbols)
    data = coded(code, symbols)
    assert len(data) == -(-1001 // 8)
    np.testing.assert_array_equal(code.decode(data, 1000), symbols)


def test_alphabet_of_16_bits():
    rng = np.random.default_rng(0)
    symbols = rng.exponential(2000, 5000).astype(np.uint16)
    counts = np.maximum(np.bincount(symbols, minlength=2**16), 1)
    code = HuffmanCode(np.arange(2**16, dtype=np.uint16), counts)
    extremes = np.concatenate([symbols, [0, 2**16 - 1]]).astype(np.uint16)
    decoded = code.decode(coded(code, extremes), len(extremes))
    np.testing.assert_array_equal(decoded, extremes)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.uint64])
def test_values_of_any_integer_dtype_come_back_in_it(dtype):
    row = np.array([0, 1, 2, 250, 1, 0]).astype(dtype)
    values, counts = np.unique(row, return_counts=True)
    decoded = HuffmanCode(values, counts)
    back = decoded.decode(coded(decoded, row), len(row))
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, row)


def test_a_value_without_a_word_is_not_coded_as_another():
    code = make_code(np.array([0, 1, 1]), 2)
    with pytest.raises(ValueError, match="2"):
        coded(code, np.array([1, 9]))


def test_bits_that_end_within_a_word_are_refused():
    code = make_code(np.arange(4), 4)
    data = coded(code, np.arange(4).repeat(9))
    with pytest.raises(BitstreamError, match="reached end"):
        code.decode(data[:-2], 36)
