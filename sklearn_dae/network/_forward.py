"""From inputs to activations.

A layer's input is one array: the activations of the layer below, next to them what
comes along the linear path, and a column of ones. So its pre-activations are one
matrix product with all its parameters, and its gradient is one matrix product too.
"""

from typing import NamedTuple

import numpy as np

from sklearn_dae.network._layout import Layer, Layout
from sklearn_dae.network._units import UNITS


class Pass(NamedTuple):
    """What a forward pass leaves behind.

    Parameters
    ----------
    inputs : list of ndarray
        Input of each layer, of shape (n_samples, n_in + 1), ones last.

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
        Sizes and units.

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
    dtype = np.result_type(X, theta)
    inputs: list[np.ndarray] = []
    below = X
    for index in layers:
        layer = layout.layers[index]
        if not inputs:
            taken_in = _empty_inputs(len(X), layer, dtype)
            taken_in[:, : layer.n_below] = X
        if index in (0, layout.n_encoder_layers):
            start_of_half = below
        if layer.n_direct:
            taken_in[:, layer.n_below : -1] = start_of_half
        inputs.append(taken_in)
        if index == layers[-1]:
            return Pass(inputs, taken_in @ parameters[index])
        # The activations are written where the next layer reads them.
        above = layout.layers[index + 1]
        taken_in = _empty_inputs(len(X), above, dtype)
        below = taken_in[:, : above.n_below]
        np.matmul(inputs[-1], parameters[index], out=below)
        UNITS[layer.unit].activate(below)
    raise ValueError("There are no layers to go through.")


def _empty_inputs(n_rows: int, layer: Layer, dtype: np.dtype) -> np.ndarray:
    inputs = np.empty((n_rows, layer.n_in + 1), dtype)
    inputs[:, -1] = 1
    return inputs


def forward(
    theta: np.ndarray, X: np.ndarray, layout: Layout, layers: range | None = None
) -> list[np.ndarray]:
    """Activations of each layer, the input first.

    Parameters
    ----------
    theta : ndarray of shape (n_parameters,)
        The parameter vector.

    X : ndarray of shape (n_samples, n_in)
        Input of the first of the ``layers``. It is not changed.

    layout : Layout
        Sizes and units.

    layers : range, default=None
        Which layers to go through, for example ``layout.encoder``; all when None.
        It starts where the encoder or the decoder does.

    Returns
    -------
    list of ndarray
        X itself, then an array of shape (n_samples, n_out) for each layer.
    """
    layers = range(len(layout.layers)) if layers is None else layers
    if not layers:
        return [X]
    inputs, z = forward_pass(theta, X, layout, layers)
    UNITS[layout.layers[layers[-1]].unit].activate(z)
    between = (
        taken_in[:, : layout.layers[index].n_below]
        for taken_in, index in zip(inputs[1:], layers[1:], strict=True)
    )
    return [X, *between, z]


def propagate(
    theta: np.ndarray, X: np.ndarray, layout: Layout, layers: range | None = None
) -> np.ndarray:
    """Activations of the last of the ``layers``; see `forward`."""
    return forward(theta, X, layout, layers)[-1]
