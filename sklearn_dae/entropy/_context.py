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

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, NamedTuple, Self

import numpy as np

from sklearn_dae._fields import Fields, array, number
from sklearn_dae.entropy._arithmetic import ordered_sum
from sklearn_dae.entropy._planes import Lanes, Samples

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

#: Channels before a sample's that are looked at, at most: for more, sums of products
#: might not be exact.
MOST_CHANNELS_BEFORE = 3

#: The four among them whose mean the others are compared with.
_LEVEL_AROUND = slice(3, 7)

_ROWS, _COLUMNS = np.array(NEIGHBOURS).T[:, :, np.newaxis]
_AROUND_ROWS, _AROUND_COLUMNS = np.array(_AROUND).T[:, :, np.newaxis]

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

#: Where mean sizes of errors are looked up, to the left and above; the share of each
#: that is kept, and that of what is new.
_SIZES_AT = [NEIGHBOURS.index((0, -1)), NEIGHBOURS.index((-1, 2))]
_KEPT, _NEW = np.float32(0.4), np.float32(0.2)

#: Pairs of the nearest neighbours of which a network is told whether they are equal.
_PAIRS = [0, 0, 1, 1], [1, 2, 3, 2]

#: Where the parts of the inputs begin: predictions, errors of both predictions at
#: neighbours, logarithms of sizes, flags of equal neighbours; then a place, and last
#: neighbours.
_BOUNDS = np.cumsum([0, 2, 2 * _N_ERRORS, 4, len(_PAIRS[0])])

#: Whole numbers that tell of a place: its row, its column, the level, the mean there.
_N_PLACE = 4

#: Bits of levels and of means, as whole numbers; units of a row or column.
_LEVEL_BITS, _UNITS_OF_ROW = 11, 32

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

    mean : ndarray of uint16 of shape (height, width)
        The mean of a set of aligned images; empty for others. Where there is one, a
        network is told the place of a sample, and the level there.
    """

    linear: np.ndarray
    first: np.ndarray
    spread: np.ndarray
    rate: float
    mean: np.ndarray

    _stored_fields: ClassVar[Fields] = {
        "linear": array("neighbours", kinds="i"),
        "first": array("adaptive", kinds="i"),
        "spread": array("adaptive", "adaptive", kinds="i"),
        "rate": number(),
        "mean": array(None, None, kinds="u"),
    }

    @classmethod
    def none(cls, n_references: int) -> Self:
        """Return weights that predict the level."""
        n = n_adaptive(n_references)
        linear = np.zeros(n_neighbours(n_references), np.int16)
        mean = np.empty((0, 0), np.uint16)
        return cls(linear, linear[:n], np.zeros((n, n), np.int16), 0.0, mean)

    @property
    def n_references(self) -> int:
        """How many other planes are looked at."""
        return (len(self.linear) - n_neighbours(0)) // (len(_AROUND) + 1)

    @property
    def n_inputs(self) -> int:
        """How many whole numbers a network is given."""
        n_rest = int(_BOUNDS[-1]) + _N_PLACE * bool(self.mean.size)
        return n_rest + n_neighbours(self.n_references)

    def matrix(self) -> np.ndarray:
        """Return what neighbours are multiplied by, all at once.

        Returns
        -------
        matrix : ndarray of float32 of shape (2 + n_adaptive, n_neighbours)
            Upper and lower half of the linear weights, and the spread.
        """
        rows = adaptive_rows(self.n_references)
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
        Whole numbers for networks: each takes the first ones, as many as it wants.

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
    inputs : ndarray of float32 of shape (n_inputs, n)
        Inputs of the network, of which the last ones are set.

    neighbours : ndarray of float32 of shape (n_neighbours, n)
        These: values, as whole multiples of a part of the scale above the level.

    values : ndarray of float32 of shape (21, n)
        The values themselves, of this plane.

    level, scale : ndarray of float32 of shape (n,)
        The mean of the nearest, and how far the others are from it.

    per_scale : ndarray of float32 of shape (n,)
        Units of ``neighbours`` in a value.

    sizes : tuple of two ndarrays of float32 of shape (n,)
        How far the nearest, and all, are from the level, on average.

    places : ndarray of int of shape (21, n)
        Where they are.
    """

    inputs: np.ndarray
    neighbours: np.ndarray
    values: np.ndarray
    level: np.ndarray
    scale: np.ndarray
    per_scale: np.ndarray
    sizes: tuple[np.ndarray, np.ndarray]
    places: np.ndarray


