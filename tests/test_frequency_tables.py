"""Frequency tables: the best of their precision, small on disk, strict when read."""

import itertools
import pickle
import tracemalloc

import numpy as np
import pytest
from codec_checks import damage
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_dae.coding import FrequencyTables
from sklearn_dae.exceptions import BitstreamError

count_vectors = st.lists(
    st.one_of(st.just(0), st.integers(0, 5), st.integers(0, 2**40)),
    min_size=1,
    max_size=60,
).filter(any)


def lists(tables):
    return [table.tolist() for table in tables]


def cost(counts, frequencies, precision):
    """Bits of what was counted."""
    seen = np.flatnonzero(counts)
    return counts[seen] @ (precision - np.log2(frequencies[seen]))


def laplace_counts(scale, n_rows, rng):
    symbols = np.rint(rng.laplace(0, scale, n_rows)).astype(int)
    return np.bincount(symbols - symbols.min())


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(count_vectors, min_size=1, max_size=4),
    precision=st.sampled_from([None, 8, 12, 16]),
)
def test_reading_gives_the_tables_back(counts, precision):
    tables = FrequencyTables.from_counts(counts, precision)
    assert len(tables) == len(counts)
    for table, vector in zip(tables, counts, strict=True):
        assert table.sum() == 2**tables.precision
        np.testing.assert_array_equal(table > 0, np.array(vector) > 0)
    restored = FrequencyTables.from_bytes(tables.to_bytes())
    assert restored == tables
    assert restored.precision == tables.precision
    assert pickle.loads(pickle.dumps(tables)) == tables


@settings(max_examples=40, deadline=None)
@given(counts=st.tuples(*[st.integers(1, 10**6)] * 3))
def test_no_other_frequencies_take_fewer_bits(counts):
    counts = np.array(counts)
    (table,) = FrequencyTables.from_counts([counts], precision=8)
    first, second = np.triu_indices(255, 1)
    others = np.stack([first + 1, second - first, 255 - second], axis=1)
    fewest = (counts @ (8 - np.log2(others)).T).min()
    assert cost(counts, table, 8) == pytest.approx(fewest, rel=1e-12)


def test_no_exchange_of_a_unit_improves_a_large_table(rng):
    counts = rng.zipf(1.3, 500) * rng.integers(0, 2, 500)
    (table,) = FrequencyTables.from_counts([counts], precision=10)
    seen = np.flatnonzero(counts)
    c, f = counts[seen], table[seen]
    gains = c * np.log2((f + 1) / f)
    losses = c[f > 1] * np.log2(f[f > 1] / (f[f > 1] - 1))
    assert gains.max() <= losses.min() * (1 + 1e-12)


def test_symbols_counted_equally_often_differ_by_a_unit_at_most():
    (table,) = FrequencyTables.from_counts([np.full(7, 100)], precision=8)
    assert table.tolist() == [36, 36, 36, 37, 37, 37, 37]


def test_the_default_precision_makes_symbols_and_tables_shortest(rng):
    for n_rows in (300, 100_000):
        counts = [laplace_counts(scale, n_rows, rng) for scale in (1, 6)]
        totals = {}
        for precision in range(8, 17):
            tables = FrequencyTables.from_counts(counts, precision)
            n_bits = sum(map(cost, counts, tables, itertools.repeat(precision)))
            totals[precision] = n_bits + 8 * len(tables.to_bytes())
        chosen = FrequencyTables.from_counts(counts).precision
        assert chosen == min(totals, key=totals.get)


def test_tables_of_columns_are_those_of_their_counts(rng):
    symbols = rng.poisson([1, 9, 2], (200, 3))
    tables = FrequencyTables.from_symbols(symbols, precision=12)
    counts = [np.bincount(column) for column in symbols.T]
    assert tables == FrequencyTables.from_counts(counts, precision=12)
    wide = FrequencyTables.from_symbols(symbols.astype(np.uint8), 40, pseudo_count=1)
    assert [len(table) for table in wide] == [40, 40, 40]
    assert all(table.min() >= 1 for table in wide)


def test_code_lengths_are_those_of_the_frequencies():
    tables = FrequencyTables([[128, 64, 64, 0], [256]], precision=8)
    np.testing.assert_array_equal(
        tables.bits([[0, 0], [1, 0], [3, 0]]), [[1, 0], [2, 0], [np.inf, 0]]
    )
    np.testing.assert_array_equal(
        tables.bits([1, 0, 2], table_index=[0, 1, 0]), [2, 0, 2]
    )


@pytest.mark.parametrize(("scale", "most"), [(1, 1.05), (5, 0.75), (20, 0.6)])
def test_smooth_tables_take_a_byte_a_symbol_or_less(scale, most, rng):
    counts = [laplace_counts(scale, 30_000, rng) for _ in range(10)]
    tables = FrequencyTables.from_counts(counts, precision=12)
    assert len(tables.to_bytes()) < most * sum(map(len, tables))


