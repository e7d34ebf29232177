"""What restricted Boltzmann machines are good for, next to the default network.

Each network learns from 10,000 images of MNIST by natural gradient. Errors are those of
10,000 other training images, as the encoder compresses them and with refined codes.

Needs MNIST in the folder named by SKLEARN_DAE_DATA. Takes five minutes.

    python -m benchmarks.rbms
"""

import time

from sklearn.decomposition import PCA

from benchmarks._timing import machine
from benchmarks.against_pca import error
from sklearn_dae import PAPER_SETTINGS, DeepAutoencoderCompressor
from sklearn_dae.compressor._pretraining import default_rbm
from sklearn_dae.datasets import load_mnist

N_ROWS = 10_000

#: The paper's units and loss, with a linear code.
LOGISTIC = PAPER_SETTINGS | {"code_activation": "identity", "solver": "kfac"}


def rbm(n_epochs):
    """Return the parameters of RBMs for many images."""
    return default_rbm(N_ROWS).set_params(n_iter=n_epochs)


RBM = rbm(10)

NETWORKS = {
    "default": {},
    "default, logistic units, RBMs": {"activation": "logistic", "pretraining": RBM},
    "the same, alpha 0.00025": {
        "activation": "logistic",
        "pretraining": RBM,
        "alpha": 2.5e-4,
    },
    "logistic, log loss, RBMs": LOGISTIC | {"alpha": 5e-4, "pretraining": RBM},
    "logistic, log loss, no RBMs": LOGISTIC | {"alpha": 5e-4, "pretraining": None},
}


def main():
    X = load_mnist().data
    training, held_out = X[:N_ROWS], X[-N_ROWS:]
    print(machine())
    for n_components in (30, 196):
        pca = PCA(n_components, svd_solver="covariance_eigh").fit(training)
        print(f"\n{n_components} values; PCA {error(pca, held_out, 255):.3f}")
        print("network                         seconds   encoder alone   refined")
        for name, settings in NETWORKS.items():
            dae = DeepAutoencoderCompressor(
                n_components,
                **{"max_iter": 10, "random_state": 0} | settings,
            )
            begin = time.perf_counter()
            dae.fit(training)
            seconds = time.perf_counter() - begin
            alone, refined = (
                error(dae.set_params(transform_max_iter=n_steps), held_out, 255)
                for n_steps in (0, 10)
            )
            print(f"{name:30s} {seconds:8.0f} {alone:15.3f} {refined:9.3f}", flush=True)


if __name__ == "__main__":
    main()
