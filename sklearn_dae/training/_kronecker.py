"""Coordinates in which the curvature is close to the identity.

The curvature of a layer is close to the Kronecker product of A, the second moment of
its inputs, and G, that of its error signals. Damped and written as A = L L^T and
G = M M^T, they give

- whitened coordinates V of a step W = L^-T V M^-1, in which the gradient is
  L^-1 g M^-T, and
- the natural gradient A^-1 g G^-1.

Damping adds to A and G what adds ``damping`` times the mean curvature of the layer,
and the curvature of the L2 penalty, to their product, split between the two in
proportion to their mean eigenvalues.
"""

import math
from collections.abc import Callable
from itertools import accumulate, pairwise

import numpy as np
from scipy.linalg import lapack

from sklearn_dae._threads import N_LANES, map_in_lanes, multiply, one_blas_thread
from sklearn_dae.network import Blocks, Layout

#: Iterations or steps after which solvers look at the curvature again.
RENEW_EVERY = 20

#: Error signals are taken to be at least this fraction of the strongest layer's.
_WEAKEST = 0.1


class Factor:
    """A damped Kronecker factor, through the inverse of its Cholesky factor.

    Parameters
    ----------
    blocks : list of ndarray
        The blocks along the diagonal of a symmetric matrix.

    shift : float
        What damping adds to the diagonal.

    Attributes
    ----------
    slices : list of slice
        The rows of each block.

    inverse_roots : list of ndarray
        For each block the inverse of its lower Cholesky factor, a vector if the
        block is diagonal.
    """

    def __init__(self, blocks: Blocks, shift: float) -> None:
        ends = accumulate((len(block) for block in blocks), initial=0)
        self.slices = [slice(*pair) for pair in pairwise(ends)]
        self.inverse_roots = [_inverse_root(block, shift) for block in blocks]

    def invert(self) -> Blocks:
        """Return the blocks of the inverse."""
        return [
            root * root if root.ndim == 1 else root.T @ root
            for root in self.inverse_roots
        ]


def _inverse_root(block: np.ndarray, shift: float) -> np.ndarray:
    if block.ndim == 1:
        return (1 / np.sqrt(block + shift)).astype(block.dtype)
    diagonal = np.einsum("ii->i", block)
    while True:
        damped = block.copy()
        np.einsum("ii->i", damped)[...] += shift
        # LAPACK sees columns: its upper factor of the transpose is our lower one.
        root, failed = lapack.spotrf(damped.T, lower=0, overwrite_a=1)
        if not failed:
            inverse, _ = lapack.strtri(root, lower=0, overwrite_c=1)
            return inverse.T
        # Not positive definite to single precision.
        shift = max(10 * shift, 1e-6 * float(diagonal.max()))


class Preconditioner:
    """The curvature of a network at some point, inverted.

    Parameters
    ----------
    factors : list of (A, G)
        Kronecker factors of each layer.

    layout : Layout
        Sizes of the network.

    damping : float
        Fraction of a layer's mean curvature that is added to it.

    alpha : float
        Curvature of the L2 penalty.
    """

    def __init__(
        self,
        factors: list[tuple[Blocks, Blocks]],
        layout: Layout,
        damping: float,
        alpha: float,
    ) -> None:
        self._layout = layout
        signals = [_mean_eigenvalue(G) for _, G in factors]
        weakest = max(_WEAKEST * max(signals), float(np.finfo(np.float32).tiny))
        jobs: list[tuple[Blocks, float]] = []
        for (A, G), signal in zip(factors, signals, strict=True):
            a, g = _mean_eigenvalue(A), max(signal, weakest)
            strength = damping * a * g + alpha
            jobs.append((A, math.sqrt(strength * a / g)))
            jobs.append((G, math.sqrt(strength * g / a)))
        # The largest first, dealt to lanes like cards.
        order = sorted(range(len(jobs)), key=lambda job: -len(jobs[job][0][0]))
        with one_blas_thread():
            done = map_in_lanes(
                lambda hand: [(job, Factor(*jobs[job])) for job in hand],
                [order[lane::N_LANES] for lane in range(N_LANES)],
            )
        found = dict(pair for hand in done for pair in hand)
        self._factors = [
            (found[2 * layer], found[2 * layer + 1]) for layer in range(len(factors))
        ]
        self._inverses: list[tuple[Blocks, Blocks]] | None = None

    def whiten(self, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient in whitened coordinates."""
        return self._apply(
            gradient, lambda root: root, lambda root: root.T, self._roots
        )

    def unwhiten(self, step: np.ndarray) -> np.ndarray:
        """Return the step in parameters that a step in whitened coordinates means."""
        return self._apply(step, lambda root: root.T, lambda root: root, self._roots)

    def natural(self, gradient: np.ndarray) -> np.ndarray:
        """Return the natural gradient."""
        if self._inverses is None:
            self._inverses = [(A.invert(), G.invert()) for A, G in self._factors]
        return self._apply(
            gradient, lambda inverse: inverse, lambda inverse: inverse, self._inverses
        )

    @property
    def _roots(self) -> list[tuple[Blocks, Blocks]]:
        return [(A.inverse_roots, G.inverse_roots) for A, G in self._factors]

    def _apply(
        self,
        vector: np.ndarray,
        left: Callable[[np.ndarray], np.ndarray],
        right: Callable[[np.ndarray], np.ndarray],
        matrices: list[tuple[Blocks, Blocks]],
    ) -> np.ndarray:
        """Multiply each layer from the left and from the right."""
        result = np.empty_like(vector)
        layers = zip(
            self._layout.split(vector),
            self._layout.split(result),
            self._factors,
            matrices,
            strict=True,
        )
        for w, out, (A, G), (lefts, rights) in layers:
            between = np.empty_like(w)
            for rows, matrix in zip(A.slices, lefts, strict=True):
                multiply(left(matrix), w[rows], out=between[rows])
            for columns, matrix in zip(G.slices, rights, strict=True):
                if matrix.ndim == 1:  # diagonal, as G of the output layer is
                    np.multiply(between[:, columns], matrix, out=out[:, columns])
                else:
                    multiply(between[:, columns], right(matrix), out=out[:, columns])
        return result


def _mean_eigenvalue(blocks: Blocks) -> float:
    trace = sum(
        float(block.sum() if block.ndim == 1 else np.trace(block)) for block in blocks
    )
    return trace / sum(len(block) for block in blocks)
