"""Write the golden archives that are not there yet.

    python tests/golden/make_archives.py

Every later version must read what is there, so no file is ever written anew: another
kind of archive gets a new file.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA

from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.archive import open_archive, write_archive
from sklearn_dae.codecs import HuffmanCodec, TransformCodec
from sklearn_dae.datasets import load_digits

FOLDER = Path(__file__).parent

TINY = np.array([[[0, 0], [0, 9]], [[0, 9], [9, 9]], [[7, 0], [0, 0]]], np.uint8)


def write_tiny(path):
    """Three images of two by two pixels with names, without loss, in two chunks."""
    codec = HuffmanCodec().fit(TINY[:2].reshape(2, 4))
    write_archive(
        path,
        TINY,
        codec,
        names=["a", "b", "ü"],
        chunk_size=2,
        metadata={"from": "the format's documentation"},
    )


def write_digits(path):
    """Digits as quantised principal components."""
    digits = load_digits()
    codec = TransformCodec(PCA(12), target_psnr=22).fit(digits.data)
    write_archive(path, digits.data[:30].reshape(-1, 8, 8), codec, chunk_size=12)


def write_lossless(path):
    """Digits without loss, predicted by a network: the same on every machine."""
    images = (load_digits().data * 15).astype(np.uint8)
    dae = DeepAutoencoderCompressor(4, hidden_layer_sizes=(10,), max_iter=5)
    codec = TransformCodec(dae.set_params(random_state=0), lossless=True)
    codec.fit(images[:300])
    write_archive(path, images[:30].reshape(-1, 8, 8), codec, chunk_size=12)


def main():
    """Write, and note what the archives hold."""
    for name, write in {
        "tiny": write_tiny,
        "digits": write_digits,
        "lossless": write_lossless,
    }.items():
        path = FOLDER / f"archive-{name}.dae"
        if not path.exists():
            write(path)
            with open_archive(path) as archive:
                pixels = archive[:].tolist()
            path.with_suffix(".json").write_text(json.dumps(pixels))


if __name__ == "__main__":
    main()
