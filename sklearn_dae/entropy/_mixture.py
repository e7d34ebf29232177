"""Distributions of samples: mixtures of logistic ones and of single values.

In: what a network says of some samples. Out: for each value that a sample may have, an
interval of slots for an entropy coder, and the value whose interval has a given slot.

The parts of a mixture are logistic distributions, each around a place and of a width of
its own, and values that have a probability to themselves: those of the nearest samples,
and a few that are frequent in a set. On top of all, each value has one slot, so that
none is impossible.

Values may be coded with a bounded error. Those that are coded then lie ``2 * max_error
+ 1`` apart, and are called *cells*.

Everything is computed number by number in single precision, or by tables.
"""

from typing import NamedTuple

import numpy as np

from sklearn_dae.coding._intervals import N_SLOTS
from sklearn_dae.entropy._arithmetic import ordered_sum

#: The logistic function is tabulated at so many places a unit, and up to there.
PER_UNIT, _END = 64, 12

#: Logarithms of shares have so many units an e-fold, those of widths an octave; the
#: largest widths, in octaves.
PER_FOLD, PER_OCTAVE, MOST_OCTAVES = 32, 16, 8

_N_FOLDS = 12

#: Cells that are looked at around a guess.
_AROUND_GUESS = np.arange(-1, 3, dtype=np.float32)[:, np.newaxis]

#: Cells of all samples that are looked at at once after that, and of each, at most.
_AT_ONCE, _MOST_PROBES = 512, 7


def _logistic_table() -> tuple[np.ndarray, np.ndarray]:
    """Tabulate the logistic function, as multiples of 2**-24, and its differences."""
    z = np.arange(-_END * PER_UNIT, _END * PER_UNIT + 1) / PER_UNIT
    table = np.rint(2.0**24 / (1 + np.exp(-z))) / 2.0**24
    table[0], table[-1] = 0, 1
    table = table.astype(np.float32)
    return table[:-1].copy(), np.diff(table)


#: On grids so coarse that all machines round alike, though their exponential functions
#: may differ in the last bit.
_LOGISTIC, _SLOPES = _logistic_table()
_SHARES = np.rint(2.0**15 * np.exp(-np.arange(_N_FOLDS * PER_FOLD) / PER_FOLD))
_SHARES = _SHARES.astype(np.float32)
_OCTAVES = np.arange(-MOST_OCTAVES * PER_OCTAVE, MOST_OCTAVES * PER_OCTAVE + 1)
_NARROWINGS = np.rint(2.0**20 * 2.0 ** (-_OCTAVES / PER_OCTAVE)) / 2.0**20
_NARROWINGS = _NARROWINGS.astype(np.float32)


