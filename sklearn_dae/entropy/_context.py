"""What is known of a sample before it is coded, and what its neighbours predict.

In: canvases of planes, filled in so far. Out: for each sample of a step a linear
prediction, one that adapts to the place, a scale, and all of it as whole numbers for a
network.

Two predictions go by the same neighbours. The *linear* one has the same weights
everywhere. The *adaptive* one has weights of its own at each sample: the mean of those
to the left and above, corrected by what they got wrong there (normalised least mean
squares, with the inverse covariance of the neighbours before it so that all directions
are learned alike fast).

All of it is the same on every machine; see the module `_arithmetic`.
"""

from dataclasses import dataclass
from itertools import product
from typing import ClassVar, NamedTuple, Self

import numpy as np

from sklearn_dae._fields import Fields, array, number
from sklearn_dae.entropy._arithmetic import ordered_sum
from sklearn_dae.entropy._planes import REACH, Lanes, Samples

#: Neighbours that are looked at, as (dy, dx), the nearest first.
NEIGHBOURS = (
    *((0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-1, -2), (-1, 2)),
    *((-2, -1), (-2, 1), (0, -3), (-3, 0), (-2, -2), (-2, 2), (-1, -3), (-3, -1)),
    *((-3, 1), (-2, -3), (-2, 3), (-3, -2), (-3, 2)),
)

#: Those whose mean all others are compared with; those that the adaptive prediction
#: goes by; those whose errors of prediction are looked at.
_N_NEAR, _N_ADAPTIVE, _N_ERRORS = 4, 16, 6

#: Places that are looked at in another plane; the first ones there for adaptation.
_AROUND = (
    *((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)),
    *((-1, -1), (-1, 1), (1, -1), (1, 1)),
)
_N_ADAPTIVE_AROUND = 5

#: Whole numbers stand for multiples of this part of the scale, up to this one.
UNIT, MOST = 512, 4095

#: Added to the scale: half of what a rounded number is off, and a little.
_LEAST_SCALE = np.float32(0.35)

#: Units of an octave, for logarithms.
_PER_OCTAVE = 128

#: How fast weights adapt, and the largest error, relative to the scale, that counts.
_RATE, _MOST_ERROR = np.float32(0.25), np.float32(2)

#: Largest adaptive prediction, relative to the scale.
_MOST_ADAPTIVE = np.float32(16)

#: Parts of the mean size of errors that come from the left, from above, and are new.
_TO_LEFT, _UP_RIGHT = NEIGHBOURS.index((0, -1)), NEIGHBOURS.index((-1, 2))
_LEFT, _UP, _NEW = np.float32(0.4), np.float32(0.4), np.float32(0.2)

#: Pairs of the nearest neighbours of which a network is told whether they are equal.
_PAIRS = (0, 1), (0, 2), (1, 3), (1, 2)

#: The bits of 1 as a number of single precision, and how many follow its exponent.
_BITS_OF_ONE, _FRACTION_BITS = np.int32(0x3F800000), 23

#: Bits after the point of weights of predictions, and of their lower half.
WEIGHT_BITS, _LOW_BITS = 14, 7


def n_neighbours(n_references: int) -> int:
    """Return how many whole numbers stand for neighbours."""
    return len(NEIGHBOURS) + n_references * (len(_AROUND) + 1)


def n_adaptive(n_references: int) -> int:
    """Return how many of them the adaptive prediction goes by."""
    return _N_ADAPTIVE + n_references * (_N_ADAPTIVE_AROUND + 1)


def adaptive_rows(n_references: int) -> np.ndarray:
    """Return which they are."""
    rows = [*range(_N_ADAPTIVE)]
    for reference in range(n_references):
        first = n_neighbours(reference)
        rows += [*range(first, first + _N_ADAPTIVE_AROUND), first + len(_AROUND)]
    return np.array(rows)


def n_inputs(n_references: int) -> int:
    """Return how many whole numbers a network is given."""
    return n_neighbours(n_references) + 2 * (1 + _N_ERRORS) + 4 + 4


