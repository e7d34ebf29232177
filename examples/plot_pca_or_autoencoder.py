"""
PCA or an autoencoder, at 2 to 30 values
========================================

The error of held-out images for each number of values an image is kept as, and where
both put the images when that number is 2: the colours and the signs are the digits,
which neither has been told.

Digits of 8 x 8 pixels take half a minute; ``--data mnist`` takes 10,000 images of
MNIST, and ten minutes.
"""

import argparse
import gzip
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import LogLocator
from sklearn import datasets
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.datasets import load_digits, load_mnist
from sklearn_dae.evaluation import squared_error_per_image

parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
parser.add_argument("--data", choices=["digits", "mnist"], default="digits")
parser.add_argument(
    "--n-components", type=int, nargs="+", default=[2, 4, 8, 16, 30], metavar="N"
)
parser.add_argument(
    "--output", type=Path, default=Path(), help="folder of the pictures"
)
arguments = parser.parse_args()

if arguments.data == "mnist":
    if "SKLEARN_DAE_DATA" not in os.environ:
        parser.exit(0, "Set SKLEARN_DAE_DATA to the folder with MNIST's IDX files.\n")
    training, test = load_mnist("train").data[:10000], load_mnist("test").data[:2000]
    folder = Path(os.environ["SKLEARN_DAE_DATA"])
    (labels_file,) = folder.glob("**/t10k-labels-idx1-ubyte*")
    content = labels_file.read_bytes()
    if labels_file.suffix == ".gz":
        content = gzip.decompress(content)
    labels = np.frombuffer(content, np.uint8, offset=8)[:2000]
else:
    training, test, _, labels = train_test_split(
        load_digits().data, datasets.load_digits().target, test_size=0.2, random_state=0
    )
low, high = float(training.min()), float(training.max())

# %%
# Error by the number of values
# -----------------------------

errors = {"PCA": [], "autoencoder": []}
planes = {}
for n_components in arguments.n_components:
    methods = {
        "PCA": PCA(n_components, random_state=0),
        "autoencoder": DeepAutoencoderCompressor(n_components, random_state=0),
    }
    for name, method in methods.items():
        codes = method.fit(training).transform(test)
        restored = np.clip(method.inverse_transform(codes), low, high)
        errors[name].append(squared_error_per_image(test, restored, (low, high)))
        if n_components == 2:
            planes[name] = codes
    print(
        f"{n_components:3d} values: PCA {errors['PCA'][-1]:6.3f}, "
        f"autoencoder {errors['autoencoder'][-1]:6.3f}"
    )

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name, style in {"PCA": "s--", "autoencoder": "o-"}.items():
    colour = {"PCA": "#D55E00", "autoencoder": "#0072B2"}[name]
    ax.plot(arguments.n_components, errors[name], style, color=colour)
    ax.annotate(
        name,
        (arguments.n_components[-1], errors[name][-1]),
        (8, 0),
        textcoords="offset points",
        va="center",
        color=colour,
    )
ax.set(
    xlabel="values an image is kept as",
    ylabel="squared error of a held-out image",
    yscale="log",
    xticks=arguments.n_components,
)
ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
ax.yaxis.set_major_formatter("{x:g}")
ax.grid(alpha=0.3)
ax.spines[["top", "right"]].set_visible(False)
figure.savefig(arguments.output / "pca_or_autoencoder_error.png")

# %%
# Two values an image
# -------------------

colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000"] * 2
if planes:
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained")
    for ax, (name, codes) in zip(axes, planes.items(), strict=True):
        for digit, colour in enumerate(colours):
            points = codes[labels == digit].T
            ax.plot(*points, linestyle="", marker=f"${digit}$", color=colour)
        ax.set(title=name, xlabel="first value", ylabel="second value")
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(arguments.output / "pca_or_autoencoder_plane.png")
plt.close("all")
