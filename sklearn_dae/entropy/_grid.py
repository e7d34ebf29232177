"""Arithmetic that gives the same result on every machine.

Matrix products of floats differ in their last bits between machines, since BLAS adds in
an order of its own, but what is coded must be decoded with exactly the same numbers. So
weights and activations are rounded here to a *grid*, the integer multiples of a power
of two, chosen so that every partial sum of a product is such a multiple too, and less
than 2**53 of them: then no addition rounds, and the order does not matter. Everything
else is done number by number, by operations that IEEE 754 rounds the same way
everywhere, or by tables. All of it is in double precision.
"""

import math
from collections.abc import Callable

import numpy as np

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
