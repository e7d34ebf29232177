"""rANS by intervals: exact, close to the ideal, for any lanes, and strict."""

import numpy as np
import pytest
from codec_checks import damage
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_dae._bytes import ByteReader
from sklearn_dae.coding._intervals import N_SLOTS, IntervalDecoder, encode_intervals
from sklearn_dae.exceptions import BitstreamError

#: What a lane costs where all end at once, and none can lend another its end: a state.
MOST_BYTES_OF_LANE = 6


def drawn_intervals(n, rng, widest=22):
    """Draw intervals of all sizes, from one slot to all of them."""
    frequencies = np.floor(2 ** rng.uniform(0, widest, n)).astype(np.int64)
    frequencies[rng.random(n) < 0.1] = 1
    return rng.integers(N_SLOTS - frequencies + 1), frequencies


def decode(streams, counts, starts, frequencies):
    """Decode by known intervals; return whether all symbols are in theirs."""
    sizes = counts.reshape(len(counts), -1).sum(axis=1)
    decoder, is_same = IntervalDecoder(streams, counts), True
    for step, (size, end) in enumerate(zip(sizes, np.cumsum(sizes), strict=True)):
        begin = end - size
        decoded = np.zeros(end - begin, int)
        for part in decoder.parts(step):
            places = (decoder.slots() - starts[begin + part]) % N_SLOTS
            is_same &= bool((places < frequencies[begin + part]).all())
            decoder.take(starts[begin + part], frequencies[begin + part])
            decoded[part] += 1
        assert (decoded == 1).all()
    decoder.finish()
    return is_same


def decode_flags(streams, counts, n_ones):
    """Decode symbols that are 1 if they have one of the last slots."""
    decoder, symbols = IntervalDecoder(streams, counts), []
    for step in range(len(counts)):
        of_step = np.zeros(counts[step].sum(), int)
        for part in decoder.parts(step):
            of_step[part] = is_one = decoder.slots() >= N_SLOTS - n_ones
            decoder.take(*flag_intervals(is_one, n_ones))
        symbols.append(of_step)
    decoder.finish()
    return np.concatenate(symbols)


def flag_intervals(flags, n_ones):
    starts = np.where(flags, N_SLOTS - n_ones, 0)
    return starts, np.where(flags, n_ones, N_SLOTS - n_ones)


@st.composite
def schedules(draw):
    n_streams, n_blocks = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    size = n_streams * n_blocks
    step = st.lists(st.integers(0, 9), min_size=size, max_size=size)
    counts = np.array(draw(st.lists(step, min_size=1, max_size=12)))
    counts = counts.reshape(-1, n_blocks, n_streams)
    # A stream has no more lanes than symbols.
    n_symbols = counts.sum(axis=(0, 1)).tolist()
    return counts, [draw(st.integers(1, max(1, n))) for n in n_symbols]


def stream_of_each(counts):
    """Return the stream of each symbol."""
    return np.indices(counts.shape)[-1].repeat(counts.ravel())


@given(schedules(), st.sampled_from([0, 2, 22]), st.integers(0, 2**32 - 1))
@settings(max_examples=120, deadline=None)
def test_any_schedule_of_any_lanes_comes_back_and_costs_little(chosen, widest, seed):
    (counts, lanes), rng = chosen, np.random.default_rng(seed)
    starts, frequencies = drawn_intervals(counts.sum(), rng, widest)
    streams = encode_intervals(starts, frequencies, counts, lanes)
    assert decode(streams, counts, starts, frequencies)
    bits = np.log2(N_SLOTS / frequencies)
    of_stream = stream_of_each(counts)
    ideal = np.bincount(of_stream, bits, len(lanes)) / 8
    n_bytes = np.array(list(map(len, streams)))
    assert (n_bytes[ideal > 0] >= ideal[ideal > 0]).all()
    assert (n_bytes <= ideal + MOST_BYTES_OF_LANE * np.array(lanes) + 8).all()


