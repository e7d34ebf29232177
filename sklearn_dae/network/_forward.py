"""From inputs to activations."""

import numpy as np

from sklearn_dae.network._layout import Layout
from sklearn_dae.network._units import UNITS


def preactivations(inputs: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Return ``inputs @ weights + biases`` of a layer, whose last row the biases are.

    Parameters
    ----------
    inputs : ndarray of shape (n_samples, n_in)
        Activations of the layer below.

    parameters : ndarray of shape (n_in + 1, n_out)
        The layer's part of the parameter vector, from `Layout.split`.

    Returns
    -------
    ndarray of shape (n_samples, n_out)
        A new array.
    """
    z = inputs @ parameters[:-1]
    z += parameters[-1]
    return z


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

    Returns
    -------
    list of ndarray
        X itself, then an array of shape (n_samples, n_out) for each layer.
    """
    parameters = layout.split(theta)
    activations = [X]
    for index in range(len(layout.layers)) if layers is None else layers:
        z = preactivations(activations[-1], parameters[index])
        UNITS[layout.layers[index].unit].activate(z)
        activations.append(z)
    return activations


def propagate(
    theta: np.ndarray, X: np.ndarray, layout: Layout, layers: range | None = None
) -> np.ndarray:
    """Activations of the last of the ``layers``; see `forward`."""
    return forward(theta, X, layout, layers)[-1]