class Mean:
    """The mean of aligned images, and what it says of a place.

    Parameters
    ----------
    mean : ndarray of uint16 of shape (height, width)
        The mean.
    """

    def __init__(self, mean: np.ndarray) -> None:
        self._shape, self._mean = mean.shape, mean.astype(np.float32).ravel()
        depth = int(mean.max()).bit_length()
        self._factor = np.float32(2.0 ** (_LEVEL_BITS - depth))

    def look(
        self, rows: np.ndarray, columns: np.ndarray, level: np.ndarray
    ) -> np.ndarray:
        """Return what is to be told of places: ndarray of shape (4, n)."""
        height, width = self._shape
        # Images of another size are looked at as if they were cut off.
        at = np.minimum(rows, height - 1) * width + np.minimum(columns, width - 1)
        place = np.empty((_N_PLACE, len(rows)), np.float32)
        place[0], place[1] = rows * _UNITS_OF_ROW, columns * _UNITS_OF_ROW
        place[2], place[3] = level, self._mean.take(at)
        place[2:] *= self._factor
        return place


class Context:
    """What the canvases say about samples.

    Parameters
    ----------
    lanes : Lanes
        The lanes of all channels.

    predictors : sequence of Predictors
        Weights of the predictions of each channel, which look at other planes, too.

    in_series : bool
        Whether the first plane that they look at is that of the image before; the
        others are those of the channels before.

    canvases : ndarray of float32 of shape (5, size)
        The canvases, in the order of `Canvases`.
    """

    def __init__(
        self,
        lanes: Lanes,
        predictors: Sequence[Predictors],
        in_series: bool,
        canvases: np.ndarray,
    ) -> None:
        self.lanes, self._canvases, self._of = lanes, canvases, Canvases(*canvases)
        self.values = self._of.values
        self.predictors, self._in_series = list(predictors), in_series
        n_references = max(of.n_references for of in predictors)
        self._n_references = n_references
        self._n_inputs = max(of.n_inputs for of in predictors)
        self._n_rest = self._n_inputs - n_neighbours(n_references)
        self._bounds = [*_BOUNDS.tolist(), self._n_rest]
        self._means = [Mean(of.mean) for of in predictors if of.mean.size]
        places = np.array([1, 2]) * self.values.size
        self._error_canvases = places[:, np.newaxis, np.newaxis]
        #: Which neighbours the adaptive prediction goes by.
        self._adaptive_rows = adaptive_rows(n_references)
        self._matrices = [of.matrix() for of in predictors]
        self._rates = np.array([of.rate for of in predictors], np.float32)
        first = np.zeros((len(predictors), len(self._adaptive_rows)), np.float32)
        for of_channel, of in zip(first, predictors, strict=True):
            of_channel[: len(of.first)] = of.first / np.float32(2**WEIGHT_BITS)
        self._weights = np.ascontiguousarray(first[lanes.channels].T)

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
        products = self._products(samples, near.neighbours)
        linear = products[0] * np.float32(2.0**_LOW_BITS) + products[1]
        linear *= np.float32(2.0**-WEIGHT_BITS / UNIT)
        if again:
            adaptive = self._of.adaptive.take(samples.at)
            weights = steps = np.empty((len(self._adaptive_rows), 0), np.float32)
        else:
            adaptive, weights, steps = self._adapt(
                samples, near.neighbours, products[2:]
            )
        error_sizes = self._of.error_sizes.take(near.places[_SIZES_AT])
        rest = near.inputs[: self._n_rest]
        predictions, errors, sizes, flags, place = (
            rest[begin:end] for begin, end in pairwise(self._bounds)
        )
        predictions[0], predictions[1] = linear, adaptive - linear
        predictions *= np.float32(UNIT)
        places = near.places[:_N_ERRORS] + self._error_canvases
        found = self._canvases.ravel().take(places)
        np.multiply(found, near.per_scale, out=errors.reshape(found.shape))
        sizes[:2], sizes[2:] = near.sizes, error_sizes
        sizes += _LEAST_SCALE
        sizes[:] = _logarithms(sizes)
        equal = near.values[_PAIRS[0]] == near.values[_PAIRS[1]]
        np.multiply(equal, np.float32(UNIT), out=flags)
        if self._means:
            rows, columns = self.lanes.rows[samples.lanes], self.lanes.columns(samples)
            for mean, of in zip(self._means, samples.of_channels, strict=True):
                place[:, of] = mean.look(rows[of], columns[of], near.level[of])
        _limit(rest)
        return Known(
            near.inputs,
            near.values[:_N_NEAR],
            near.level,
            near.scale,
            linear,
            adaptive,
            _KEPT * error_sizes[0] + _KEPT * error_sizes[1],
            weights,
            steps,
        )

    def neighbours(self, samples: Samples) -> Near:
        """Look at the values around samples."""
        strides = self.lanes.strides_of(samples)
        places = samples.at + (_ROWS * strides + _COLUMNS)
        values = self._of.values.take(places)
        # Sums of whole numbers, and of quarters of them: exact in any order.
        level = values[:_N_NEAR].sum(axis=0) * np.float32(1 / _N_NEAR)
        inputs = np.empty((self._n_inputs, len(level)), np.float32)
        neighbours = inputs[self._n_rest :]
        of_plane = np.subtract(values, level, out=neighbours[: len(NEIGHBOURS)])
        sizes = np.abs(of_plane)
        close_by = sizes[:_N_NEAR].sum(axis=0) * np.float32(1 / _N_NEAR)
        all_around = sizes.sum(axis=0) / np.float32(len(NEIGHBOURS))
        scale = (close_by + all_around) * np.float32(0.5) + _LEAST_SCALE
        if self._n_references:
            self._look_elsewhere(samples, level, neighbours[len(NEIGHBOURS) :])
        per_scale = np.float32(UNIT) / scale
        neighbours *= per_scale
        _limit(neighbours)
        sizes_of = close_by, all_around
        return Near(
            inputs, neighbours, values, level, scale, per_scale, sizes_of, places
        )

    def _look_elsewhere(
        self, samples: Samples, level: np.ndarray, differences: np.ndarray
    ) -> None:
        """Fill in what other planes have at the same places, or zeros.

        There are as many rows as the channel that looks at most of them needs; those
        that look at fewer ignore the rest, by weights of zero.
        """
        rows = differences.reshape(self._n_references, len(_AROUND) + 1, -1)
        n_channels_before = self._n_references - self._in_series
        at = [
            self.lanes.channel_before(samples, back)
            for back in range(1, n_channels_before + 1)
        ]
        if self._in_series:
            previous, is_known = self.lanes.previous(samples)
            at.insert(0, previous)
        begins = [len(level) - len(places) for places in at]
        strides = self.lanes.strides_of(samples)
        if not isinstance(strides, int):
            strides = np.concatenate([strides[begin:] for begin in begins])
        places = np.concatenate(at) + (_AROUND_ROWS * strides + _AROUND_COLUMNS)
        values = self._of.values.take(places)
        levels = values[_LEVEL_AROUND].sum(axis=0) * np.float32(1 / _N_NEAR)
        values -= levels
        end = 0
        for row, begin in zip(rows, begins, strict=True):
            start, end = end, end + len(level) - begin
            row[:, :begin] = 0
            row[:-1, begin:] = values[:, start:end]
            np.subtract(levels[start:end], level[begin:], out=row[-1, begin:])
        if self._in_series:
            rows[0] *= is_known

    def _products(self, samples: Samples, neighbours: np.ndarray) -> np.ndarray:
        """Multiply neighbours by the matrices of their channels."""
        shape = 2 + len(self._adaptive_rows), neighbours.shape[1]
        products = np.empty(shape, np.float32)
        for matrix, columns in zip(self._matrices, samples.of_channels, strict=True):
            n_rows, n_seen = matrix.shape
            seen = neighbours[:n_seen, columns]
            np.matmul(matrix, seen, out=products[:n_rows, columns])
            products[n_rows:, columns] = 0
        return products

    def _adapt(
        self, samples: Samples, neighbours: np.ndarray, products: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Predict by weights of the place; return them, and how to correct them."""
        seen = neighbours.take(self._adaptive_rows, axis=0)
        above = self.lanes.above[samples.lanes]
        # To the left of a row is what is above it.
        left = np.where(self.lanes.columns(samples), samples.lanes, above)
        weights = self._weights.take(left, axis=1)
        weights += self._weights.take(above, axis=1)
        weights *= np.float32(0.5)
        adaptive = ordered_sum(weights * seen) * np.float32(1 / UNIT)
        np.maximum(adaptive, -_MOST_ADAPTIVE, out=adaptive)
        np.minimum(adaptive, _MOST_ADAPTIVE, out=adaptive)
        steps = products * np.repeat(self._rates, np.diff(samples.bounds))
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


def _limit(x: np.ndarray) -> None:
    """Round to whole numbers, and limit them, in place."""
    np.rint(x, out=x)
    np.maximum(x, np.float32(-MOST), out=x)
    np.minimum(x, np.float32(MOST), out=x)


def _logarithms(x: np.ndarray) -> np.ndarray:
    """Return binary logarithms, linear between powers of two, in whole units."""
    bits = x.view(np.int32) - _BITS_OF_ONE
    return np.rint(bits * np.float32(_PER_OCTAVE * 2.0**-_FRACTION_BITS))
