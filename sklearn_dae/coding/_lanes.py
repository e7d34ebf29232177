"""The lanes of rANS: intervals of symbols <-> bytes.

The state of a lane is a 32-bit number. Coding a symbol of frequency f, whose interval
starts at c, takes the state x to ``(x // f << precision) + x % f + c``, which is longer
by ``precision - log2(f)`` bits, and decoding takes it back. A state that would outgrow
32 bits first hands its lower 16 to the stream, as one word; a decoder whose state falls
below 2**16 takes the word back. Since decoding undoes coding, the last symbol is coded
first.

Many lanes do this in lockstep, each for its own symbols, and share the stream: the i-th
symbol of a step belongs to lane i. All arithmetic is on integers, so bytes and symbols
are the same on every machine.

Stream: the number of lanes (LEB128: seven bits per byte, lowest first, the highest bit
set in all bytes but the last), the states of the lanes (32 bits each), the words (16
bits each) in the order in which a decoder takes them. Numbers are little-endian. The
stream of no symbols is empty.

References
----------
Duda, J. (2013). Asymmetric numeral systems: entropy coding combining speed of Huffman
coding with compression rate of arithmetic coding. arXiv:1311.2540.

Giesen, F. (2014). Interleaved entropy coders. arXiv:1402.3392.
"""

from itertools import pairwise

import numpy as np

from sklearn_dae._bytes import ByteReader, leb128
from sklearn_dae.exceptions import BitstreamError

#: Largest number of lanes in a stream.
MAX_LANES = 2**16

#: The state that every lane starts from when coding, and must return to when decoding:
#: the smallest state that is not followed by a word.
_FIRST_STATE = 2**16

#: Symbols unpacked together, so that they stay in cache.
_BLOCK_SIZE = 2**15

#: Fewer lanes than this are decoded one by one: a step in NumPy takes as long as this
#: many symbols in Python.
_FEW_LANES = 20

# Operands as arrays: ufuncs handle them twice as fast as scalars.
_16, _32 = np.array(16, np.uint64), np.array(32, np.uint64)
_LOWEST_32 = np.array(2**32 - 1, np.uint64)
_LEAST = np.array(_FIRST_STATE, np.uint64)
_WORD_BITS = np.array(16, np.uint32)


