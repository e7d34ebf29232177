"""What is minimised, as the solvers see it."""

from dataclasses import dataclass
from itertools import chain

import numpy as np

from sklearn_dae.network import Layout, Objective
from sklearn_dae.network._curvature import kronecker_factors
from sklearn_dae.network._objective import loss_and_gradient
from sklearn_dae.network._passes import activations
from sklearn_dae.network.layers._layer import Factor
from sklearn_dae.rows import RowBlocks


@dataclass(frozen=True)
class Problem:
    """An objective over rows.

    Parameters
    ----------
    rows : RowBlocks
        What to reconstruct.

    layout : Layout
        Sizes and units of the network.

    objective : Objective
        The loss and its penalties.
    """

    rows: RowBlocks
    layout: Layout
    objective: Objective

    def take(self, rows: np.ndarray) -> "Problem":
        """Return the same problem on the rows with the given indices."""
        return Problem(self.rows.take(rows), self.layout, self.objective)

    def take_spread(self, most: int) -> "Problem":
        """Return the same problem on at most ``most`` rows, evenly spread."""
        n_rows = self.rows.n_rows
        chosen = np.linspace(0, n_rows - 1, min(n_rows, most)).astype(int)
        return self.take(chosen)

    def loss_and_gradient(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient of the objective.

        Raises
        ------
        ValueError
            If either is not finite.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            loss, gradient = loss_and_gradient(
                theta, self.rows, self.layout, self.objective
            )
            if not (np.isfinite(loss) and np.isfinite(gradient).all()):
                raise ValueError(self._explain_overflow(theta))
        return loss, gradient

    def kronecker_factors(
        self, theta: np.ndarray, seed: int
    ) -> list[tuple[Factor, Factor]]:
        """Kronecker factors of the curvature of the loss.

        Raises
        ------
        ValueError
            If one is not finite: squares of activations overflow long before these do.
        """
        loss = self.objective.loss
        with np.errstate(over="ignore", invalid="ignore"):
            factors = kronecker_factors(theta, self.rows, self.layout, loss, seed)
            blocks = chain.from_iterable(A + G for A, G in factors)
            if not all(np.isfinite(block).all() for block in blocks):
                raise ValueError(self._explain_overflow(theta))
        return factors

    def _explain_overflow(self, theta: np.ndarray) -> str:
        """Name the first layer that overflows for some row, and the remedy."""
        return (
            f"The loss is no longer finite: {self._find_overflow(theta)} of the "
            f"network {self.layout} overflowed. Use bounded units "
            "(activation='logistic' or 'tanh'), a larger alpha, a smaller "
            "learning_rate_init, or RBMs with a smaller learning rate."
        )

    def _find_overflow(self, theta: np.ndarray) -> str:
        for x in self.rows:
            above = activations(theta, x, self.layout)[1:]
            for number, h in enumerate(above, start=1):
                if not np.isfinite(h).all():
                    return f"layer {number} ({self.layout.layers[number - 1]})"
        return "the gradient, or the curvature,"
