"""The training objective and its gradient.

The objective is the mean loss per row, plus penalties::

    1/n sum_i loss(x_i, reconstruction of x_i)
    + alpha / 2 ||weights||^2
    + sparsity sum_j KL(0.05 || mean activation of unit j)

where the last sum is over the units of every layer with bounded units, except the
output, and activations are fractions of a unit's range. The loss and its gradient are
sums over blocks of rows; matrix products are computed in the dtype of the data, sums of
losses in double precision.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sklearn_dae._threads import map_slabs
from sklearn_dae.network._layout import Layout
from sklearn_dae.network._losses import LOSSES
from sklearn_dae.network._passes import activations, backward_pass, forward_pass
from sklearn_dae.network._units import BOUNDED_UNITS
from sklearn_dae.rows import RowBlocks

#: Mean activation that the sparsity penalty asks of each unit, as a fraction of the
#: unit's range.
_TARGET_ACTIVATION = 0.05


@dataclass(frozen=True)
class Objective:
    """What is minimised.

    Parameters
    ----------
    loss : {"squared_error", "log_loss"}, default="squared_error"
        Summed over the pixels of an image, averaged over images.

    alpha : float, default=0.0
        Weight of the L2 penalty on the weights; biases and the linear path are
        exempt. The penalty is added to a mean over rows, so the meaning of ``alpha``
        does not depend on their number.

    sparsity : float, default=0.0
        Weight of the sparsity penalty.

    References
    ----------
    Atreya, A. and O'Shea, D. (2009). Novel lossy compression algorithms with
    stacked autoencoders. Stanford University, CS229 report.
    """

    loss: str = "squared_error"
    alpha: float = 0.0
    sparsity: float = 0.0


def loss_and_gradient(
    theta: np.ndarray,
    X: np.ndarray | RowBlocks,
    layout: Layout,
    objective: Objective | None = None,
) -> tuple[float, np.ndarray]:
    """Value of the objective at theta, and its gradient.

    Parameters
    ----------
    theta : ndarray of shape (n_parameters,)
        The parameter vector, of the floating-point dtype of the rows.

    X : ndarray of shape (n_samples, n_features) or RowBlocks
        Rows to reconstruct.

    layout : Layout
        The layers of the network.

    objective : Objective, default=None
        What to minimise; the plain squared error when None.

    Returns
    -------
    loss : float
        The objective.

    gradient : ndarray of shape (n_parameters,)
        Its gradient, of the dtype of ``theta``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae.network import Layout
    >>> from sklearn_dae.network._objective import loss_and_gradient
    >>> layout = Layout.autoencoder([4, 2])
    >>> theta = np.zeros(layout.n_parameters)
    >>> loss, gradient = loss_and_gradient(theta, np.eye(4), layout)
    >>> print(loss)  # each of 4 pixels comes out as a half
    1.0
    """
    objective = Objective() if objective is None else objective
    blocks = RowBlocks.of(X)
    n_rows = blocks.n_rows
    penalty, slopes = _sparsity_penalty(theta, blocks, layout, objective)
    loss, gradient = blocks.sum_lanes(
        lambda lane: _sums(theta, lane, layout, objective.loss, slopes)
    )
    alpha = objective.alpha

    def finish(slab: slice) -> float:
        """Make a slab of the gradient that of the mean; return its L2 penalty."""
        gradient[slab] /= n_rows
        return add_l2_penalty(theta, gradient, layout, alpha, slab) if alpha else 0.0

    penalty += sum(map_slabs(finish, len(gradient)))
    return loss / n_rows + penalty, gradient


def reconstruction_loss(
    theta: np.ndarray,
    X: np.ndarray | RowBlocks,
    layout: Layout,
    loss: str = "squared_error",
) -> float:
    """Mean loss per row, without penalties and without a gradient."""
    blocks = RowBlocks.of(X)
    unit = layout.layers[-1].unit
    (total,) = blocks.sum(
        lambda x: (LOSSES[loss](forward_pass(theta, x, layout).z, x, unit),)
    )
    return total / blocks.n_rows


def error_and_slope(
    theta: np.ndarray, codes: np.ndarray, X: np.ndarray, layout: Layout
) -> tuple[np.ndarray, np.ndarray]:
    """Squared error of each decoded image, and its derivative with respect to the code.

    Parameters
    ----------
    theta : ndarray of shape (n_parameters,)
        The parameter vector.

    codes : ndarray of shape (n_samples, n_components)
        Codes to decode.

    X : ndarray of shape (n_samples, n_features)
        Images that should come out.

    layout : Layout
        The layers of the network.

    Returns
    -------
    error : ndarray of shape (n_samples, 1)
        Squared error of each row.

    slope : ndarray of shape (n_samples, n_components)
        Its derivative with respect to the activations of the code layer.
    """
    inputs, output = forward_pass(theta, codes, layout, layout.decoder)
    last = layout.layers[-1]
    last.activate(output)
    delta = output - X
    error = np.einsum("ij,ij->i", delta, delta)[:, None]
    delta *= 2
    last.backpropagate(output, delta)
    *_, (_, slope) = backward_pass(theta, inputs, delta, layout, layers=layout.decoder)
    return error, slope


def _sums(
    theta: np.ndarray,
    blocks: Iterator[np.ndarray],
    layout: Layout,
    loss: str,
    slopes: list[np.ndarray | None],
) -> tuple[float, np.ndarray]:
    """Sum of the losses of the rows of some blocks, and its gradient."""
    gradient = np.empty_like(theta)
    gradients = layout.split(gradient)
    total = 0.0
    for number, x in enumerate(blocks):
        inputs, delta = forward_pass(theta, x, layout)
        total += LOSSES[loss](delta, x, layout.layers[-1].unit)
        for index, signal in backward_pass(theta, inputs, delta, layout, slopes):
            layer = layout.layers[index]
            if number == 0:
                layer.gradient(inputs[index], signal, gradients[index])
            else:
                gradients[index] += layer.gradient(inputs[index], signal)
    return total, gradient


def add_l2_penalty(
    theta: np.ndarray, gradient: np.ndarray, layout: Layout, alpha: float, slab: slice
) -> float:
    """Add the L2 penalty's slope to a slab of the gradient; return the penalty."""
    squares = 0.0
    for part in layout.weights_within(slab):
        weights = theta[part]
        gradient[part] += alpha * weights
        squares += float(weights @ weights)
    return alpha / 2 * squares