@given(schedules(), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_streams_coded_together_are_those_coded_one_by_one(chosen, seed):
    (counts, lanes), rng = chosen, np.random.default_rng(seed)
    starts, frequencies = drawn_intervals(counts.sum(), rng)
    of_stream = stream_of_each(counts)
    together = encode_intervals(starts, frequencies, counts, lanes)
    for number, n_lanes in enumerate(lanes):
        mine = of_stream == number
        own = counts[..., [number]]
        alone = encode_intervals(starts[mine], frequencies[mine], own, [n_lanes])
        assert alone == [together[number]]
        assert decode(alone, own, starts[mine], frequencies[mine])


@pytest.mark.parametrize("n_lanes", [1, 7, 300])
def test_symbols_that_are_certain_cost_nothing_and_the_rarest_22_bits(n_lanes):
    counts = np.array([[300]])
    starts, certain = np.zeros(300, int), np.full(300, N_SLOTS)
    (data,) = encode_intervals(starts, certain, counts, [n_lanes])
    assert len(data) <= MOST_BYTES_OF_LANE * n_lanes + 8
    assert decode([data], counts, starts, certain)
    starts, rarest = np.full(300, N_SLOTS - 1), np.ones(300, int)
    (data,) = encode_intervals(starts, rarest, counts, [n_lanes])
    assert len(data) == pytest.approx(300 * 22 / 8, abs=6 * n_lanes + 8)
    assert decode([data], counts, starts, rarest)
    both = np.where(np.arange(300) % 2, 1, N_SLOTS)
    (data,) = encode_intervals(np.zeros(300, int), both, counts, [n_lanes])
    assert decode([data], counts, np.zeros(300, int), both)


def test_lanes_that_end_one_after_another_cost_a_byte_and_a_half(rng):
    rising = np.repeat(np.arange(1, 61), 5)
    counts = np.stack([[*rising, *[60] * 300, *rising[::-1]], [40] * 900], axis=1)
    starts, frequencies = drawn_intervals(counts.sum(), rng)
    bits = np.log2(N_SLOTS / frequencies)
    of_stream = stream_of_each(counts)
    ideal = np.bincount(of_stream, bits) / 8
    few = encode_intervals(starts, frequencies, counts, [1, 1])
    many = encode_intervals(starts, frequencies, counts, [60, 40])
    assert decode(many, counts, starts, frequencies)
    assert len(few[0]) < 1.0002 * ideal[0] + 8
    assert len(few[1]) < 1.0002 * ideal[1] + 8
    assert len(many[0]) < len(few[0]) + 60 * 1.5
    assert len(many[1]) < len(few[1]) + 40 * MOST_BYTES_OF_LANE


def read_by_definition(data, steps, n_ones):
    """Decode flags by the format's definition, in Python's integers, one by one."""
    reader = ByteReader(data)
    n_lanes = reader.leb128()
    rest = reader.take(reader.n_left)
    words = [int.from_bytes(rest[i : i + 2], "little") for i in range(0, len(rest), 2)]
    # Towards the end, there are fewer lanes.
    left = [sum(steps[step:]) - n // 2 for step, n in enumerate(steps)]
    limits = [min(n_lanes, max(n // 32, 4)) for n in left]
    coding = [
        (step, i % limits[step]) for step, n in enumerate(steps) for i in range(n)
    ]
    first = {lane: step for step, lane in reversed(coding)}
    last = {lane: step for step, lane in coding}
    states, flags = {}, []
    for step, n in enumerate(steps):
        for lane in sorted(lane for lane in first if first[lane] == step):
            high, middle, low = words[:3]
            del words[:3]
            states[lane] = high << 32 | middle << 16 | low
        for begin in range(0, n, limits[step]):
            part = range(min(limits[step], n - begin))
            for lane in part:
                slot = states[lane] % N_SLOTS
                flags.append(slot >= N_SLOTS - n_ones)
                start, frequency = map(int, flag_intervals(flags[-1], n_ones))
                states[lane] = (states[lane] >> 22) * frequency + slot - start
            # A second word, where one is not enough, follows the first of all lanes.
            for lane in 2 * [*part]:
                if states[lane] < 2**32:
                    states[lane] = states[lane] << 16 | words.pop(0)
        lent = []
        for lane in sorted(lane for lane in last if last[lane] == step):
            assert states[lane] >> 32 == 1
            lent += [states[lane] >> 16 & 0xFFFF, states[lane] & 0xFFFF]
        words = lent + words
    assert not any(words)
    return np.array(flags)


@pytest.mark.parametrize("n_lanes", [1, 4, 11])
@pytest.mark.parametrize("n_ones", [1, 3 * 2**20])
def test_streams_are_those_of_the_definition(n_lanes, n_ones, rng):
    steps = np.array([2, 0, 13, 5, 311, 11, 1])
    flags = rng.random(steps.sum()) < 0.7
    counts = steps[:, np.newaxis]
    (data,) = encode_intervals(*flag_intervals(flags, n_ones), counts, [n_lanes])
    np.testing.assert_array_equal(read_by_definition(data, steps, n_ones), flags)


def test_a_stream_of_no_symbols_is_empty():
    counts = np.zeros((3, 2), int)
    none = np.zeros(0, int)
    assert encode_intervals(none, none, counts, [1, 1]) == [b"", b""]
    IntervalDecoder([b"", b""], counts).finish()
    with pytest.raises(BitstreamError, match="no symbols has 1 bytes"):
        IntervalDecoder([b"\1", b""], counts)


FLAG_COUNTS = np.array([[3, 0], [40, 25], [7, 30], [0, 9]])


@pytest.fixture(scope="module")
def flags_and_streams():
    flags = np.random.default_rng(0).random(FLAG_COUNTS.sum()) < 0.5
    streams = encode_intervals(
        *flag_intervals(flags, N_SLOTS // 2), FLAG_COUNTS, [5, 2]
    )
    return flags, streams


@pytest.mark.parametrize("number", [0, 1])
def test_cut_off_streams_are_refused(flags_and_streams, number):
    _, streams = flags_and_streams
    for length in range(len(streams[number])):
        short = list(streams)
        short[number] = streams[number][:length]
        with pytest.raises(BitstreamError):
            decode_flags(short, FLAG_COUNTS, N_SLOTS // 2)


def test_damaged_streams_are_refused_or_decode_to_other_symbols(flags_and_streams, rng):
    flags, streams = flags_and_streams
    n_refused = n_other = 0
    for i in range(600):
        damaged = list(streams)
        damaged[i % 2] = damage(streams[i % 2], rng)
        try:
            decoded = decode_flags(damaged, FLAG_COUNTS, N_SLOTS // 2)
        except BitstreamError:
            n_refused += 1
        else:
            # Zeros may follow the last word, and there may be more lanes than are
            # used; all else makes a difference.
            before, after = (of[i % 2][1:].rstrip(b"\0") for of in (streams, damaged))
            assert before == after or not np.array_equal(decoded, flags)
            n_other += 1
    # The ends of all lanes are checked.
    assert n_refused > 540
    assert n_refused + n_other == 600


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "Byte 0: 1 bytes expected"),
        (b"\0\1\0", "0 lanes"),
        (b"\4\1\0", "4 lanes and 2 bytes for 3 symbols"),
        (b"\x80\x80\x80\x01" + bytes(12), "lanes"),
        (b"\1\1\0\0", "1 lanes and 3 bytes"),
        (b"\1\1\0\0\0", "ends 1 words too soon"),
        (b"\1\0\0\0\0\0\0", "too soon"),
        (b"\1\2\0\0\0\0\0", "1 of 1 lanes do not end where coding began"),
        (b"\1\1\0\0\0\0\0\0\0\1\0", "4 words follow|the stream goes on"),
    ],
)
def test_errors_say_what_is_wrong(data, message):
    nothing = np.zeros(3, int), np.full(3, N_SLOTS)
    with pytest.raises(BitstreamError, match=message):
        decode([data], np.array([[3]]), *nothing)


def test_bytes_are_those_of_the_format():
    flags = np.arange(30) % 3 == 0
    counts = np.array([[1], [20], [9]])
    for n_lanes, data in GOLDEN_STREAMS.items():
        (coded,) = encode_intervals(*flag_intervals(flags, 10**6), counts, [n_lanes])
        assert coded.hex() == data


#: Number of lanes, and the stream. A change here is a change of the format.
GOLDEN_STREAMS = {
    1: "014f17f7d1d9ff400d",
    4: "047a01bd1ac05244008da70032db007354c0bd440065a84021",
}
