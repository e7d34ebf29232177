"""Pixels to bytes and back, by a model of pixels.

All images are coded in step, one pixel at a time, since each pixel depends only on
those before it in its own image.
"""

from itertools import product
from typing import NamedTuple

import numpy as np

from sklearn_dae._blas import one_blas_thread
from sklearn_dae.codecs._pixel_model import N_INPUTS, Canvas, PixelModel
from sklearn_dae.coding import IntervalDecoder, IntervalEncoder
from sklearn_dae.exceptions import BitstreamError

#: Images per lane of rANS. A lane costs three bytes.
_IMAGES_OF_LANE = 16


class CodedPixels(NamedTuple):
    """The result of coding images: the stream, bits of each, and what a decoder gets.

    ``n_bits`` has shape (n,), ``images`` (n, height * width).
    """

    data: bytes
    n_bits: np.ndarray
    images: np.ndarray


def encode_pixels(
    images: np.ndarray, predictions: np.ndarray, model: PixelModel
) -> CodedPixels:
    """Code images.

    Parameters
    ----------
    images, predictions : ndarray of uint8 of shape (n, height * width)
        The images, and what is already known of them.

    model : PixelModel
        The model.
    """
    n = len(images)
    if not n:
        return CodedPixels(b"", np.empty(0), images)
    canvas = Canvas(predictions, model)
    encoder = IntervalEncoder(_n_lanes(n))
    pixels = images.T.reshape(*model.shape, n)
    n_bits = np.full(n, 16.0 * images.shape[1])
    with one_blas_thread():
        for y, x in product(*map(range, model.shape)):
            inputs = canvas.inputs(y, x)
            centres = model.centres(inputs)
            symbols = model.symbols(pixels[y, x], centres)
            starts, frequencies = _Mixtures(model, inputs).intervals(symbols)
            encoder.push(starts, frequencies)
            n_bits -= np.log2(frequencies)
            canvas.fill(y, x, model.pixels(symbols, centres))
    return CodedPixels(encoder.to_bytes(), n_bits, canvas.images)


def decode_pixels(
    data: bytes, predictions: np.ndarray, model: PixelModel
) -> np.ndarray:
    """Decode what `encode_pixels` returned.

    Parameters
    ----------
    data : bytes
        The stream.

    predictions : ndarray of uint8 of shape (n, height * width)
        The same predictions.

    model : PixelModel
        The same model.

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
    canvas = Canvas(predictions, model)
    with one_blas_thread():
        for y, x in product(*map(range, model.shape)):
            inputs = canvas.inputs(y, x)
            mixtures = _Mixtures(model, inputs)
            symbols = mixtures.decode(decoder)
            canvas.fill(y, x, model.pixels(symbols, model.centres(inputs)))
    decoder.finish()
    return canvas.images


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
