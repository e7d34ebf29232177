"""Through the layers and back: from inputs to activations, from slopes to signals."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from sklearn_dae.network._layout import Layout


class Pass(NamedTuple):
    """What a forward pass leaves behind.

    Parameters
    ----------
    inputs : list of ndarray
        Inputs of each layer, of shape (n_samples, n_inputs).

    z : ndarray of shape (n_samples, n_out)
        Pre-activations of the last layer.
    """

    inputs: list[np.ndarray]
    z: np.ndarray


def forward_pass(
    theta: np.ndarray, X: np.ndarray, layout: Layout, layers: range | None = None
) -> Pass:
    """Go through the layers up to the pre-activations of the last one.

    Parameters
    ----------
    theta : ndarray of shape (n_parameters,)
        The parameter vector.

    X : ndarray of shape (n_samples, n_in)
        Input of the first of the ``layers``. It is not changed.

    layout : Layout
        The layers.

    layers : range, default=None
        Which layers to go through; all when None. It starts where the encoder or
        the decoder does.

    Returns
    -------
    Pass
        All arrays are new.
    """
    parameters = layout.split(theta)
    layers = range(len(layout.layers)) if layers is None else layers
    if not layers:
        raise ValueError("There are no layers to go through.")
    dtype = np.result_type(X, theta)
    first = layout.layers[layers[0]]
    taken_in = first.empty_inputs(len(X), dtype)
    below = first.below(taken_in)
    below[...] = X
    inputs = []
    for index in layers:
        layer = layout.layers[index]
        if index in (0, layout.n_encoder_layers):
            start_of_half = below
        if layer.n_direct:
            layer.direct(taken_in)[...] = start_of_half
        inputs.append(taken_in)
        if index == layers[-1]:
            break
        # The activations are written where the next layer reads them.
        above = layout.layers[index + 1]
        taken_in = above.empty_inputs(len(X), dtype)
        below = above.below(taken_in)
        layer.forward(parameters[index], inputs[-1], below)
        layer.activate(below)
    return Pass(inputs, layer.forward(parameters[index], taken_in))


def activations(
    theta: np.ndarray, X: np.ndarray, layout: Layout, layers: range | None = None
) -> list[np.ndarray]:
    """Activations of each of the ``layers``, X itself first; see `forward_pass`."""
    layers = range(len(layout.layers)) if layers is None else layers
    if not layers:
        return [X]
    inputs, z = forward_pass(theta, X, layout, layers)
    layout.layers[layers[-1]].activate(z)
    between = (
        layout.layers[index].below(taken_in)
        for taken_in, index in zip(inputs[1:], layers[1:], strict=True)
    )
    return [X, *between, z]


def backward_pass(
    theta: np.ndarray,
    inputs: list[np.ndarray],
    delta: np.ndarray,
    layout: Layout,
    slopes: Sequence[np.ndarray | None] | None = None,
    layers: range | None = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each layer's index and error signal, from the output to the input.

    The caller must be done with a signal, and with ``inputs[index]``, before asking for
    the next one, which is made from them.

    Parameters
    ----------
    theta : ndarray of shape (n_parameters,)
        The parameter vector.

    inputs : list of ndarray
        Inputs of each layer, from `forward_pass`; overwritten.

    delta : ndarray of shape (n_samples, n_out)
        Derivative of the loss with respect to the pre-activations of the output layer.

    layout : Layout
        The layers.

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
        if index == 0 and layout.n_encoder_layers:
            return
        layer = layout.layers[index]
        if layer.n_direct and index >= layout.n_encoder_layers:
            direct_to_code = layer.backward_direct(parameters[index], delta)
        delta = layer.backward(parameters[index], delta)
        if direct_to_code is not None and index == layout.n_encoder_layers:
            delta += direct_to_code
        if index == layers[0]:
            yield index - 1, delta
            return
        if slopes is not None and (slope := slopes[index - 1]) is not None:
            delta += slope
        below = layer.below(inputs[index - layers[0]])
        layout.layers[index - 1].backpropagate(below, delta)
