"""Kronecker factors of the curvature.

The Fisher information of a layer's parameters, which for the losses here is the
Gauss-Newton approximation of the Hessian, is close to the Kronecker product of two
small matrices: for a fully connected layer, the second moment A of its input (ones
included) and the second moment G of its error signals, with targets drawn from what the
network itself predicts. As the network predicts pixels independently of each other, G
of the output layer is diagonal. Any other factor of more than ``block_size`` rows is
replaced by the blocks along its diagonal.
"""

from itertools import islice

import numpy as np

from sklearn_dae.network._layout import Layout
from sklearn_dae.network._losses import SAMPLED_SLOPES
from sklearn_dae.network._passes import backward_pass, forward_pass
from sklearn_dae.network.layers._layer import Factor
from sklearn_dae.rows import RowBlocks

#: Maximum number of rows of a factor that is kept whole.
BLOCK_SIZE = 2048


def kronecker_factors(
    theta: np.ndarray,
    X: np.ndarray | RowBlocks,
    layout: Layout,
    loss: str,
    seed: int,
    block_size: int = BLOCK_SIZE,
) -> list[tuple[Factor, Factor]]:
    """Kronecker factors of the curvature of the mean loss per row, for each layer.

    Parameters
    ----------
    theta : ndarray of shape (n_parameters,)
        The parameter vector.

    X : ndarray of shape (n_samples, n_features) or RowBlocks
        Rows to average over.

    layout : Layout
        The layers of the network.

    loss : {"log_loss", "squared_error"}
        The loss.

    seed : int
        Seed for drawing the targets.

    block_size : int, default=2048
        Rows of the largest matrix; larger ones are cut into blocks.

    Returns
    -------
    list of (A, G)
        For each layer, the second moment of its inputs, whose blocks together have
        as many rows as its parameters, and that of its error signals, with as many
        rows as they have columns.

    References
    ----------
    Martens, J. and Grosse, R. (2015). Optimizing neural networks with
    Kronecker-factored approximate curvature. ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae.network import Layout
    >>> from sklearn_dae.network._curvature import kronecker_factors
    >>> layout = Layout.autoencoder([4, 2])
    >>> theta = np.zeros(layout.n_parameters)
    >>> factors = kronecker_factors(theta, np.eye(4), layout, "log_loss", seed=0)
    >>> [(A[0].shape, G[0].shape) for A, G in factors]
    [((5, 5), (2, 2)), ((3, 3), (4,))]
    """
    blocks = RowBlocks.of(X)
    n_layers = len(layout.layers)
    counts: list[tuple[int, int]] = [(0, 0)] * n_layers

    def second_moments(start: int, x: np.ndarray) -> tuple[np.ndarray, ...]:
        rng = np.random.Generator(np.random.SFC64([seed, start]))
        inputs, delta = forward_pass(theta, x, layout)
        SAMPLED_SLOPES[loss](delta, layout.layers[-1].unit, rng)
        moments: list[Factor] = [[]] * n_layers
        for index, signal in backward_pass(theta, inputs, delta, layout):
            layer, seen = layout.layers[index], inputs[index]
            A = layer.input_moments(seen, block_size)
            G = layer.signal_moments(seen, signal, block_size, index == n_layers - 1)
            moments[index], counts[index] = A + G, (len(A), len(G))
        return tuple(block for pair in moments for block in pair)

    means = iter(
        total / blocks.n_rows for total in blocks.sum(second_moments, with_start=True)
    )
    return [
        (list(islice(means, n_of_A)), list(islice(means, n_of_G)))
        for n_of_A, n_of_G in counts
    ]


def factor_numbers(layout: Layout, block_size: int = BLOCK_SIZE) -> int:
    """Return how many numbers the factors of all layers hold, at most.

    Nothing is computed, so this is known before there is memory for them.

    Examples
    --------
    >>> from sklearn_dae.network import Layout
    >>> from sklearn_dae.network._curvature import factor_numbers
    >>> factor_numbers(Layout.autoencoder([4, 2]))
    42
    """
    total = 0
    for layer in layout.layers:
        n_inputs, n_out = layer.n_inputs, layer.n_out
        total += n_inputs * min(n_inputs, block_size) + n_out * min(n_out, block_size)
    # That of the output layer is diagonal.
    last = layout.layers[-1].n_out
    return total - last * min(last, block_size) + last
