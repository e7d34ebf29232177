"""Decoders in few bits: what rounding costs, and what archives take with all in them.

    python -m benchmarks.decoders rounding    # bits a weight against error
    python -m benchmarks.decoders totals      # bytes of archives at one quality

Rounding compares a decoder whose weights are rounded as codecs do with one whose layers
have one step each, relative to their standard deviation, and are coded by the entropy
of their symbols: at the same error of images, codes refined for both alike. Totals are
those of archives on disk, of the first digits of MNIST at 24 dB, beside PCA through the
same codec.
"""

import argparse
import math
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA

from benchmarks._timing import machine
from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.archive import write_archive
from sklearn_dae.codecs import TransformCodec
from sklearn_dae.codecs._code_search import CodeSearch
from sklearn_dae.codecs._code_space import CodeSpace
from sklearn_dae.codecs._step import decibels
from sklearn_dae.datasets import load_mnist
from sklearn_dae.entropy import pack_layer
from sklearn_dae.network import Network
from sklearn_dae.quantizers import round_decoder, with_layers

#: Images, values of a code, and units of the hidden layer.
SETS = ((1_000, 36, 16), (5_000, 40, 100), (20_000, 40, 150), (60_000, 40, 250))

#: Share of the penalty that would suit images to come: those stored are those learned.
LIGHTER = 0.2

QUALITY = 24.0


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


def totals() -> None:
    """Print bytes of archives."""
    for n_images, n_values, n_hidden in SETS:
        X = load_mnist().data[:n_images]
        images = X.reshape(-1, 28, 28)
        begin = time.perf_counter()
        dae = autoencoder(X, n_values, n_hidden)
        codecs = {
            f"autoencoder, {n_values} values, {n_hidden} hidden units": TransformCodec(
                dae, target_psnr=QUALITY
            ),
            "PCA": TransformCodec(PCA(150), target_psnr=QUALITY),
        }
        for name, codec in codecs.items():
            codec.fit(images)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "archive.dae")
                write_archive(path, images, codec)
                size = path.stat().st_size
            restored = codec.decode(codec.encode(images))
            mse = np.square(restored - images.astype(float)).mean()
            print(
                f"{n_images:,} digits, {name}: {size:,} bytes, of which decoder "
                f"{codec.decoder_.packed.size:,}; {decibels(mse, 255):.2f} dB; "
                f"{time.perf_counter() - begin:.0f} s",
                flush=True,
            )


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = {"rounding": rounding, "totals": totals}
    parser.add_argument("part", choices=parts)
    print(machine())
    parts[parser.parse_args().part]()


if __name__ == "__main__":
    main()