def _sparsity_penalty(
    theta: np.ndarray, blocks: RowBlocks, layout: Layout, objective: Objective
) -> tuple[float, list[np.ndarray | None]]:
    """Return the sparsity penalty and its slope with respect to a row's activations.

    The mean activations must be known before any gradient, so the penalty costs one
    more forward pass.
    """
    n_inner = len(layout.layers) - 1
    slopes: list[np.ndarray | None] = [None] * n_inner
    if not objective.sparsity:
        return 0.0, slopes

    def activation_sums(x: np.ndarray) -> tuple[np.ndarray, ...]:
        inner = activations(theta, x, layout, range(n_inner))[1:]
        return tuple(h.sum(axis=0, dtype=np.float64) for h in inner)

    target = _TARGET_ACTIVATION
    penalty = 0.0
    for index, activation_sum in enumerate(blocks.sum(activation_sums)):
        mean = activation_sum / blocks.n_rows
        unit = layout.layers[index].unit
        if unit not in BOUNDED_UNITS:
            continue
        low, high = BOUNDED_UNITS[unit]
        # A saturated unit has an infinite divergence; keep it finite.
        rate = np.clip((mean - low) / (high - low), 1e-6, 1 - 1e-6)
        divergence = target * np.log(target / rate) + (1 - target) * np.log(
            (1 - target) / (1 - rate)
        )
        penalty += objective.sparsity * float(divergence.sum())
        slope = ((1 - target) / (1 - rate) - target / rate) / (high - low)
        slopes[index] = (objective.sparsity * slope).astype(theta.dtype)
    return penalty, slopes
