"""Seconds per epoch of `BernoulliRBM`, against scikit-learn's and against the floor.

20,000 rows of 784 pixels, 1,000 hidden units, batches of 100, single precision,
persistent contrastive divergence as scikit-learn does it. The floor is the time of
the matrix products alone, 10 floating-point operations for each row, visible and
hidden unit, computed by NumPy with all its threads on the same shapes. The images are
MNIST if SKLEARN_DAE_DATA names it, otherwise random; the time is the same.

    python -m benchmarks.pretraining
"""

import os

import numpy as np
from sklearn.neural_network import BernoulliRBM as TheirRBM

from benchmarks._timing import machine, side_by_side
from sklearn_dae import BernoulliRBM
from sklearn_dae.datasets import load_mnist

N_EPOCHS = 1
N_ROWS, N_VISIBLE, N_HIDDEN, BATCH = 20000, 784, 1000, 100


def images():
    """Return rows of pixels in [0, 1]."""
    if os.environ.get("SKLEARN_DAE_DATA"):
        return load_mnist().data[:N_ROWS].astype(np.float32) / 255
    return np.random.default_rng(0).random((N_ROWS, N_VISIBLE), dtype=np.float32)


def floor(rng):
    """Return a function that computes the matrix products of the epochs."""
    visible = rng.random((2 * BATCH, N_VISIBLE), dtype=np.float32)
    hidden = rng.random((2 * BATCH, N_HIDDEN), dtype=np.float32)
    weights = rng.random((N_VISIBLE, N_HIDDEN), dtype=np.float32)
    new_visible = np.empty_like(visible[:BATCH])
    new_hidden = np.empty_like(hidden)
    gradient = np.empty_like(weights)

    def run():
        for _ in range(N_EPOCHS * N_ROWS // BATCH):
            np.matmul(hidden[:BATCH], weights.T, out=new_visible)
            np.matmul(visible, weights, out=new_hidden)
            np.matmul(visible.T, hidden, out=gradient)

    return run


def main():
    X = images()
    settings = {"n_components": N_HIDDEN, "batch_size": BATCH, "random_state": 0}
    ours = BernoulliRBM(n_iter=N_EPOCHS, **settings)
    divergence = BernoulliRBM(
        n_iter=N_EPOCHS,
        persistent=False,
        sample_visible=False,
        momentum=0.9,
        **settings,
    )
    theirs = TheirRBM(n_iter=N_EPOCHS, **settings)
    seconds = side_by_side(
        {
            "BernoulliRBM": lambda: ours.fit(X),
            "BernoulliRBM, CD-1 with momentum": lambda: divergence.fit(X),
            "scikit-learn's": lambda: theirs.fit(X),
            "floor: matrix products alone": floor(np.random.default_rng(0)),
        },
        n_rounds=9,
    )
    seconds = {name: times / N_EPOCHS for name, times in seconds.items()}
    print(f"{machine()}\n{N_ROWS} x {N_VISIBLE}, {N_HIDDEN} hidden, batch {BATCH}\n")
    for name, times in seconds.items():
        rate = 10 * N_ROWS * N_VISIBLE * N_HIDDEN / np.median(times) / 1e9
        print(f"{name:34s} {np.median(times):6.2f} s an epoch {rate:6.0f} GFLOP/s")
    ratio = seconds["scikit-learn's"] / seconds["BernoulliRBM"]
    share = seconds["floor: matrix products alone"] / seconds["BernoulliRBM"]
    print(
        f"\nscikit-learn's time over ours: {np.median(ratio):.2f}"
        f"\nfloor over ours: {np.median(share):.0%}"
    )


if __name__ == "__main__":
    main()
