"""
Chest X-rays
============

Compress X-rays of 28 x 28 pixels by an autoencoder and by PCA, to the same quality, and
see what they take and what comes back. Takes two minutes on two cores.

The images are PneumoniaMNIST of MedMNIST (CC BY 4.0): download ``pneumoniamnist.npz``
from https://medmnist.com and name it by ``--data``.
"""

import argparse
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA

from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.codecs import TransformCodec
from sklearn_dae.evaluation import (
    FilterDisplay,
    LossCurveDisplay,
    RateDistortionDisplay,
    ReconstructionDisplay,
)
from sklearn_dae.images import read_images

folder = Path(os.environ.get("SKLEARN_DAE_DATA", "."))
parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
parser.add_argument(
    "--data", type=Path, default=folder / "xray" / "chest_xray_28.npz", metavar="FILE"
)
parser.add_argument(
    "--output", type=Path, default=Path(), help="folder of the pictures"
)
arguments = parser.parse_args()
if not arguments.data.is_file():
    parser.exit(
        0,
        f"There is no {arguments.data}. Download pneumoniamnist.npz from "
        "https://medmnist.com, and name it: --data pneumoniamnist.npz\n",
    )

with np.load(arguments.data) as arrays:
    suffix = "" if "train" in arrays else "_images"
training = read_images(arguments.data, key=f"train{suffix}")
test = read_images(arguments.data, key=f"test{suffix}")
print(f"{len(training):,} images to learn from, {len(test):,} held out")

# %%
# Training
# --------

autoencoder = DeepAutoencoderCompressor(32, random_state=0).fit(training.data)


def save(display, name):
    display.figure_.savefig(arguments.output / f"xrays_{name}.png")


save(LossCurveDisplay.from_estimator(autoencoder), "training")

# %%
# What comes back from ten bytes
# ------------------------------
#
# PCA may have more values: those that do not pay take no bytes. One of the images held
# out is so unlike the others that a codec would rather store it without loss; here it
# is to be as good or bad as the rest.

methods = {"autoencoder": autoencoder, "PCA": PCA(100, random_state=0)}
codecs = {
    name: TransformCodec(method, target_bits_per_sample=80, fallback=False)
    for name, method in methods.items()
}
for codec in codecs.values():
    codec.fit(training.data)
restored = ReconstructionDisplay.from_estimator(
    codecs, test.data, image_shape=test.image_shape
)
save(restored, "reconstructions")

# %%
# What PCA looks for
# ------------------

save(FilterDisplay.from_estimator(codecs["PCA"], n_filters=30), "principal_axes")

# %%
# Bytes and quality
# -----------------

curves = RateDistortionDisplay.from_codecs(
    {
        name: (codec, "target_bits_per_sample", [24, 40, 56, 80, 112])
        for name, codec in codecs.items()
    },
    test.data,
    X_train=training.data,
)
for curve in curves.curves:
    for point in curve:
        rate, quality = point.bytes_per_image, point.psnr
        print(f"{curve.codec:12s}{rate:6.1f} bytes {quality:6.2f} dB")
save(curves, "rate_distortion")
plt.close("all")