@dataclass(frozen=True, eq=False)
class Predictors:
    """Weights of the two predictions.

    Parameters
    ----------
    linear : ndarray of int16 of shape (n_neighbours,)
        Weights of the linear one, in units of 2**-14.

    first : ndarray of int16 of shape (n_adaptive,)
        Weights that the adaptive one begins with, in the same units.

    spread : ndarray of int16 of shape (n_adaptive, n_adaptive)
        What weights are corrected by: a multiple of the inverse covariance.

    rate : float
        What one unit of it is worth.
    """

    linear: np.ndarray
    first: np.ndarray
    spread: np.ndarray
    rate: float

    _stored_fields: ClassVar[Fields] = {
        "linear": array("neighbours", kinds="i"),
        "first": array("adaptive", kinds="i"),
        "spread": array("adaptive", "adaptive", kinds="i"),
        "rate": number(),
    }

    @classmethod
    def none(cls, n_references: int) -> Self:
        """Return weights that predict the level."""
        n = n_adaptive(n_references)
        linear = np.zeros(n_neighbours(n_references), np.int16)
        return cls(linear, linear[:n], np.zeros((n, n), np.int16), 0.0)

    @property
    def n_references(self) -> int:
        """How many other planes are looked at."""
        return (len(self.linear) - n_neighbours(0)) // (len(_AROUND) + 1)

    def matrix(self, rows: np.ndarray) -> np.ndarray:
        """Return what neighbours are multiplied by, all at once.

        Parameters
        ----------
        rows : ndarray of int of shape (n_adaptive,)
            The neighbours that the adaptive prediction goes by.

        Returns
        -------
        matrix : ndarray of float32 of shape (2 + n_adaptive, n_neighbours)
            Upper and lower half of the linear weights, and the spread.
        """
        upper = np.rint(self.linear / np.float32(2**_LOW_BITS))
        lower = self.linear - upper * 2**_LOW_BITS
        spread = np.zeros((len(rows), len(upper)))
        spread[:, rows] = self.spread
        return np.vstack([upper, lower, spread]).astype(np.float32)


class Canvases(NamedTuple):
    """What has been found at each sample so far: arrays of float32 of shape (size,).

    Parameters
    ----------
    values : ndarray
        The values.

    linear_errors, adaptive_errors : ndarray
        What was left of them by the two predictions.

    error_sizes : ndarray
        Sizes of the latter, averaged along the way.

    adaptive : ndarray
        The adaptive prediction, as a multiple of the scale above the level.
    """

    values: np.ndarray
    linear_errors: np.ndarray
    adaptive_errors: np.ndarray
    error_sizes: np.ndarray
    adaptive: np.ndarray


class Known(NamedTuple):
    """What is known of n samples before they are coded.

    Parameters
    ----------
    inputs : ndarray of float32 of shape (n_inputs, n)
        Whole numbers for a network.

    nearest : ndarray of float32 of shape (4, n)
        The nearest samples.

    level, scale : ndarray of float32 of shape (n,)
        The mean of the nearest samples, and how far neighbours are from it.

    linear, adaptive : ndarray of float32 of shape (n,)
        The predictions, as multiples of the scale above the level.

    error_size : ndarray of float32 of shape (n,)
        How far adaptive predictions of neighbours were off, on average.

    weights, steps : ndarray of float32 of shape (n_adaptive, n)
        Weights of the adaptive prediction, and what corrects them for an error of 1.
    """

    inputs: np.ndarray
    nearest: np.ndarray
    level: np.ndarray
    scale: np.ndarray
    linear: np.ndarray
    adaptive: np.ndarray
    error_size: np.ndarray
    weights: np.ndarray
    steps: np.ndarray

    @property
    def centre(self) -> np.ndarray:
        """The adaptive prediction, as a value."""
        return self.level + self.scale * self.adaptive


class Near(NamedTuple):
    """What is around n samples.

    Parameters
    ----------
    neighbours : ndarray of float32 of shape (n_neighbours, n)
        Values, as whole multiples of a part of the scale above the level.

    values : list of ndarray of float32 of shape (n,)
        The values themselves, of this plane.

    level, scale : ndarray of float32 of shape (n,)
        The mean of the nearest, and how far the others are from it.

    per_scale : ndarray of float32 of shape (n,)
        Units of ``neighbours`` in a value.

    sizes : tuple of two ndarrays of float32 of shape (n,)
        How far the nearest, and all, are from the level, on average.

    places : list of ndarray of int of shape (n,)
        Where they are.
    """

    neighbours: np.ndarray
    values: list[np.ndarray]
    level: np.ndarray
    scale: np.ndarray
    per_scale: np.ndarray
    sizes: tuple[np.ndarray, np.ndarray]
    places: list[np.ndarray]


