"""Where each layer lives in the flat parameter vector."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np


class Layer(NamedTuple):
    """A fully connected layer: its sizes and the kind of its units."""

    n_in: int
    n_out: int
    unit: str

    @property
    def n_parameters(self) -> int:
        """Weights and biases together."""
        return (self.n_in + 1) * self.n_out

    def __str__(self) -> str:
        return f"{self.n_in} -> {self.n_out}, {self.unit}"


@dataclass(frozen=True)
class Layout:
    """Sizes and units of a network, and how its parameters lie in one vector.

    Each layer holds its weights, of shape (n_in, n_out), and below them, as one
    more row, its biases: the activations of a layer are
    ``unit(inputs @ weights + biases)``. The layers follow each other in the
    vector from input to output.

    Parameters
    ----------
    layers : tuple of Layer
        From input to output.

    n_encoder_layers : int
        How many of them form the encoder; the rest is the decoder.

    Examples
    --------
    >>> from sklearn_dae.network import Layout
    >>> layout = Layout.autoencoder([784, 1000, 500, 196])
    >>> print(layout)
    784-1000-500-196-500-1000-784
    >>> layout.n_parameters
    2767980
    """

    layers: tuple[Layer, ...]
    n_encoder_layers: int

    @classmethod
    def autoencoder(
        cls,
        sizes: list[int],
        *,
        hidden: str = "logistic",
        code: str = "logistic",
        output: str = "logistic",
    ) -> Self:
        """Lay out the encoder of the given sizes and its mirror image.

        Parameters
        ----------
        sizes : list of int
            From the input to the code: ``[784, 1000, 500, 196]``.

        hidden, code, output : {"logistic", "identity", "relu", "tanh"}
            Units of the hidden layers, of the code and of the output.
        """
        mirrored = [*sizes, *reversed(sizes[:-1])]
        n_hidden = len(sizes) - 2
        units = [hidden] * n_hidden + [code] + [hidden] * n_hidden + [output]
        layers = zip(mirrored[:-1], mirrored[1:], units, strict=True)
        return cls(tuple(Layer(*layer) for layer in layers), len(sizes) - 1)

    @property
    def n_parameters(self) -> int:
        """Length of the parameter vector."""
        return sum(layer.n_parameters for layer in self.layers)

    @property
    def encoder(self) -> range:
        """Indices of the layers from the input to the code."""
        return range(self.n_encoder_layers)

    @property
    def decoder(self) -> range:
        """Indices of the layers from the code to the output."""
        return range(self.n_encoder_layers, len(self.layers))

    def split(self, theta: np.ndarray) -> list[np.ndarray]:
        """View the parameters of each layer as (n_in + 1, n_out), biases last."""
        views, start = [], 0
        for layer in self.layers:
            stop = start + layer.n_parameters
            views.append(theta[start:stop].reshape(layer.n_in + 1, layer.n_out))
            start = stop
        return views

    def __str__(self) -> str:
        return "-".join(str(n) for n in (self.layers[0].n_in, *self.widths))

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of units in each layer."""
        return tuple(layer.n_out for layer in self.layers)
