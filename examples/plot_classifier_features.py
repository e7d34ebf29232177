"""
Codes as features of a classifier
=================================

An autoencoder in a Pipeline, before a logistic regression that tells the digits apart:
with few values, what it keeps of an image tells more of the digit than what PCA keeps,
although it has never been told which digit an image is. Takes half a minute.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_dae import DeepAutoencoderCompressor

parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
parser.add_argument("--output", type=Path, default=".", help="for the picture")
arguments = parser.parse_args()

X, digits = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, digits, test_size=0.3, stratify=digits, random_state=0
)


def accuracy(*steps):
    """Part of the held-out digits that a logistic regression recognises."""
    classifier = LogisticRegression(max_iter=2000)
    pipeline = make_pipeline(*steps, StandardScaler(), classifier)
    return pipeline.fit(X_train, y_train).score(X_test, y_test)


raw = accuracy()
print(f"{X.shape[1]} pixels: {raw:.3f}")
n_values = [2, 4, 8, 16]
accuracies = {"PCA": [], "autoencoder": []}
for n in n_values:
    accuracies["PCA"].append(accuracy(PCA(n, random_state=0)))
    autoencoder = DeepAutoencoderCompressor(n, random_state=0)
    accuracies["autoencoder"].append(accuracy(autoencoder))
    print(
        f"{n:2d} values: PCA {accuracies['PCA'][-1]:.3f}, "
        f"autoencoder {accuracies['autoencoder'][-1]:.3f}"
    )

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
ax.axhline(raw, color="#000000", linestyle=":", linewidth=1)
ax.text(n_values[0], raw, f"all {X.shape[1]} pixels", va="bottom", fontsize=9)
for name, style, colour in (
    ("PCA", "s--", "#D55E00"),
    ("autoencoder", "o-", "#0072B2"),
):
    ax.plot(n_values, accuracies[name], style, color=colour, label=name)
ax.set(
    xlabel="values an image is kept as",
    ylabel="held-out digits recognised",
    xticks=n_values,
)
ax.legend()
ax.grid(alpha=0.3)
ax.spines[["top", "right"]].set_visible(False)
figure.savefig(arguments.output / "classifier_features.png")
plt.close("all")
