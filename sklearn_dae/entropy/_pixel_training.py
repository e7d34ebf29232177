"""Training of the networks of pixels.

In: stacks of images. Out: a `PixelNetwork` for each channel. First the predictions are
fitted by least squares; then all canvases are filled in, which needs no network; then
the network is trained by Adam on samples drawn at random, to take the fewest bits; at
last its weights are rounded.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import NamedTuple

import numpy as np

from sklearn_dae._blas import one_blas_thread
from sklearn_dae._threads import cut, map_in_threads
from sklearn_dae.entropy._adam import Adam
from sklearn_dae.entropy._arithmetic import MOST_SUM
from sklearn_dae.entropy._context import (
    MOST,
    MOST_CHANNELS_BEFORE,
    UNIT,
    WEIGHT_BITS,
    Context,
    Known,
    Predictors,
    adaptive_rows,
    n_neighbours,
)
from sklearn_dae.entropy._logistic import N_LOGISTIC, Values, bits_and_slopes
from sklearn_dae.entropy._mixture import PER_FOLD, PER_OCTAVE
from sklearn_dae.entropy._network_bytes import pack_network
from sklearn_dae.entropy._pixel_coder import Walk, canvas_of, first_values, stacks_of
from sklearn_dae.entropy._pixel_network import MOST_ACTIVE, N_COPIES, PixelNetwork
from sklearn_dae.entropy._planes import Samples

#: Samples by which predictions are fitted, and that are drawn at a time for training.
_N_FITTED, _N_DRAWN = 2**17, 2**16

#: How many of them are looked at at once, and a thread trains on.
_N_LOOKED_AT, _N_OF_THREAD = 2**13, 2**10

#: What is added to the diagonal of covariances, relative to its mean.
_LINEAR_RIDGE, _ADAPTIVE_RIDGE, _WHITE_RIDGE = 1e-5, 0.02, 1e-4

#: And what is added where hardly anything varies.
_LEAST_RIDGE = 1e-3

#: Largest sum of linear weights, for which all sums of products are exact.
_MOST_LINEAR = 16

#: Largest number in what corrects adaptive weights: a byte each would do.
_MOST_SPREAD = 255

#: The share of samples whose activations are not cut off when rounded; the largest
#: weight.
_ALMOST_ALL, _MOST_WEIGHT = 0.9995, 2.0**14 - 1

#: Bits of weights that are tried; largest number of bits after the point.
_PRECISIONS, _MOST_SHIFT = (4, 5, 6, 7), 24

#: A hidden unit whose activations are smaller, relative to the largest, is dead.
_DEAD = 1e-2


@dataclass(frozen=True)
class Training:
    """How long a network is trained, and how large it is.

    Parameters
    ----------
    hidden : tuple of int, default=(64, 64)
        Units of the hidden layers; half as many for the second channel and those after
        it, which the first says much about.

    n_steps : int, default=2000
        Steps of Adam.

    batch_size : int, default=2048
        Samples of a step.

    rate : float, default=0.015
        Largest learning rate.
    """

    hidden: tuple[int, ...] = (64, 64)
    n_steps: int = 2000
    batch_size: int = 2048
    rate: float = 0.015


def fit_predictors(
    context: Context, channel: int, mean: np.ndarray, rng: np.random.Generator
) -> Predictors:
    """Fit predictions of a channel by least squares to the values of a context.

    Errors count relative to the scale.
    """
    samples = context.lanes.draw(_N_FITTED, channel, rng)
    near = context.neighbours(samples)
    values = context.values.take(samples.at)
    target = (values - near.level) * near.per_scale
    # A few far outliers would decide everything.
    target = np.clip(target, -MOST, MOST)
    n_references = context.predictors[channel].n_references
    X = near.neighbours[: n_neighbours(n_references)].astype(np.float64)
    covariance, covariance_with = X @ X.T / len(target), X @ target / len(target)
    rows = adaptive_rows(n_references)
    ridge, linear = _LINEAR_RIDGE, np.full(len(X), np.inf)
    while np.abs(linear).sum() > _MOST_LINEAR:
        # Neighbours that say the same could have huge weights of opposite signs.
        linear = _solve(covariance, covariance_with, ridge)
        ridge *= 10
    of_adaptive = covariance[np.ix_(rows, rows)]
    first = _solve(of_adaptive, covariance_with[rows], _LINEAR_RIDGE)
    inverse = np.linalg.inv(_with_ridge(of_adaptive / UNIT**2, _ADAPTIVE_RIDGE))
    # As large as sums of products allow.
    factor = MOST_SUM / MOST / 2 / np.abs(inverse).sum(axis=1).max()
    factor = min(factor, _MOST_SPREAD / np.abs(inverse).max())
    return Predictors(
        _fixed(linear),
        _fixed(first),
        np.rint(inverse * factor).astype(np.int16),
        float(np.float32(1 / (factor * UNIT))),
        mean,
    )


def _with_ridge(covariance: np.ndarray, ridge: float) -> np.ndarray:
    n = len(covariance)
    return covariance + (ridge * np.trace(covariance) / n + _LEAST_RIDGE) * np.eye(n)


def _solve(covariance: np.ndarray, target: np.ndarray, ridge: float) -> np.ndarray:
    return np.linalg.solve(_with_ridge(covariance, ridge), target)


def _fixed(weights: np.ndarray) -> np.ndarray:
    """Round weights of predictions."""
    limits = np.iinfo(np.int16)
    fixed = np.rint(weights * 2**WEIGHT_BITS)
    return np.clip(fixed, limits.min, limits.max).astype(np.int16)


def _mean(stacks: Sequence[np.ndarray]) -> np.ndarray:
    """Return the rounded mean of all images: (channels, height, width), from 0 on."""
    total = sum(stack.sum(axis=0, dtype=np.int64) for stack in stacks)
    mean = np.rint(total / sum(map(len, stacks)))
    mean -= mean.min(axis=(1, 2), keepdims=True)
    return np.minimum(mean, np.iinfo(np.uint16).max)


def _filled(
    images: Sequence[np.ndarray],
    limits: tuple[np.ndarray, np.ndarray],
    means: Sequence[np.ndarray],
    in_series: bool,
    max_error: int,
    rng: np.random.Generator,
) -> Walk:
    """Fit predictions to images, and fill in all canvases."""
    stacks, firsts = stacks_of(images), first_values(images)
    n_before = [min(i, MOST_CHANNELS_BEFORE) for i in range(stacks[0].channels)]
    none = [Predictors.none(n + in_series) for n in n_before]
    walk = Walk(stacks, limits, firsts, none, in_series, max_error)
    originals = canvas_of(walk.planes, images)
    walk.values[:] = originals
    walk.planes.surround(walk.values)
    predictors = [
        fit_predictors(walk.context, channel, mean, rng)
        for channel, mean in enumerate(means)
    ]
    # Two of them would take twice the memory.
    del walk
    walk = Walk(stacks, limits, firsts, predictors, in_series, max_error)

    def code(step: int, samples: Samples, known: Known) -> np.ndarray:
        values = originals.take(samples.at)
        if not max_error:
            return values
        cells = walk.cells(samples, known)
        return cells.values(cells.of(values))

    walk.run(code)
    return walk


class _Batch(NamedTuple):
    """Samples to train on.

    Parameters
    ----------
    inputs : ndarray of float32 of shape (n_inputs, n)
        Inputs of the network.

    values : Values
        The values to be expected, relative to the predictions and scales.
    """

    inputs: np.ndarray
    values: Values

    def part(self, places: slice | np.ndarray) -> "_Batch":
        """Return some of the samples."""
        inputs = np.ascontiguousarray(self.inputs[:, places])
        return _Batch(inputs, self.values.part(places))


class _Sampler:
    """Draws samples of a channel, all of whose canvases are filled in."""

    def __init__(
        self, walk: Walk, channel: int, points: np.ndarray, rng: np.random.Generator
    ) -> None:
        self._walk, self._channel, self._points, self._rng = walk, channel, points, rng
        self._n_inputs = walk.context.predictors[channel].n_inputs

    def draw(self, n: int) -> _Batch:
        """Draw samples, in random order."""
        lanes = self._walk.planes.lanes
        at, of_lanes, _ = lanes.draw(n, self._channel, self._rng)
        order = self._rng.permutation(n)

        def look(part: slice) -> _Batch:
            some = order[part]
            return self._look(lanes.of_channel(at[some], of_lanes[some], self._channel))

        parts = map_in_threads(look, cut(n, -(-n // _N_LOOKED_AT)))
        inputs, values = zip(*parts, strict=True)
        together = (np.concatenate(x, axis=-1) for x in zip(*values, strict=True))
        return _Batch(np.concatenate(inputs, axis=1), Values(*together))

    def _look(self, samples: Samples) -> _Batch:
        context = self._walk.context
        known = context.look(samples, again=True)
        cells = self._walk.cells(samples, known)
        cell = cells.of(context.values.take(samples.at))
        middles = cells.first + cell * np.float32(cells.width)
        points = np.empty((N_COPIES + len(self._points), len(cell)), np.float32)
        points[:N_COPIES] = known.nearest
        points[N_COPIES:] = self._points[:, np.newaxis]
        values = Values(
            (middles - known.centre) / known.scale,
            np.float32(cells.width / 2) / known.scale,
            cell == 0,
            cell == cells.n - 1,
            (cells.of(points) == cell).astype(np.float32),
        )
        return _Batch(known.inputs[: self._n_inputs], values)

    def batches(self, size: int) -> Iterator[_Batch]:
        """Draw batches endlessly."""
        while True:
            drawn = self.draw(_N_DRAWN)
            for begin in range(0, _N_DRAWN - size + 1, size):
                yield drawn.part(slice(begin, begin + size))


class _Learner:
    """The network during training, in single precision.

    Its inputs are whitened: then all directions are learned alike fast.
    """

    def __init__(
        self,
        hidden: Sequence[int],
        n_points: int,
        batch: _Batch,
        training: Training,
        rng: np.random.Generator,
    ) -> None:
        inputs = batch.inputs.astype(np.float64) / UNIT
        self._mean = inputs.mean(axis=1, keepdims=True)
        covariance = np.cov(inputs)
        values, vectors = np.linalg.eigh(_with_ridge(covariance, _WHITE_RIDGE))
        # Directions in which nothing varies but rounding get no weight.
        varies = values > 2 * _WHITE_RIDGE * values.mean()
        vectors, values = vectors[:, varies], values[varies]
        self._whitener = vectors / np.sqrt(values) @ vectors.T
        n_outputs = 3 * N_LOGISTIC + n_points
        sizes = [len(inputs), *hidden, n_outputs]
        self._layers = []
        for n_in, n_out in pairwise(sizes):
            layer = rng.normal(0, np.sqrt(2 / n_in), (n_out, n_in + 1))
            layer[:, -1] = 0
            self._layers.append(layer.astype(np.float32))
        last = self._layers[-1]
        last *= np.float32(0.1)
        # Widths that differ; single values are rare until the contrary is learned.
        last[-N_LOGISTIC:, -1] = np.linspace(-1, 1, N_LOGISTIC)
        last[N_LOGISTIC : N_LOGISTIC + n_points, -1] = -4
        self._adam = Adam(self._layers, training.n_steps, training.rate)
        self._whitening = self._whitener.astype(np.float32) / np.float32(UNIT)
        self._shift = (self._whitener @ self._mean).astype(np.float32)

    def improve(self, batch: _Batch) -> None:
        """Take a step of Adam."""
        n = batch.inputs.shape[1]
        parts = map_in_threads(
            lambda part: self._gradient(batch.part(part)),
            cut(n, -(-n // _N_OF_THREAD)),
        )
        gradient = [np.sum(slopes, axis=0) for slopes in zip(*parts, strict=True)]
        self._adam.step([slopes / np.float32(len(parts)) for slopes in gradient])

    def _gradient(self, batch: _Batch) -> list[np.ndarray]:
        """Return the slopes of the mean number of bits by the weights of layers."""
        activations = [self._whitening @ batch.inputs - self._shift]
        for layer in self._layers[:-1]:
            z = layer[:, :-1] @ activations[-1] + layer[:, -1:]
            activations.append(np.maximum(z, 0, out=z))
        last = self._layers[-1]
        outputs = last[:, :-1] @ activations[-1] + last[:, -1:]
        _, delta = bits_and_slopes(outputs, batch.values)
        gradient = []
        for layer, below in zip(self._layers[::-1], activations[::-1], strict=True):
            gradient.append(np.hstack([delta @ below.T, delta.sum(axis=1)[:, None]]))
            if below is not activations[0]:
                delta = (layer[:, :-1].T @ delta) * (below > 0)
        return gradient[::-1]

    def largest(self, batch: _Batch) -> list[np.ndarray]:
        """Return the largest activations of the hidden units of each layer."""
        below, largest = self._whitening @ batch.inputs - self._shift, []
        for layer in self._layers[:-1]:
            below = np.maximum(layer[:, :-1] @ below + layer[:, -1:], 0)
            most = np.quantile(below, _ALMOST_ALL, axis=1)
            # Units that are never active must not have huge weights.
            largest.append(np.maximum(most, _DEAD * max(most.max(), _DEAD)))
        return largest

    def layers(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return weights and biases for inputs as they are."""
        layers = [
            (layer[:, :-1].astype(np.float64), layer[:, -1].astype(np.float64))
            for layer in self._layers
        ]
        weights, biases = layers[0]
        folded = weights @ self._whitener
        layers[0] = folded / UNIT, biases - (folded @ self._mean)[:, 0]
        return layers


