"""A transformer -> what decodes, and codes for it.

Of a network, the decoder is kept, in few bits, so that it and the codes take the fewest
bytes in all. Weights may be stored finely, and then codes coarsely, or the other way
round. So one fineness of the weights is tried after another: for each, codes are
refined for the rounded decoder, and then rounded so that images are as good as is
wanted. A transformer that is no network is kept as it is.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from sklearn_dae.codecs._base import mean_squared_error
from sklearn_dae.codecs._code_model import CodeModel
from sklearn_dae.codecs._code_space import CodeSpace
from sklearn_dae.codecs._decoder import (
    CompactDecoder,
    Decoder,
    WholeDecoder,
    codes_of,
    refined_codes,
)
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

#: Quality from which on weights are as fine as they get.
_MOST_DECIBELS = 150

#: Steps by which codes are refined for a decoder that is hardly another.
_N_REFINING = 15


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
    mapped = codes_of(alone, X).astype(np.float32)
    mse = mean_squared_error(X, wish.images(restore(alone, mapped)))
    least_psnr = wish.least_psnr(mse)
    # Squared error of an image, pixels scaled to [0, 1].
    allowed = X.shape[1] * 10 ** (-min(least_psnr, _MOST_DECIBELS) / 10)
    share = _FIRST_SHARE if wish.is_quality else _SMALL_SHARE
    step = math.sqrt(12 * share * allowed / alone.layout.n_parameters)

    def packed(layers: list[RoundedLayer]) -> CompactDecoder:
        return CompactDecoder.of(alone, layers, picture, threshold)

    few, codes_of_few = sample(X, SEARCH_ROWS), sample(mapped, SEARCH_ROWS)

    def attempt(exponent: int) -> _Trial | None:
        layers = round_decoder(alone, mapped, step * _FACTOR**exponent)
        network = with_layers(alone, layers)
        refined = refined_codes(network, codes_of_few, few, _N_REFINING)
        model = wish.code_model(few, refined, partial(restore, network), least_psnr)
        if model is None:
            return None
        n_bits = float(model.bits(model.symbols(refined)).mean())
        return _Trial(exponent, layers, n_images * n_bits / 8)

    if wish.is_quality:
        layers = _smallest(attempt, lambda layers: packed(layers).packed.size)
    else:
        layers = round_decoder(alone, mapped, step)
    if layers is None:
        raise _too_bad("network", least_psnr)
    decoder = packed(layers)
    # From where codes of images to come start.
    codes = decoder.encode(X)
    model = wish.code_model(X, codes, decoder.decode, least_psnr)
    if model is None:
        raise _too_bad("network", least_psnr)
    return Fitted(decoder, codes, model)


class _Trial(NamedTuple):
    """Weights of a fineness, and the bytes of the codes of all images."""

    exponent: int
    layers: list[RoundedLayer]
    code_bytes: float


def _smallest(
    attempt: Callable[[int], _Trial | None],
    packed_size: Callable[[list[RoundedLayer]], int],
) -> list[RoundedLayer] | None:
    """Find the weights that make the fewest bytes; None if none are good enough."""
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
    return best.layers


def _n_bits(trial: _Trial) -> float:
    return sum(layer.n_bits for layer in trial.layers)


def _too_bad(what: str, least_psnr: float) -> ValueError:
    return ValueError(
        f"The {what} restores some training images with less than {least_psnr:.2f} dB "
        "once it is rounded; ask for less, or give it more components."
    )
