"""What the units of an RBM do: their means, and draws from them.

In: the units of the other layer. Out: means and samples of the units. Kinds of
units are "bernoulli" and "gaussian".
"""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_random_state

from sklearn_dae._threads import multiply
from sklearn_dae.network import UNITS

#: Random numbers that are made and used together.
_DRAWS_AT_ONCE = 65536

Random = np.random.RandomState | np.random.Generator


def is_sparse(rows: Any) -> bool:
    """Whether rows are a sparse matrix or array."""
    return sp.issparse(rows)


def dense(rows: Any) -> Any:
    """Return rows as an array, whether they were sparse or not."""
    return rows.toarray() if is_sparse(rows) else rows


def draw_bernoulli(
    probabilities: np.ndarray, rng: Random, out: np.ndarray | None = None
) -> np.ndarray:
    """Draw 1 with the given probabilities, else 0, into ``out`` or a new array.

    A RandomState is drawn from as scikit-learn does; a Generator gives four draws
    of 16 bits from each word of 64, which takes a fifth of the time and rounds
    probabilities down to multiples of 2**-16.
    """
    if out is None:
        out = np.empty_like(probabilities)
    if isinstance(rng, np.random.RandomState):
        uniform = rng.random_sample(probabilities.shape)
        return np.less(uniform, probabilities, out=out)
    # As many rows at once as stay in cache between making numbers and using them.
    rows, drawn = np.atleast_2d(probabilities), np.atleast_2d(out)
    step = max(1, _DRAWS_AT_ONCE // rows.shape[1])
    for start in range(0, len(rows), step):
        threshold = rows[start : start + step]
        words = rng.bit_generator.random_raw(-(-threshold.size // 4))
        bits = words.view(np.uint16)[: threshold.size].reshape(threshold.shape)
        # The sum of a uniform number in [0, 1) and p reaches 1 with probability p.
        total = np.multiply(bits, threshold.dtype.type(2**-16))
        total += threshold
        np.floor(total, out=drawn[start : start + step])
    return out


def draw_normal(
    means: np.ndarray, rng: Random, out: np.ndarray | None = None
) -> np.ndarray:
    """Draw from normal distributions of unit variance."""
    noise: np.ndarray
    if isinstance(rng, np.random.RandomState):
        noise = rng.standard_normal(means.shape)
    else:
        noise = rng.standard_normal(means.shape, dtype=np.float32)
    if out is None:
        out = np.empty_like(means)
    return np.add(means, noise, out=out, casting="same_kind")


#: Mean activation in place, and sampling, of each kind of unit.
MEANS = {
    "bernoulli": UNITS["logistic"].activate,
    "gaussian": UNITS["identity"].activate,
}
DRAWS = {"bernoulli": draw_bernoulli, "gaussian": draw_normal}


def random_source(random_state: Any) -> Random:
    """Return where a fit draws random numbers from.

    A RandomState instance is used as it is, so that its draws are those of
    scikit-learn; anything else seeds a Generator.
    """
    rng = check_random_state(random_state)
    if isinstance(random_state, np.random.RandomState):
        return rng
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
    if is_sparse(inputs) or inputs.ndim == 1:
        means = inputs @ weights
    else:
        means = multiply(inputs, weights, out)
    # On a mini-batch these are so short that threads would mostly wait for each other.
    means += biases
    MEANS[kind](means)
    return means
