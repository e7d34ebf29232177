"""Fine-tuning: all parameters of the network at once, on the reconstruction cost."""

from collections.abc import Callable

import numpy as np

from sklearn_dae.blocks import RowBlocks
from sklearn_dae.network import (
    UNITS,
    Layout,
    Objective,
    loss_and_gradient,
    preactivations,
    reconstruction_loss,
)
from sklearn_dae.training import Outcome, Progress, minimize_lbfgs


def fine_tune(
    theta: np.ndarray,
    training: RowBlocks,
    validation: RowBlocks | None,
    layout: Layout,
    objective: Objective,
    *,
    max_iter: int,
    max_fun: int,
    tol: float,
    n_iter_no_change: int,
    on_iteration: Callable[[Progress], bool],
) -> tuple[Progress, Outcome]:
    """Minimise the objective over the training rows from ``theta`` on.

    Returns
    -------
    progress : Progress
        The best parameters, for the validation rows if there are any, and the curves.

    outcome : Outcome
        How it ended.

    Raises
    ------
    ValueError
        If the objective or its gradient stops being finite.
    """

    def function(theta: np.ndarray) -> tuple[float, np.ndarray]:
        with np.errstate(over="ignore", invalid="ignore"):
            loss, gradient = loss_and_gradient(theta, training, layout, objective)
            if not (np.isfinite(loss) and np.isfinite(gradient).all()):
                raise ValueError(_explain_overflow(theta, training, layout))
        return loss, gradient

    def validation_loss(theta: np.ndarray) -> float:
        assert validation is not None
        return reconstruction_loss(theta, validation, layout, objective.loss)

    progress = Progress(
        theta,
        validation_loss=None if validation is None else validation_loss,
        n_iter_no_change=n_iter_no_change,
        tol=tol,
        on_iteration=on_iteration,
    )
    if max_iter == 0:
        return progress, Outcome("STOP: max_iter is 0", 0, False)
    outcome = minimize_lbfgs(
        function, theta, progress, max_iter=max_iter, max_fun=max_fun, tol=tol
    )
    return progress, outcome


def _explain_overflow(theta: np.ndarray, blocks: RowBlocks, layout: Layout) -> str:
    """Name the first layer that overflows for some row, and the remedy."""
    return (
        f"The loss is no longer finite: {_find_overflow(theta, blocks, layout)} of the "
        f"network {layout} overflowed. Use bounded units (activation='logistic' or "
        "'tanh'), a larger alpha, or pretraining with a smaller "
        "pretrain_learning_rate."
    )


def _find_overflow(theta: np.ndarray, blocks: RowBlocks, layout: Layout) -> str:
    for h in blocks:
        layers = zip(layout.layers, layout.split(theta), strict=True)
        for number, (layer, parameters) in enumerate(layers, start=1):
            z = preactivations(h, parameters)
            if not np.isfinite(z).all():
                return f"layer {number} ({layer})"
            UNITS[layer.unit].activate(z)
            h = z
    return "the gradient"
