"""How parameters move: solvers, and what they share."""

from sklearn_dae.training._kronecker import Preconditioner
from sklearn_dae.training._lbfgs import (
    HISTORY,
    RENEW_EVERY,
    WHITENED_HISTORY,
    minimize_lbfgs,
    whitening,
)
from sklearn_dae.training._minibatch import (
    AdamStep,
    KroneckerStep,
    Step,
    count_batches,
    minimize_minibatch,
)
from sklearn_dae.training._outcome import Outcome
from sklearn_dae.training._problem import Problem
from sklearn_dae.training._progress import Progress

__all__ = [
    "HISTORY",
    "RENEW_EVERY",
    "WHITENED_HISTORY",
    "AdamStep",
    "KroneckerStep",
    "Outcome",
    "Preconditioner",
    "Problem",
    "Progress",
    "Step",
    "count_batches",
    "minimize_lbfgs",
    "minimize_minibatch",
    "whitening",
]
