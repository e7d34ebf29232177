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


def fit_compact(
    network: Network,
    codes: np.ndarray,
    X: np.ndarray,
    wish: Wish,
    *,
    picture: tuple[int, int, int],
    n_images: int,
    rotate: bool,
    threshold: float | None = None,
) -> Fitted:
    """Round a decoder so that it and the codes of so many images take few bytes.

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

    Returns
    -------
    Fitted

    Raises
    ------
    ValueError
        If the network is not good enough.
    """

    def restore(network: Network, codes: np.ndarray) -> np.ndarray:
        return RowBlocks(codes).map(partial(network.decode, threshold=threshold))

    space = _space(partial(restore, network), codes, rotate=rotate)
    alone = network.without_encoder(space.mean, space.backward)
    n_pixels, mse = (
        X.shape[1],
        mean_squared_error(X, wish.images(restore(network, codes))),
    )
    search = CodeSearch.before_rounding(
        alone,
        n_pixels * mse,
        space.coordinates(codes).std(axis=0),
        n_pixels * wish.added_error(mse),
        rotated=rotate,
    )
    mapped = search.codes(X)
    mse = mean_squared_error(X, wish.images(restore(alone, mapped)))
    least_psnr = wish.least_psnr(mse)
    # Squared error of an image, pixels scaled to [0, 1].
    allowed = X.shape[1] * 10 ** (-min(least_psnr, _MOST_DECIBELS) / 10)
    share = _FIRST_SHARE if wish.is_quality else _SMALL_SHARE
    step = math.sqrt(12 * share * allowed / alone.layout.n_parameters)
    few, codes_of_few = sample(X, SEARCH_ROWS), sample(mapped, SEARCH_ROWS)

    def layers_of(exponent: int) -> list[RoundedLayer]:
        return round_decoder(alone, mapped, step * _FACTOR**exponent)

    def attempt(exponent: int) -> _Trial | None:
        layers = layers_of(exponent)
        network = with_layers(alone, layers)
        refined = replace(search, network=network).codes(few, codes_of_few)
        step = wish.step(few, refined, partial(restore, network), least_psnr)
        if step is None:
            return None
        n_bits = entropy_of_columns(rounded(refined, step)) / len(few)
        return _Trial(exponent, layers, n_images * n_bits / 8)

    def packed(layers: list[RoundedLayer]) -> CompactDecoder:
        return CompactDecoder.of(alone, layers, picture, threshold)

    def finished(layers: list[RoundedLayer]) -> Fitted | None:
        decoder = packed(layers)
        codes = replace(search, network=decoder.network).codes(X, mapped)

        def again(model: CodeModel) -> Fitted:
            # As images to come are encoded.
            found = CodeSearch.of(
                decoder.network, model, n_pixels * mse, rotated=rotate
            )
            return Fitted(decoder, found.codes(X), model)

        def margin(parts: Fitted) -> float:
            symbols = parts.model.symbols(parts.codes)
            if wish.most_bits is not None:
                return 1 - float(parts.model.bits(symbols).mean()) / wish.most_bits
            images = decoder.decode(parts.model.codes(symbols))
            return wish.psnr(X, images) - least_psnr

        model = wish.code_model(X, codes, decoder.decode, least_psnr)
        if model is None:
            return None
        if not isinstance(model, RoundedCodes):
            return again(model)
        return _with_best_step(again, model.step, codes, margin, wish.is_quality)

    best: int | None = 0
    if wish.is_quality:
        best = _smallest(attempt, lambda layers: packed(layers).packed.size)
    if best is not None:
        # All training images may be harder than those of the search.
        for exponent in range(best, min(best, -_MOST_FINER) - 1, -_MUCH_FINER):
            if (parts := finished(layers_of(exponent))) is not None:
                return parts
    raise _too_bad("network", least_psnr)


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
    """Weights of a fineness, and the bytes of the codes of all images."""

    exponent: int
    layers: list[RoundedLayer]
    code_bytes: float


def _smallest(
    attempt: Callable[[int], _Trial | None],
    packed_size: Callable[[list[RoundedLayer]], int],
) -> int | None:
    """Find how fine weights make the fewest bytes; None if none are good enough."""
    trials = map(attempt, range(0, -_MOST_FINER, -1))
    best = next((trial for trial in trials if trial), None)
    if best is None:
        return None
    # Packing takes long, and always gains about as much.
    share = packed_size(best.layers) / max(_n_bits(best), 1)

    def total(trial: _Trial) -> float:
        return trial.code_bytes + share * _n_bits(trial)

    for direction in (-1, 1):
        before = best
        while trial := attempt(best.exponent + direction):
            if total(trial) >= total(best):
                break
            best = trial
        if best is not before:
            break
    return best.exponent


def _n_bits(trial: _Trial) -> float:
    return sum(layer.n_bits for layer in trial.layers)


def _too_bad(what: str, least_psnr: float) -> ValueError:
    return ValueError(
        f"The {what} restores some training images with less than {least_psnr:.2f} dB "
        "once it is rounded; ask for less, or give it more components."
    )
