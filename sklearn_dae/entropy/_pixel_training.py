"""Training of the pixel model.

In: training images and their predictions. Out: a `PixelModel`, trained by Adam to
minimise the bits that randomly drawn pixels take.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from sklearn_dae._blas import one_blas_thread
from sklearn_dae.coding import FrequencyTables
from sklearn_dae.entropy._canvas import (
    IMAGE_REACH,
    N_AROUND,
    N_BEFORE,
    N_INPUTS,
    PREDICTION_REACH,
)
from sklearn_dae.entropy._pixel_model import PixelModel

#: Units of the hidden layers, and number of experts.
_HIDDEN, _N_EXPERTS = (64, 32), 40

#: Pixels per step, and the fewest and most steps; in between, every pixel of the
#: training images is drawn some twenty times.
_BATCH_SIZE, _LEAST_STEPS, _MOST_STEPS, _N_VISITS = 2048, 200, 4000, 20

#: Pixels drawn at a time. Of those with nothing but black around them, only one in
#: ``_BLANK_WEIGHT`` is kept, and counts for all.
_DRAWN, _BLANK_WEIGHT = 2**18, 16

#: Parts of the training, after each of which its progress is reported.
N_PARTS = 100

#: Adam's highest learning rate, and what its moments are multiplied by at each step.
_RATE, _MOMENTUM, _SECOND_MOMENTUM = 3e-3, 0.9, 0.99

#: Share of the steps in which the rate grows; it then falls along a cosine.
_WARM_UP = 0.2

#: Least probability of any symbol under an expert.
_FLOOR = 2.0**-15


class _Batch(NamedTuple):
    """Pixels: inputs (n, n_inputs) in [0, 1], symbols, and how often each counts."""

    inputs: np.ndarray
    symbols: np.ndarray
    weights: np.ndarray


class _Sampler:
    """Draws pixels of images, with what a decoder knows when it reaches them."""

    def __init__(
        self,
        images: np.ndarray,
        predictions: np.ndarray,
        shape: tuple[int, int],
        max_error: int,
        rng: np.random.Generator,
    ) -> None:
        self._rng = rng
        self._shape = shape
        self._images = images
        errors = np.subtract(images, predictions, dtype=np.float32)
        mse = np.square(errors, out=errors).mean(axis=0, dtype=np.float64)
        self.spread = np.rint(np.sqrt(mse)).astype(np.uint8)
        known = images
        if max_error:
            # Decoded pixels are off by any error up to the largest, equally often.
            noise = rng.integers(-max_error, max_error + 1, images.shape)
            known = np.clip(images + noise, 0, 255).astype(np.uint8)
        self._before = self._padded(known, IMAGE_REACH)
        self._around = self._padded(predictions, PREDICTION_REACH)

    def _padded(self, rows: np.ndarray, reach: int) -> np.ndarray:
        margin = ((0, 0), (reach, reach), (reach, reach))
        return np.pad(rows.reshape(-1, *self._shape), margin)

    def draw(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw pixels; return their inputs, as whole numbers, and their values."""
        height, width = self._shape
        image = self._rng.integers(len(self._images), size=n)
        pixel = self._rng.integers(height * width, size=n)
        y, x = np.divmod(pixel, width)
        inputs = np.empty((n, N_INPUTS), np.uint8)
        size = 2 * IMAGE_REACH + 1
        inputs[:, :N_BEFORE] = self._windows(self._before, size, N_BEFORE, image, y, x)
        size = 2 * PREDICTION_REACH + 1
        around = self._windows(self._around, size, N_AROUND, image, y, x)
        inputs[:, N_BEFORE:-1] = around
        inputs[:, -1] = self.spread[pixel]
        return inputs, self._images[image, pixel].astype(np.int64)

    @staticmethod
    def _windows(
        padded: np.ndarray,
        size: int,
        n: int,
        image: np.ndarray,
        y: np.ndarray,
        x: np.ndarray,
    ) -> np.ndarray:
        """Take the first n pixels of square windows, given their corners."""
        _, height, width = padded.shape
        corner = (image * height + y) * width + x
        dy, dx = np.divmod(np.arange(n), size)
        return padded.ravel().take(corner[:, np.newaxis] + (dy * width + dx))


