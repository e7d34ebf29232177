"""Principal axes of rows that are read a block at a time."""

from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh, eigvalsh, qr

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
    mean = _mean(rows)
    n_features = len(mean)
    with one_blas_thread():
        if n_features <= _WIDE:
            covariance = _covariance_times(rows, mean).astype(np.float64)
            variance = float(np.trace(covariance))
            first = n_features - n_components
            variances, vectors = eigh(
                covariance, subset_by_index=(first, n_features - 1)
            )
        else:
            (squares,) = rows.sum(
                lambda x: (float(np.square(x - mean).sum(dtype=np.float64)),)
            )
            variance = squares / rows.n_rows
            n_directions = min(n_features, n_components + 10)
            start = np.random.default_rng(0).standard_normal(
                (n_features, n_directions), dtype=np.float32
            )
            basis, _ = qr(_covariance_times(rows, mean, start), mode="economic")
            for _ in range(3):
                basis, _ = qr(_covariance_times(rows, mean, basis), mode="economic")
            inner = basis.T @ _covariance_times(rows, mean, basis)
            first = n_directions - n_components
            variances, turn = eigh(inner, subset_by_index=(first, n_directions - 1))
            vectors = basis @ turn
    residual = variance - float(variances.sum())
    axes = np.ascontiguousarray(vectors[:, ::-1].T, np.float32)
    return PrincipalAxes(mean, axes, max(residual, 0.0))


def count_components(rows: RowBlocks, share: float) -> int:
    """Count the principal axes that a share of the variance needs, as PCA does.

    Parameters
    ----------
    rows : RowBlocks
        Rows, of at most 2,048 features.

    share : float
        Share of the variance that the axes must explain, between 0 and 1.

    Returns
    -------
    int
        The smallest number of axes that explain more than the share.
    """
    n_features = rows.X.shape[1]
    if n_features > _WIDE:
        raise ValueError(
            f"n_components={share} as a share of the variance needs at most {_WIDE} "
            f"features, X has {n_features}; give an integer."
        )
    with one_blas_thread():
        covariance = _covariance_times(rows, _mean(rows)).astype(np.float64)
        variances = np.maximum(eigvalsh(covariance)[::-1], 0.0)
    if not variances.sum():
        return 1
    explained = np.cumsum(variances) / variances.sum()
    return min(1 + int(np.searchsorted(explained, share, side="right")), n_features)


def _mean(rows: RowBlocks) -> np.ndarray:
    (total,) = rows.sum(lambda x: (x.sum(axis=0, dtype=np.float64),))
    return (total / rows.n_rows).astype(np.float32)


def _covariance_times(
    rows: RowBlocks, mean: np.ndarray, basis: np.ndarray | None = None
) -> np.ndarray:
    """Return the covariance of the rows, or its product with a basis."""

    def product(x: np.ndarray) -> tuple[np.ndarray]:
        centered = x - mean
        return (centered.T @ (centered if basis is None else centered @ basis),)

    (result,) = rows.sum(product)
    result /= rows.n_rows
    return result
