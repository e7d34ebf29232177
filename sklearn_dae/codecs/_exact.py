"""Networks in arithmetic that gives the same result on every machine.

Matrix products of floats differ in their last bits between machines, since BLAS adds in
an order of its own, but a losslessly coded residual must be added to exactly the
prediction that it was taken from. So weights and activations are rounded here to a
*grid*, the integer multiples of a power of two, chosen so that every partial sum of a
product is such a multiple too, and less than 2**53 of them: then no addition rounds,
and the order does not matter. Everything else is done number by number, by operations
that IEEE 754 rounds the same way everywhere, or by tables. All of it is in double
precision.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from sklearn_dae._scaling import PixelScaler
from sklearn_dae._threads import multiply
from sklearn_dae.codecs._code_space import CodeSpace
from sklearn_dae.compressor import DeepAutoencoderCompressor
from sklearn_dae.network import Network

#: Largest multiple of its grid step that a factor of a product may reach: the weights
#: of a unit all together, or an activation.
_MOST_STEPS = 2.0**26

#: Activations of unbounded units stay within the bound and are multiples of the step.
_BOUND, _STEP = 2.0**14, 2.0**-12

#: Tables of bounded units: entries per unit of pre-activation, and where they end.
_ENTRIES, _END = 256, 16


def to_grid(x: np.ndarray, step: float) -> np.ndarray:
    """Round to multiples of a power of two, in double precision."""
    return np.rint(x.astype(np.float64) * (1 / step)) * step


def grid_of(bound: float) -> float:
    """Return the finest step of a grid that reaches from -bound to bound."""
    _, exponent = math.frexp(bound)
    return math.ldexp(1.0, exponent) / _MOST_STEPS


def weights_on_grid(weights: np.ndarray) -> np.ndarray:
    """Round weights of shape (n_in, n_out), ready for `multiply` with activations."""
    # Not the sum of the weights, which would depend on the order of addition.
    bound = len(weights) * float(np.abs(weights).max(initial=0.0))
    return to_grid(weights, grid_of(bound)) if bound else np.zeros(weights.shape)


def relu(z: np.ndarray) -> np.ndarray:
    """Clip at zero, and round to the grid of activations."""
    return to_grid(np.clip(z, 0, _BOUND), _STEP)


def _identity(z: np.ndarray) -> np.ndarray:
    return to_grid(np.clip(z, -_BOUND, _BOUND), _STEP)


def _clipped(z: np.ndarray) -> np.ndarray:
    return to_grid(np.clip(z, 0, 1), _STEP)


def unit_table(function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Tabulate a function in the middles of intervals of the pre-activation.

    The values are on a grid so coarse that all machines round them alike, though their
    exponential functions may differ in the last bit; the tests check how far the values
    are from a tie.
    """
    middles = (np.arange(-_END * _ENTRIES, _END * _ENTRIES) + 0.5) / _ENTRIES
    return to_grid(function(middles), _STEP)


def logistic(z: np.ndarray) -> np.ndarray:
    """Return the logistic function, for `unit_table`."""
    return 1 / (1 + np.exp(-z))


def _looked_up(table: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    def activate(z: np.ndarray) -> np.ndarray:
        index = np.floor(np.clip(z, -_END, _END) * _ENTRIES).astype(np.int64)
        return table.take(index + _END * _ENTRIES, mode="clip")

    return activate


#: Units of the network, by name.
EXACT_UNITS = {
    "identity": _identity,
    "relu": relu,
    "clipped": _clipped,
    "logistic": _looked_up(unit_table(logistic)),
    "tanh": _looked_up(unit_table(np.tanh)),
}


@dataclass(frozen=True)
class _ExactLayer:
    """A layer: ``unit(below @ weights + code @ direct + biases)``."""

    weights: np.ndarray
    direct: np.ndarray | None
    biases: np.ndarray
    unit: Callable[[np.ndarray], np.ndarray]

    def __call__(self, below: np.ndarray, code: np.ndarray) -> np.ndarray:
        z = multiply(below, self.weights)
        if self.direct is not None:
            z += multiply(code, self.direct)
        z += self.biases
        return self.unit(z)


def as_network(transformer: Any) -> Network:
    """Return the network that a fitted transformer is.

    Raises
    ------
    TypeError
        As for `check_exact`.
    """
    check_exact(transformer)
    if isinstance(transformer, DeepAutoencoderCompressor):
        return transformer.network_
    pixels, scale = PixelScaler(0, 255), 1.0
    if transformer.whiten:
        scale = np.sqrt(transformer.explained_variance_)
    return Network.linear(
        transformer.components_.astype(np.float64),
        transformer.mean_.astype(np.float64) / pixels.span,
        pixels,
        scale=scale / pixels.span,
    )


def check_exact(transformer: Any) -> None:
    """Raise TypeError for a transformer that is not known to be a network."""
    if not isinstance(transformer, DeepAutoencoderCompressor | PCA):
        raise TypeError(
            "Storing without loss, or with a bounded error, takes a transformer whose "
            "images come out the same on every machine: DeepAutoencoderCompressor or "
            f"PCA, got {type(transformer).__name__}."
        )


class ExactDecoder:
    """Decoder from quantised coordinates to 8-bit pixels.

    Parameters
    ----------
    transformer : DeepAutoencoderCompressor or PCA
        A fitted transformer.

    space : CodeSpace
        The space that the coordinates belong to.

    largest : float
        Bound on the absolute values of the coordinates.

    Raises
    ------
    TypeError
        As for `check_exact`.
    """

    def __init__(self, transformer: Any, space: CodeSpace, largest: float) -> None:
        network = as_network(transformer)
        self._space_weights = weights_on_grid(space.backward)
        self._space_mean = space.mean.astype(np.float64)
        self._largest = largest
        n = len(space.backward)
        reach = n * largest * float(np.abs(space.backward).max()) + float(
            np.abs(space.mean).max()
        )
        self._code_step, self._code_bound = grid_of(reach), reach
        self._layers = _exact_layers(network)
        self._low = float(network.scaler.low)
        self._span = float(network.scaler.span)

    def __call__(self, coordinates: np.ndarray) -> np.ndarray:
        """Decode coordinates of shape (n, n_components); return uint8 pixels."""
        step = grid_of(self._largest)
        clipped = np.clip(coordinates, -self._largest, self._largest)
        code = multiply(to_grid(clipped, step), self._space_weights)
        code += self._space_mean
        np.clip(code, -self._code_bound, self._code_bound, out=code)
        below = code = to_grid(code, self._code_step)
        for layer in self._layers:
            below = layer(below, code)
        pixels = np.rint(below * self._span + self._low)
        return np.clip(pixels, 0, 255).astype(np.uint8)


def _exact_layers(network: Network) -> list[_ExactLayer]:
    layout = network.layout
    parameters = layout.split(network.theta)
    layers = []
    for index in layout.decoder:
        layer = layout.layers[index]
        weights, biases = np.split(parameters[index], [-1])
        below, direct = np.split(weights, [layer.n_below])
        layers.append(
            _ExactLayer(
                weights_on_grid(below),
                weights_on_grid(direct) if layer.n_direct else None,
                biases.ravel().astype(np.float64),
                EXACT_UNITS[layer.unit],
            )
        )
    return layers
