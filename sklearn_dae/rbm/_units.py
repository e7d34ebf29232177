"""What the units of an RBM do: their means, and draws from them.

In: the units of the other layer. Out: means and samples of the units. Kinds of
units are "bernoulli" and "gaussian".
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_random_state

from sklearn_dae._threads import multiply
from sklearn_dae.network._units import UNITS


def dense(rows: Any) -> Any:
    """Return rows as an array, whether they were sparse or not."""
    return rows if isinstance(rows, np.ndarray) else rows.toarray()


def _uniform_noise(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Make what `_settle_bernoulli` adds to probabilities.

    Four 16-bit draws for each 64-bit word take a fifth of the time of uniform floats,
    and round probabilities down to multiples of 2**-16.
    """
    n_draws = math.prod(shape)
    words = rng.bit_generator.random_raw(-(-n_draws // 4))
    return words.view(np.uint16)[:n_draws].reshape(shape)


def _settle_bernoulli(
    probabilities: np.ndarray, noise: np.ndarray, out: np.ndarray
) -> None:
    # The sum of a uniform number in [0, 1) and p reaches 1 with probability p.
    total = np.multiply(noise, probabilities.dtype.type(2**-16))
    total += probabilities
    np.floor(total, out=out)


def _normal_noise(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(shape, dtype=np.float32)


def _settle_normal(means: np.ndarray, noise: np.ndarray, out: np.ndarray) -> None:
    np.add(means, noise, out=out, casting="same_kind")


class Kind(NamedTuple):
    """What a kind of unit does.

    ``activate(z)`` replaces inputs with means. A draw is made in two steps, so that
    the second can be shared between threads: ``noise(shape, rng)`` makes the random
    numbers, and ``settle(means, noise, out)`` turns them into a draw.
    """

    activate: Callable[[np.ndarray], object]
    noise: Callable[[tuple[int, ...], np.random.Generator], np.ndarray]
    settle: Callable[[np.ndarray, np.ndarray, np.ndarray], None]

    def draw(
        self, means: np.ndarray, rng: np.random.Generator, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Draw units with the given means into ``out``, which may be the means."""
        if out is None:
            out = np.empty_like(means)
        self.settle(means, self.noise(means.shape, rng), out)
        return out


KINDS = {
    "bernoulli": Kind(UNITS["logistic"].activate, _uniform_noise, _settle_bernoulli),
    "gaussian": Kind(UNITS["identity"].activate, _normal_noise, _settle_normal),
}


def seeded(random_state: Any) -> np.random.Generator:
    """Seed a Generator, which draws several times faster, from a random state."""
    rng = check_random_state(random_state)
    return np.random.Generator(
        np.random.SFC64(rng.randint(np.iinfo(np.int32).max, size=4))
    )


def mean_units(
    inputs: Any,
    weights: np.ndarray,
    biases: np.ndarray,
    kind: str,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Means of units of some kind given the units they are connected to."""
    if sp.issparse(inputs) or inputs.ndim == 1:
        means = inputs @ weights
    else:
        means = multiply(inputs, weights, out)
    # On a mini-batch this is so short that threads would mostly wait for each other.
    means += biases
    KINDS[kind].activate(means)
    return means
