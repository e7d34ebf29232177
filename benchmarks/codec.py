"""Real bytes and real quality of MNIST's test images, at five qualities.

A 784-1000-500-250-30 network of logistic units is trained on all 60,000 images (a few
minutes). It is compared with PCA, through the same codec, with 196 values, far more
than it needs: those that vary too little to matter cost next to nothing. For each
quality: the bytes per image of what `encode` returns, beside the entropy of its symbols
and what the codec's distributions promise; the PSNR of what `decode` returns; and the
time of encoding and decoding over that of the transformer alone. Then the bytes per
image of each at 24 decibels, interpolated between the nearest two. The model is not
counted.

Needs MNIST in the folder named by SKLEARN_DAE_DATA.

    python -m benchmarks.codec [epochs]
"""

import sys
import time

import numpy as np
from sklearn.decomposition import PCA

from benchmarks._timing import machine, side_by_side
from benchmarks.rbms import LOGISTIC, rbm
from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.codecs import TransformCodec
from sklearn_dae.datasets import load_mnist
from sklearn_dae.evaluation import psnr

HIDDEN, N_COMPONENTS = (1000, 500, 250), 30

#: PSNR of the training images, in decibels.
QUALITIES = (17.0, 20.0, 22.0, 24.0, 25.0)

#: PSNR at which methods are compared.
COMPARED = 24.0


def seconds(function, *arguments):
    """Call a function; return what it returns and the seconds it took."""
    begin = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - begin


def entropy(symbols):
    """Return bytes per row, each column coded by the frequencies of its own symbols."""
    bits = 0.0
    for column in symbols.T:
        counts = np.unique(column, return_counts=True)[1]
        bits -= (counts * np.log2(counts / len(column))).sum()
    return bits / 8 / len(symbols)


def curve(name, transformer, X, test):
    """Print a line for each quality; return bytes per image at the one compared."""
    print(f"\n{name}: PSNR, bytes an image, by entropy, as promised, encode, decode")
    codes, transform_time = seconds(transformer.transform, test)
    points = []
    for quality in QUALITIES:
        codec = TransformCodec(transformer, target_psnr=quality).fit(X)
        data, encode_time = seconds(codec.encode, test)
        decoded = codec.decode(data)
        times = side_by_side(
            {
                "decode": lambda data=data, codec=codec: codec.decode(data),
                "inverse": lambda: transformer.inverse_transform(codes),
            },
            n_rounds=5,
        )
        decode_ratio = np.median(times["decode"] / times["inverse"])
        symbols = codec.symbols(test)
        reached, size = psnr(test, decoded, (0, 255)), len(data) / len(test)
        points.append((reached, size))
        promised = codec.code_model_.bits(symbols).sum() / 8 / len(test)
        print(
            f"{reached:6.2f} dB {size:7.2f} {entropy(symbols):7.2f} {promised:7.2f} "
            f"{encode_time / transform_time:7.2f} {decode_ratio:7.2f}",
            flush=True,
        )
    reached, sizes = np.array(points).T
    return float(np.interp(COMPARED, reached, sizes, left=np.nan, right=np.nan))


def train(X, n_epochs):
    """Return the network, and the seconds that its training took."""
    dae = DeepAutoencoderCompressor(
        N_COMPONENTS,
        hidden_layer_sizes=HIDDEN,
        max_iter=n_epochs,
        random_state=0,
        **LOGISTIC | {"alpha": 1.5e-4, "pretraining": rbm(5), "transform_max_iter": 10},
    )
    return seconds(dae.fit, X)


def main():
    n_epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    X, test = load_mnist().data, load_mnist("test").data
    print(machine())
    dae, fit_time = train(X, n_epochs)
    print(f"{n_epochs} epochs and pretraining: {fit_time:.0f} s")
    methods = {"autoencoder, 30 values": dae, "PCA, 196 values": PCA(196).fit(X)}
    at_24 = {name: curve(name, t, X, test) for name, t in methods.items()}
    print(f"\nBytes an image at {COMPARED:g} dB, the model not counted:")
    for name, size in at_24.items():
        print(f"{name:24s} {size:7.2f}")


if __name__ == "__main__":
    main()
