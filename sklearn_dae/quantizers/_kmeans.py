"""Scalar k-means: codebooks that follow the density of the codes."""

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import validate_data

from sklearn_dae._fields import Fields, count
from sklearn_dae.quantizers._base import CodebookQuantizer


class KMeansQuantizer(CodebookQuantizer):
    """Replace each value of a code with the nearest of a few learned ones.

    Lloyd's algorithm in one dimension, on sorted values, for each unit or for all of
    them together. At a fixed number of bits per value it has the lowest squared error;
    with an entropy coder behind it, `UniformQuantizer` needs fewer bits.

    Parameters
    ----------
    n_levels : int, default=16
        Size of a codebook: with 16, a value takes at most 4 bits. A unit with fewer
        distinct training values has one level for each of them.

    shared : bool, default=False
        Whether all units share one codebook, as in the paper, or each has its own.

    max_iter : int, default=300
        Maximum number of iterations.

    tol : float, default=1e-6
        Stop when an iteration lowers the mean squared error by less than this fraction
        of it.

    Attributes
    ----------
    codebooks_ : list of ndarray
        For each unit, the values that its symbols stand for, in ascending order.

    n_levels_ : ndarray of int of shape (n_features,)
        Sizes of the codebooks.

    n_iter_ : int
        Number of iterations for the codebook that took the most.

    n_features_in_ : int
        Number of units.

    References
    ----------
    Lloyd, S. P. (1982). Least squares quantization in PCM. IEEE Transactions on
    Information Theory 28(2), 129-137.

    Atreya, A. and O'Shea, D. (2009). Novel lossy compression algorithms with
    stacked autoencoders. Stanford University, CS229 report.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae import KMeansQuantizer
    >>> codes = np.array([[0.0], [0.2], [5.0], [5.2], [9.0]])
    >>> quantizer = KMeansQuantizer(n_levels=3).fit(codes)
    >>> quantizer.transform(codes).ravel().tolist()
    [0, 0, 1, 1, 2]
    >>> print(quantizer.codebooks_[0])
    [0.1 5.1 9. ]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_levels": [Interval(Integral, 1, 65536, closed="both")],
        "shared": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    _stored_fields: ClassVar[Fields] = {
        "n_iter_": count(),
    }

    def __init__(
        self,
        n_levels: int = 16,
        *,
        shared: bool = False,
        max_iter: int = 300,
        tol: float = 1e-6,
    ) -> None:
        self.n_levels = n_levels
        self.shared = shared
        self.max_iter = max_iter
        self.tol = tol

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the codebooks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training codes.

        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            The fitted quantiser.
        """
        self._validate_params()
        X = validate_data(self, X, dtype=np.float64)
        self.n_iter_ = 1
        if self.shared:
            self._set_codebooks([self._learn(X.ravel())] * X.shape[1])
        else:
            self._set_codebooks([self._learn(z) for z in X.T])
        return self

    def _learn(self, values: np.ndarray) -> np.ndarray:
        """Return the codebook of some values, by Lloyd's algorithm."""
        values = np.sort(values)
        distinct = np.unique(values)
        if len(distinct) <= self.n_levels:
            return distinct
        # Centred on their mean, so that sums of squares lose nothing to cancellation.
        middle = values.mean()
        values = values - middle
        sums = np.concatenate([[0.0], np.cumsum(values)])
        total = float(np.square(values).sum())
        # Levels at equal shares of the distinct values: none of them starts empty.
        at = (np.arange(self.n_levels) + 0.5) * len(distinct) / self.n_levels
        levels = distinct[at.astype(int)] - middle
        before = np.inf
        for n_iter in range(1, self.max_iter + 1):
            self.n_iter_ = max(self.n_iter_, n_iter)
            inner = np.searchsorted(values, (levels[1:] + levels[:-1]) / 2)
            ends = np.concatenate([[0], inner, [len(values)]])
            counts = np.diff(ends)
            filled = counts > 0
            cell_sums = np.diff(sums[ends])[filled]
            levels[filled] = cell_sums / counts[filled]
            levels.sort()
            error = total - float((np.square(cell_sums) / counts[filled]).sum())
            if before - error <= self.tol * error:
                break
            before = error
        return levels + middle

    def _symbols(self, Z: np.ndarray) -> np.ndarray:
        symbols = np.empty(Z.shape, np.int32)
        for j, codebook in enumerate(self.codebooks_):
            borders = (codebook[1:] + codebook[:-1]) / 2
            symbols[:, j] = np.searchsorted(borders, Z[:, j], side="right")
        return symbols