def test_runs_take_next_to_nothing():
    uniform = FrequencyTables.from_counts([np.ones(2**16, int)])
    sparse = FrequencyTables.from_counts([np.bincount([7, 40_000], minlength=2**16)])
    assert uniform.precision == 16
    assert len(uniform.to_bytes()) <= 12
    assert len(sparse.to_bytes()) <= 16


def test_bytes_are_those_of_the_format():
    tables = FrequencyTables.from_counts(
        [[900, 500, 250, 120, 60, 30, 10, 2, 0, 0, 1], [5], [0, 0, 1, 1, 1, 1]], 11
    )
    data = "36170a0b003d8ab4a11e3781a0d5d187064001001a00200c00c0"
    assert tables.to_bytes().hex() == data
    assert FrequencyTables.from_bytes(bytes.fromhex(data)) == tables


def test_damaged_bytes_are_refused_or_are_tables(rng):
    counts = [laplace_counts(scale, 500, rng) for scale in (0.5, 3)]
    data = FrequencyTables.from_counts(counts).to_bytes()
    n_refused = 0
    for _ in range(3000):
        try:
            tables = FrequencyTables.from_bytes(damage(data, rng))
        except BitstreamError:
            n_refused += 1
        else:
            assert {int(table.sum()) for table in tables} == {2**tables.precision}
    assert n_refused > 2700


@pytest.mark.parametrize("length", range(12))
def test_bytes_that_are_cut_off_are_refused(length):
    data = FrequencyTables.from_counts([[5, 3, 9, 1], [7, 7, 1]], 12).to_bytes()
    assert len(data) > 12
    with pytest.raises(BitstreamError, match=r"missing|expected"):
        FrequencyTables.from_bytes(data[:length])


@pytest.mark.parametrize(
    ("bits", "message"),
    [
        ("1001", "precision of 17 bits"),
        ("0000" + "0" * 24 + "1" * 25, "claim .* frequency tables"),
        ("0000" + "0" * 20 + "1" * 2000, "alphabets|frequency tables"),
        ("0000" + "1" + "1", "alphabets of 0 to 0"),
        ("0000" + "1" + "0" * 17 + "1" * 18, "alphabets of .* symbols"),
        ("0000" + "1" + "0" * 60, "zero bits"),
        # One table, two symbols (folded 4: 00101), frequency -1 (folded 1: 010).
        ("0000" + "1" + "00101" + "010", "frequency of -1"),
        # Frequency 0, and 30 zeros more.
        ("0000" + "1" + "00101" + "1" + "000011111", "31 times"),
    ],
)
def test_absurd_claims_are_refused_before_memory_is_taken(bits, message):
    data = int(bits.ljust(-8 * (-len(bits) // 8), "0"), 2).to_bytes(-(-len(bits) // 8))
    tracemalloc.start()
    with pytest.raises(BitstreamError, match=message):
        FrequencyTables.from_bytes(data)
    assert tracemalloc.get_traced_memory()[1] < 500_000
    tracemalloc.stop()


def test_bytes_after_the_last_table_are_refused():
    data = FrequencyTables.from_counts([[5, 3]]).to_bytes()
    with pytest.raises(BitstreamError, match="follow the last frequency table"):
        FrequencyTables.from_bytes(data + b"\0")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: FrequencyTables([[200, 55]], 8), ValueError, "sums to 255"),
        (lambda: FrequencyTables([[-1, 257]], 8), ValueError, r"lie in \[-1, 257\]"),
        (lambda: FrequencyTables([[1.0, 255.0]], 8), TypeError, "must be integers"),
        (lambda: FrequencyTables([], 8), ValueError, "no frequencies"),
        (lambda: FrequencyTables([[]], 8), ValueError, "vector of 1 to 65536"),
        (lambda: FrequencyTables([[128]], 7), ValueError, "precision == 7"),
        (lambda: FrequencyTables([[2**16]] * 257, 16), ValueError, "be 256 of that"),
        (lambda: FrequencyTables.from_counts([[1], [0]]), ValueError, "pseudo_count=1"),
        (
            lambda: FrequencyTables.from_counts([np.ones(257, int)], 8),
            ValueError,
            "at least 9",
        ),
        (
            lambda: FrequencyTables.from_counts([np.ones(2**16, int)] * 257),
            ValueError,
            "more than|too many",
        ),
        (lambda: FrequencyTables.from_symbols([1, 2]), ValueError, r"reshape\(-1, 1\)"),
        (lambda: FrequencyTables.from_symbols([[-1]]), ValueError, "lie in"),
        (lambda: FrequencyTables.from_symbols([[5]], 5), ValueError, r"\[0, 4\]"),
        (lambda: FrequencyTables.from_symbols([[0.5]]), TypeError, "integers"),
        (lambda: FrequencyTables.from_symbols(np.empty((0, 2))), ValueError, "pseudo"),
    ],
)
def test_what_is_no_table_is_refused_with_a_remedy(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_tables_cannot_be_changed_through_an_entry():
    tables = FrequencyTables.from_counts([[1, 3]])
    with pytest.raises(ValueError, match="read-only"):
        tables[0][0] = 7
    with pytest.raises(IndexError, match="no table 1 of 1"):
        tables[1]
    assert lists(tables) == [[64, 192]]