def _rounded(
    learner: _Learner,
    batch: _Batch,
    predictors: Predictors,
    points: np.ndarray,
    n_samples: int,
) -> tuple[PixelNetwork, float]:
    """Round a network to weights of as many bits as pay.

    Return it, and the bits of all samples and the network itself, a sample.
    """
    best, largest = None, learner.largest(batch)
    for precision in _PRECISIONS:
        weights, biases, shifts = _whole(
            learner.layers(), largest, len(batch.inputs), len(points), precision
        )
        network = PixelNetwork(predictors, weights, biases, shifts, points)
        outputs = network.outputs(batch.inputs) / _units(len(points))[:, np.newaxis]
        bits, _ = bits_and_slopes(outputs.astype(np.float32), batch.values)
        bits += 8 * len(pack_network(network)) / n_samples
        if best is None or bits < best[1]:
            best = network, bits
    assert best is not None
    return best


def _units(n_points: int) -> np.ndarray:
    """Return the units of the outputs of a network in those that are learned."""
    counts = [N_LOGISTIC + N_COPIES + n_points, N_LOGISTIC, N_LOGISTIC]
    return np.repeat([PER_FOLD, 1, PER_OCTAVE / np.log(2)], counts)


def _whole(
    layers: Sequence[tuple[np.ndarray, np.ndarray]],
    largest: Sequence[np.ndarray],
    n_inputs: int,
    n_points: int,
    precision: int,
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Round weights to ``precision`` bits and a sign, and biases with them.

    ``largest`` has the largest activations of hidden units.
    """
    caps = [MOST_ACTIVE / most for most in largest]
    weights, biases, shifts = [], [], []
    below, most = np.ones(n_inputs), MOST
    for (w, b), factor in zip(layers, [*caps, _units(n_points)], strict=True):
        w, b = w * factor[:, np.newaxis] / below, b * factor
        # Sums of products, and the largest weight, must stay within bounds.
        sums = np.abs(w).sum(axis=1) * most + np.abs(b) + 1e-9
        room = (MOST_SUM - len(below) * most / 2 - 1) / sums
        room = np.minimum(room, _MOST_WEIGHT / (np.abs(w).max(axis=1) + 1e-9))
        # Where hardly anything is to be learned, weights may be too large for that.
        shrunk = np.minimum(room, 1)
        w, b, factor, room = (
            w * shrunk[:, None],
            b * shrunk,
            factor * shrunk,
            room / shrunk,
        )
        typical = np.sqrt((w**2).mean(axis=1)) + 1e-9
        shift = np.rint(precision - np.log2(typical))
        shift = np.clip(np.minimum(shift, np.floor(np.log2(room))), 0, _MOST_SHIFT)
        unit = 2.0**shift
        weights.append(np.rint(w * unit[:, np.newaxis]).astype(np.int16))
        biases.append(np.rint(b * unit).astype(np.int32))
        shifts.append(shift.astype(np.uint8))
        below, most = factor, MOST_ACTIVE
    return weights, biases, shifts


def fit_networks(
    stacks: Sequence[np.ndarray],
    limits: tuple[np.ndarray, np.ndarray],
    *,
    n_pixels: int | None = None,
    points: np.ndarray | None = None,
    is_aligned: bool = False,
    in_series: bool = False,
    max_error: int = 0,
    training: Training | None = None,
    random_state: int = 0,
    on_step: Callable[[], object] | None = None,
) -> tuple[list[PixelNetwork], float]:
    """Train a network for each channel.

    Parameters
    ----------
    stacks, limits, max_error
        As for `PixelModel.encode`.

    n_pixels : int, default=None
        Pixels of all images to be coded: the more there are, the finer weights are
        rounded. None means those of the stacks.

    points : ndarray of int of shape (n_points,), default=None
        Values that get a probability to themselves. None means none.

    is_aligned : bool, default=False
        Whether the same places of images have something in common, which networks then
        learn, too. All images must have the same size.

    in_series : bool, default=False
        Whether images go by the image before them in their stack.

    training : Training, default=None
        How long to train which networks.

    random_state : int, default=0
        Seed of the random draws.

    on_step : callable, default=None
        Called after each step of training, of which each channel has ``n_steps``.

    Returns
    -------
    networks : list of PixelNetwork
        The networks.

    bits : float
        What a pixel takes, on samples of the stacks, the networks' share counted.
    """
    training = training or Training()
    points = np.empty(0, np.int32) if points is None else points.astype(np.int32)
    if n_pixels is None:
        n_pixels = sum(stack[:, 0].size for stack in stacks)
    rng = np.random.default_rng(random_state)
    networks, bits = [], 0.0
    means = [np.empty((0, 0), np.uint16)] * stacks[0].shape[1]
    if is_aligned:
        means = list(_mean(stacks).astype(np.uint16))
    with one_blas_thread():
        walk = _filled(stacks, limits, means, in_series, max_error, rng)
        for channel, predictors in enumerate(walk.context.predictors):
            sampler = _Sampler(walk, channel, points, rng)
            drawn = sampler.draw(_N_DRAWN)
            hidden = [n // 2 if channel else n for n in training.hidden]
            learner = _Learner(hidden, N_COPIES + len(points), drawn, training, rng)
            batches = sampler.batches(training.batch_size)
            for batch in islice(batches, training.n_steps):
                learner.improve(batch)
                if on_step is not None:
                    on_step()
            network, of_channel = _rounded(learner, drawn, predictors, points, n_pixels)
            networks.append(network)
            bits += of_channel
    return networks, bits
