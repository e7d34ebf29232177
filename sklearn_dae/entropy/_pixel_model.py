"""How likely each value of a pixel is, given a prediction and the pixels before it.

In: images that a network has predicted, pixel by pixel in reading order. Out: for each
pixel, an interval out of 2**16 slots for every value that it may have, in the form that
an entropy coder uses.

A small network sees the pixels above and to the left of a pixel, the prediction in its
neighbourhood, and how far predictions of this pixel were off in training. It says how
much to trust each of several *experts*, fixed distributions of the value; the
distribution of the pixel is their mixture. Where it takes fewer bits, experts describe
not values but differences from a *centre*, a linear prediction from the same inputs.

Pixels may be coded with a bounded error. Coded values then lie ``2 * max_error + 1``
apart, and the network sees the earlier pixels as a decoder will see them.

All of it is exact in double precision, so every machine computes the same intervals;
see the module `_grid`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import ClassVar, NamedTuple

import numpy as np

from sklearn_dae._blas import one_blas_thread
from sklearn_dae._fields import (
    Fields,
    array,
    count,
    each,
    expect_equal,
    image_shape,
    instance,
)
from sklearn_dae.coding import FrequencyTables
from sklearn_dae.coding._intervals import IntervalDecoder, IntervalEncoder
from sklearn_dae.coding._tables import check_all_codable
from sklearn_dae.entropy._canvas import N_INPUTS, Canvas
from sklearn_dae.entropy._grid import relu, weights_on_grid
from sklearn_dae.exceptions import BitstreamError

#: exp(-i / 32) in units of 2**-15: the trust in an expert, by how far its logit is
#: below the largest. Multiples of 2**-15 are so coarse that all machines round alike.
_TRUST_STEPS = 32
TRUST = np.rint(2.0**15 * np.exp(-np.arange(12 * _TRUST_STEPS) / _TRUST_STEPS))


#: Images per lane of rANS. A lane costs three bytes.
_IMAGES_OF_LANE = 16


class CodedPixels(NamedTuple):
    """The result of coding images: the stream, bits of each, and what a decoder gets.

    ``n_bits`` has shape (n,), ``images`` (n, height * width).
    """

    data: bytes
    n_bits: np.ndarray
    images: np.ndarray


@dataclass(frozen=True, eq=False)
class PixelModel:
    """A trained model of pixels.

    Parameters
    ----------
    shape : tuple of (height, width)
        Size of the images.

    max_error : int
        How far a decoded pixel may be off, at most.

    spread : ndarray of uint8 of shape (height * width,)
        Root of the mean squared error of the prediction in training, rounded.

    centre : ndarray of float32 of shape (n_inputs + 1,)
        Weights of the inputs in the centre of a pixel's values, and its bias; all zero
        if experts describe values.

    weights : list of ndarray of float32 of shape (n_in + 1, n_out)
        Layers of the network, with biases in the last row.

    experts : FrequencyTables
        A distribution for each output of the network.
    """

    _stored_fields: ClassVar[Fields] = {
        "shape": image_shape,
        "max_error": count(0, 127),
        "spread": array("pixels", kinds="u"),
        "centre": array("inputs"),
        "weights": each(array(None, None)),
        "experts": instance(FrequencyTables),
    }

    def _check_stored(self) -> None:
        height, width = self.shape
        expect_equal("Pixels with a spread", len(self.spread), height * width)
        expect_equal("Type of the spread", self.spread.dtype, np.uint8)
        expect_equal("Weights of the centre", len(self.centre), N_INPUTS + 1)
        # In double precision, numbers of single precision cannot overflow.
        for weights in (self.centre, *self.weights):
            expect_equal("Type of the weights", weights.dtype, np.float32)
        n_below = N_INPUTS
        for weights in self.weights:
            expect_equal("Inputs of a layer", len(weights) - 1, n_below)
            n_below = weights.shape[1]
        expect_equal("Experts", len(self.experts), n_below)
        check_all_codable(self.experts, self.n_symbols)

    shape: tuple[int, int]
    max_error: int
    spread: np.ndarray
    centre: np.ndarray
    weights: list[np.ndarray]
    experts: FrequencyTables

    @classmethod
    def fit(
        cls,
        images: np.ndarray,
        predictions: np.ndarray,
        shape: tuple[int, int],
        max_error: int = 0,
        *,
        on_part: Callable[[], object] | None = None,
    ) -> "PixelModel":
        """Train a model; see `fit_pixel_model` for the parameters."""
        # Training is long enough for a module of its own, which makes models.
        from sklearn_dae.entropy._pixel_training import fit_pixel_model

        return fit_pixel_model(images, predictions, shape, max_error, on_part=on_part)

    @cached_property
    def cumulative(self) -> np.ndarray:
        """Slots before each symbol under each expert: (n_experts, n_symbols + 1)."""
        tables = np.array(list(self.experts), np.float64)
        return np.pad(np.cumsum(tables, axis=1), ((0, 0), (1, 0)))

    @cached_property
    def _layers(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Weights on a grid, one row per unit, and biases."""
        return [
            (weights_on_grid(w[:-1]).T.copy(), w[-1:].T.astype(np.float64))
            for w in self.weights
        ]

    @cached_property
    def _centre_weights(self) -> np.ndarray | None:
        weights = self.centre[:-1, np.newaxis]
        return weights_on_grid(weights).T if weights.any() else None

    def centres(self, inputs: np.ndarray) -> np.ndarray:
        """Return what differences are counted from: int64 of shape (n,)."""
        if self._centre_weights is None:
            return np.zeros(inputs.shape[1], np.int64)
        centres = (self._centre_weights @ inputs)[0] + np.float64(self.centre[-1])
        return np.clip(np.rint(centres), 0, 255).astype(np.int64)

    def trust(self, inputs: np.ndarray) -> np.ndarray:
        """Return how much each expert is trusted.

        Parameters
        ----------
        inputs : ndarray of float64 of shape (n_inputs, n)
            Whole numbers up to 255.

        Returns
        -------
        trust : ndarray of float64 of shape (n_experts, n)
            Whole numbers.
        """
        below = inputs
        for weights, biases in self._layers[:-1]:
            below = relu(weights @ below + biases)
        weights, biases = self._layers[-1]
        logits = weights @ below
        logits += biases
        np.subtract(logits.max(axis=0), logits, out=logits)
        logits *= _TRUST_STEPS
        np.minimum(logits, len(TRUST) - 1, out=logits)
        return TRUST.take(np.rint(logits).astype(np.intp))

    def intervals(
        self, trust: np.ndarray, symbols: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the first slot of each symbol, and its number of slots, as float64.

        Parameters
        ----------
        trust : ndarray of float64 of shape (n_experts, n) or (n_experts, 1)
            The mixtures, or one mixture for all symbols.

        symbols : ndarray of int of shape (n,)
            Symbols.
        """
        total = trust.sum(axis=0)
        if trust.shape[1] == 1:
            (below_all,) = trust.T @ self.cumulative
            below, above = below_all[symbols], below_all[symbols + 1]
        else:
            below = (trust * self.cumulative.take(symbols, axis=1)).sum(axis=0)
            above = (trust * self.cumulative.take(symbols + 1, axis=1)).sum(axis=0)
        return _slots(below, above, total)

    def find(
        self, trust: np.ndarray, slots: np.ndarray
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Find the symbols in whose intervals the slots lie, and these intervals."""
        total = trust.sum(axis=0)
        # floor(below / total) <= slot, in whole numbers.
        limits = (slots + 1.0) * total
        below = trust.T @ self.cumulative
        if trust.shape[1] == 1:
            symbols = np.searchsorted(below[0, 1:-1], limits)
            rows = np.zeros(len(slots), np.intp)
        else:
            symbols = np.count_nonzero(below[:, 1:-1] < limits[:, np.newaxis], axis=1)
            rows = np.arange(len(slots))
        ends = below[rows, symbols], below[rows, symbols + 1]
        return symbols, _slots(*ends, total)

    def symbols(self, pixels: np.ndarray, centres: np.ndarray) -> np.ndarray:
        """Turn pixels into symbols."""
        differences = pixels.astype(np.int64) - centres
        return (differences + self.max_error) // self._width % self.n_symbols

    def pixels(self, symbols: np.ndarray, centres: np.ndarray) -> np.ndarray:
        """Turn symbols into pixels, at most ``max_error`` off: uint8."""
        # Of the steps that share a symbol, only one leads to a pixel.
        lowest = (self.max_error - centres) // self._width
        steps = lowest + (symbols - lowest) % self.n_symbols
        return np.clip(centres + steps * self._width, 0, 255).astype(np.uint8)

    def encode(self, images: np.ndarray, predictions: np.ndarray) -> "CodedPixels":
        """Code images, all in step, one pixel at a time.

        Parameters
        ----------
        images, predictions : ndarray of uint8 of shape (n, height * width)
            The images, and what is already known of them.
        """
        n = len(images)
        if not n:
            return CodedPixels(b"", np.empty(0), images)
        canvas = Canvas(predictions, self.shape, self.spread)
        encoder = IntervalEncoder(_n_lanes(n))
        pixels = images.T.reshape(*self.shape, n)
        n_bits = np.full(n, 16.0 * images.shape[1])
        with one_blas_thread():
            for y, x in product(*map(range, self.shape)):
                inputs = canvas.inputs(y, x)
                centres = self.centres(inputs)
                symbols = self.symbols(pixels[y, x], centres)
                starts, frequencies = _Mixtures(self, inputs).intervals(symbols)
                encoder.push(starts, frequencies)
                n_bits -= np.log2(frequencies)
                canvas.fill(y, x, self.pixels(symbols, centres))
        return CodedPixels(encoder.to_bytes(), n_bits, canvas.images)

    def bits(self, images: np.ndarray, predictions: np.ndarray) -> np.ndarray:
        """Return the bits of each image: float of shape (n,)."""
        return self.encode(images, predictions).n_bits

    def decode(self, data: bytes, predictions: np.ndarray) -> np.ndarray:
        """Decode what `encode` returned.

        Parameters
        ----------
        data : bytes
            The stream.

        predictions : ndarray of uint8 of shape (n, height * width)
            The same predictions.

        Returns
        -------
        images : ndarray of uint8 of shape (n, height * width)
            The images, with the error that the model allows.

        Raises
        ------
        BitstreamError
            If the stream is damaged, or was coded with another model or predictions.
        """
        n = len(predictions)
        decoder = IntervalDecoder(data)
        if decoder.n_lanes != _n_lanes(n):
            raise BitstreamError(
                f"A stream of {decoder.n_lanes} lanes, expected {_n_lanes(n)} for {n} "
                "images."
            )
        if not n:
            return predictions
        canvas = Canvas(predictions, self.shape, self.spread)
        with one_blas_thread():
            for y, x in product(*map(range, self.shape)):
                inputs = canvas.inputs(y, x)
                symbols = _Mixtures(self, inputs).decode(decoder)
                canvas.fill(y, x, self.pixels(symbols, self.centres(inputs)))
        decoder.finish()
        return canvas.images

    @property
    def _width(self) -> int:
        return 2 * self.max_error + 1

    @cached_property
    def n_symbols(self) -> int:
        """Size of the alphabet."""
        return count_symbols(self.max_error)


def _slots(
    below: np.ndarray, above: np.ndarray, total: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    # A quotient is a whole number, or farther from one than the error of the division.
    starts = np.floor(below / total)
    return starts, np.floor(above / total) - starts


def count_symbols(max_error: int) -> int:
    """Return how many steps of ``2 * max_error + 1`` may lead from pixel to pixel."""
    pixels, width = np.arange(256), 2 * max_error + 1
    lowest, highest = (max_error - pixels) // width, (255 - pixels + max_error) // width
    return int((highest - lowest).max()) + 1


def _n_lanes(n_images: int) -> int:
    return -(-n_images // _IMAGES_OF_LANE)


class _Mixtures:
    """The distributions of one pixel of all images.

    Images that are black all around it share one, and are often the majority.
    """

    def __init__(self, model: PixelModel, inputs: np.ndarray) -> None:
        self._model = model
        self._varied: np.ndarray = np.any(inputs[:-1], axis=0)
        self._of_varied = model.trust(inputs[:, self._varied])
        blank = np.zeros((N_INPUTS, 1))
        blank[-1] = inputs[-1, :1]
        self._of_blank = model.trust(blank)

    def intervals(self, symbols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the first slots of the symbols of all images, and numbers of slots."""
        starts, frequencies = np.empty((2, len(symbols)))
        for chosen, trust in (
            (self._varied, self._of_varied),
            (~self._varied, self._of_blank),
        ):
            starts[chosen], frequencies[chosen] = self._model.intervals(
                trust, symbols[chosen]
            )
        return starts, frequencies

    def decode(self, decoder: IntervalDecoder) -> np.ndarray:
        """Take one symbol per image from the stream."""
        n = len(self._varied)
        symbols = np.empty(n, np.int64)
        starts, frequencies = np.empty((2, n))
        n_varied = np.concatenate([[0], np.cumsum(self._varied)])
        for begin in range(0, n, decoder.n_lanes):
            step = slice(begin, min(begin + decoder.n_lanes, n))
            slots = decoder.slots(step.stop - begin)
            varied = self._varied[step]
            columns = slice(n_varied[begin], n_varied[step.stop])
            for chosen, trust in (
                (varied, self._of_varied[:, columns]),
                (~varied, self._of_blank),
            ):
                places = begin + np.flatnonzero(chosen)
                symbols[places], (starts[places], frequencies[places]) = (
                    self._model.find(trust, slots[chosen])
                )
            decoder.take(starts[step], frequencies[step])
        return symbols
