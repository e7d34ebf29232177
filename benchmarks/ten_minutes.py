"""The best 784-1000-500-250-30 autoencoders of MNIST that ten minutes allow.

"rbms" is a network of logistic units that starts from RBMs, with the log loss; its
penalty was chosen with 10,000 of the training images held out. "jittered" is the same
with four added copies of each image, slightly rotated, stretched and shifted at random;
"default" is the default compressor. `fit_cost` predicts what an epoch will take, and so
how many fit. "patient" is "jittered" for 16 epochs, about a quarter of an hour. Each
trains once on all 60,000 images, and the test images are looked at once, at the end: as
the encoder compresses them, and with refined codes.

Needs MNIST in the folder named by SKLEARN_DAE_DATA. Ten minutes for each but "patient",
which runs only if asked for.

    python -m benchmarks.ten_minutes [rbms] [jittered] [default] [patient]
"""

import sys
import time
from typing import NamedTuple

import numpy as np

from benchmarks._timing import machine
from benchmarks.against_pca import error
from benchmarks.rbms import LOGISTIC, rbm
from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.datasets import jitter, load_mnist

#: Seconds; less than ten minutes, since epochs may take a fifth longer than predicted.
BUDGET = 600 * 0.82

HIDDEN, N_COMPONENTS = (1000, 500, 250), 30


class Training(NamedTuple):
    """Settings, jittered copies of each image, and epochs; None for as many as fit."""

    settings: dict
    n_copies: int = 0
    n_epochs: int | None = None


LOGISTIC_JITTERED = LOGISTIC | {"alpha": 7e-5, "pretraining": rbm(1)}

TRAININGS = {
    "rbms": Training(LOGISTIC | {"alpha": 1.5e-4, "pretraining": rbm(5)}),
    "jittered": Training(LOGISTIC_JITTERED, n_copies=4),
    "default": Training({}),
    "patient": Training(LOGISTIC_JITTERED, n_copies=4, n_epochs=16),
}


def main():
    original = load_mnist().data
    test = load_mnist("test").data
    print(machine())
    for name in sys.argv[1:] or ("rbms", "jittered", "default"):
        training = TRAININGS[name]
        begin = time.perf_counter()
        copies = [
            jitter(original, (28, 28), random_state=number)
            for number in range(training.n_copies)
        ]
        X = np.concatenate([original, *copies])
        dae = DeepAutoencoderCompressor(
            N_COMPONENTS,
            hidden_layer_sizes=HIDDEN,
            max_iter=0,
            random_state=0,
            **training.settings,
        ).fit(X)
        cost = dae.fit_cost(X)
        n_epochs = training.n_epochs
        if n_epochs is None:
            left = begin + BUDGET - time.perf_counter()
            n_epochs = int(left / cost.seconds_per_iteration)
        dae.set_params(warm_start=True, max_iter=n_epochs).fit(X)
        print(
            f"\n{name}: {dae.n_iter_} epochs, {cost.seconds_per_iteration:.1f} s each "
            f"foreseen; with all before them {time.perf_counter() - begin:.0f} s"
        )
        print("squared error   steps to refine codes")
        print("an image       0      10     100")
        for images_name, images in ("training", original[:10000]), ("test", test):
            errors = [
                error(dae.set_params(transform_max_iter=n_steps), images, 255)
                for n_steps in (0, 10, 100)
            ]
            print(f"{images_name:9s}", *(f"{value:7.3f}" for value in errors))


if __name__ == "__main__":
    main()
