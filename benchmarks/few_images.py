"""A few images: mini-batches of half of them, or SciPy's L-BFGS over all.

Held-out error of the default compressor over that of PCA, and seconds of its fit, with
the default solver and with "kfac-lbfgs", on a few digits or patches of photographs:
means over three disjoint sets of training images. All are told the range of pixels,
which few images may not fill. Takes ten minutes.

    python -m benchmarks.few_images [digits] [photographs]
"""

import sys
import time

import numpy as np
from sklearn.decomposition import PCA

from benchmarks._timing import machine
from benchmarks.against_pca import error, load_whole
from sklearn_dae import DeepAutoencoderCompressor

N_ROWS = (20, 100, 300)
N_VALUES = (4, 16)
N_SETS = 3
SOLVERS = ("kfac", "kfac-lbfgs")


def race(solver, n_values, training, test, high):
    """Return the error over that of PCA, and the seconds of the fit."""
    dae = DeepAutoencoderCompressor(
        n_values, solver=solver, pixel_range=(0, high), random_state=0
    )
    begin = time.perf_counter()
    dae.fit(training)
    seconds = time.perf_counter() - begin
    pca = PCA(n_values, random_state=0).fit(training)
    return error(dae, test, high) / error(pca, test, high), seconds


def main():
    print(f"{machine()}\n")
    print(f"{'':12s}  rows  values" + "".join(f"  {s:>20s}" for s in SOLVERS))
    for name in sys.argv[1:] or ("digits", "photographs"):
        rows, test = (X.astype(np.float32) for X in load_whole(name))
        high = float(rows.max())
        rows = np.random.default_rng(0).permutation(rows)
        for n_rows in N_ROWS:
            sets = [rows[k * n_rows : (k + 1) * n_rows] for k in range(N_SETS)]
            for n_values in N_VALUES:
                print(f"{name:12s}  {n_rows:4d}  {n_values:6d}", end="")
                for solver in SOLVERS:
                    ratio, seconds = np.mean(
                        [race(solver, n_values, X, test, high) for X in sets], axis=0
                    )
                    print(f"  {ratio:11.3f} {seconds:6.1f} s", end="", flush=True)
                print()


if __name__ == "__main__":
    main()
