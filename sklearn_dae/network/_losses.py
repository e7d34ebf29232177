"""Losses: the cost of a reconstruction, and its slope at the output layer.

Both losses are sums over pixels and rows. Each takes the pre-activations ``z`` of the
output layer, the targets ``x`` and the kind of output unit, turns ``z`` in place into
the derivative of the loss with respect to ``z``, and returns the loss as a float,
summed in double precision.
"""

import numpy as np

from sklearn_dae.network._units import UNITS


def log_loss(z: np.ndarray, x: np.ndarray, unit: str = "logistic") -> float:
    """Cross-entropy of pixels x in [0, 1] and logistic outputs, in nats.

    Computed from the pre-activations as softplus(z) - x z, where
    softplus(z) = max(z, 0) - log(1/2 + |tanh(z/2)| / 2), so that no output
    gets so close to 0 or 1 that its logarithm is lost.
    """
    if unit != "logistic":
        raise ValueError(f"log_loss needs logistic output units, got {unit!r}.")
    terms = np.maximum(z, 0)
    product = x * z
    terms -= product

    z *= 0.5
    tanh = np.tanh(z, out=z)
    likelihood = np.abs(tanh, out=product)
    likelihood *= 0.5
    likelihood += 0.5
    terms -= np.log(likelihood, out=likelihood)

    z *= 0.5
    z += 0.5
    z -= x
    return _total(terms.sum(axis=1))


def squared_error(z: np.ndarray, x: np.ndarray, unit: str = "logistic") -> float:
    """Sum of squared differences between pixels x and outputs.

    For "clipped" outputs, the differences are those between x and z, but zero where x
    is at an end of the range and z beyond that end. Elsewhere a z beyond the range
    counts as it is, so that a slope leads it back.
    """
    if unit == "clipped":
        z -= x
        counts = (z >= 0) | (x > 0)
        counts &= (z <= 0) | (x < 1)
        z *= counts
        loss = _total(np.einsum("ij,ij->i", z, z))
        z *= 2
        return loss
    UNITS[unit].activate(z)
    output = z.copy()
    z -= x
    loss = _total(np.einsum("ij,ij->i", z, z))
    z *= 2
    UNITS[unit].backpropagate(output, z)
    return loss


def _total(losses: np.ndarray) -> float:
    """Add up the losses of rows in double precision."""
    return float(losses.sum(dtype=np.float64))


def sampled_log_loss(z: np.ndarray, unit: str, rng: np.random.Generator) -> None:
    """Turn z into the slope for pixels drawn with the outputs as probabilities."""
    UNITS[unit].activate(z)
    uniform = rng.random(z.shape, dtype=np.float32)
    z -= uniform < z


def sampled_squared_error(z: np.ndarray, unit: str, rng: np.random.Generator) -> None:
    """Turn z into the slope for pixels drawn with normal noise of variance 1/2."""
    UNITS[unit].activate(z)
    output = z.copy()
    z[...] = rng.standard_normal(z.shape, dtype=np.float32)
    z *= np.sqrt(2, dtype=z.dtype)
    UNITS[unit].backpropagate(output, z)


#: What curvature is measured with: ``slope(z, unit, rng)`` replaces pre-activations
#: with the derivative of the loss for targets drawn from what the network predicts.
SAMPLED_SLOPES = {
    "log_loss": sampled_log_loss,
    "squared_error": sampled_squared_error,
}

LOSSES = {"log_loss": log_loss, "squared_error": squared_error}
