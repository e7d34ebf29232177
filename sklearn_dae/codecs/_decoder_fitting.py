"""A transformer -> what decodes, and codes for it.

Of a network, the decoder is kept, in few bits, so that it and the codes take the fewest
bytes in all. Weights may be stored finely, and then codes coarsely, or the other way
round. So one fineness of the weights is tried after another: for each, codes are
refined for the rounded decoder, and then rounded so that images are as good as is
wanted. A transformer that is no network is kept as it is.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from sklearn_dae.codecs._base import mean_squared_error
from sklearn_dae.codecs._code_model import (
    CodeModel,
    RoundedCodes,
    entropy_of_columns,
    rounded,
)
from sklearn_dae.codecs._code_search import CodeSearch
from sklearn_dae.codecs._code_space import CodeSpace
from sklearn_dae.codecs._decoder import CompactDecoder, Decoder, WholeDecoder
from sklearn_dae.codecs._step import SEARCH_ROWS, Wish, sample
from sklearn_dae.codecs._transformer import restored
from sklearn_dae.network import Network
from sklearn_dae.quantizers import RoundedLayer, round_decoder, with_layers
from sklearn_dae.rows import RowBlocks

#: Shares of the error wanted that rounding of weights may add: where a search begins,
#: and without one.
_FIRST_SHARE, _SMALL_SHARE = 1 / 4, 1 / 32

#: What steps of weights are multiplied or divided by; how often they are divided if
#: they are too coarse.
_FACTOR, _MOST_FINER = math.sqrt(2), 24

#: How much finer they get where all training images are harder than those of a search.
_MUCH_FINER = 4

#: Quality from which on weights are as fine as they get.
_MOST_DECIBELS = 150

#: By how many decibels, or by what share of the bits, a wish may be met more than
#: wanted; how often at most a step is bettered for that, and by what, at first.
_TOLERANCE, _ROUNDS, _LITTLE_WIDER = 0.01, 8, 1.05


class Fitted(NamedTuple):
    """What decodes, codes of the training images, and how these are coded."""

    decoder: Decoder
    codes: np.ndarray
    model: CodeModel


def fit_whole(
    transformer: Any, codes: np.ndarray, X: np.ndarray, wish: Wish, *, rotate: bool
) -> Fitted:
    """Keep a transformer as it is.

    Parameters
    ----------
    transformer : transformer
        The fitted transformer.

    codes : ndarray of shape (n_samples, n_components)
        Its codes of training images.

    X : ndarray of shape (n_samples, n_features)
        The training images.

    wish : Wish
        How good images are to be.

    rotate : bool
        Whether codes are mapped to others; see `CodeSpace`.

    Returns
    -------
    Fitted

    Raises
    ------
    ValueError
        If the transformer is not good enough.
    """
    space = _space(partial(restored, transformer), codes, rotate=rotate)
    decoder = WholeDecoder(transformer, space, codes.dtype)
    mapped = space.coordinates(codes)
    mse = mean_squared_error(X, wish.images(decoder.decode(mapped)))
    least_psnr = wish.least_psnr(mse)
    model = wish.code_model(X, mapped, decoder.decode, least_psnr)
    if model is None:
        raise _too_bad("transformer", least_psnr)
    return Fitted(decoder, mapped, model)


def _space(
    decode: Callable[[np.ndarray], np.ndarray], codes: np.ndarray, *, rotate: bool
) -> CodeSpace:
    return CodeSpace.learn(decode, codes) if rotate else CodeSpace.plain(codes)


class CompactFitting:
    """Rounds a decoder so that it and the codes of so many images take few bytes.

    Parameters
    ----------
    network : Network
        The network.

    codes : ndarray of shape (n_samples, n_components)
        Its codes of training images.

    X : ndarray of shape (n_samples, n_features)
        The training images.

    wish : Wish
        How good images are to be.

    picture : tuple of (height, width, channels)
        What an image is.

    n_images : int
        How many images are to be stored.

    rotate : bool
        Whether codes are mapped to others; see `CodeSpace`.

    threshold : float, default=None
        Where outputs are thresholded; see `Network.decode`.

    Raises
    ------
    ValueError
        If the network is not good enough.
    """

    def __init__(
        self,
        network: Network,
        codes: np.ndarray,
        X: np.ndarray,
        wish: Wish,
        *,
        picture: tuple[int, int, int],
        n_images: int,
        rotate: bool,
        threshold: float | None = None,
    ) -> None:
        self.X, self.wish = X, wish
        self.picture, self.n_images = picture, n_images
        self.rotate, self.threshold = rotate, threshold
        n_pixels = X.shape[1]
        space = _space(partial(self._restore, network), codes, rotate=rotate)
        # A change of 1 is as much as that of a pixel through its range, however wide;
        # a user's quantiser is given codes as they are.
        span = network.scaler.span if rotate else 1.0
        self.network = network.without_encoder(space.mean, space.backward * span)
        mse = self._mse(network, codes)
        added = math.sqrt(n_pixels * wish.added_error(mse)) / span
        self.search = CodeSearch.before_rounding(
            self.network,
            n_pixels * mse,
            space.coordinates(codes).std(axis=0) / span,
            added,
            rotated=rotate,
        )
        self.codes = self.search.codes(X)
        mse = self._mse(self.network, self.codes)
        self.search = replace(self.search, usual_error=n_pixels * mse)
        self.least_psnr = wish.least_psnr(mse)
        # Squared error of an image, pixels scaled to [0, 1].
        allowed = n_pixels * 10 ** (-min(self.least_psnr, _MOST_DECIBELS) / 10)
        share = _FIRST_SHARE if wish.is_quality else _SMALL_SHARE
        self.step = math.sqrt(12 * share * allowed / self.network.layout.n_parameters)

    def _restore(self, network: Network, codes: np.ndarray) -> np.ndarray:
        decode = partial(network.decode, threshold=self.threshold)
        return RowBlocks(codes).map(decode)

    def _mse(self, network: Network, codes: np.ndarray) -> float:
        restored = self.wish.images(self._restore(network, codes))
        return mean_squared_error(self.X, restored)

    def estimated_bytes(self) -> float:
        """Estimate what decoder and codes will take; infinity if they are too bad."""
        trial = self._smallest()
        return math.inf if trial is None else self._total(trial)

    def fitted(self) -> Fitted:
        """Round the decoder, find codes, and how to round them.

        Raises
        ------
        ValueError
            If the network is not good enough.
        """
        exponent: int | None = 0
        if self.wish.is_quality:
            best = self._smallest()
            exponent = None if best is None else best.exponent
        if exponent is not None:
            # All training images may be harder than those of the search.
            most = min(exponent, -_MOST_FINER)
            for finer in range(exponent, most - 1, -_MUCH_FINER):
                if (parts := self._finished(self._layers(finer))) is not None:
                    return parts
        raise _too_bad("network", self.least_psnr)

    def _layers(self, exponent: int) -> list[RoundedLayer]:
        step = self.step * _FACTOR**exponent
        return round_decoder(self.network, self.codes, step)

    def _smallest(self) -> "_Trial | None":
        """Find how fine weights make the fewest bytes; None if none are good enough."""
        trials = map(self._attempt, range(0, -_MOST_FINER, -1))
        best = next((trial for trial in trials if trial), None)
        if best is None:
            return None
        for direction in (-1, 1):
            before = best
            while trial := self._attempt(best.exponent + direction):
                if self._total(trial) >= self._total(best):
                    break
                best = trial
            if best is not before:
                break
        return best

    def _attempt(self, exponent: int) -> "_Trial | None":
        layers = self._layers(exponent)
        network = with_layers(self.network, layers)
        few, codes = sample(self.X, SEARCH_ROWS), sample(self.codes, SEARCH_ROWS)
        codes = replace(self.search, network=network).codes(few, codes)
        decode = partial(self._restore, network)
        step = self.wish.step(few, codes, decode, self.least_psnr)
        if step is None:
            return None
        bits_of_image = entropy_of_columns(rounded(codes, step)) / len(few)
        return _Trial(exponent, self._packed(layers).packed.size, bits_of_image)

    def _total(self, trial: "_Trial") -> float:
        return trial.decoder_bytes + self.n_images * trial.bits_of_image / 8

    def _packed(self, layers: list[RoundedLayer]) -> CompactDecoder:
        return CompactDecoder.of(self.network, layers, self.picture, self.threshold)

    def _finished(self, layers: list[RoundedLayer]) -> Fitted | None:
        X, wish = self.X, self.wish
        decoder = self._packed(layers)
        network = decoder.network

        def again(model: CodeModel) -> Fitted:
            # As images to come are encoded.
            usual = wish.squared_error(self.least_psnr, X.shape[1])
            search = CodeSearch.of(network, model, usual, rotated=self.rotate)
            return Fitted(decoder, search.codes(X), model)

        def margin(parts: Fitted) -> float:
            symbols = parts.model.symbols(parts.codes)
            if wish.most_bits is not None:
                return 1 - float(parts.model.bits(symbols).mean()) / wish.most_bits
            psnr = wish.psnr(X, decoder.decode(parts.model.codes(symbols)))
            # Both are infinite where squares of errors are too small to be told from 0.
            return 0.0 if psnr == self.least_psnr else psnr - self.least_psnr

        codes = replace(self.search, network=network).codes(X, self.codes)
        model = wish.code_model(X, codes, decoder.decode, self.least_psnr)
        if model is None:
            return None
        if not isinstance(model, RoundedCodes):
            return again(model)
        return _with_best_step(again, model.step, codes, margin, wish.is_quality)


def _with_best_step(
    again: Callable[[CodeModel], Fitted],
    step: float,
    codes: np.ndarray,
    margin: Callable[[Fitted], float],
    is_quality: bool,
) -> Fitted | None:
    """Find the step that just meets a wish, where codes depend on how they are coded.

    ``again`` finds codes for a model; the model of a step is fitted to the codes found
    last. The margin by which a wish is met shrinks with wider steps if it is a quality,
    and with narrower ones if it is a rate. None if it is never met.
    """
    met: tuple[float, float] | None = None
    missed: tuple[float, float] | None = None
    best: Fitted | None = None
    for _ in range(_ROUNDS):
        parts = again(RoundedCodes.fit(codes, step))
        codes, by = parts.codes, margin(parts)
        if by >= 0:
            met, best = (step, by), parts
        else:
            missed = step, by
        if 0 <= by <= _TOLERANCE:
            break
        if met and missed:
            share = (met[1] - _TOLERANCE / 2) / (met[1] - missed[1])
            step = met[0] * (missed[0] / met[0]) ** share
        else:
            step *= _LITTLE_WIDER if (by >= 0) == is_quality else 1 / _LITTLE_WIDER
    return best


class _Trial(NamedTuple):
    """Weights of a fineness: their bytes, and the bits of the code of an image."""

    exponent: int
    decoder_bytes: int
    bits_of_image: float


def _too_bad(what: str, least_psnr: float) -> ValueError:
    return ValueError(
        f"The {what} restores some training images with less than {least_psnr:.2f} dB "
        "once it is rounded; ask for less, or give it more components."
    )
