"""
Huffman, JPEG, PCA and an autoencoder, in real bytes
====================================================

What an image of a set takes in the bytes that a codec really writes, and how well it
comes back. JPEG gets all images as one mosaic, since a file for each would be mostly
headers. The model of a codec is counted apart: it is stored once for any number of
images.

Digits of 8 x 8 pixels take half a minute; ``--data mnist`` takes 10,000 images of MNIST
to learn from, and some minutes.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.codecs import HuffmanCodec, PillowCodec, TransformCodec
from sklearn_dae.datasets import load_digits, load_mnist
from sklearn_dae.evaluation import RateDistortionDisplay

parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
parser.add_argument("--data", choices=["digits", "mnist"], default="digits")
parser.add_argument("--output", type=Path, default=".", help="for the picture")
arguments = parser.parse_args()

if arguments.data == "mnist":
    training, test = load_mnist("train").data[:10000], load_mnist("test").data[:2000]
    n_values, n_axes = 30, 100
else:
    # JPEG is made for pixels from 0 to 255, those of the digits go up to 16.
    training, test = train_test_split(
        load_digits().data * 15, test_size=0.2, random_state=0
    )
    n_values, n_axes = 16, 32

# PCA may have more values: those that do not pay take no bytes. An odd image here and
# there is to be as good or bad as the rest, rather than stored without loss.
autoencoder = DeepAutoencoderCompressor(n_values, random_state=0).fit(training)
pca = PCA(n_axes, random_state=0).fit(training)
bits = [16, 24, 32, 48, 64, 96, 128]
display = RateDistortionDisplay.from_codecs(
    {
        "autoencoder": (
            TransformCodec(autoencoder, fallback=False),
            "target_bits_per_sample",
            bits if arguments.data == "mnist" else bits[:5],
        ),
        "PCA": (TransformCodec(pca, fallback=False), "target_bits_per_sample", bits),
        "JPEG": (PillowCodec("jpeg"), "quality", [5, 10, 20, 40, 60, 80, 95]),
        "Huffman": HuffmanCodec(),
    },
    test,
    X_train=training,
)
for curve in display.curves:
    for point in curve:
        print(
            f"{curve.codec:12s}{point.bytes_per_image:7.1f} bytes an image, "
            f"{point.psnr:5.1f} dB; model {point.model_bytes:,} bytes"
        )
display.figure_.savefig(arguments.output / "huffman_jpeg_autoencoder.png")
plt.close("all")
