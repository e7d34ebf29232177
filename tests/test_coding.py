"""Huffman codes: exact, optimal, and strict about their alphabet."""

import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sklearn_dae.coding import huffman_code, huffman_decode, huffman_encode


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


@settings(max_examples=60)
@given(drawn=alphabets_and_symbols())
def test_decoding_gives_the_symbols_back(drawn):
    n_symbols, symbols = drawn
    code = huffman_code(symbols, n_symbols)
    bits = huffman_encode(symbols, code)
    assert len(bits) == sum(len(code[symbol]) for symbol in symbols.tolist())
    np.testing.assert_array_equal(huffman_decode(bits, code), symbols)


@settings(max_examples=60)
@given(drawn=alphabets_and_symbols())
def test_no_prefix_code_is_shorter(drawn):
    n_symbols, symbols = drawn
    counts = smoothed_counts(symbols, n_symbols)
    code = huffman_code(symbols, n_symbols)
    total = sum(count * len(code[symbol]) for symbol, count in enumerate(counts))
    assert total == least_total_length(counts)


@settings(max_examples=60)
@given(drawn=alphabets_and_symbols())
def test_mean_length_is_within_a_bit_of_the_entropy(drawn):
    n_symbols, symbols = drawn
    counts = smoothed_counts(symbols, n_symbols)
    code = huffman_code(symbols, n_symbols)
    p = np.array(counts) / sum(counts)
    entropy = -(p * np.log2(p)).sum()
    mean_length = p @ [len(code[symbol]) for symbol in range(n_symbols)]
    assert entropy - 1e-9 <= mean_length <= entropy + 1


def test_frequent_symbols_get_short_words():
    symbols = np.repeat([3, 1, 0, 2], [100, 50, 20, 10])
    code = huffman_code(symbols, 4)
    assert [len(code[symbol]) for symbol in (3, 1, 0, 2)] == [1, 2, 3, 3]


def test_one_distinct_symbol_costs_one_bit_each():
    symbols = np.full(1000, 7)
    code = huffman_code(symbols, 256)
    bits = huffman_encode(symbols, code)
    assert len(bits) == 1000
    np.testing.assert_array_equal(huffman_decode(bits, code), symbols)


def test_alphabet_of_one_symbol_can_be_coded():
    symbols = np.zeros(5, int)
    code = huffman_code(symbols, 1)
    bits = huffman_encode(symbols, code)
    np.testing.assert_array_equal(huffman_decode(bits, code), symbols)


def test_symbols_that_were_not_seen_can_be_coded():
    code = huffman_code(np.array([5, 5, 5, 6]), 256)
    unseen = np.arange(256)
    decoded = huffman_decode(huffman_encode(unseen, code), code)
    np.testing.assert_array_equal(decoded, unseen)
    assert len(code[5]) < min(len(code[symbol]) for symbol in (0, 255))


def test_alphabet_of_16_bits():
    rng = np.random.default_rng(0)
    symbols = rng.exponential(2000, 5000).astype(np.uint16)
    code = huffman_code(symbols, 2**16)
    assert set(code) == set(range(2**16))
    extremes = np.concatenate([symbols, [0, 2**16 - 1]])
    decoded = huffman_decode(huffman_encode(extremes, code), code)
    np.testing.assert_array_equal(decoded, extremes)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.uint64])
def test_images_of_any_integer_dtype_are_coded_row_by_row(dtype):
    image = np.array([[0, 1, 2], [250, 1, 0]]).astype(dtype) % 7
    code = huffman_code(image, 7)
    decoded = huffman_decode(huffman_encode(image, code), code)
    np.testing.assert_array_equal(decoded, image.ravel())


def test_no_symbols_make_no_bits_and_every_word_equally_long():
    nothing = np.array([], int)
    code = huffman_code(nothing, 8)
    assert {len(word) for word in code.values()} == {3}
    bits = huffman_encode(nothing, code)
    assert len(bits) == 0
    assert huffman_decode(bits, code).shape == (0,)


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        ([0, 4], r"Symbols lie in \[0, 4\], expected them in \[0, 3\]"),
        ([-1, 2], r"Symbols lie in \[-1, 2\], expected them in \[0, 3\]"),
    ],
)
def test_symbols_outside_the_alphabet_are_refused(symbols, message):
    with pytest.raises(ValueError, match=message):
        huffman_code(np.array(symbols), 4)


def test_a_symbol_without_a_word_is_not_coded_as_another():
    code = huffman_code(np.array([0, 1, 1]), 2)
    with pytest.raises(ValueError, match="9"):
        huffman_encode(np.array([1, 9]), code)


def test_bits_that_end_within_a_word_are_refused():
    code = huffman_code(np.arange(4), 4)
    bits = huffman_encode(np.arange(4), code)
    with pytest.raises(ValueError, match="incomplete"):
        huffman_decode(bits[:-1], code)