def encode_lanes(intervals: np.ndarray, bounds: list[int], precision: int) -> bytes:
    """Code steps of symbols.

    Parameters
    ----------
    intervals : ndarray of uint32 of shape (n_symbols,)
        For each symbol, ``frequency - 1 << 16 | first slot``.

    bounds : list of int
        Where each step begins, and ``n_symbols``.

    precision : int
        Binary logarithm of the number of slots.

    Returns
    -------
    bytes
        The stream, with as many lanes as the longest step has symbols.
    """
    n_lanes = max((end - begin for begin, end in pairwise(bounds)), default=0)
    if not n_lanes:
        return b""
    states = np.full(n_lanes, _FIRST_STATE, np.uint32)
    # No symbol hands on more than one word.
    words = np.empty(intervals.size, np.uint16)
    n_free = words.size
    block_steps = max(1, _BLOCK_SIZE // n_lanes)
    for first in reversed(range(0, len(bounds) - 1, block_steps)):
        steps = bounds[first : first + block_steps + 1]
        block = intervals[steps[0] : steps[-1]]
        steps = [bound - steps[0] for bound in steps]
        n_free = _encode_block(states, block, steps, precision, words, n_free)
    return b"".join(
        (
            leb128(n_lanes),
            states.astype("<u4").tobytes(),
            words[n_free:].astype("<u2").tobytes(),
        )
    )


def _encode_block(
    states: np.ndarray,
    intervals: np.ndarray,
    bounds: list[int],
    precision: int,
    words: np.ndarray,
    n_free: int,
) -> int:
    """Code steps; write words before ``words[n_free]``, return where they begin."""
    frequencies = (intervals >> 16) + np.uint32(1)
    starts = intervals & np.uint32(0xFFFF)
    # Largest state for which 32 bits suffice afterwards. For a frequency of
    # 2**precision the product wraps around to 0, and the limit to the largest state.
    limits = (frequencies << np.uint32(32 - precision)) - np.uint32(1)
    others = np.uint32(2**precision) - frequencies
    quotients, full = np.empty_like(states), np.empty(states.size, bool)
    for i in reversed(range(len(bounds) - 1)):
        step = slice(bounds[i], bounds[i + 1])
        n = step.stop - step.start
        x, q = states[:n], quotients[:n]
        lanes = np.greater(x, limits[step], out=full[:n]).nonzero()[0]
        if lanes.size:
            handed_on = x[lanes]
            words[n_free - lanes.size : n_free] = handed_on
            n_free -= lanes.size
            x[lanes] = handed_on >> _WORD_BITS
        # (x // f << precision) + x % f + c, without the remainder.
        np.floor_divide(x, frequencies[step], out=q)
        np.multiply(q, others[step], out=q)
        np.add(q, starts[step], out=q)
        np.add(x, q, out=x)
    return n_free


class LaneDecoder:
    """The lanes of a stream, and its words.

    Raises
    ------
    BitstreamError
        If the stream is too short for the lanes it claims, or a lane is in a state in
        which no coder leaves it.
    """

    def __init__(self, data: bytes) -> None:
        self.n_lanes, offset = _read_lanes(data)
        n_words, odd = divmod(len(data) - offset, 2)
        n_words -= 2 * self.n_lanes
        if odd or n_words < 0:
            raise BitstreamError(
                f"A stream of {self.n_lanes} lanes has {len(data)} bytes, expected "
                f"{offset + 4 * self.n_lanes} and an even number more."
            )
        states = np.frombuffer(data, "<u4", self.n_lanes, offset)
        if states.size and states.min() < _FIRST_STATE:
            raise BitstreamError(
                f"A lane has the state {states.min()}, expected {_FIRST_STATE} or more."
            )
        self._states = states.astype(np.uint64)
        words = np.frombuffer(data, "<u2", n_words, offset + 4 * self.n_lanes)
        self._words = words.astype(np.uint64)
        self._n_taken = 0

    def advance(self, slots: np.ndarray, intervals: np.ndarray, precision: int) -> None:
        """Decode steps of all lanes; the last step may have fewer symbols.

        Parameters
        ----------
        slots : ndarray of int64 of shape (n_symbols,)
            In: the first slot of the table of each symbol. Out: the slot decoded.

        intervals : ndarray of uint64 of shape (n_slots,)
            For each slot, ``frequency << 32 | place in the interval``.

        precision : int
            Binary logarithm of the number of slots of a table.
        """
        if self.n_lanes < _FEW_LANES:
            block_size = self.n_lanes * (_BLOCK_SIZE // _FEW_LANES)
            for begin in range(0, slots.size, max(1, block_size)):
                block = slots[begin : begin + block_size]
                self._advance_one_by_one(block, intervals, precision)
            return
        shift = np.array(precision, np.uint64)
        lowest_bits = np.array(2**precision - 1, np.uint64)
        x, low = self._states, np.empty(self.n_lanes, bool)
        interval, work = np.empty_like(x), np.empty_like(x)
        for begin in range(0, slots.size, max(1, self.n_lanes)):
            slot = slots[begin : begin + self.n_lanes]
            if slot.size < x.size:
                x, low, interval, work = (
                    a[: slot.size] for a in (x, low, interval, work)
                )
            np.bitwise_and(x, lowest_bits, out=work)
            np.add(slot, work.view(np.int64), out=slot)
            intervals.take(slot, None, interval, "clip")
            np.right_shift(x, shift, out=x)
            np.right_shift(interval, _32, out=work)
            np.multiply(x, work, out=x)
            np.bitwise_and(interval, _LOWEST_32, out=interval)
            np.add(x, interval, out=x)
            self._take_words(x, np.less(x, _LEAST, out=low).nonzero()[0])

    def _advance_one_by_one(
        self, slots: np.ndarray, intervals: np.ndarray, precision: int
    ) -> None:
        """Do the same with Python's own integers."""
        lowest_bits, least, lowest_32 = 2**precision - 1, _FIRST_STATE, 2**32 - 1
        interval_of, words = intervals.data, self._words.data
        states, n_lanes, n_taken = self._states.tolist(), self.n_lanes, self._n_taken
        decoded = []
        for i, first in enumerate(slots.tolist()):
            lane = i % n_lanes
            x = states[lane]
            slot = first + (x & lowest_bits)
            interval = interval_of[slot]
            x = (x >> precision) * (interval >> 32) + (interval & lowest_32)
            if x < least:
                if n_taken == len(words):
                    raise self._missing_words(1)
                x = x << 16 | words[n_taken]
                n_taken += 1
            states[lane] = x
            decoded.append(slot)
        slots[:] = decoded
        self._states[:], self._n_taken = states, n_taken

    def finish(self) -> None:
        """Raise BitstreamError unless decoding has led back to where coding began."""
        n_left = self._words.size - self._n_taken
        if n_left:
            raise BitstreamError(
                f"{n_left} words follow the last symbol: the stream goes on, or the "
                "tables differ."
            )
        wrong = np.flatnonzero(self._states != _FIRST_STATE)
        if wrong.size:
            raise BitstreamError(
                f"{wrong.size} of {self.n_lanes} lanes do not end where coding began: "
                f"lane {wrong[0]} ends in {self._states[wrong[0]]}, expected "
                f"{_FIRST_STATE}. The stream is damaged, or the tables differ."
            )

    def _take_words(self, x: np.ndarray, lanes: np.ndarray) -> None:
        words = self._words[self._n_taken : self._n_taken + lanes.size]
        if words.size < lanes.size:
            raise self._missing_words(lanes.size - words.size)
        self._n_taken += lanes.size
        x[lanes] = x[lanes] << _16 | words

    def _missing_words(self, n: int) -> BitstreamError:
        return BitstreamError(
            f"The stream ends after {self._words.size} words, where {n} more were "
            "expected: bytes are missing, or the tables differ."
        )


def _read_lanes(data: bytes) -> tuple[int, int]:
    """Return the number of lanes and where it ends."""
    if not len(data):
        return 0, 0
    reader = ByteReader(data)
    n_lanes = reader.leb128()
    if not 0 < n_lanes <= MAX_LANES:
        raise BitstreamError(
            f"The stream claims {n_lanes} lanes, expected 1 to {MAX_LANES}."
        )
    return n_lanes, reader.position
