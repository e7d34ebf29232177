"""Coordinates in which the curvature is close to the identity.

The curvature of a layer is close to the Kronecker product of A, the second moment of
its inputs, and G, that of its error signals. Damped and written as A = L L^T and
G = M M^T, they give

- whitened coordinates V of a step W = L^-T V M^-1, in which the gradient is
  L^-1 g M^-T, and
- the natural gradient A^-1 g G^-1.

Damping shifts A and G so that their product gains ``damping`` times the mean curvature
of the layer, plus the curvature of the L2 penalty; the shifts are in proportion to the
mean eigenvalues of A and G.
"""

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import accumulate, islice, pairwise

import numpy as np
from scipy.linalg import lapack

from sklearn_dae._threads import map_in_threads, multiply
from sklearn_dae.network import Layout
from sklearn_dae.network.layers._layer import Factor

#: Error signals are assumed to be at least this fraction of the strongest layer's.
_WEAKEST = 0.1

#: What replaces them where there are none, all outputs being at an end of their range.
_NO_SIGNAL = 1e-12

#: Maximum number of rows of a matrix that LAPACK inverts in one go.
_LAPACK_ROWS = 128


def _inverse(block: np.ndarray, shift: float) -> np.ndarray:
    """Inverse of a block, of the same shape, after adding the shift to its diagonal."""
    if block.ndim == 1:
        return (1 / (block + shift)).astype(block.dtype)
    while True:
        damped = block.copy()
        np.einsum("ii->i", damped)[...] += shift
        inverse = _inverse_by_halves(damped)
        if inverse is not None:
            return inverse
        shift = _larger(shift, block)


