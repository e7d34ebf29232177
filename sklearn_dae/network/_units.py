"""Units: what a layer does to its pre-activations, and the slope of that.

Everything works in place: a layer's pre-activations become its activations,
and a layer's error signal is multiplied by the slope of its units.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Unit(NamedTuple):
    """One kind of unit.

    ``activate(z)`` replaces pre-activations with activations.
    ``backpropagate(h, delta)`` multiplies ``delta`` by the slope of the unit, which
    for every kind here follows from its activation ``h``; ``h`` may be overwritten.
    ``range`` holds the ends of the interval that activations lie in.
    """

    activate: Callable[[np.ndarray], object]
    backpropagate: Callable[[np.ndarray, np.ndarray], object]
    range: tuple[float, float] = (-np.inf, np.inf)


def logistic(z: np.ndarray) -> None:
    """Replace z by 1 / (1 + exp(-z)).

    Written with tanh, which NumPy vectorises and which cannot overflow.
    """
    z *= 0.5
    np.tanh(z, out=z)
    z *= 0.5
    z += 0.5


def _tanh(z: np.ndarray) -> None:
    np.tanh(z, out=z)


def _relu(z: np.ndarray) -> None:
    np.maximum(z, 0, out=z)


def _leave(*_arrays: np.ndarray) -> None:
    """Do nothing: the identity, and its slope."""


def _logistic_slope(h: np.ndarray, delta: np.ndarray) -> None:
    delta *= h
    np.subtract(1, h, out=h)
    delta *= h


def _tanh_slope(h: np.ndarray, delta: np.ndarray) -> None:
    np.square(h, out=h)
    np.subtract(1, h, out=h)
    delta *= h


def _relu_slope(h: np.ndarray, delta: np.ndarray) -> None:
    delta *= h > 0


def _clip(z: np.ndarray) -> None:
    np.clip(z, 0, 1, out=z)


def _clip_slope(h: np.ndarray, delta: np.ndarray) -> None:
    delta *= (h > 0) & (h < 1)


UNITS = {
    "logistic": Unit(logistic, _logistic_slope, (0.0, 1.0)),
    "identity": Unit(_leave, _leave),
    "relu": Unit(_relu, _relu_slope, (0.0, np.inf)),
    "tanh": Unit(_tanh, _tanh_slope, (-1.0, 1.0)),
    "clipped": Unit(_clip, _clip_slope, (0.0, 1.0)),
}

#: Units whose activation lies in a bounded interval: (low, high).
BOUNDED_UNITS = {
    name: unit.range for name, unit in UNITS.items() if np.isfinite(unit.range).all()
}
