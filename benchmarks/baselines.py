"""Lossless codecs: bits per pixel, and the time that they take.

For MNIST's 10,000 test images and 1,148 chest X-rays, all in one chunk, after `fit` on
the training images. Decoded pixels are compared with the originals. What is learned in
`fit`, the model, is counted; the second number is without it.

Needs the folder named by SKLEARN_DAE_DATA, and the extra full.

    python -m benchmarks.baselines
"""

import numpy as np

from benchmarks._timing import machine
from benchmarks.against_pca import load
from benchmarks.codec import seconds
from sklearn_dae.codecs import (
    GeneralCodec,
    HuffmanCodec,
    JpegLSCodec,
    JpegXLCodec,
    PillowCodec,
    PixelCodec,
    SetRedundancyCodec,
)
from sklearn_dae.datasets import load_mnist
from sklearn_dae.models import model_to_bytes

CODECS = {
    "PixelCodec": PixelCodec(),
    "PixelCodec, effort 1": PixelCodec(effort=1),
    "Huffman": HuffmanCodec(),
    "Min-Max Differential": SetRedundancyCodec("min_max_differential"),
    "Min-Max Predictive": SetRedundancyCodec("min_max_predictive"),
    "Centroid": SetRedundancyCodec("centroid"),
    "gzip": GeneralCodec("gzip"),
    "zstd": GeneralCodec("zstd"),
    "bz2": GeneralCodec("bz2"),
    "lzma": GeneralCodec("lzma"),
    "PNG": PillowCodec("png"),
    "PNG, files": PillowCodec("png", layout="files"),
    "JPEG-LS": JpegLSCodec(),
    "JPEG 2000": PillowCodec("jpeg2000", lossless=True),
    "WebP": PillowCodec("webp", lossless=True),
    "AVIF": PillowCodec("avif", lossless=True),
    "JPEG XL": JpegXLCodec(lossless=True),
    "JPEG XL, effort 7": JpegXLCodec(lossless=True, effort=7),
}


def measure(name, codec, X, test):
    codec.set_params(chunk_size=len(test)).fit(X)
    data, encode_time = seconds(codec.encode, test)
    decoded, decode_time = seconds(codec.decode, data)
    assert np.array_equal(decoded, test)
    model = len(model_to_bytes(codec))
    with_model, without = (8 * n / test.size for n in (len(data) + model, len(data)))
    print(
        f"{name:20s} {with_model:6.3f} bits a pixel, {without:6.3f} without the model "
        f"of {model:7,} bytes; encode {encode_time:.1f}, decode {decode_time:.1f} s",
        flush=True,
    )


def main():
    print(machine())
    for title, X, test in (
        ("MNIST", load_mnist().data, load_mnist("test").data),
        ("Chest X-rays", *load("xray")),
    ):
        print(f"\n{title}: {len(test):,} images of {test.shape[1]} pixels")
        for name, codec in CODECS.items():
            measure(name, codec, X, test)


if __name__ == "__main__":
    main()
