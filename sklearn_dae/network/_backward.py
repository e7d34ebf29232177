"""From the slope of the loss at the output to the error signal of every layer."""

from collections.abc import Iterator, Sequence

import numpy as np

from sklearn_dae.network._layout import Layout
from sklearn_dae.network._units import UNITS


def backward_pass(
    theta: np.ndarray,
    inputs: list[np.ndarray],
    delta: np.ndarray,
    layout: Layout,
    slopes: Sequence[np.ndarray | None] | None = None,
    layers: range | None = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each layer's index and error signal, from the output to the input.

    The gradient of a layer's parameters is ``inputs[index].T @ signal``. The caller
    must be done with a signal, and with ``inputs[index]``, before asking for the next
    one, which is made from them.

    Parameters
    ----------
    theta : ndarray of shape (n_parameters,)
        The parameter vector.

    inputs : list of ndarray
        Input of each layer, from `forward_pass`; overwritten.

    delta : ndarray of shape (n_samples, n_out)
        Derivative of the loss with respect to the pre-activations of the output layer.

    layout : Layout
        Sizes and units.

    slopes : sequence of ndarray or None, default=None
        ``slopes[index]`` is added to the derivative with respect to the activations of
        layer ``index``, for every row.

    layers : range, default=None
        The layers that `forward_pass` went through; all when None. For the decoder
        alone, the last item is the derivative with respect to the codes.
    """
    parameters = layout.split(theta)
    layers = range(len(layout.layers)) if layers is None else layers
    direct_to_code = None
    for index in reversed(layers):
        yield index, delta
        if index == 0:
            return
        layer = layout.layers[index]
        weights = parameters[index][:-1]
        if layer.n_direct and index >= layout.n_encoder_layers:
            direct_to_code = delta @ weights[layer.n_below :].T
        delta = delta @ weights[: layer.n_below].T
        if direct_to_code is not None and index == layout.n_encoder_layers:
            delta += direct_to_code
        if index == layers[0]:
            yield index - 1, delta
            return
        if slopes is not None and (slope := slopes[index - 1]) is not None:
            delta += slope
        activations = inputs[index - layers[0]][:, : layer.n_below]
        UNITS[layout.layers[index - 1].unit].backpropagate(activations, delta)