def fit_pixel_model(
    images: np.ndarray,
    predictions: np.ndarray,
    shape: tuple[int, int],
    max_error: int = 0,
    seed: int = 0,
    on_part: Callable[[], object] | None = None,
) -> PixelModel:
    """Train a model of pixels.

    Parameters
    ----------
    images, predictions : ndarray of uint8 of shape (n, height * width)
        Training images and their predictions.

    shape : tuple of (height, width)
        Size of the images.

    max_error : int, default=0
        How far a decoded pixel may be off.

    seed : int, default=0
        Seed of the random draws.

    on_part : callable, default=None
        Called after each of ``N_PARTS`` equal parts of the training; returning True
        ends it.
    """
    rng = np.random.default_rng(seed)
    sampler = _Sampler(images, predictions, shape, max_error, rng)
    inputs, values = sampler.draw(_DRAWN)
    model = PixelModel(
        shape,
        max_error,
        sampler.spread,
        _choose_centre(inputs, values),
        [],
        FrequencyTables([[256]], 8),
    )
    symbols = model.symbols(values, model.centres(inputs.T.astype(np.float64)))
    is_value = not model.centre.any()
    network = _Network(_first_experts(symbols, model.n_symbols, is_value), rng)
    batches = _batches(sampler, model)
    n_steps = _N_VISITS * images.size // _BATCH_SIZE
    n_steps = min(max(n_steps, _LEAST_STEPS), _MOST_STEPS)
    # The products are too small for threads.
    with one_blas_thread():
        for step in range(n_steps):
            network.improve(next(batches), _rate(step / n_steps))
            part_ends = (step + 1) * N_PARTS // n_steps > step * N_PARTS // n_steps
            if part_ends and on_part is not None and on_part():
                break
    return PixelModel(
        shape,
        max_error,
        sampler.spread,
        model.centre,
        network.weights_of_whole_numbers(),
        network.frequency_tables(),
    )


