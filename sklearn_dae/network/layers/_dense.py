"""A fully connected layer."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sklearn_dae._fields import TEXT, Fields, count
from sklearn_dae._threads import cut
from sklearn_dae._validation import check_choice
from sklearn_dae.network._units import UNITS
from sklearn_dae.network.layers._layer import Factor, Layer


@dataclass(frozen=True)
class Dense(Layer):
    """A fully connected layer: ``unit(inputs @ weights + biases)``.

    Its inputs are one array: the activations of the layer below, next to them what
    comes along the linear path, and a column of ones. Its parameters are one matrix:
    the weights and below them, as one more row, the biases. So pre-activations are one
    matrix product, and so is the gradient.

    Parameters
    ----------
    n_below : int
        Number of activations of the layer below.

    n_out : int
        Number of units.

    unit : {"logistic", "identity", "relu", "tanh", "clipped"}
        Kind of units.

    n_direct : int, default=0
        Number of inputs that come along the linear path.

    References
    ----------
    Martens, J. and Grosse, R. (2015). Optimizing neural networks with
    Kronecker-factored approximate curvature. ICML.

    Examples
    --------
    >>> from sklearn_dae.network import Dense
    >>> layer = Dense(784, 100, "relu")
    >>> print(layer)
    784 -> 100, relu
    >>> layer.n_parameters
    78500
    """

    n_below: int
    n_out: int
    unit: str
    n_direct: int = 0

    _stored_fields: ClassVar[Fields] = {
        "n_below": count(1, 2**31),
        "n_out": count(1, 2**31),
        "unit": TEXT,
        "n_direct": count(0, 2**31),
    }

    def _check_stored(self) -> None:
        check_choice("A kind of units", self.unit, UNITS)

    @property
    def shape(self) -> tuple[int, int]:
        """Weights, and a last row of biases."""
        return self.n_inputs, self.n_out

    @property
    def n_inputs(self) -> int:
        """Numbers that the layer reads for each image, ones included."""
        return self.n_below + self.n_direct + 1

    @property
    def n_penalised(self) -> int:
        """Number of weights, except those of the linear path."""
        return self.n_below * self.n_out

    def initial(self, rng: Any) -> np.ndarray:
        """Draw weights as in Glorot and Bengio (2010), or He et al. (2015) for relu.

        Biases are zero.
        """
        n_in = self.n_inputs - 1
        if self.unit == "relu":
            bound = np.sqrt(6.0 / n_in)
        else:
            factor = 2.0 if self.unit == "logistic" else 6.0
            bound = np.sqrt(factor / (n_in + self.n_out))
        parameters = np.zeros(self.shape, np.float32)
        parameters[:-1] = rng.uniform(-bound, bound, (n_in, self.n_out))
        return parameters

    def weights_and_biases(
        self, parameters: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """View the weights, those of the linear path last, and the biases."""
        return parameters[:-1], parameters[-1]

    def empty_inputs(self, n_rows: int, dtype: np.dtype) -> np.ndarray:
        """Make an array for the inputs, ones last."""
        inputs = np.empty((n_rows, self.n_inputs), dtype)
        inputs[:, -1] = 1
        return inputs

    def direct(self, inputs: np.ndarray) -> np.ndarray:
        """View the part of the inputs that comes along the linear path."""
        return inputs[:, self.n_below : -1]

    def forward(
        self, parameters: np.ndarray, inputs: np.ndarray, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Compute pre-activations, into ``out`` if there is one."""
        return np.matmul(inputs, parameters, out=out)

    def backward(self, parameters: np.ndarray, signal: np.ndarray) -> np.ndarray:
        """Return the slope of the loss by the activations below."""
        return signal @ parameters[: self.n_below].T

    def backward_direct(self, parameters: np.ndarray, signal: np.ndarray) -> np.ndarray:
        """Return the slope of the loss by what comes along the linear path."""
        return signal @ parameters[self.n_below : -1].T

    def gradient(
        self, inputs: np.ndarray, signal: np.ndarray, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Compute the slope by the parameters, summed over rows, into ``out``."""
        return np.matmul(inputs.T, signal, out=out)

    def input_moments(self, inputs: np.ndarray, block_size: int) -> Factor:
        """Sum the second moments of the inputs, ones included."""
        return _block_moments(inputs, block_size)

    def signal_moments(
        self, inputs: np.ndarray, signal: np.ndarray, block_size: int, independent: bool
    ) -> Factor:
        """Sum the second moments of the error signals."""
        if independent:
            return [np.einsum("ij,ij->j", signal, signal)]
        return _block_moments(signal, block_size)

    def __str__(self) -> str:
        direct = f" + {self.n_direct}" if self.n_direct else ""
        return f"{self.n_below}{direct} -> {self.n_out}, {self.unit}"


def _block_moments(rows: np.ndarray, block_size: int) -> Factor:
    n_columns = rows.shape[1]
    return [
        rows[:, part].T @ rows[:, part]
        for part in cut(n_columns, -(-n_columns // block_size))
    ]
