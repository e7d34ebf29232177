"""Held-out error of the default compressor over that of PCA, at many code sizes.

Digits, patches of 16 x 16 pixels of photographs, chest X-rays and MNIST, all images or
the first few, with the same defaults for all. PCA's reconstructions are clipped to the
pixel range, as ours are. The X-rays and MNIST need the folder named by
SKLEARN_DAE_DATA. The whole table takes two hours; name data sets to see part of it.

    python -m benchmarks.against_pca [digits] [photographs] [xray] [mnist-20000]
        [mnist-60000] [digits-100] [photographs-100] [photographs-300] [xray-300]
"""

import os
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_sample_images
from sklearn.decomposition import PCA
from sklearn.feature_extraction.image import extract_patches_2d
from sklearn.model_selection import train_test_split

from benchmarks._timing import machine
from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.datasets import load_digits, load_mnist

LARGE = (4, 8, 16, 30, 32, 64, 128, 196)
FEW = (4, 16, 32)
NAMES = {
    "digits": (2, 4, 8, 16, 32),
    "photographs": (4, 8, 16, 32, 64, 128),
    "xray": LARGE,
    "mnist-20000": LARGE,
    "mnist-60000": LARGE,
    "digits-100": FEW,
    "photographs-100": FEW,
    "photographs-300": FEW,
    "xray-300": FEW,
}


def load(name):
    """Return training rows, all or as many as the name says, and held-out rows."""
    name, _, n_rows = name.partition("-")
    training, test = load_whole(name)
    return training[: int(n_rows) if n_rows else None], test


def load_whole(name):
    """Return training and held-out rows of a whole data set."""
    if name == "digits":
        return train_test_split(load_digits().data, test_size=0.2, random_state=0)
    if name == "photographs":
        patches = [
            extract_patches_2d(
                image.mean(axis=2), (16, 16), max_patches=1500, random_state=0
            )
            for image in load_sample_images().images
        ]
        X = np.concatenate(patches).reshape(-1, 256)
        return train_test_split(X, test_size=0.2, random_state=0)
    if name == "xray":
        folder = Path(os.environ["SKLEARN_DAE_DATA"])
        with np.load(folder / "xray" / "chest_xray_28.npz") as arrays:
            return [arrays[part].reshape(-1, 784) for part in ("train", "test")]
    return load_mnist().data, load_mnist("test").data


def error(method, X, high):
    """Return the squared error per image, pixels scaled from [0, high] to [0, 1]."""
    restored = np.clip(method.inverse_transform(method.transform(X)), 0, high)
    return float(np.square((restored - X) / high).sum(axis=1).mean())


def main():
    print(machine())
    for name in sys.argv[1:] or NAMES:
        training, test = load(name)
        training, test = (X.astype(np.float32) for X in (training, test))
        high = float(training.max())
        print(f"\n{name}: {len(training):,} rows, {len(test):,} held out")
        print("values    PCA      autoencoder   ratio   training   seconds")
        for n_components in NAMES[name]:
            pca = PCA(n_components, svd_solver="covariance_eigh").fit(training)
            begin = time.perf_counter()
            dae = DeepAutoencoderCompressor(n_components, random_state=0)
            dae.fit(training)
            seconds = time.perf_counter() - begin
            theirs, ours = error(pca, test, high), error(dae, test, high)
            print(
                f"{n_components:6d} {theirs:8.3f} {ours:13.3f} {ours / theirs:9.3f} "
                f"{error(dae, training, high):10.3f} {seconds:9.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
