"""Weights are equal to the last bit, however many cores and processes there are."""

import os
import subprocess
import sys
import zlib
from pathlib import Path

import joblib
import numpy as np
import pytest

from sklearn_dae import BernoulliRBM, DeepAutoencoderCompressor

#: Enough rows for four lanes, enough pixels and units for products in threads.
N_ROWS, N_PIXELS, HIDDEN = 2500, 100, (130,)

RBM = BernoulliRBM(n_iter=2, batch_size=25, persistent=False, momentum=0.9)

SETTINGS = {
    "kfac": {"max_iter": 2, "batch_size": 1500},
    "kfac-lbfgs": {"max_iter": 2},
    "adam": {"max_iter": 2, "batch_size": 700},
    "lbfgs": {"max_iter": 2, "pretraining": RBM, "sparsity": 0.01},
}


def _rows():
    rng = np.random.default_rng(0)
    return rng.random((N_ROWS, N_PIXELS), dtype=np.float32) ** 3


def weights(name):
    """Fit one of the models; return a checksum of all it has learned."""
    X = _rows()
    if name == "rbm":
        rbm = BernoulliRBM(
            300, batch_size=500, persistent=False, momentum=0.5, n_iter=2
        )
        rbm.set_params(random_state=0).fit(X)
        learned = [rbm.components_, rbm.intercept_visible_, rbm.transform(X)]
    else:
        dae = DeepAutoencoderCompressor(
            8,
            hidden_layer_sizes=HIDDEN,
            activation="logistic",
            solver=name,
            alpha=1e-4,
            random_state=0,
            **{"pretraining": None} | SETTINGS[name],
        ).fit(X)
        learned = [dae.network_.theta, dae.transform(X)]
    return [zlib.crc32(np.ascontiguousarray(array)) for array in learned]


def all_weights(n_jobs=1):
    """Fit all models in some number of processes."""
    names = [*SETTINGS, "rbm"]
    return joblib.Parallel(n_jobs)(joblib.delayed(weights)(name) for name in names)


def _run(setup="", **environment):
    """Return what another process finds, in which the setup runs first."""
    code = f"import sys\nsys.path.append({str(Path(__file__).parent)!r})\n{setup}"
    code += "\nfrom test_machines import all_weights\nprint(all_weights())"
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.fixture(scope="module")
def expected():
    return _run(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")


def _with_threads(n):
    """Return code that makes a process take itself for one with n cores."""
    return (
        "from threadpoolctl import threadpool_limits\n"
        "from sklearn_dae import _blas, _threads\n"
        f"_blas.MOST_THREADS = {n}\n"
        f"threadpool_limits({n}, user_api='blas')\n"
        f"assert _threads.n_threads() == {n}"
    )


@pytest.mark.parametrize("n", [2, 3, 8])
def test_number_of_cores_changes_no_bit(expected, n):
    assert _run(_with_threads(n)) == expected


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="processes are not bound to cores"
)
def test_a_single_core_changes_no_bit(expected):
    core = min(os.sched_getaffinity(0))
    assert _run(f"import os; os.sched_setaffinity(0, {{{core}}})") == expected


def test_number_of_threads_of_blas_changes_no_bit(expected):
    assert _run(OPENBLAS_NUM_THREADS="2", OMP_NUM_THREADS="2") == expected


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_number_of_processes_changes_no_bit(expected, n_jobs):
    assert str(all_weights(n_jobs)) == expected
