"""Wide images: seconds, memory and error of the default compressor.

Chest X-rays of 28 x 28 pixels, enlarged to 32 x 32, 64 x 64 and 128 x 128, 64 values
each, a few iterations. A Kronecker factor of more than 2,048 rows is cut into blocks.

Needs the X-rays in the folder named by SKLEARN_DAE_DATA. Takes about ten minutes.

    python -m benchmarks.wide
"""

import os
import resource
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import zoom
from sklearn.decomposition import PCA

from benchmarks._timing import machine
from sklearn_dae import DeepAutoencoderCompressor

N_COMPONENTS, N_ITER = 64, 10


def enlarged(images, side):
    """Return rows of images enlarged to side x side pixels."""
    factor = side / images.shape[1]
    larger = zoom(images.astype(np.float32), (1, factor, factor), order=1)
    return np.clip(np.rint(larger), 0, 255).astype(np.uint8).reshape(len(images), -1)


def error(method, X):
    """Return the squared error per image, with pixels scaled to [0, 1]."""
    restored = np.clip(method.inverse_transform(method.transform(X)), 0, 255)
    return float(np.square((restored - X) / 255).sum(axis=1).mean())


def main():
    print(machine())
    path = Path(os.environ["SKLEARN_DAE_DATA"]) / "xray" / "chest_xray_28.npz"
    with np.load(path) as arrays:
        training, test = arrays["train"][:2000], arrays["test"][:500]
    for side in (32, 64, 128):
        X, Z = (enlarged(images, side) for images in (training, test))
        dae = DeepAutoencoderCompressor(N_COMPONENTS, max_iter=N_ITER, random_state=0)
        cost = dae.fit_cost(X)
        begin = time.perf_counter()
        dae.fit(X)
        seconds = time.perf_counter() - begin
        pca = PCA(N_COMPONENTS, svd_solver="randomized", random_state=0).fit(X)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"\n{side} x {side}: {dae.network_.layout}\n"
            f"  foreseen: {cost}\n"
            f"  took {seconds:.0f} s; peak memory of the process, data and PCA "
            f"included, {peak:,.0f} MiB\n  squared error, training and held out: "
            f"{error(dae, X):.3f} {error(dae, Z):.3f}, PCA "
            f"{error(pca, X):.3f} {error(pca, Z):.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
