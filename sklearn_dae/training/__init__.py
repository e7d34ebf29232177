"""How parameters move: solvers, curvature, stopping.

In: rows, layers, settings and parameters to start from. Out: a `Trained` record; no
estimator is seen or changed. Another mini-batch solver is a `Step` in a file of its
own, made in `Settings.make_step`.
"""

from sklearn_dae.training._cost import FitCost
from sklearn_dae.training._train import Settings, Trained, train

__all__ = ["FitCost", "Settings", "Trained", "train"]
