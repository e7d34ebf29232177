"""The best 784-1000-500-250-30 autoencoder of MNIST that ten minutes give.

`fit_cost` tells what an epoch will take, so how many fit. The default compressor trains
on all 60,000 images, once, and the test images are looked at once, at the end.

Needs MNIST in the folder named by SKLEARN_DAE_DATA. Ten minutes.

    python -m benchmarks.ten_minutes
"""

import time

import numpy as np

from benchmarks._timing import machine
from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.datasets import load_mnist

#: What is left of the ten minutes aside, as epochs differ.
BUDGET = 600 * 0.93


def main():
    X = load_mnist().data
    test = load_mnist("test").data
    print(machine())
    begin = time.perf_counter()
    dae = DeepAutoencoderCompressor(
        30, hidden_layer_sizes=(1000, 500, 250), random_state=0
    )
    cost = dae.fit_cost(X)
    dae.set_params(max_iter=int(BUDGET / cost.seconds_per_iteration))
    print(f"{dae.max_iter} epochs of {cost.seconds_per_iteration:.1f} s foreseen")
    dae.fit(X)
    seconds = time.perf_counter() - begin
    scale = np.square(255.0)
    print(f"{dae.n_iter_} epochs, with the trial before them {seconds:.0f} s")
    for name, images in ("training", X[:10000]), ("test", test):
        print(f"squared error of the {name} images {-dae.score(images) / scale:.3f}")


if __name__ == "__main__":
    main()
