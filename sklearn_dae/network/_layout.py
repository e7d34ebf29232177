"""Where each layer lives in the flat parameter vector."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from sklearn_dae._fields import Fields, Sizes, briefly, count, each, expect_equal
from sklearn_dae.network._units import UNITS
from sklearn_dae.network.layers._dense import Dense
from sklearn_dae.network.layers._layer import Layer


def _is_layer(value: Any, sizes: Sizes) -> None:
    """Accept layers of any kind."""
    if not isinstance(value, Layer):
        raise TypeError(f"must be a layer, got {briefly(value)}")


@dataclass(frozen=True)
class Layout:
    """The layers of a network, and their slices of one parameter vector.

    The layers follow each other in the vector from input to output; each knows the
    shape of its own part.

    With a linear path, the code layer sees the input, and the output layer the code,
    directly, next to what the layers between make of them: if the weights of the latter
    were zero, the network would be linear.

    Parameters
    ----------
    layers : tuple of Layer
        From input to output.

    n_encoder_layers : int
        How many of them form the encoder; the rest form the decoder. With none, the
        network only decodes.

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

    _stored_fields: ClassVar[Fields] = {
        "layers": each(_is_layer),
        "n_encoder_layers": count(),
    }

    def _to_stored(self) -> dict[str, Any]:
        return {"layers": [*self.layers], "n_encoder_layers": self.n_encoder_layers}

    @classmethod
    def _from_stored(cls, layers: list[Layer], n_encoder_layers: int) -> Self:
        layout = cls(tuple(layers), n_encoder_layers)
        if n_encoder_layers >= len(layers):
            raise ValueError(f"{n_encoder_layers} of {len(layers)} layers encode")
        n_inputs = layout.n_features if n_encoder_layers else layout.n_components
        sizes = [n_inputs, *layout.widths]
        below = [layer.n_below for layer in layers]
        expect_equal("Inputs of the layers", below, sizes[:-1])
        direct = [0] * len(layers)
        if layout.has_linear_path:
            direct[-1] = layout.n_components
            if n_encoder_layers:
                direct[n_encoder_layers - 1] = layout.n_features
        expect_equal("Linear path", [layer.n_direct for layer in layers], direct)
        return layout

    @classmethod
    def autoencoder(
        cls,
        sizes: list[int],
        *,
        hidden: str = "logistic",
        code: str = "logistic",
        output: str = "logistic",
        linear_path: bool = False,
    ) -> Self:
        """Lay out an encoder of fully connected layers and its mirror image.

        Parameters
        ----------
        sizes : list of int
            From the input to the code: ``[784, 1000, 500, 196]``.

        hidden, code, output : {"logistic", "identity", "relu", "tanh", "clipped"}
            Units of the hidden layers, of the code and of the output; only the output
            may be "clipped".

        linear_path : bool, default=False
            Whether to include a linear path. Without hidden layers it would add
            nothing, and is left out.
        """
        mirrored = [*sizes, *reversed(sizes[:-1])]
        n_hidden = len(sizes) - 2
        units = [hidden] * n_hidden + [code] + [hidden] * n_hidden + [output]
        direct = [0] * len(units)
        if linear_path and n_hidden:
            direct[n_hidden], direct[-1] = sizes[0], sizes[-1]
        layers = zip(mirrored[:-1], mirrored[1:], units, direct, strict=True)
        return cls(tuple(Dense(*layer) for layer in layers), len(sizes) - 1)

    @property
    def n_parameters(self) -> int:
        """Length of the parameter vector."""
        return sum(layer.n_parameters for layer in self.layers)

    @property
    def n_features(self) -> int:
        """Number of pixels of an image."""
        return self.layers[-1].n_out

    @property
    def n_components(self) -> int:
        """Number of values of a code."""
        return self.layers[self.n_encoder_layers].n_below

    @property
    def code_layer(self) -> Layer:
        """The last layer of the encoder."""
        return self.layers[self.n_encoder_layers - 1]

    @property
    def code_range(self) -> tuple[float, float]:
        """Interval that the values of a code lie in."""
        if not self.n_encoder_layers:
            return -np.inf, np.inf
        return UNITS[self.code_layer.unit].range

    @property
    def encoder(self) -> range:
        """Indices of the layers from the input to the code."""
        return range(self.n_encoder_layers)

    @property
    def decoder(self) -> range:
        """Indices of the layers from the code to the output."""
        return range(self.n_encoder_layers, len(self.layers))

    def split(self, theta: np.ndarray) -> list[np.ndarray]:
        """View the parameters of each layer as a matrix of the layer's shape."""
        views, start = [], 0
        for layer in self.layers:
            stop = start + layer.n_parameters
            views.append(theta[start:stop].reshape(layer.shape))
            start = stop
        return views

    def weights_within(self, part: slice) -> Iterator[slice]:
        """Yield what the L2 penalty is on in a part of the vector."""
        start = 0
        for layer in self.layers:
            first = max(part.start, start)
            last = min(part.stop, start + layer.n_penalised)
            if first < last:
                yield slice(first, last)
            start += layer.n_parameters

    def initial(self, rng: Any) -> np.ndarray:
        """Draw small random parameters to start from, in single precision."""
        return np.concatenate(
            [layer.initial(rng).ravel() for layer in self.layers], dtype=np.float32
        )

    def __str__(self) -> str:
        sizes = "-".join(str(n) for n in (self.layers[0].n_below, *self.widths))
        return f"{sizes} with a linear path" if self.has_linear_path else sizes

    @property
    def has_linear_path(self) -> bool:
        """Whether some layer has inputs that do not come from the layer below."""
        return any(layer.n_direct for layer in self.layers)

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of units in each layer."""
        return tuple(layer.n_out for layer in self.layers)
