"""Principal axes of rows that are read a block at a time."""

from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh, qr

from sklearn_dae._blas import one_blas_thread
from sklearn_dae.rows import RowBlocks

#: Number of features above which the axes are approximated, by subspace iteration.
_WIDE = 2048


class PrincipalAxes(NamedTuple):
    """The best linear code of some rows.

    Parameters
    ----------
    mean : ndarray of shape (n_features,)
        Mean of the rows.

    axes : ndarray of shape (n_components, n_features)
        Orthonormal directions of largest variance.

    residual : float
        Squared error that they leave, averaged over rows.
    """

    mean: np.ndarray
    axes: np.ndarray
    residual: float


def principal_axes(rows: RowBlocks, n_components: int) -> PrincipalAxes:
    """Compute principal axes, exactly for up to 2,048 features.

    For more features, subspace iteration approximates them: it takes less time and
    memory than the covariance of all features.

    References
    ----------
    Halko, N., Martinsson, P. G. and Tropp, J. A. (2011). Finding structure with
    randomness. SIAM Review 53, 217-288.
    """
    n_rows = rows.n_rows
    (total,) = rows.sum(lambda x: (x.sum(axis=0, dtype=np.float64),))
    mean = (total / n_rows).astype(np.float32)
    n_features = len(mean)

    def covariance_times(basis: np.ndarray | None) -> np.ndarray:
        def product(x: np.ndarray) -> tuple[np.ndarray]:
            centered = x - mean
            return (centered.T @ (centered if basis is None else centered @ basis),)

        (result,) = rows.sum(product)
        result /= n_rows
        return result

    with one_blas_thread():
        if n_features <= _WIDE:
            covariance = covariance_times(None).astype(np.float64)
            variance = float(np.trace(covariance))
            first = n_features - n_components
            variances, vectors = eigh(
                covariance, subset_by_index=(first, n_features - 1)
            )
        else:
            (squares,) = rows.sum(
                lambda x: (float(np.square(x - mean).sum(dtype=np.float64)),)
            )
            variance = squares / n_rows
            n_directions = min(n_features, n_components + 10)
            start = np.random.default_rng(0).standard_normal(
                (n_features, n_directions), dtype=np.float32
            )
            basis, _ = qr(covariance_times(start), mode="economic")
            for _ in range(3):
                basis, _ = qr(covariance_times(basis), mode="economic")
            inner = basis.T @ covariance_times(basis)
            first = n_directions - n_components
            variances, turn = eigh(inner, subset_by_index=(first, n_directions - 1))
            vectors = basis @ turn
    residual = variance - float(variances.sum())
    axes = np.ascontiguousarray(vectors[:, ::-1].T, np.float32)
    return PrincipalAxes(mean, axes, max(residual, 0.0))
