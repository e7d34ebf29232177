"""
Compress digits to 8 values
===========================

An autoencoder and PCA, both with 8 values an image, on digits that neither has seen.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.datasets import load_digits
from sklearn_dae.evaluation import ReconstructionDisplay, squared_error_per_image

parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
parser.add_argument("--output", type=Path, default=".", help="for the picture")
arguments = parser.parse_args()

digits = load_digits()
training, test = train_test_split(digits.data, test_size=0.2, random_state=0)

methods = {
    "autoencoder": DeepAutoencoderCompressor(8, random_state=0).fit(training),
    "PCA": PCA(8).fit(training),
}
for name, method in methods.items():
    restored = method.inverse_transform(method.transform(test))
    error = squared_error_per_image(test, np.clip(restored, 0, 16), (0, 16))
    print(f"{name}: squared error an image {error:.3f}")

display = ReconstructionDisplay.from_estimator(methods, test)
display.figure_.savefig(arguments.output / "compress_digits.png")
