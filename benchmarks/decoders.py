"""Decoders in few bits: what rounding costs.

    python -m benchmarks.decoders

A decoder whose weights are rounded as codecs do, beside one whose layers have one step
each, relative to their standard deviation, and are coded by the entropy of their
symbols: at the same error of images, codes refined for both alike.
"""

import argparse
import math
from dataclasses import replace

import numpy as np

from benchmarks._timing import machine
from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.codecs._code_search import CodeSearch
from sklearn_dae.codecs._code_space import CodeSpace
from sklearn_dae.codecs._step import decibels
from sklearn_dae.datasets import load_mnist
from sklearn_dae.entropy import pack_layer
from sklearn_dae.network import Network
from sklearn_dae.quantizers import round_decoder, with_layers

#: Share of the penalty that would suit images to come: those stored are those learned.
LIGHTER = 0.2


def autoencoder(
    X: np.ndarray, n_values: int, n_hidden: int
) -> DeepAutoencoderCompressor:
    """Train an autoencoder for images that are all stored."""
    brief = DeepAutoencoderCompressor(
        n_values, hidden_layer_sizes=(n_hidden,), max_iter=1, random_state=0
    ).fit(X)
    return DeepAutoencoderCompressor(
        n_values,
        hidden_layer_sizes=(n_hidden,),
        alpha=LIGHTER * brief.alpha_,
        random_state=0,
    ).fit(X)


def rounding() -> None:
    """Print bytes of a decoder at equal errors."""
    X = load_mnist().data[:5000]
    network = autoencoder(X, 40, 100).network_
    codes = network.encode(X, 10)
    space = CodeSpace.learn(network.decode, codes)
    alone = network.without_encoder(space.mean, space.backward)
    codes = alone.encode(X, 30)
    n_weights = alone.layout.n_parameters
    # Without the map of codes, whose rows are of very different sizes.
    plain_codes = network.encode(X, 30)
    n = plain_codes.shape[1]
    as_trained = network.without_encoder(np.zeros(n), np.eye(n))
    print(f"decoder {alone.layout}, {n_weights:,} weights")

    def quality(rounded: Network, codes: np.ndarray) -> float:
        search = CodeSearch(rounded, math.inf, np.zeros(codes.shape[1]))
        restored = rounded.decode(search.codes(X, codes))
        return decibels(float(np.square(restored - X).mean()), 255)

    print(f"not rounded: {quality(alone, codes):.2f} dB")
    for step in (0.004, 0.0057, 0.008, 0.0113):
        layers = round_decoder(alone, codes, step)
        pictures = [None, (28, 28, 1)]
        ours = sum(map(len, map(pack_layer, layers, pictures)))
        wanted = quality(with_layers(alone, layers), codes)
        low, high = 1e-3, 2.0
        for _ in range(12):
            middle = math.sqrt(low * high)
            good = quality(plainly(as_trained, middle)[0], plain_codes) >= wanted
            low, high = (middle, high) if good else (low, middle)
        plain = plainly(as_trained, low)[1]
        print(
            f"{wanted:.2f} dB: ours {ours:,} bytes, {8 * ours / n_weights:.2f} bits a "
            f"weight; plain {plain:,.0f}, {8 * plain / n_weights:.2f}; ratio "
            f"{ours / plain:.3f}",
            flush=True,
        )


def plainly(network: Network, share: float) -> tuple[Network, float]:
    """Round layers to multiples of a share of their deviation; return the bytes too."""
    theta, n_bits = network.theta.copy(), 0.0
    for matrix in network.layout.split(theta):
        step = share * matrix[:-1].std()
        symbols = np.rint(matrix / step)
        counts = np.unique(symbols, return_counts=True)[1]
        n_bits -= (counts * np.log2(counts / symbols.size)).sum()
        matrix[...] = symbols * step
    return replace(network, theta=theta), n_bits / 8


def main() -> None:
    """Print bytes of a decoder at equal errors."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    print(machine())
    rounding()


if __name__ == "__main__":
    main()
