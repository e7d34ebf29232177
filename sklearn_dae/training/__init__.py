"""How parameters move: solvers, and what they share."""

from sklearn_dae.training._lbfgs import Outcome, minimize_lbfgs
from sklearn_dae.training._progress import Progress

__all__ = ["Outcome", "Progress", "minimize_lbfgs"]