def _choose_centre(inputs: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Predict linearly, or not at all if values have less entropy than differences."""
    X = np.column_stack([inputs, np.ones(len(inputs))]).astype(np.float64)
    # Least squares with a little shrinkage: constant inputs get no weight.
    gram = X.T @ X / len(X)
    gram[np.diag_indices_from(gram)] += 1e-3
    weights = np.linalg.solve(gram, X.T @ values / len(X)).astype(np.float32)
    differences = values - np.rint(np.clip(X @ weights, 0, 255)).astype(np.int64)
    if _entropy(values) <= _entropy(differences):
        return np.zeros_like(weights)
    return weights


def _entropy(values: np.ndarray) -> float:
    shares = np.unique(values, return_counts=True)[1] / len(values)
    return float(-(shares * np.log2(shares)).sum())


def _first_experts(symbols: np.ndarray, n_symbols: int, is_value: bool) -> np.ndarray:
    """Logits of the distributions that training starts from: (n_experts, n_symbols).

    For values, each follows what was counted near one level; the first is all black.
    For differences, they are Laplacian, of several widths and means.
    """
    levels = np.arange(n_symbols)
    if is_value:
        counts = np.bincount(symbols, minlength=n_symbols) + 1.0
        counts[0] = counts[1:].mean()
        middles = np.linspace(0, n_symbols - 1, _N_EXPERTS - 1)[:, np.newaxis]
        width = 1.2 * n_symbols / _N_EXPERTS
        near = np.exp(-(((levels - middles) / width) ** 2) / 2)
        experts = counts * near + 1e-3 * counts.mean()
        black = np.where(levels == 0, 1.0, 1e-5)
        experts = np.vstack([black, experts])
    else:
        signed = np.where(levels > n_symbols // 2, levels - n_symbols, levels)
        scale = max(float(np.abs(signed[symbols]).mean()), 0.25)
        widths = scale * np.array([0.25, 0.5, 1, 2, 4])
        means = scale * 0.7 * (np.arange(_N_EXPERTS // 5) - (_N_EXPERTS // 5 - 1) / 2)
        distance = np.abs(signed - means[:, np.newaxis])
        experts = np.exp(-distance / widths[:, np.newaxis, np.newaxis])
        experts = experts.reshape(_N_EXPERTS, n_symbols) + 1e-6
    return np.log(experts / experts.sum(axis=1, keepdims=True)).astype(np.float32)


def _batches(sampler: _Sampler, model: PixelModel) -> Iterator[_Batch]:
    """Draw batches endlessly."""
    while True:
        inputs, values = sampler.draw(_DRAWN)
        blank: np.ndarray = ~np.any(inputs[:, :-1], axis=1)
        # One in _BLANK_WEIGHT, evenly spaced: their order is random already.
        kept = ~blank
        kept[np.flatnonzero(blank)[::_BLANK_WEIGHT]] = True
        inputs, values, blank = inputs[kept], values[kept], blank[kept]
        centres = model.centres(inputs.T.astype(np.float64))
        symbols = model.symbols(values, centres)
        weights = np.where(blank, np.float32(_BLANK_WEIGHT), np.float32(1))
        scaled = inputs.astype(np.float32)
        scaled *= np.float32(1 / 255)
        for begin in range(0, len(scaled) - _BATCH_SIZE + 1, _BATCH_SIZE):
            part = slice(begin, begin + _BATCH_SIZE)
            yield _Batch(scaled[part], symbols[part], weights[part])
        if len(scaled) < _BATCH_SIZE:
            yield _Batch(scaled, symbols, weights)


def _rate(progress: float) -> float:
    if progress < _WARM_UP:
        return _RATE * (0.05 + 0.95 * progress / _WARM_UP)
    return _RATE * 0.5 * (1 + np.cos(np.pi * (progress - _WARM_UP) / (1 - _WARM_UP)))


class _Network:
    """The network and the experts during training, in single precision."""

    def __init__(self, expert_logits: np.ndarray, rng: np.random.Generator) -> None:
        sizes = (N_INPUTS, *_HIDDEN, len(expert_logits))
        self._layers = []
        for n_in, n_out in pairwise(sizes):
            layer = rng.normal(0, np.sqrt(2 / n_in), (n_in + 1, n_out))
            layer[-1] = 0
            self._layers.append(layer.astype(np.float32))
        self._layers[-1] *= np.float32(0.3)
        self._expert_logits = expert_logits.copy()
        self._parameters = [*self._layers, self._expert_logits]
        self._first = [np.zeros_like(p) for p in self._parameters]
        self._second = [np.zeros_like(p) for p in self._parameters]
        self._n_steps = 0

    def improve(self, batch: _Batch, rate: float) -> float:
        """Take a step of Adam; return the mean number of nats before it."""
        loss, gradient = self._loss_and_gradient(batch)
        self._n_steps += 1
        scale = np.sqrt(1 - _SECOND_MOMENTUM**self._n_steps) / (
            1 - _MOMENTUM**self._n_steps
        )
        for parameter, slope, first, second in zip(
            self._parameters, gradient, self._first, self._second, strict=True
        ):
            first += (1 - _MOMENTUM) * (slope - first)
            second += (1 - _SECOND_MOMENTUM) * (slope * slope - second)
            parameter -= np.float32(rate * scale) * first / (np.sqrt(second) + 1e-8)
        return loss

    def _loss_and_gradient(self, batch: _Batch) -> tuple[float, list[np.ndarray]]:
        inputs, symbols, weights = batch
        activations = [inputs]
        for layer in self._layers[:-1]:
            z = activations[-1] @ layer[:-1] + layer[-1]
            activations.append(np.maximum(z, 0, out=z))
        last = self._layers[-1]
        trust = _softmax(activations[-1] @ last[:-1] + last[-1])
        experts = _softmax(self._expert_logits)
        joint = trust * (experts + np.float32(_FLOOR))[:, symbols].T
        likelihood = joint.sum(axis=1, keepdims=True)
        share = weights / weights.sum()
        loss = -float(share @ np.log(likelihood[:, 0]))
        responsible = joint / likelihood
        responsible *= share[:, np.newaxis]
        delta = trust * share[:, np.newaxis] - responsible
        counts = responsible.T @ _one_hot(symbols, experts.shape[1])
        gradient = [experts * counts.sum(axis=1, keepdims=True) - counts]
        for layer, below in zip(self._layers[::-1], activations[::-1], strict=True):
            gradient.append(np.vstack([below.T @ delta, delta.sum(axis=0)]))
            if below is not inputs:
                delta = (delta @ layer[:-1].T) * (below > 0)
        return loss, [*gradient[:0:-1], gradient[0]]

    def weights_of_whole_numbers(self) -> list[np.ndarray]:
        """Return the weights for inputs of 0 to 255 instead of 0 to 1."""
        first = self._layers[0].copy()
        first[:-1] /= 255
        return [first, *self._layers[1:]]

    def frequency_tables(self) -> FrequencyTables:
        """Return the experts as whole frequencies, each at least 1 out of 2**16."""
        experts = _softmax(self._expert_logits).astype(np.float64)
        counts = np.rint(experts * 2**40).astype(np.int64)
        return FrequencyTables.from_counts(
            list(counts), precision=16, pseudo_count=round(_FLOOR * 2**40)
        )


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers


def _one_hot(symbols: np.ndarray, n_symbols: int) -> np.ndarray:
    rows = np.zeros((len(symbols), n_symbols), np.float32)
    rows[np.arange(len(symbols)), symbols] = 1
    return rows
