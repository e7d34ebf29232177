"""
Choose layers and codecs by grid searches
=========================================

The first search ranks PCA and autoencoders with different hidden layers by the squared
error of images that they have not seen. The second ranks codecs, with loss and without,
by the bits that they write and those that their error is worth.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.codecs import GeneralCodec, HuffmanCodec, PixelCodec, TransformCodec
from sklearn_dae.datasets import load_digits
from sklearn_dae.evaluation import reconstruction_scorer

parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
parser.add_argument("--output", type=Path, default=".", help="for the picture")
arguments = parser.parse_args()

X = load_digits().data
autoencoder = DeepAutoencoderCompressor(8, max_iter=15, random_state=0)

# %%
# Layers
# ------

layers = GridSearchCV(
    Pipeline([("compress", PCA(8))]),
    [
        {"compress": [PCA(8)]},
        {
            "compress": [autoencoder],
            "compress__hidden_layer_sizes": [(64,), (128, 64), (400, 200)],
        },
    ],
    scoring=reconstruction_scorer,
    cv=3,
    n_jobs=2,
).fit(X)

# %%
# Codecs
# ------
#
# A codec's own score is what a search takes by default.

codecs = GridSearchCV(
    Pipeline([("codec", HuffmanCodec())]),
    [
        {"codec": [PixelCodec(), HuffmanCodec(), GeneralCodec("lzma")]},
        {
            "codec": [TransformCodec(None)],
            "codec__transformer": [PCA(8), PCA(16), PCA(32), autoencoder],
        },
    ],
    cv=3,
    n_jobs=2,
).fit(X)


def name_of(parameters):
    """Name what a search tried."""
    if "compress" in parameters:
        sizes = parameters.get("compress__hidden_layer_sizes")
        return f"autoencoder, layers {sizes}" if sizes else "PCA"
    match parameters["codec"]:
        case PixelCodec():
            return "pixel model"
        case HuffmanCodec():
            return "Huffman"
        case GeneralCodec(method=method):
            return method
    transformer = parameters["codec__transformer"]
    kind = "PCA" if isinstance(transformer, PCA) else "autoencoder"
    return f"{kind}, {transformer.n_components} values"


figure, axes = plt.subplots(2, 1, figsize=(7, 5), layout="constrained")
for ax, search, label in (
    (axes[0], layers, "squared error of a held-out image, 8 values"),
    (axes[1], codecs, "bits of a held-out image, with those its error is worth"),
):
    cost = -search.cv_results_["mean_test_score"]
    deviation = search.cv_results_["std_test_score"]
    names = [name_of(parameters) for parameters in search.cv_results_["params"]]
    order = np.argsort(-cost)
    ax.barh([names[at] for at in order], cost[order], color="#56B4E9")
    for place, at in enumerate(order):
        text = f" {cost[at]:.1f} ± {deviation[at]:.1f}"
        ax.text(cost[at], place, text, va="center", fontsize=9)
        print(f"{names[at]:32s}{cost[at]:7.1f}")
    print(f"best: {names[search.best_index_]}\n")
    ax.set(xlabel=label, xlim=(0, 1.25 * cost.max()))
    ax.spines[["top", "right"]].set_visible(False)
figure.savefig(arguments.output / "grid_search.png")
plt.close("all")
