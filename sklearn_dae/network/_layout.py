"""Where each layer lives in the flat parameter vector."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from sklearn_dae._fields import FLAG, TEXT, Fields, count, each
from sklearn_dae._validation import check_choice
from sklearn_dae.network._units import UNITS


class Layer(NamedTuple):
    """A fully connected layer: its sizes and the kind of its units.

    The last ``n_direct`` of its ``n_in`` inputs do not come from the layer below but
    along the linear path.
    """

    n_in: int
    n_out: int
    unit: str
    n_direct: int = 0

    @property
    def n_below(self) -> int:
        """Number of inputs that come from the layer below."""
        return self.n_in - self.n_direct

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases."""
        return (self.n_in + 1) * self.n_out

    def __str__(self) -> str:
        direct = f" + {self.n_direct}" if self.n_direct else ""
        return f"{self.n_below}{direct} -> {self.n_out}, {self.unit}"


@dataclass(frozen=True)
class Layout:
    """Sizes and units of a network, and how its parameters are laid out in one vector.

    Each layer holds its weights, of shape (n_in, n_out), and below them, as one
    more row, its biases: the activations of a layer are
    ``unit(inputs @ weights + biases)``. The layers follow each other in the
    vector from input to output.

    With a linear path, the code layer sees the input, and the output layer the code,
    directly, next to what the layers between make of them: if the weights of the latter
    were zero, the network would be linear.

    Parameters
    ----------
    layers : tuple of Layer
        From input to output.

    n_encoder_layers : int
        How many of them form the encoder; the rest form the decoder.

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
        "sizes": each(count(1, 2**31)),
        "hidden": TEXT,
        "code": TEXT,
        "output": TEXT,
        "linear_path": FLAG,
    }

    def _to_stored(self) -> dict[str, Any]:
        units = [layer.unit for layer in self.layers]
        code = self.n_encoder_layers - 1
        return {
            "sizes": [self.layers[0].n_in, *self.widths[: code + 1]],
            "hidden": units[0],
            "code": units[code],
            "output": units[-1],
            "linear_path": self.has_linear_path,
        }

    @classmethod
    def _from_stored(cls, sizes: list[int], **settings: Any) -> Self:
        if len(sizes) < 2:
            raise ValueError(f"A network of layers of {sizes} units has no code")
        for name in ("hidden", "code", "output"):
            check_choice("A kind of units", settings[name], UNITS)
        return cls.autoencoder(sizes, **settings)

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
        """Lay out an encoder of the given sizes and its mirror image.

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
        return cls(
            tuple(
                Layer(n_below + n_direct, n_out, unit, n_direct)
                for n_below, n_out, unit, n_direct in layers
            ),
            len(sizes) - 1,
        )

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

    def weights_within(self, part: slice) -> Iterator[slice]:
        """Yield the weights in a part of the vector, not biases or the linear path."""
        start = 0
        for layer in self.layers:
            first = max(part.start, start)
            last = min(part.stop, start + layer.n_below * layer.n_out)
            if first < last:
                yield slice(first, last)
            start += layer.n_parameters

    def __str__(self) -> str:
        sizes = "-".join(str(n) for n in (self.layers[0].n_in, *self.widths))
        return f"{sizes} with a linear path" if self.has_linear_path else sizes

    @property
    def has_linear_path(self) -> bool:
        """Whether some layer has inputs that do not come from the layer below."""
        return any(layer.n_direct for layer in self.layers)

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of units in each layer."""
        return tuple(layer.n_out for layer in self.layers)
