"""Frequencies -> what a coder looks up for a symbol, and a decoder for a slot.

A table of frequencies that sum to ``2**precision`` cuts as many slots into one interval
per symbol, in the order of the symbols::

    frequencies  3, 0, 4, 1         slots  0 0 0 2 2 2 2 3

Tables are laid end to end in one array; ``starts`` holds the places where they begin,
and the end of the array.
"""

import numpy as np

#: Stands for the interval of a frequency of 0. No interval has this value: only one of
#: frequency 65,536 sets all the upper bits, and it starts at 0.
NO_INTERVAL = 0xFFFFFFFF


def pack_intervals(frequencies: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return ``frequency - 1 << 16 | first slot`` as uint32, or NO_INTERVAL."""
    ends = np.cumsum(frequencies)
    first = ends - frequencies
    first -= np.repeat(first[starts[:-1]], np.diff(starts))
    packed = (frequencies - 1 << 16 | first).astype(np.uint32)
    packed[frequencies == 0] = NO_INTERVAL
    return packed


def spread_slots(
    frequencies: np.ndarray, starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each slot, ``frequency << 32 | place in the interval`` and symbol."""
    ends = np.cumsum(frequencies)
    places = np.arange(ends[-1]) - np.repeat(ends - frequencies, frequencies)
    intervals = np.repeat(frequencies << 32, frequencies) | places
    symbols = np.arange(frequencies.size) - np.repeat(starts[:-1], np.diff(starts))
    return intervals.astype(np.uint64), np.repeat(
        symbols.astype(np.uint16), frequencies
    )