class Cells(NamedTuple):
    """The cells of samples: where the first of each is, how many, and how wide.

    Parameters
    ----------
    first, n : ndarray of float32 of shape (n_samples,)
        The value in the middle of the first cell, and the number of cells.

    width : int
        How many values a cell has.

    low, high : ndarray of float32 of shape (n_samples,)
        The smallest and the largest value.
    """

    first: np.ndarray
    n: np.ndarray
    width: int
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def around(
        cls, centre: np.ndarray, low: np.ndarray, high: np.ndarray, max_error: int
    ) -> "Cells":
        """Lay out cells of which one has its middle at a prediction."""
        if not max_error:
            return cls(low, high - low + np.float32(1), 1, low, high)
        width, error = np.float32(2 * max_error + 1), np.float32(max_error)
        middle = np.clip(np.rint(centre), low, high)
        below = np.floor((middle - low + error) / width)
        above = np.floor((high - middle + error) / width)
        first = middle - below * width
        return cls(first, below + above + 1, int(width), low, high)

    def of(self, values: np.ndarray) -> np.ndarray:
        """Return the numbers of the cells that values are in."""
        half, width = np.float32(self.width // 2), np.float32(self.width)
        return np.floor((values - self.first + half) / width)

    def values(self, cells: np.ndarray) -> np.ndarray:
        """Return the values that stand for cells."""
        middles = self.first + cells * np.float32(self.width)
        return np.clip(middles, self.low, self.high)

    def take(self, chosen: np.ndarray) -> "Cells":
        """Return some of them."""
        low, high = self.low[chosen], self.high[chosen]
        return Cells(self.first[chosen], self.n[chosen], self.width, low, high)


class Mixture:
    """The distributions of n samples over their cells.

    Parameters
    ----------
    shares : ndarray of float32 of shape (n_parts, n)
        The shares of the parts: first those of logistic distributions, then those of
        single values.

    centres, per_width : ndarray of float32 of shape (n_logistic, n)
        Centres of the logistic distributions, and how many steps of their table one
        unit is: 64 by the width.

    points : ndarray of float32 of shape (n_points, n)
        The single values.

    cells : Cells
        What samples may be.
    """

    def __init__(
        self,
        shares: np.ndarray,
        centres: np.ndarray,
        per_width: np.ndarray,
        points: np.ndarray,
        cells: Cells,
    ) -> None:
        self._shares, self._points, self.cells = shares, points, cells
        self._centres, self._per_width = centres, per_width
        self._n_shared = np.float32(N_SLOTS) - cells.n

    @classmethod
    def of_outputs(
        cls,
        outputs: np.ndarray,
        n_logistic: int,
        centre: np.ndarray,
        scale: np.ndarray,
        points: np.ndarray,
        cells: Cells,
    ) -> "Mixture":
        """Read the outputs of a network.

        Parameters
        ----------
        outputs : ndarray of float32 of shape (n_outputs, n)
            Logarithms of shares, in ``PER_FOLD``ths; centres, as multiples of the scale
            above the prediction; logarithms of widths, in ``PER_OCTAVE``ths of an
            octave above the scale.

        n_logistic : int
            Number of logistic distributions.

        centre, scale : ndarray of float32 of shape (n,)
            The prediction, and the scale.
        """
        logits, shifts, octaves = np.split(outputs, [-2 * n_logistic, -n_logistic])
        below = logits.max(axis=0) - logits
        np.rint(below, out=below)
        np.minimum(below, np.float32(len(_SHARES) - 1), out=below)
        shares = _SHARES.take(below.astype(np.int32))
        # Whole numbers: exact in any order.
        shares /= shares.sum(axis=0)
        most = np.float32(MOST_OCTAVES * PER_OCTAVE)
        octaves = np.clip(np.rint(octaves), -most, most) + most
        per_width = _NARROWINGS.take(octaves.astype(np.int32))
        per_width /= scale
        per_width *= np.float32(PER_UNIT)
        return cls(shares, centre + shifts * scale, per_width, points, cells)

    def take(self, chosen: np.ndarray) -> "Mixture":
        """Return some of the distributions."""
        return Mixture(
            self._shares.take(chosen, axis=1),
            self._centres.take(chosen, axis=1),
            self._per_width.take(chosen, axis=1),
            self._points.take(chosen, axis=1),
            self.cells.take(chosen),
        )

    def below(self, cells: np.ndarray) -> np.ndarray:
        """Return the first slot of cells; that of the one after the last is the end.

        Parameters
        ----------
        cells : ndarray of float32 of shape (..., n)
            Numbers of cells, from 0 to their number.
        """
        first, n, width, _, _ = self.cells
        bound = first + (cells * np.float32(width) - np.float32(width / 2))
        # Shares and all else are the same for all cells of a sample.
        each = (slice(None), *(np.newaxis,) * (bound.ndim - 1))
        z = bound - self._centres[each]
        z *= self._per_width[each]
        z += np.float32(_END * PER_UNIT)
        np.maximum(z, np.float32(0), out=z)
        np.minimum(z, np.float32(2 * _END * PER_UNIT - 2.0**-12), out=z)
        index = z.astype(np.intp)
        z -= index
        z *= _SLOPES.take(index)
        z += _LOGISTIC.take(index)
        parts = np.concatenate([z, self._points[each] < bound])
        parts *= self._shares[each]
        below = ordered_sum(parts)
        np.minimum(below, np.float32(1), out=below)
        below *= self._n_shared
        np.floor(below, out=below)
        below += cells
        np.copyto(below, 0, where=cells <= 0)
        np.copyto(below, N_SLOTS, where=cells >= n)
        return below

    def intervals(self, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the first slots of cells, and how many each has, as float32."""
        below = self.below(cells)
        return below, self.below(cells + np.float32(1)) - below

    def means(self, cells: np.ndarray) -> np.ndarray:
        """Return the expected values of samples of which the cells are known."""
        width = self.cells.width
        inside = np.arange(width + 1, dtype=np.float32)[:, np.newaxis] / width
        shares = np.diff(self.below(cells + inside), axis=0) + np.float32(1)
        values = np.arange(width, dtype=np.float32) - np.float32(width // 2)
        off = ordered_sum(shares * values[:, np.newaxis]) / ordered_sum(shares)
        middles = self.cells.first + cells * np.float32(width)
        return np.clip(np.rint(middles + off), self.cells.low, self.cells.high)

    def find(self, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the cells that have slots, their first slots, and how many each has.

        Parameters
        ----------
        slots : ndarray of int of shape (n,)
            A slot of each distribution.
        """
        slots = slots.astype(np.float32)
        low, high = np.zeros_like(slots), self.cells.n.copy()
        starts, stops = np.zeros_like(slots), np.full_like(slots, N_SLOTS)
        # Cells around a guess are looked at first, all at once.
        probe, reach = self._guess(slots)
        probes, rest, mixture = probe + _AROUND_GUESS, np.arange(slots.size), self
        bottom, top = low, high
        is_first = True
        while True:
            np.maximum(probes, bottom, out=probes)
            np.minimum(probes, top, out=probes)
            below = mixture.below(probes)
            n_below = (below <= slots).sum(axis=0)
            # Of the cells that are looked at, the last below and the first above.
            for ends, borders, at, is_found in (
                (low, starts, n_below - 1, n_below > 0),
                (high, stops, n_below, n_below < len(probes)),
            ):
                found = is_found.nonzero()[0]
                at, places = at[found], rest[found]
                ends[places], borders[places] = probes[at, found], below[at, found]
            bottom, top = low[rest], high[rest]
            is_open = (top - bottom > 1).nonzero()[0]
            if not is_open.size:
                return low, starts, stops - starts
            if is_open.size < rest.size:
                rest, reach, slots = rest[is_open], reach[is_open], slots[is_open]
                bottom, top = bottom[is_open], top[is_open]
                mixture = mixture.take(is_open)
            probes = mixture._between(bottom, top, reach)
            reach = reach * np.float32(2 ** len(probes))
            if is_first:
                # A guess knows nothing of single values.
                singles = mixture.cells.of(mixture._points)
                probes = np.concatenate([probes, singles, singles + np.float32(1)])
                probes.sort(axis=0)
                is_first = False

    def _between(
        self, low: np.ndarray, high: np.ndarray, reach: np.ndarray
    ) -> np.ndarray:
        """Return cells to look at between others: (n_probes, n).

        Outwards in steps that grow, where no cell that was looked at is beyond, else
        evenly; the more, the fewer samples there are.
        """
        n_probes = min(max(_AT_ONCE // low.size, 1), _MOST_PROBES)
        numbers = np.arange(n_probes, dtype=np.float32)[:, np.newaxis]
        up = low + reach * 2**numbers
        down = high - reach * 2 ** numbers[::-1]
        evenly = low + np.floor((high - low) * ((numbers + 1) / (n_probes + 1)))
        probes = np.where(low == 0, down, evenly)
        probes = np.where(high == self.cells.n, up, probes)
        return np.minimum(np.maximum(probes, low + 1), high - 1)

    def place(self) -> tuple[np.ndarray, np.ndarray]:
        """Return about where distributions are, and how wide: float32 of shape (n,)."""
        shares = self._shares[: len(self._centres)]
        total = shares.sum(axis=0) + np.float32(1e-6)
        middle = (shares * self._centres).sum(axis=0) / total
        spread = (shares / self._per_width).sum(axis=0) * np.float32(PER_UNIT) / total
        return middle, spread

    def _guess(self, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return cells near those that have slots, and how far these may be.

        As if each distribution were a single logistic one. What a guess is does not
        matter for what is found, so it need not be the same on every machine.
        """
        middle, spread = self.place()
        level = (slots + np.float32(0.5)) / np.float32(N_SLOTS)
        value = middle + spread * np.log(level / (1 - level))
        width = np.float32(self.cells.width)
        guess = np.rint((value - self.cells.first) / width)
        return guess, np.floor(spread / (4 * width)) + 1
