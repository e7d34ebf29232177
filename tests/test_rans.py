"""rANS: exact, close to the entropy, the same on every machine, and strict."""

import tracemalloc

import numpy as np
import pytest
from codec_checks import check_codec, damage
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_dae.coding import FrequencyTables, rans_decode, rans_encode
from sklearn_dae.coding._lanes import LaneDecoder
from sklearn_dae.exceptions import BitstreamError


def check_rans(symbols, tables, table_index=None, n_lanes=None):
    symbols = np.asarray(symbols)
    return check_codec(
        lambda s: rans_encode(s, tables, table_index, n_lanes),
        lambda data: rans_decode(data, symbols.shape, tables, table_index),
        symbols,
    )


def drawn_from(tables, n_rows, rng):
    """Symbols with the frequencies of the tables, a column a table."""
    columns = [
        rng.choice(len(table), n_rows, p=table / table.sum()) for table in tables
    ]
    return np.stack(columns, axis=1)


def textbook_decode(data, table_of_symbol, precision):
    """Decode by the format's definition, in Python's integers, a symbol at a time."""
    n_lanes, at = 0, 0
    while True:
        n_lanes |= (data[at] & 127) << 7 * at
        at += 1
        if data[at - 1] < 128:
            break
    numbers = [
        int.from_bytes(data[i : i + 2], "little") for i in range(at, len(data), 2)
    ]
    states = [numbers[i] | numbers[i + 1] << 16 for i in range(0, 2 * n_lanes, 2)]
    words = iter(numbers[2 * n_lanes :])
    symbols = []
    for i, table in enumerate(table_of_symbol):
        x = states[i % n_lanes]
        slot = x % 2**precision
        symbol = 0
        while slot >= table[symbol]:
            slot -= table[symbol]
            symbol += 1
        x = table[symbol] * (x // 2**precision) + slot
        states[i % n_lanes] = x if x >= 2**16 else x << 16 | next(words)
        symbols.append(symbol)
    assert states == [2**16] * n_lanes
    assert next(words, None) is None
    return symbols


@st.composite
def tables_and_symbols(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    counts = [
        rng.integers(0, 10 ** rng.integers(1, 6), rng.integers(1, 40)) + (i == 0)
        for i in range(draw(st.integers(1, 5)))
    ]
    for vector in counts:
        vector[rng.integers(vector.size)] += 1
    precision = draw(st.sampled_from([None, 8, 11, 16]))
    tables = FrequencyTables.from_counts(counts, precision)
    return tables, drawn_from(tables, draw(st.integers(0, 60)), rng)


@settings(max_examples=100, deadline=None)
@given(
    drawn=tables_and_symbols(),
    n_lanes=st.sampled_from([None, 1, 3, 19, 20, 64, 65_536]),
)
def test_decoding_gives_the_symbols_back(drawn, n_lanes):
    tables, symbols = drawn
    data = check_rans(symbols, tables, n_lanes=n_lanes)
    expected = [list(map(int, tables[j])) for j in range(len(tables))]
    if symbols.size:
        decoded = textbook_decode(data, expected * len(symbols), tables.precision)
        assert decoded == symbols.ravel().tolist()


@settings(max_examples=60, deadline=None)
@given(drawn=tables_and_symbols(), seed=st.integers(0, 2**32))
def test_any_symbol_may_have_any_table(drawn, seed):
    tables, _ = drawn
    rng = np.random.default_rng(seed)
    table_index = rng.integers(len(tables), size=(4, 7))
    symbols = np.array(
        [[rng.choice(np.flatnonzero(tables[j])) for j in row] for row in table_index]
    )
    check_rans(symbols, tables, table_index, n_lanes=5)
    one_table = table_index[0, 0]
    check_rans(np.flatnonzero(tables[one_table]), tables, one_table)


@pytest.mark.parametrize("shape", [(), (6,), (2, 3), (3, 1, 2), (0,), (4, 0)])
def test_symbols_of_any_shape_come_back(shape):
    tables = FrequencyTables.from_counts([[5, 2, 1]])
    check_rans(np.arange(np.prod(shape, dtype=int)).reshape(shape) % 3, tables)


@pytest.mark.parametrize("n_lanes", [None, 1, 7, 300])
def test_length_is_that_of_the_entropy_and_three_bytes_a_lane(n_lanes, rng):
    tables = FrequencyTables.from_counts(
        [(1e6 * np.exp(-np.arange(80) / s)).astype(int) + 1 for s in (1, 4, 12)],
        precision=14,
    )
    symbols = drawn_from(tables, 20_000, rng)
    data = check_rans(symbols, tables, n_lanes=n_lanes)
    n_ideal = tables.bits(symbols).sum() / 8
    p = [np.bincount(column) / len(column) for column in symbols.T]
    entropy = -sum((q[q > 0] * np.log2(q[q > 0])).sum() for q in p) * len(symbols) / 8
    assert n_ideal == pytest.approx(entropy, rel=1e-3)
    if n_lanes is None:
        assert n_ideal < len(data) < 1.005 * min(entropy, n_ideal)
    else:
        assert len(data) - n_ideal == pytest.approx(3 * n_lanes, rel=0.2, abs=60)


@pytest.mark.parametrize("precision", [8, 16])
@pytest.mark.parametrize("n", [0, 1, 2, 5000])
def test_one_distinct_symbol_costs_nothing(precision, n):
    tables = FrequencyTables.from_counts([[0, 0, 9]], precision)
    data = check_rans(np.full(n, 2), tables, n_lanes=1)
    assert len(data) == (5 if n else 0)


def test_an_alphabet_of_65536_symbols_costs_16_bits_each(rng):
    tables = FrequencyTables.from_counts([np.ones(2**16, int)])
    symbols = rng.permutation(2**16)
    data = check_rans(symbols, tables)
    assert len(data) == pytest.approx(2**17, rel=0.004)


@pytest.mark.parametrize("precision", [8, 16])
def test_the_rarest_and_the_most_frequent_symbol_are_exact(precision):
    tables = FrequencyTables([[2**precision - 1, 1]], precision)
    check_rans(np.tile([1, 0, 0, 1, 1, 0], 500), tables, n_lanes=16)
    check_rans(np.ones(999, int), tables, n_lanes=2)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.uint64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_symbols_of_any_integer_dtype_and_layout_make_the_same_bytes(dtype, order, rng):
    symbols = rng.integers(5, size=(40, 3))
    tables = FrequencyTables.from_symbols(symbols)
    other = symbols.astype(dtype, order=order)
    other.flags.writeable = False
    assert rans_encode(other, tables) == rans_encode(symbols, tables)
    decoded = rans_decode(rans_encode(other, tables), (40, 3), tables)
    assert decoded.dtype == np.int64
    decoded[0] = 0


def test_default_lanes_cost_little_of_a_large_stream_and_none_of_a_small_one(rng):
    tables = FrequencyTables.from_counts([[1] * 256])
    small, large = (rans_encode(rng.integers(256, size=n), tables) for n in (99, 10**6))
    assert LaneDecoder(small).n_lanes == 1
    assert len(large) < 1.004 * 10**6
    assert LaneDecoder(large).n_lanes > 500


def test_bytes_are_those_of_the_format():
    tables = FrequencyTables([[100, 60, 50, 40, 6], [1, 255], [256]], 8)
    symbols = np.stack(
        [np.arange(24) ** 2 % 5, np.arange(24) % 9 > 0, np.zeros(24)], axis=1
    ).astype(int)
    for n_lanes, data in GOLDEN_STREAMS.items():
        assert rans_encode(symbols, tables, n_lanes=n_lanes).hex() == data
        decoded = rans_decode(bytes.fromhex(data), (24, 3), tables)
        np.testing.assert_array_equal(decoded, symbols)


#: Number of lanes, and the stream. A change here is a change of the format.
GOLDEN_STREAMS = {
    1: "0104d7ec008fc4aa6a005ececf797e5a01",
    4: "045c35600300fe6238fd7d3800990ca2055a015bd6fb1a7479",
}


def test_damaged_streams_are_refused_or_decode_to_symbols(rng):
    """rANS cannot notice all damage: some of it leads back to where coding began."""
    tables = FrequencyTables.from_counts([[30, 9, 3, 1], [1, 1]])
    symbols = rng.integers(2, size=(50, 2))
    n_refused = 0
    for n_lanes in (1, 5):
        data = rans_encode(symbols, tables, n_lanes=n_lanes)
        for _ in range(1500):
            try:
                decoded = rans_decode(damage(data, rng), (50, 2), tables)
            except BitstreamError:
                n_refused += 1
            else:
                assert np.isfinite(tables.bits(decoded)).all()
    assert n_refused > 2900


@pytest.mark.parametrize("n_lanes", [1, 9])
def test_cut_off_and_extended_streams_are_refused(n_lanes, rng):
    symbols = rng.integers(4, size=100)
    tables = FrequencyTables.from_counts([[1, 1, 1, 1]])
    data = rans_encode(symbols, tables, n_lanes=n_lanes)
    for length in range(len(data)):
        with pytest.raises(BitstreamError):
            rans_decode(data[:length], 100, tables)
    for extra in (1, 2, 4):
        with pytest.raises(BitstreamError):
            rans_decode(data + bytes(extra), 100, tables)


@pytest.mark.parametrize(
    ("data", "n", "message"),
    [
        (b"", 1, "0 lanes for 1 symbols"),
        (b"\x01\0\0\1\0", 0, "1 lanes for 0 symbols"),
        (b"\x02" + b"\0\0\1\0" * 2, 1, "2 lanes for 1 symbols"),
        (b"\x80\x80\x04", 9, "65536 lanes has 3 bytes, expected 262147"),
        (b"\xff\xff\x7f" + b"\0\1" * 10, 9, "claims 2097151 lanes"),
        (b"\x80", 9, "Byte 1: 1 bytes expected"),
        (b"\0", 9, "claims 0 lanes"),
        (b"\x81\0" + b"\0\0\1\0", 9, "Byte 0: not a number"),
        (b"\x01\0\0\1\0\0", 9, "has 6 bytes"),
        (b"\x01\xff\xff\0\0", 9, "has the state 65535"),
        (b"\x01\0\0\1\0", 9, "ends after 0 words"),
        (b"\x01\0\0\2\0\0\0", 1, "1 words follow"),
        (b"\x01\0\0\4\0", 1, "lane 0 ends in 131072"),
    ],
)
def test_errors_say_what_is_wrong(data, n, message):
    tables = FrequencyTables([[128, 128]], 8)
    tables.slots  # noqa: B018, made before memory is measured
    tracemalloc.start()
    with pytest.raises(BitstreamError, match=message):
        rans_decode(data, n, tables)
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


def test_wrong_tables_are_noticed(rng):
    symbols = rng.integers(4, size=1000)
    data = rans_encode(symbols, FrequencyTables.from_counts([[1, 1, 1, 1]]))
    with pytest.raises(BitstreamError, match="tables differ"):
        rans_decode(data, 1000, FrequencyTables.from_counts([[1, 2, 1, 1]]))


@pytest.mark.parametrize(
    ("symbols", "table_index", "error", "message"),
    [
        ([0, 3], 0, ValueError, "Symbol 3 is not in .* table 0, .* symbols 0 to 2"),
        ([0, -1], 0, ValueError, "Symbol -1 is not in the alphabet of table 0"),
        ([[0, 1], [2, 2]], None, ValueError, "Symbol 2 is not in .* table 1"),
        ([0, 1], 0, ValueError, "Symbol 1 has frequency 0 in table 0 .* pseudo_count"),
        ([0, 0], 2, ValueError, r"table_index lies in \[2, 2\], .* \[0, 1\]"),
        ([0, 0], [0, 0, 0], ValueError, "broadcast"),
        ([0, 0], None, ValueError, r"shape \(2,\) and there are 2 tables.*table_index"),
        ([0, 0], 0.0, TypeError, "must be integers"),
        ([0.0, 1.0], 0, TypeError, "must be integers, got an array of float64"),
        ([np.nan], 0, TypeError, "must be integers"),
        ([True], 0, TypeError, "must be integers"),
    ],
)
def test_what_cannot_be_coded_is_refused(symbols, table_index, error, message):
    tables = FrequencyTables([[1, 0, 255], [128, 128]], 8)
    with pytest.raises(error, match=message):
        rans_encode(symbols, tables, table_index)


def test_there_is_no_stream_without_lanes():
    tables = FrequencyTables.from_counts([[1, 1]])
    with pytest.raises(ValueError, match="n_lanes == 0"):
        rans_encode([0], tables, n_lanes=0)
