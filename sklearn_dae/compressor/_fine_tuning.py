"""Fine-tuning: all parameters of the network at once, on the reconstruction cost."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sklearn_dae.network import reconstruction_loss
from sklearn_dae.rows import RowBlocks
from sklearn_dae.training import (
    RENEW_EVERY,
    AdamStep,
    KroneckerStep,
    Outcome,
    Problem,
    Progress,
    Step,
    minimize_lbfgs,
    minimize_minibatch,
)


class Defaults(NamedTuple):
    """What a solver uses where the user leaves the choice to it; 0 means unused."""

    max_iter: int
    learning_rate: float = 0.0
    damping: float = 0.0


#: Ways to fine-tune.
SOLVERS = {
    "kfac-lbfgs": Defaults(200, damping=0.03),
    "kfac": Defaults(40, learning_rate=0.2, damping=0.1),
    "adam": Defaults(40, learning_rate=1e-3),
    "lbfgs": Defaults(200),
}

#: Bound on the change of the loss by a step of "kfac", as a fraction of the loss. Most
#: of a log loss is the entropy of the pixels, which no network can lower.
MAX_CHANGE = {"squared_error": 0.01, "log_loss": 0.001}

#: Message of a fit with an infinite penalty, which "auto" may choose.
LEFT_AS_PCA = (
    "STOP: left as PCA, as training made images held out no better; give alpha to train"
)

#: Solvers whose iterations use all rows.
FULL_BATCH = ("kfac-lbfgs", "lbfgs")


@dataclass(frozen=True)
class Settings:
    """How to fine-tune; see the parameters of the compressor."""

    solver: str
    max_iter: int
    max_fun: int
    tol: float
    n_iter_no_change: int
    learning_rate: float
    batch_size: int
    damping: float
    max_change: float
    seed: int

    def make_step(self, n_parameters: int) -> Step:
        """Make the step of a mini-batch solver."""
        if self.solver == "adam":
            return AdamStep(n_parameters)
        return KroneckerStep(
            n_parameters,
            damping=self.damping,
            max_change=self.max_change,
            seed=self.seed,
        )


def fine_tune(
    problem: Problem,
    theta: np.ndarray,
    validation: RowBlocks | None,
    settings: Settings,
    on_iteration: Callable[[Progress], bool],
) -> tuple[Progress, Outcome]:
    """Minimise the objective, starting from ``theta``.

    Returns
    -------
    progress : Progress
        The best parameters, for the validation rows if there are any, and the curves.

    outcome : Outcome
        How fine-tuning ended.

    Raises
    ------
    ValueError
        If the objective or its gradient stops being finite.
    """

    def validation_loss(theta: np.ndarray) -> float:
        assert validation is not None
        loss = problem.objective.loss
        return reconstruction_loss(theta, validation, problem.layout, loss)

    progress = Progress(
        theta,
        validation_loss=None if validation is None else validation_loss,
        n_iter_no_change=settings.n_iter_no_change,
        tol=settings.tol,
        on_iteration=on_iteration,
    )
    if settings.max_iter == 0:
        return progress, Outcome("STOP: max_iter is 0", 0, False)
    if math.isinf(problem.objective.alpha):
        return progress, Outcome(LEFT_AS_PCA, 0, False)
    if settings.solver in FULL_BATCH:
        outcome = minimize_lbfgs(
            problem,
            theta,
            progress,
            max_iter=settings.max_iter,
            max_fun=settings.max_fun,
            tol=settings.tol,
            renew_every=RENEW_EVERY if settings.solver == "kfac-lbfgs" else None,
            damping=settings.damping,
            seed=settings.seed,
        )
    else:
        outcome = minimize_minibatch(
            problem,
            theta,
            progress,
            settings.make_step(len(theta)),
            max_iter=settings.max_iter,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            rng=np.random.default_rng(settings.seed),
        )
    return progress, outcome
