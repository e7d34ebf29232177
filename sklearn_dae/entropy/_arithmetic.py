"""Arithmetic that gives the same result on every machine.

Products of matrices of floats differ in their last bits between machines, since BLAS
adds in an order of its own, but what is coded must be decoded with exactly the same
numbers. So matrices hold whole numbers, or multiples of a power of two, so small that
no partial sum reaches 2**24 of them: single precision holds them all, and the order
does not matter. Everything else is done number by number, by operations that IEEE 754
rounds the same way everywhere, in an order that is fixed, or by tables.
"""

import numpy as np

#: What no sum of products may reach, so that single precision holds it.
MOST_SUM = 2**24


def check_sums(weights: np.ndarray, most: int, biases: np.ndarray | int = 0) -> None:
    """Raise ValueError unless all sums of products are exact in single precision.

    Parameters
    ----------
    weights : ndarray of whole numbers of shape (n_out, n_in)
        Weights of units.

    most : int
        Largest input.

    biases : ndarray of whole numbers of shape (n_out,), default=0
        What is added.
    """
    sums = np.abs(weights.astype(np.int64)).sum(axis=1) * most
    sums += np.abs(biases)
    if sums.max(initial=0) >= MOST_SUM:
        raise ValueError(
            f"A unit may reach {sums.max()}, and would not be exact from {MOST_SUM} on"
        )


def ordered_sum(x: np.ndarray) -> np.ndarray:
    """Add up along the first axis, always in the same order; overwrites ``x``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae.entropy._arithmetic import ordered_sum
    >>> ordered_sum(np.arange(10).reshape(5, 2))
    array([20, 25])
    """
    n = len(x)
    while n > 1:
        half = n // 2
        x[:half] += x[n - half : n]
        n -= half
    return x[0]