def _inverse_by_halves(block: np.ndarray) -> np.ndarray | None:
    """Inverse of a positive definite matrix, or None if it is not; overwrites it.

    A large matrix is inverted by halves, mostly by matrix products: while SciPy's
    LAPACK runs, all other threads wait. If P, Q, Q^T and R are its quarters, the
    inverse of R - Q^T P^-1 Q is the last quarter of the inverse.
    """
    n = len(block)
    if n <= _LAPACK_ROWS:
        root, failed = lapack.spotrf(block.T, lower=0, overwrite_a=1)
        if failed:
            return None
        triangle, _ = lapack.spotri(root, lower=0, overwrite_c=1)
        inverse = triangle + triangle.T
        np.einsum("ii->i", inverse)[...] *= 0.5
        return inverse
    first, last = slice(n // 2), slice(n // 2, n)
    start = _inverse_by_halves(block[first, first].copy())
    if start is None:
        return None
    across = start @ block[first, last]
    end = _inverse_by_halves(block[last, last] - block[last, first] @ across)
    if end is None:
        return None
    inverse = np.empty_like(block)
    inverse[last, last] = end
    corner = across @ end
    np.negative(corner, out=inverse[first, last])
    np.negative(corner.T, out=inverse[last, first])
    np.add(start, corner @ across.T, out=inverse[first, first])
    return inverse


def _inverse_root(block: np.ndarray, shift: float) -> np.ndarray:
    """Inverse of the lower Cholesky factor of a block plus a shift."""
    if block.ndim == 1:
        return (1 / np.sqrt(block + shift)).astype(block.dtype)
    inverse, _ = lapack.strtri(_cholesky(block, shift), lower=0, overwrite_c=1)
    return inverse.T


def _cholesky(block: np.ndarray, shift: float) -> np.ndarray:
    """Upper Cholesky factor of a block plus a shift, in column-major order.

    If the sum is not positive definite in single precision, the shift grows.
    """
    while True:
        damped = block.copy()
        np.einsum("ii->i", damped)[...] += shift
        root, failed = lapack.spotrf(damped.T, lower=0, overwrite_a=1)
        if not failed:
            return root
        shift = _larger(shift, block)


def _larger(shift: float, block: np.ndarray) -> float:
    """Return a larger shift, where single precision needs one."""
    return max(10 * shift, 1e-6 * float(np.max(np.diag(block))))


class Preconditioner:
    """The curvature of a network at some point, inverted.

    Parameters
    ----------
    factors : list of (A, G)
        Kronecker factors of each layer.

    layout : Layout
        Sizes of the network.

    damping : float
        Fraction of a layer's mean curvature that is added to its curvature.

    alpha : float
        Curvature of the L2 penalty.
    """

    def __init__(
        self,
        factors: list[tuple[Factor, Factor]],
        layout: Layout,
        damping: float,
        alpha: float,
    ) -> None:
        self._layout = layout
        self._factors = factors
        signals = [_mean_eigenvalue(G) for _, G in factors]
        weakest = max(_WEAKEST * max(signals), _NO_SIGNAL)
        self._shifts: list[tuple[float, float]] = []
        for (A, _), signal in zip(factors, signals, strict=True):
            a, g = _mean_eigenvalue(A), max(signal, weakest)
            strength = damping * a * g + alpha
            self._shifts.append(
                (math.sqrt(strength * a / g), math.sqrt(strength * g / a))
            )

    def whiten(self, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient in whitened coordinates."""
        return self._apply(
            gradient, self._inverse_roots, lambda root: root, lambda root: root.T
        )

    def unwhiten(self, step: np.ndarray) -> np.ndarray:
        """Turn a step in whitened coordinates into one in the parameters."""
        return self._apply(
            step, self._inverse_roots, lambda root: root.T, lambda root: root
        )

    def natural(self, gradient: np.ndarray) -> np.ndarray:
        """Return the natural gradient."""
        return self._apply(
            gradient, self._inverses, lambda inverse: inverse, lambda inverse: inverse
        )

    @cached_property
    def _inverses(self) -> list[tuple[Factor, Factor]]:
        return self._for_factors(_inverse)

    @cached_property
    def _inverse_roots(self) -> list[tuple[Factor, Factor]]:
        return self._for_factors(_inverse_root)

    def _for_factors(
        self, function: Callable[[np.ndarray, float], np.ndarray]
    ) -> list[tuple[Factor, Factor]]:
        """Apply a function to the blocks and the shift of each factor, in threads."""
        shifted = [
            (block, shift)
            for pair, shifts in zip(self._factors, self._shifts, strict=True)
            for blocks, shift in zip(pair, shifts, strict=True)
            for block in blocks
        ]
        # The largest first, so that threads end at about the same time.
        order = sorted(range(len(shifted)), key=lambda n: -shifted[n][0].size)
        results = map_in_threads(lambda n: function(*shifted[n]), order)
        found = (result for _, result in sorted(zip(order, results, strict=True)))
        return [
            (list(islice(found, len(A))), list(islice(found, len(G))))
            for A, G in self._factors
        ]

    def _apply(
        self,
        vector: np.ndarray,
        matrices: list[tuple[Factor, Factor]],
        left: Callable[[np.ndarray], np.ndarray],
        right: Callable[[np.ndarray], np.ndarray],
    ) -> np.ndarray:
        """Multiply each layer by its matrices from the left and from the right."""
        result = np.empty_like(vector)
        layers = zip(
            self._layout.split(vector),
            self._layout.split(result),
            matrices,
            strict=True,
        )
        for w, out, (lefts, rights) in layers:
            between = np.empty_like(w)
            for rows, matrix in zip(_slices(lefts), lefts, strict=True):
                if matrix.ndim == 1:
                    np.multiply(matrix[:, np.newaxis], w[rows], out=between[rows])
                else:
                    multiply(left(matrix), w[rows], out=between[rows])
            for columns, matrix in zip(_slices(rights), rights, strict=True):
                if matrix.ndim == 1:  # diagonal, as G of the output layer is
                    np.multiply(between[:, columns], matrix, out=out[:, columns])
                else:
                    multiply(between[:, columns], right(matrix), out=out[:, columns])
        return result


def _slices(blocks: Factor) -> Iterator[slice]:
    ends = accumulate((len(block) for block in blocks), initial=0)
    return (slice(*pair) for pair in pairwise(ends))


def _mean_eigenvalue(blocks: Factor) -> float:
    trace = sum(
        float(block.sum() if block.ndim == 1 else np.trace(block)) for block in blocks
    )
    return trace / sum(len(block) for block in blocks)
