"""Decoders in arithmetic that gives the same result on every machine.

In: a network, and codes. Out: pixels, to which a residual coded without loss can be
added.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from sklearn_dae._scaling import PixelScaler
from sklearn_dae._threads import multiply
from sklearn_dae.codecs._code_space import CodeSpace
from sklearn_dae.compressor import DeepAutoencoderCompressor
from sklearn_dae.entropy._grid import EXACT_UNITS, grid_of, to_grid, weights_on_grid
from sklearn_dae.network import Dense, Network


@dataclass(frozen=True, eq=False)
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
        if not isinstance(layer, Dense):
            raise TypeError(
                "Storing without loss, or with a bounded error, takes a network of "
                f"Dense layers, got {type(layer).__name__}."
            )
        weights, biases = layer.weights_and_biases(parameters[index])
        below, direct = np.split(weights, [layer.n_below])
        layers.append(
            _ExactLayer(
                weights_on_grid(below),
                weights_on_grid(direct) if layer.n_direct else None,
                biases.astype(np.float64),
                EXACT_UNITS[layer.unit],
            )
        )
    return layers
