"""Lossless and bounded-error coding: bits per pixel, compared with other coders.

For MNIST's 10,000 test images and 1,148 chest X-rays: a `TransformCodec` around an
autoencoder and around PCA, each fitted to the training images, and around PCA with one
value, where next to nothing is predicted. They are compared with general-purpose
compressors (all pixels as one file), image formats (all images as one mosaic) and
Huffman coding. The model is not counted; its bytes are printed, and from how many
images on it pays off against the best of the peers. Decoded pixels are compared with
the originals.

Needs the folder named by SKLEARN_DAE_DATA, Pillow and imagecodecs.

    python -m benchmarks.lossless [epochs for MNIST]
"""

import sys

import numpy as np
from sklearn.decomposition import PCA

from benchmarks._timing import machine
from benchmarks.against_pca import load
from benchmarks.codec import seconds, train
from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.codecs import (
    GeneralCodec,
    HuffmanCodec,
    JpegXLCodec,
    PillowCodec,
    TransformCodec,
)
from sklearn_dae.datasets import load_mnist
from sklearn_dae.models import model_to_bytes

#: Largest errors of a pixel.
ERRORS = (0, 1, 3, 7)

#: What the codecs are compared with; `benchmarks.baselines` has more.
PEERS = {
    "gzip": GeneralCodec("gzip"),
    "bz2": GeneralCodec("bz2"),
    "lzma": GeneralCodec("lzma"),
    "Huffman": HuffmanCodec(),
    "PNG": PillowCodec("png"),
    "WebP": PillowCodec("webp", lossless=True),
    "JPEG 2000": PillowCodec("jpeg2000", lossless=True),
    "JPEG XL": JpegXLCodec(lossless=True),
}


def sizes_of_peers(X, test):
    return {
        name: len(codec.set_params(chunk_size=len(test)).fit(X).encode(test))
        for name, codec in PEERS.items()
    }


def measure(name, transformer, X, test, best_peer):
    for max_error in ERRORS:
        codec = TransformCodec(transformer, max_abs_error=max_error)
        _, fit_time = seconds(codec.fit, X)
        data, encode_time = seconds(codec.encode, test)
        decoded, decode_time = seconds(codec.decode, data)
        error = np.subtract(decoded, test, dtype=np.int16)
        assert np.abs(error).max() <= max_error
        line = (
            f"{name:20s} {max_error:5d} {8 * len(data) / test.size:8.4f} bits a pixel"
        )
        line += f", fit {fit_time:.0f} s, encode {encode_time:.1f}, decode "
        line += f"{decode_time:.1f} s"
        if max_error == 0:
            n_bytes = len(model_to_bytes(codec))
            saved = (best_peer - len(data)) / len(test)
            line += (
                f", model {n_bytes:,} bytes, pays from {n_bytes / saved:,.0f} images"
            )
        print(line, flush=True)


def compare(name, X, test, transformers):
    print(f"\n{name}: {len(test):,} images of {test.shape[1]} pixels")
    peers = sizes_of_peers(X, test)
    for peer, size in sorted(peers.items(), key=lambda item: item[1]):
        print(f"{peer:20s}       {8 * size / test.size:8.4f} bits a pixel")
    for label, transformer in transformers.items():
        measure(label, transformer, X, test, min(peers.values()))


def main():
    print(machine())
    n_epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    xrays = load("xray")
    dae = DeepAutoencoderCompressor(32, random_state=0).fit(xrays[0])
    compare(
        "Chest X-rays",
        *xrays,
        {"autoencoder, 32": dae, "PCA, 64": PCA(64), "PCA, 1": PCA(1)},
    )
    mnist = load_mnist().data, load_mnist("test").data
    dae, _ = train(mnist[0], n_epochs)
    compare("MNIST", *mnist, {"autoencoder, 30": dae, "PCA, 1": PCA(1)})


if __name__ == "__main__":
    main()
