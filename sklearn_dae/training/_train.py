"""Training: all parameters of a network at once, on the reconstruction cost."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sklearn_dae.network import Layout, Objective
from sklearn_dae.network._objective import reconstruction_loss
from sklearn_dae.rows import RowBlocks
from sklearn_dae.training._adam import Adam
from sklearn_dae.training._lbfgs import RENEW_EVERY, minimize_lbfgs
from sklearn_dae.training._minibatch import Step, minimize_minibatch
from sklearn_dae.training._natural import NaturalGradient
from sklearn_dae.training._problem import Problem
from sklearn_dae.training._progress import Outcome, Progress


class Solver(NamedTuple):
    """What a solver uses where the caller leaves the choice to it; 0 means unused."""

    max_iter: int
    learning_rate: float = 0.0
    damping: float = 0.0


#: Ways to train. To add one of mini-batches, write a `Step` and make it in `make_step`.
SOLVERS = {
    "kfac-lbfgs": Solver(200, damping=0.03),
    "kfac": Solver(40, learning_rate=0.2, damping=0.1),
    "adam": Solver(40, learning_rate=1e-3),
    "lbfgs": Solver(200),
}

#: Solvers whose iterations use all rows.
FULL_BATCH = ("kfac-lbfgs", "lbfgs")

#: Bound on the change of the loss by a step of "kfac", as a fraction of the loss. Most
#: of a log loss is the entropy of the pixels, which no network can lower.
_MAX_CHANGE = {"squared_error": 0.01, "log_loss": 0.001}

#: Rows in a mini-batch: a tenth of all rows, but at least the first number, or half of
#: all rows if that is less, and at most the second.
_FEWEST_BATCH_ROWS, _MOST_BATCH_ROWS = 100, 1000


@dataclass(frozen=True)
class Settings:
    """How to train.

    Parameters
    ----------
    objective : Objective, default=Objective()
        What is minimised.

    solver : {"kfac", "kfac-lbfgs", "adam", "lbfgs"}, default="kfac"
        How it is minimised.

    max_iter : int, default=None
        Maximum number of iterations, or of epochs of a mini-batch solver. None means
        200 iterations, or 40 epochs.

    tol : float, default=1e-7
        L-BFGS stops when an iteration lowers the objective by less than this fraction
        of it (of 1, if the objective is below 1). A validation loss must fall by this
        fraction to count as improved.

    n_iter_no_change : int, default=10
        Number of consecutive iterations without a lower validation loss after which to
        stop.

    learning_rate : float, default=None
        Initial learning rate of a mini-batch solver. None means 0.2 for "kfac", 0.001
        for "adam".

    batch_size : int, default=None
        Rows in a mini-batch. None means a tenth of the rows, but at least 100, or half
        of them if that is less, and at most 1,000: few mean noisy gradients, many mean
        rare ones.

    seed : int, default=0
        Seed of the order of rows and of the targets that curvature is measured with.
    """

    objective: Objective = field(default_factory=Objective)
    solver: str = "kfac"
    max_iter: int | None = None
    tol: float = 1e-7
    n_iter_no_change: int = 10
    learning_rate: float | None = None
    batch_size: int | None = None
    seed: int = 0

    @property
    def n_iter(self) -> int:
        """Number of iterations, or of epochs, to train for."""
        chosen = self.max_iter
        return SOLVERS[self.solver].max_iter if chosen is None else chosen

    def batch_rows(self, n_rows: int) -> int:
        """Return the rows of a mini-batch, of so many in all."""
        if self.batch_size is not None:
            return self.batch_size
        fewest = min(_FEWEST_BATCH_ROWS, max(1, n_rows // 2))
        return min(_MOST_BATCH_ROWS, max(fewest, n_rows // 10))

    @property
    def initial_rate(self) -> float:
        """Initial learning rate."""
        chosen = self.learning_rate
        return SOLVERS[self.solver].learning_rate if chosen is None else chosen

    def make_step(self) -> Step:
        """Make the step of a mini-batch solver."""
        if self.solver == "adam":
            return Adam()
        damping = SOLVERS[self.solver].damping
        max_change = _MAX_CHANGE[self.objective.loss]
        return NaturalGradient(damping, max_change, self.seed)


@dataclass(frozen=True, eq=False)
class Trained:
    """What training arrived at.

    Parameters
    ----------
    theta : ndarray of shape (n_parameters,)
        The best parameters: for the validation rows, if there are any.

    loss_curve : list of float
        The objective after each iteration; for a mini-batch solver, its mean over the
        mini-batches of each epoch, up to where the epoch was undone, if it was.

    validation_loss_curve : list of float
        The loss of the validation rows after each iteration; empty without them.

    n_evaluations : int
        Number of gradients computed, over all rows or over mini-batches.

    message : str
        Why training ended, in SciPy's words where SciPy ended it.

    interrupted : bool
        Whether the user ended it by Ctrl-C.
    """

    theta: np.ndarray
    loss_curve: list[float] = field(default_factory=list)
    validation_loss_curve: list[float] = field(default_factory=list)
    n_evaluations: int = 0
    message: str = ""
    interrupted: bool = False

    @property
    def n_iter(self) -> int:
        """Number of iterations, or of epochs."""
        return len(self.loss_curve)


def train(
    rows: np.ndarray | RowBlocks,
    layout: Layout,
    settings: Settings | None = None,
    theta: np.ndarray | None = None,
    *,
    validation: RowBlocks | None = None,
    on_iteration: Callable[[Progress], bool] | None = None,
) -> Trained:
    """Train a network to reconstruct rows.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_features) or RowBlocks
        What to reconstruct: pixels scaled to [0, 1], of the dtype of ``theta``.

    layout : Layout
        The layers.

    settings : Settings, default=None
        How to train.

    theta : ndarray of shape (n_parameters,), default=None
        Parameters to start from; they are not changed. None means small random ones.

    validation : RowBlocks, default=None
        Rows that say when to stop and which parameters are best.

    on_iteration : callable, default=None
        Called with a `Progress` after each iteration; ends training by returning True.

    Returns
    -------
    Trained
        The best parameters, the curves, and why training ended.

    Raises
    ------
    ValueError
        If the objective or its gradient stops being finite.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae.network import Layout
    >>> from sklearn_dae.training import Settings, train
    >>> X = np.random.default_rng(0).random((200, 9), dtype=np.float32)
    >>> layout = Layout.autoencoder([9, 4], code="identity", output="identity")
    >>> trained = train(X, layout, Settings(max_iter=5))
    >>> trained.n_iter, trained.loss_curve[-1] < trained.loss_curve[0]
    (5, True)
    """
    settings = Settings() if settings is None else settings
    if theta is None:
        theta = layout.initial(np.random.RandomState(settings.seed))
    objective = settings.objective
    problem = Problem(RowBlocks.of(rows), layout, objective)

    def validation_loss(theta: np.ndarray) -> float:
        assert validation is not None
        return reconstruction_loss(theta, validation, layout, objective.loss)

    progress = Progress(
        theta,
        validation_loss=None if validation is None else validation_loss,
        n_iter_no_change=settings.n_iter_no_change,
        tol=settings.tol,
        on_iteration=on_iteration,
    )
    outcome = _minimize(problem, theta, progress, settings)
    return Trained(
        progress.best_theta,
        progress.loss_curve,
        progress.validation_loss_curve,
        outcome.n_evaluations,
        outcome.message,
        outcome.interrupted,
    )


def _minimize(
    problem: Problem, theta: np.ndarray, progress: Progress, settings: Settings
) -> Outcome:
    if settings.n_iter == 0:
        return Outcome("STOP: max_iter is 0", 0, False)
    if settings.solver in FULL_BATCH:
        return minimize_lbfgs(
            problem,
            theta,
            progress,
            max_iter=settings.n_iter,
            tol=settings.tol,
            renew_every=RENEW_EVERY if settings.solver == "kfac-lbfgs" else None,
            damping=SOLVERS[settings.solver].damping,
            seed=settings.seed,
        )
    return minimize_minibatch(
        problem,
        theta,
        progress,
        settings.make_step(),
        max_iter=settings.n_iter,
        batch_size=settings.batch_rows(problem.rows.n_rows),
        learning_rate=settings.initial_rate,
        rng=np.random.default_rng(settings.seed),
    )
