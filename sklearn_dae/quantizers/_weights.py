"""Weights of a decoder in few bits each.

In: a decoder alone, and codes of the images that it is to restore. Out: whole numbers
for its weights, and steps that turn them back.

A change of weights by D adds ``trace(A D G D')`` to the squared error of an image, if A
is the second moment of what a layer reads, and G, taken to be diagonal, what an error
of each of its units does to the pixels. With the Cholesky factor L of A, that is the
sum of ``(L' D)**2 * g``. Going through the rows from the last, the bias, to the first,
each is rounded after what makes up for the errors of those before has been added to it,
and all terms of the sum are alike if the step of row i and column j is
``step / (L_ii * sqrt(g_j))``. The total number of bits hardly depends on the order: the
product of all ``L_ii`` does not.

References
----------
Frantar, E. et al. (2023). OPTQ: accurate quantization for generative pre-trained
transformers. ICLR.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sklearn_dae._blas import one_blas_thread
from sklearn_dae.network import Network

#: Logarithms of steps have so many units an octave; they stay between these.
PER_OCTAVE = 4
LEAST_EXPONENT, MOST_EXPONENT = -128, 127

#: Largest symbol.
MOST_SYMBOL = 2**15 - 1

#: What numbers are rounded down by, beyond one half, where that changes a symbol from
#: 1 to 0; less where symbols are larger. Frequent symbols take fewer bits.
_DEAD_ZONE = 0.1

#: Damping of second moments, relative to their mean; and least curvature of a unit,
#: relative to the largest: one that changes nothing needs no bits, but has a step.
_DAMPING, _LEAST_CURVATURE = 1e-7, 1e-4


class RoundedLayer(NamedTuple):
    """The parameters of a layer as whole numbers.

    Parameters
    ----------
    symbols : ndarray of int32 of shape (n_inputs, n_out)
        Whole numbers, for the biases in the last row.

    row_exponents : ndarray of int of shape (n_inputs,)
        Logarithms of the rows' steps, in quarters of an octave.

    column_exponents : ndarray of int of shape (n_out,)
        Logarithms of the columns' steps.
    """

    symbols: np.ndarray
    row_exponents: np.ndarray
    column_exponents: np.ndarray

    def parameters(self) -> np.ndarray:
        """Return the parameters: float64 of shape (n_inputs, n_out)."""
        rows = 2.0 ** (self.row_exponents[:, np.newaxis] / PER_OCTAVE)
        return self.symbols * rows * 2.0 ** (self.column_exponents / PER_OCTAVE)


def round_layer(
    parameters: np.ndarray, moments: np.ndarray, curvature: np.ndarray, step: float
) -> RoundedLayer:
    """Round the parameters of a layer so that its outputs change little.

    Parameters
    ----------
    parameters : ndarray of shape (n_inputs, n_out)
        Weights, and biases in the last row.

    moments : ndarray of shape (n_inputs, n_inputs)
        Second moments of what the layer reads.

    curvature : ndarray of shape (n_out,)
        What an error of each unit adds to the error of an image, relative to its
        square.

    step : float
        Each parameter adds about ``step**2 / 12`` to the error.

    Returns
    -------
    RoundedLayer

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae.quantizers._weights import round_layer
    >>> W = np.array([[0.53, -1.02], [0.11, 0.98]])
    >>> rounded = round_layer(W, np.eye(2), np.ones(2), step=0.25)
    >>> rounded.symbols.tolist()
    [[2, -4], [0, 4]]
    >>> rounded.parameters().tolist()
    [[0.5, -1.0], [0.0, 1.0]]
    """
    n = len(moments)
    damping = _DAMPING * np.trace(moments) / n or 1.0
    with one_blas_thread():
        factor = np.linalg.cholesky(moments + damping * np.eye(n))
    diagonal = np.diag(factor)
    least = _LEAST_CURVATURE * curvature.max() or 1.0
    row_exponents = _exponents(step / diagonal)
    column_exponents = _exponents(1 / np.sqrt(np.maximum(curvature, least)))
    row_steps = 2.0 ** (row_exponents / PER_OCTAVE)
    column_steps = 2.0 ** (column_exponents / PER_OCTAVE)
    symbols = np.empty(parameters.shape, np.int32)
    errors = np.zeros(parameters.shape)
    for row in reversed(range(n)):
        with one_blas_thread():
            made_up = factor[row + 1 :, row] @ errors[row + 1 :] / diagonal[row]
        steps = row_steps[row] * column_steps
        symbols[row] = _rounded((parameters[row] - made_up) / steps)
        errors[row] = symbols[row] * steps - parameters[row]
    return RoundedLayer(symbols, row_exponents, column_exponents)


def _exponents(steps: np.ndarray) -> np.ndarray:
    exponents = np.rint(PER_OCTAVE * np.log2(steps))
    return np.clip(exponents, LEAST_EXPONENT, MOST_EXPONENT).astype(np.int64)


def _rounded(numbers: np.ndarray) -> np.ndarray:
    """Round to whole numbers, rather to smaller ones."""
    sizes = np.abs(numbers)
    bias = _DEAD_ZONE / np.maximum(sizes, 1)
    whole = np.floor(sizes + 0.5 - bias)
    return np.sign(numbers) * np.minimum(whole, MOST_SYMBOL)


def round_decoder(
    network: Network, codes: np.ndarray, step: float
) -> list[RoundedLayer]:
    """Round all layers of a decoder, each to what those before it make of the codes.

    Parameters
    ----------
    network : Network
        A decoder alone.

    codes : ndarray of shape (n_samples, n_components)
        Codes of images.

    step : float
        See `round_layer`. Errors are those of pixels scaled to [0, 1].

    Returns
    -------
    list of RoundedLayer
    """
    layout = network.layout
    curvatures = network.output_curvatures(codes)
    rounded: list[RoundedLayer] = []
    for index, curvature in enumerate(curvatures):
        inputs = network.layer_inputs(codes, index).astype(np.float64)
        with one_blas_thread():
            moments = inputs.T @ inputs / len(inputs)
        parameters = layout.split(network.theta)[index].astype(np.float64)
        rounded.append(round_layer(parameters, moments, curvature, step))
        network = with_layers(network, rounded)
    return rounded


def with_layers(network: Network, rounded: Sequence[RoundedLayer]) -> Network:
    """Return a network whose first layers are rounded."""
    theta = network.theta.copy()
    for parameters, layer in zip(network.layout.split(theta), rounded, strict=False):
        parameters[...] = layer.parameters()
    return replace(network, theta=theta)