class Context:
    """What the canvases say about the samples of a channel.

    Parameters
    ----------
    lanes : Lanes
        The lanes of the channel.

    predictors : Predictors
        Weights of the predictions, which look at other planes, too.

    in_series : bool
        Whether the last of these is the image before it; the others are the channels
        before it.

    canvases : ndarray of float32 of shape (5, size)
        The canvases, in the order of `Canvases`.
    """

    def __init__(
        self,
        lanes: Lanes,
        predictors: Predictors,
        in_series: bool,
        canvases: np.ndarray,
    ) -> None:
        self.lanes, self._canvases, self._of = lanes, canvases, Canvases(*canvases)
        self.values = self._of.values
        n_references = predictors.n_references
        self._n_channels_before = n_references - in_series
        self._in_series = in_series
        self._n_neighbours = n_neighbours(n_references)
        self.predictors = predictors
        #: Which neighbours the adaptive prediction goes by.
        self.adaptive_rows = adaptive_rows(n_references)
        self._matrix = predictors.matrix(self.adaptive_rows)
        self._rate = np.float32(predictors.rate)
        first = predictors.first.astype(np.float32) / np.float32(2**WEIGHT_BITS)
        self._first = first[:, np.newaxis]
        self._weights = np.repeat(self._first, len(lanes), axis=1)

    def look(self, samples: Samples, *, again: bool = False) -> Known:
        """Return what is known of samples.

        Parameters
        ----------
        samples : Samples
            Samples of one step; any samples, if all of them have been learned from.

        again : bool, default=False
            Whether they have been. Then weights and steps are those of no sample.
        """
        near = self.neighbours(samples)
        at, places, per_scale = samples.at, near.places, near.per_scale
        neighbours, values, scale = near.neighbours, near.values, near.scale
        products = self._matrix @ neighbours
        linear = products[0] * np.float32(2.0**_LOW_BITS) + products[1]
        linear *= np.float32(2.0**-WEIGHT_BITS / UNIT)
        if again:
            adaptive = self._of.adaptive.take(at)
            weights = steps = np.empty((len(self.adaptive_rows), 0), np.float32)
        else:
            adaptive, weights, steps = self._adapt(samples, neighbours, products[2:])
        n_rest = n_inputs(0) - n_neighbours(0)
        inputs = np.concatenate([neighbours, np.empty((n_rest, len(at)), np.float32)])
        rest = inputs[len(neighbours) :]
        left, up = (self._of.error_sizes.take(places[i]) for i in (_TO_LEFT, _UP_RIGHT))
        rest[0], rest[1] = (
            linear * np.float32(UNIT),
            (adaptive - linear) * np.float32(UNIT),
        )
        errors = rest[2 : 2 + 2 * _N_ERRORS]
        kinds = self._of.linear_errors, self._of.adaptive_errors
        for row, (of, place) in zip(
            errors, product(kinds, places[:_N_ERRORS]), strict=True
        ):
            np.multiply(of.take(place), per_scale, out=row)
        sizes = rest[2 + 2 * _N_ERRORS : -4]
        for row, size in zip(sizes, (*near.sizes, left, up), strict=True):
            row[:] = _logarithm(size + _LEAST_SCALE)
        for row, (one, other) in zip(rest[-4:], _PAIRS, strict=True):
            np.multiply(values[one] == values[other], np.float32(UNIT), out=row)
        _limit(rest)
        error_size = _LEFT * left + _UP * up
        predictions = linear, adaptive
        nearest = np.stack(values[:_N_NEAR])
        return Known(
            inputs, nearest, near.level, scale, *predictions, error_size, weights, steps
        )

    def neighbours(self, samples: Samples) -> Near:
        """Look at the values around samples."""
        at, strides = samples.at, self.lanes.strides[samples.lanes]
        rows = [at, *(at - dy * strides for dy in range(1, REACH + 1))]
        places = [rows[-dy] + dx for dy, dx in NEIGHBOURS]
        values = [self._of.values.take(place) for place in places]
        level = _mean_of_four(*values[:_N_NEAR])
        differences = np.empty((self._n_neighbours, len(at)), np.float32)
        for row, value in zip(differences, values, strict=False):
            np.subtract(value, level, out=row)
        sizes = np.abs(differences[: len(NEIGHBOURS)])
        # Sums of quarters of whole numbers: exact in any order.
        close_by = sizes[:_N_NEAR].sum(axis=0) / np.float32(_N_NEAR)
        all_around = sizes.sum(axis=0) / np.float32(len(NEIGHBOURS))
        scale = (close_by + all_around) * np.float32(0.5) + _LEAST_SCALE
        self._look_elsewhere(samples, strides, level, differences[len(NEIGHBOURS) :])
        per_scale = np.float32(UNIT) / scale
        differences *= per_scale
        _limit(differences)
        sizes = close_by, all_around
        return Near(differences, values, level, scale, per_scale, sizes, places)

    def _look_elsewhere(
        self,
        samples: Samples,
        strides: np.ndarray,
        level: np.ndarray,
        differences: np.ndarray,
    ) -> None:
        """Fill in what other planes have at the same places."""
        lanes = self.lanes
        references = [
            (lanes.channel_before(samples, back), True)
            for back in range(1, self._n_channels_before + 1)
        ]
        if self._in_series:
            references.append(lanes.previous(samples))
        n_rows = len(_AROUND) + 1
        for place, (at, is_known) in enumerate(references):
            rows = differences[place * n_rows : (place + 1) * n_rows]
            above, below = at - strides, at + strides
            of_row = {-1: above, 0: at, 1: below}
            other = _mean_of_four(
                *(self._of.values.take(of_row[dy] + dx) for dy, dx in NEIGHBOURS[:4])
            )
            for row, (dy, dx) in zip(rows, _AROUND, strict=False):
                np.subtract(self._of.values.take(of_row[dy] + dx), other, out=row)
            np.subtract(other, level, out=rows[-1])
            if is_known is not True:
                rows *= is_known

    def _adapt(
        self, samples: Samples, neighbours: np.ndarray, products: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Predict by weights of the place; return them, and how to correct them."""
        seen = neighbours.take(self.adaptive_rows, axis=0)
        above = self.lanes.above[samples.lanes]
        # To the left of a row is what is above it.
        left = np.where(self.lanes.columns(samples), samples.lanes, above)
        weights = self._weights.take(left, axis=1)
        weights += self._weights.take(above, axis=1)
        weights *= np.float32(0.5)
        adaptive = ordered_sum(weights * seen) * np.float32(1 / UNIT)
        np.clip(adaptive, -_MOST_ADAPTIVE, _MOST_ADAPTIVE, out=adaptive)
        steps = products * self._rate
        size = np.maximum(
            ordered_sum(steps * seen) * np.float32(1 / UNIT), np.float32(0)
        )
        steps *= _RATE / (np.float32(1) + _RATE * size)
        return adaptive, weights, steps

    def learn(self, samples: Samples, known: Known, values: np.ndarray) -> None:
        """Fill in the values of samples of a step, and correct weights by them.

        Parameters
        ----------
        samples : Samples
            The samples.

        known : Known
            What `look` returned.

        values : ndarray of float32 of shape (n,)
            Their values.
        """
        error = values - known.centre
        step = np.clip(error / known.scale, -_MOST_ERROR, _MOST_ERROR)
        weights = known.weights + known.steps * step
        self._weights[:, samples.lanes] = weights
        found = np.empty((len(self._canvases), len(values)), np.float32)
        found[0], found[1] = values, values - (known.level + known.scale * known.linear)
        found[2], found[3] = error, known.error_size + _NEW * np.abs(error)
        found[4] = known.adaptive
        self.lanes.fill(self._canvases, samples, found)


def _mean_of_four(*numbers: np.ndarray) -> np.ndarray:
    """Return the mean of four whole numbers, or of multiples of a quarter: exact."""
    a, b, c, d = numbers
    mean = a + b
    mean += c
    mean += d
    mean *= np.float32(1 / 4)
    return mean


def _limit(x: np.ndarray) -> None:
    """Round to whole numbers, and limit them, in place."""
    np.rint(x, out=x)
    np.maximum(x, np.float32(-MOST), out=x)
    np.minimum(x, np.float32(MOST), out=x)


def _logarithm(x: np.ndarray) -> np.ndarray:
    """Return the binary logarithm, linear between powers of two, in whole units."""
    bits = x.view(np.int32) - _BITS_OF_ONE
    return np.rint(bits * np.float32(_PER_OCTAVE * 2.0**-_FRACTION_BITS))
