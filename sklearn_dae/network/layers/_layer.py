"""What every kind of layer is asked."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from sklearn_dae.network._units import UNITS

#: A Kronecker factor: a symmetric matrix as the blocks along its diagonal, a single one
#: if it is small. A block that is itself diagonal is stored as a vector.
Factor = list[np.ndarray]


class Layer(ABC):
    """A kind of layer: what it computes, and how its parameters lie in memory.

    A layer reads one array, its *inputs*, which the layer below writes into. So inputs
    may hold more than the activations below, such as a column of ones. All arrays have
    a row for each image.

    A subclass is a frozen dataclass, with the sizes of the layer as its fields.

    Attributes
    ----------
    n_below : int
        Number of activations of the layer below.

    n_out : int
        Number of units.

    unit : str
        What the units make of their pre-activations: a key of `UNITS`.

    n_direct : int
        Number of inputs that come along the linear path; 0 for most kinds of layers,
        which need neither `direct` nor `backward_direct`.

    shape : tuple of (int, int)
        Shape of the layer's parameters as a matrix. The curvature is the Kronecker
        product of a matrix over its rows and one over its columns; the shape is
        ``(1, n_parameters)`` where it is diagonal.

    n_penalised : int
        How many parameters the L2 penalty is on. They come first.
    """

    n_below: int
    n_out: int
    unit: str
    n_direct: int = 0

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Shape of the parameters as a matrix."""

    @property
    @abstractmethod
    def n_penalised(self) -> int:
        """Number of parameters, from the first on, that the L2 penalty is on."""

    @property
    def n_parameters(self) -> int:
        """Number of parameters."""
        n_rows, n_columns = self.shape
        return n_rows * n_columns

    @property
    def n_inputs(self) -> int:
        """Numbers that the layer reads for each image."""
        return self.n_below

    @abstractmethod
    def initial(self, rng: Any) -> np.ndarray:
        """Draw parameters to start from, of the layer's ``shape``."""

    def weights_and_biases(
        self, parameters: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """View the weights, an input a row and a unit a column, and the biases."""
        raise NotImplementedError(f"{type(self).__name__} has no such weights.")

    def empty_inputs(self, n_rows: int, dtype: np.dtype) -> np.ndarray:
        """Make an array for the inputs, with whatever does not come from below."""
        return np.empty((n_rows, self.n_inputs), dtype)

    def below(self, inputs: np.ndarray) -> np.ndarray:
        """View the part of the inputs that the layer below writes."""
        return inputs[:, : self.n_below]

    @abstractmethod
    def forward(
        self, parameters: np.ndarray, inputs: np.ndarray, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Compute pre-activations, into ``out`` if there is one."""

    @abstractmethod
    def backward(self, parameters: np.ndarray, signal: np.ndarray) -> np.ndarray:
        """Return the slope of the loss by the activations below, as a new array.

        ``signal`` is the slope by the pre-activations.
        """

    def direct(self, inputs: np.ndarray) -> np.ndarray:
        """View the part of the inputs that comes along the linear path."""
        raise NotImplementedError(f"{type(self).__name__} has no linear path.")

    def backward_direct(self, parameters: np.ndarray, signal: np.ndarray) -> np.ndarray:
        """Return the slope of the loss by what comes along the linear path."""
        raise NotImplementedError(f"{type(self).__name__} has no linear path.")

    @abstractmethod
    def gradient(
        self, inputs: np.ndarray, signal: np.ndarray, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Compute the slope by the parameters, summed over rows, into ``out``."""

    @abstractmethod
    def input_moments(self, inputs: np.ndarray, block_size: int) -> Factor:
        """Sum, over the rows of a batch, the curvature's factor over ``shape[0]``."""

    @abstractmethod
    def signal_moments(
        self, inputs: np.ndarray, signal: np.ndarray, block_size: int, independent: bool
    ) -> Factor:
        """Sum, over the rows of a batch, the curvature's factor over ``shape[1]``.

        ``independent`` says that the units' signals are independent of each other, so
        that this factor is diagonal, as at the output.
        """

    def activate(self, z: np.ndarray) -> None:
        """Replace pre-activations by activations."""
        UNITS[self.unit].activate(z)

    def backpropagate(self, activations: np.ndarray, delta: np.ndarray) -> None:
        """Multiply a slope by activations with that of the units; in place."""
        UNITS[self.unit].backpropagate(activations, delta)
