"""rANS for models that compute the interval of each symbol afresh.

Where a distribution is made afresh for every symbol, it would be a waste to make a
table of it: an encoder needs the interval of one symbol, and a decoder compares one
slot with the cumulative frequencies. Intervals are cut from 2**22 slots, so that an
alphabet of 65,536 symbols, each with a slot or more, still leaves nearly all slots to
be shared out.

The state of a lane is a number from 2**32 to below 2**48. Coding a symbol of frequency
f, whose interval starts at c, takes the state x to ``(x // f << 22) + x % f + c``;
first, while the result would outgrow 48 bits, the lower 16 of x go to the stream, as
one word. Decoding takes all of it back. Since decoding undoes coding, the last symbol
is coded first. All arithmetic is on integers.

Lanes begin and end when they are needed, and lend each other their ends, so that one
costs nine bits: a lane whose last symbol is decoded is left with the state 2**32 + w,
where w is two words that were coded already and that the decoder gives back to the
stream. An encoder, which begins with these last symbols, takes w from there.

A *step* is a number of symbols, known to both sides, that do not depend on each other.
It is cut into parts of as many symbols as there are lanes, or of fewer towards the end,
where a part has a symbol for each 32 or so that follow it, or 4; the i-th symbol of a
part belongs to lane i. Several streams, each with lanes of its own, are decoded in
lockstep.

Stream: the number of lanes (LEB128), then words of 16 bits, little-endian, in the order
in which a decoder takes them, the higher of a state first. The stream of no symbols is
empty.

References
----------
Duda, J. (2013). Asymmetric numeral systems: entropy coding combining speed of Huffman
coding with compression rate of arithmetic coding. arXiv:1311.2540.

Giesen, F. (2014). Interleaved entropy coders. arXiv:1402.3392.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from sklearn_dae._bytes import ByteReader, leb128
from sklearn_dae.exceptions import BitstreamError

#: Binary logarithm of the number of slots that intervals are cut from, and that number.
PRECISION = 22
N_SLOTS = 1 << PRECISION

#: Largest number of lanes in a stream.
MAX_LANES = 2**16

#: Symbols that follow a step for each of its lanes, and lanes that there are always.
_SYMBOLS_BEFORE_LANE, _FIRST_LANES = 32, 4

#: Least state of a lane.
_LEAST = np.uint64(1 << 32)

#: Words of a state, of a state that is lent, and most words that a symbol moves.
_STATE_WORDS, _LENT_WORDS, _SYMBOL_WORDS = 3, 2, 2

_PRECISION, _WORD_BITS, _HIGH = np.uint64(PRECISION), np.uint64(16), np.uint64(32)
_LOW_WORD, _SLOT_MASK = np.uint64(0xFFFF), np.uint64(N_SLOTS - 1)
_SLOTS, _LIMIT_BITS = np.uint64(N_SLOTS), np.uint64(48 - PRECISION)


class _Part(NamedTuple):
    """Symbols of a step that are coded at once: their places in it, and their lanes."""

    symbols: np.ndarray
    lanes: np.ndarray


class _Schedule:
    """Which lane codes which symbol.

    Parameters
    ----------
    counts : ndarray of int of shape (n_steps, n_blocks, n_streams)
        Symbols of each stream in each block of each step, one stream after another.

    n_lanes : ndarray of int of shape (n_streams,)
        Lanes of each stream.
    """

    def __init__(self, counts: np.ndarray, n_lanes: np.ndarray) -> None:
        self._blocks = counts.astype(np.int64)
        self.counts = self._blocks.sum(axis=1)
        self.n_lanes = n_lanes.astype(np.int64)
        self.first_lanes = np.cumsum(self.n_lanes) - self.n_lanes
        self.stream_of_lane = np.repeat(np.arange(len(n_lanes)), self.n_lanes)
        # At the end there are few: the first that an encoder begins have nothing to
        # borrow.
        left = self.counts[::-1].cumsum(axis=0)[::-1] - self.counts // 2
        few = np.maximum(left // _SYMBOLS_BEFORE_LANE, _FIRST_LANES)
        self._limits = np.minimum(few, self.n_lanes)
        used = np.minimum(self.counts, self._limits)
        none = np.zeros((1, len(n_lanes)), np.int64)
        # Lanes that have been needed so far, and those that will still be.
        self._begun = np.maximum.accumulate(np.vstack([none, used]))
        self._left = np.maximum.accumulate(np.vstack([used, none])[::-1])[::-1]
        self._key, self._parts = b"", list[_Part]()

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return len(self.counts)

    def begins(self, step: int) -> list[tuple[int, slice]]:
        """Return the streams that take more lanes at the beginning of a step."""
        return self._changes(self._begun[step], self._begun[step + 1])

    def ends(self, step: int) -> list[tuple[int, slice]]:
        """Return the streams that are done with lanes at the end of a step."""
        return self._changes(self._left[step + 1], self._left[step])

    def _changes(self, few: np.ndarray, many: np.ndarray) -> list[tuple[int, slice]]:
        return [
            (s, slice(*(int(self.first_lanes[s] + n[s]) for n in (few, many))))
            for s in np.flatnonzero(few != many).tolist()
        ]

    def parts(self, step: int) -> list[_Part]:
        """Cut a step into parts."""
        counts, limits = self._blocks[step], self._limits[step]
        # Most steps are like the one before.
        key = counts.tobytes() + limits.tobytes()
        if key != self._key:
            self._key, self._parts = key, list(self._cut(counts, limits))
        return self._parts

    def _cut(self, counts: np.ndarray, limits: np.ndarray) -> Iterator[_Part]:
        flat = counts.ravel()
        streams = np.tile(np.arange(len(limits)), len(counts)).repeat(flat)
        # Which symbol of its stream in this step each is.
        before = (np.cumsum(counts, axis=0) - counts).ravel()
        ranks = np.arange(len(streams)) + (before - np.cumsum(flat) + flat).repeat(flat)
        parts, within = np.divmod(ranks, limits[streams])
        lanes = within + self.first_lanes[streams]
        order = np.lexsort((lanes, parts))
        for symbols in np.split(order, np.cumsum(np.bincount(parts))[:-1]):
            if symbols.size:
                yield _Part(symbols, lanes[symbols])


def encode_intervals(
    starts: np.ndarray,
    frequencies: np.ndarray,
    counts: np.ndarray,
    n_lanes: Sequence[int],
) -> list[bytes]:
    """Code symbols by their intervals, several streams at once.

    Parameters
    ----------
    starts, frequencies : ndarray of int of shape (n_symbols,)
        The first of each symbol's slots out of ``N_SLOTS``, and its number of slots, at
        least 1: step by step, in a step block by block, and in a block stream by
        stream.

    counts : ndarray of int of shape (n_steps[, n_blocks], n_streams)
        Symbols of each stream in each block of each step.

    n_lanes : sequence of int
        Lanes of each stream, 1 to 65,536.

    Returns
    -------
    list of bytes
        The streams.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae.coding._intervals import IntervalDecoder, encode_intervals
    >>> starts, frequencies = np.array([0, 30000, 7]), np.array([30000, 5, 1])
    >>> counts = np.array([[2], [1]])
    >>> streams = encode_intervals(starts, frequencies, counts, [2])
    >>> decoder = IntervalDecoder(streams, counts)
    >>> for step in range(2):
    ...     for part in decoder.parts(step):
    ...         print(part, decoder.slots() >= starts[2 * step + part])
    ...         decoder.take(starts[2 * step + part], frequencies[2 * step + part])
    [0 1] [ True  True]
    [0] [ True]
    >>> decoder.finish()
    """
    counts = counts.reshape(len(counts), -1, len(n_lanes))
    schedule = _Schedule(counts, np.asarray(n_lanes, np.int64))
    stacks = _Stacks(schedule)
    states = np.empty(len(schedule.stream_of_lane), np.uint64)
    ends = np.concatenate([[0], np.cumsum(schedule.counts.sum(axis=1))])
    for step in reversed(range(schedule.n_steps)):
        for stream, lanes in schedule.ends(step):
            states[lanes] = _LEAST | stacks.borrow(stream, lanes.stop - lanes.start)
        f = frequencies[ends[step] : ends[step + 1]].astype(np.uint64)
        c = starts[ends[step] : ends[step + 1]].astype(np.uint64)
        for symbols, lanes in reversed(schedule.parts(step)):
            x, of = states[lanes], f[symbols]
            limits = of << _LIMIT_BITS
            full = (x >= limits).nonzero()[0]
            if full.size:
                low, x[full] = x[full] & _LOW_WORD, x[full] >> _WORD_BITS
                still = x[full] >= limits[full]
                if still.any():
                    over = full[still]
                    stacks.push(lanes[over], low[still])
                    low[still], x[over] = x[over] & _LOW_WORD, x[over] >> _WORD_BITS
                stacks.push(lanes[full], low)
            # (x // f << 22) + x % f + c, without the remainder.
            states[lanes] = x + (x // of) * (_SLOTS - of) + c[symbols]
        for stream, lanes in schedule.begins(step):
            stacks.push_states(stream, states[lanes])
    return stacks.streams()


class _Stacks:
    """The words of each stream, of which the last written is the first to be read."""

    def __init__(self, schedule: _Schedule) -> None:
        self._schedule = schedule
        n_symbols, n_lanes = schedule.counts.sum(axis=0), schedule.n_lanes
        # Zeros at the end are what the first lanes borrow.
        n_words = _SYMBOL_WORDS * n_symbols + (_STATE_WORDS + _LENT_WORDS) * n_lanes
        self._ends = np.cumsum(n_words)
        self._words = np.zeros(int(n_words.sum()), np.uint16)
        self._tops = self._ends - _LENT_WORDS * n_lanes
        self._bottoms = self._tops.copy()

    def borrow(self, stream: int, n_states: int) -> np.ndarray:
        """Take the words that follow; return them by twos, as numbers of 32 bits."""
        words = self._words[self._tops[stream] :][: _LENT_WORDS * n_states]
        high, low = words.astype(np.uint64).reshape(-1, 2).T
        self._tops[stream] += words.size
        self._bottoms[stream] = max(self._bottoms[stream], self._tops[stream])
        return high << _WORD_BITS | low

    def push_states(self, stream: int, states: np.ndarray) -> None:
        """Write whole states."""
        shifts = np.array([32, 16, 0], np.uint64)
        words = (states[:, np.newaxis] >> shifts) & _LOW_WORD
        begin = self._tops[stream] - words.size
        self._words[begin : self._tops[stream]] = words.ravel()
        self._tops[stream] = begin

    def push(self, lanes: np.ndarray, words: np.ndarray) -> None:
        """Write a word for each of some lanes, in ascending order."""
        streams = self._schedule.stream_of_lane[lanes]
        n_words = np.bincount(streams, minlength=len(self._tops))
        self._tops -= n_words
        self._words[_spread(self._tops, n_words, streams)] = words

    def streams(self) -> list[bytes]:
        """Return all streams."""
        return [
            leb128(n) + self._words[top:bottom].astype("<u2").tobytes() if some else b""
            for n, top, bottom, some in zip(
                self._schedule.n_lanes.tolist(),
                self._tops.tolist(),
                self._bottoms.tolist(),
                self._schedule.counts.sum(axis=0).tolist(),
                strict=True,
            )
        ]


def _spread(firsts: np.ndarray, counts: np.ndarray, streams: np.ndarray) -> np.ndarray:
    """Return where words of ascending streams lie, one after another in each."""
    before = np.cumsum(counts) - counts
    return np.arange(streams.size) + (firsts - before)[streams]


class IntervalDecoder:
    """Decodes what `encode_intervals` coded.

    Parameters
    ----------
    streams : list of bytes
        The streams.

    counts : ndarray of int of shape (n_steps[, n_blocks], n_streams)
        Symbols of each stream in each block of each step.

    Raises
    ------
    BitstreamError
        If a stream is none, or does not hold so many symbols.
    """

    def __init__(self, streams: Sequence[bytes], counts: np.ndarray) -> None:
        counts = counts.reshape(len(counts), -1, len(streams))
        n_symbols = counts.sum(axis=(0, 1)).tolist()
        parts = [_read(*both) for both in zip(streams, n_symbols, strict=True)]
        self._schedule = _Schedule(counts, np.array([n for n, _ in parts], np.int64))
        sizes = [words.size for _, words in parts]
        self._ends = np.cumsum(sizes)
        self._at = self._ends - sizes
        self._words = np.concatenate([np.empty(0, np.uint16), *(w for _, w in parts)])
        self._states = np.zeros(len(self._schedule.stream_of_lane), np.uint64)
        self._lanes = np.empty(0, np.int64)

    def parts(self, step: int) -> Iterator[np.ndarray]:
        """Yield the places in a step of the symbols to decode next, in any order.

        For each, the caller looks at `slots`, and then calls `take`.
        """
        for stream, begun in self._schedule.begins(step):
            n_words = _STATE_WORDS * (begun.stop - begun.start)
            high, middle, low = self._next(stream, n_words).reshape(-1, 3).T
            self._states[begun] = high << _HIGH | middle << _WORD_BITS | low
        for symbols, lanes in self._schedule.parts(step):
            self._lanes = lanes
            yield symbols
        for stream, ended in self._schedule.ends(step):
            self._give_back(stream, self._states[ended])

    def slots(self) -> np.ndarray:
        """Return the slots that the symbols were coded to: int64 of shape (n,)."""
        return (self._states[self._lanes] & _SLOT_MASK).astype(np.int64)

    def take(self, starts: np.ndarray, frequencies: np.ndarray) -> None:
        """Go on past the symbols, now known by their intervals.

        Parameters
        ----------
        starts, frequencies : ndarray of int of shape (n,)
            Their intervals.

        Raises
        ------
        BitstreamError
            If a stream has ended.
        """
        lanes = self._lanes
        x = self._states[lanes]
        places = (x & _SLOT_MASK) - starts.astype(np.uint64)
        x = (x >> _PRECISION) * frequencies.astype(np.uint64) + places
        for _ in range(_SYMBOL_WORDS):
            low = (x < _LEAST).nonzero()[0]
            if not low.size:
                break
            streams = self._schedule.stream_of_lane[lanes[low]]
            n_words = np.bincount(streams, minlength=len(self._at))
            where = _spread(self._at, n_words, streams)
            self._at += n_words
            self._check_ends()
            x[low] = x[low] << _WORD_BITS | self._words[where]
        self._states[lanes] = x

    def finish(self) -> None:
        """Verify that the streams were decoded to their ends.

        Raises
        ------
        BitstreamError
            If words are left.
        """
        for at, end in zip(self._at.tolist(), self._ends.tolist(), strict=True):
            if self._words[at:end].any():
                raise BitstreamError(
                    f"{end - at} words follow the last symbol: the stream goes on, or "
                    "the model differs."
                )

    def _next(self, stream: int, n_words: int) -> np.ndarray:
        begin = self._at[stream]
        self._at[stream] += n_words
        self._check_ends()
        return self._words[begin : begin + n_words].astype(np.uint64)

    def _give_back(self, stream: int, states: np.ndarray) -> None:
        wrong = (states >> _HIGH != 1).nonzero()[0]
        begin = self._at[stream] - _LENT_WORDS * states.size
        if wrong.size or begin < 0:
            raise BitstreamError(
                f"{wrong.size} of {states.size} lanes do not end where coding began: "
                "the stream is damaged, or the model differs."
            )
        words = np.stack([states >> _WORD_BITS & _LOW_WORD, states & _LOW_WORD], axis=1)
        self._words[begin : self._at[stream]] = words.ravel()
        self._at[stream] = begin

    def _check_ends(self) -> None:
        missing = self._at - self._ends
        if (missing > 0).any():
            raise BitstreamError(
                f"A stream ends {missing.max()} words too soon: bytes are missing, or "
                "the model differs."
            )


def _read(data: bytes, n_symbols: int) -> tuple[int, np.ndarray]:
    """Return the number of lanes of a stream, and its words."""
    if not n_symbols:
        if data:
            raise BitstreamError(f"A stream of no symbols has {len(data)} bytes.")
        return 1, np.empty(0, np.uint16)
    reader = ByteReader(data)
    n_lanes = reader.leb128()
    words = reader.take(reader.n_left)
    if not 1 <= n_lanes <= min(MAX_LANES, n_symbols) or len(words) % 2:
        raise BitstreamError(
            f"A stream of {n_lanes} lanes and {len(words)} bytes for {n_symbols} "
            "symbols: it is damaged."
        )
    return n_lanes, np.frombuffer(words, "<u2").astype(np.uint16)
