"""What all quantisers share: codebooks, and the way back from symbols to values.

In: real codes, one column per unit. Out: for each value, the index of an entry of its
unit's codebook.
"""

from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_dae._fields import Fields, array, each, expect_equal


class CodebookQuantizer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """A quantiser whose symbols index the values of a codebook for each unit."""

    _stored_fields: ClassVar[Fields] = {
        "codebooks_": each(array(None)),
        "n_levels_": array("features", kinds="i"),
    }

    def _check_stored(self) -> None:
        levels = [len(codebook) for codebook in self.codebooks_]
        expect_equal("Sizes of codebooks", self.n_levels_, levels)
        if not levels or min(levels) < 1 or max(levels) > 65536:
            raise ValueError("Codebooks must have 1 to 65536 values")

    codebooks_: list[np.ndarray]

    def _symbols(self, Z: np.ndarray) -> np.ndarray:
        """Return the symbols of codes that have been checked."""
        raise NotImplementedError

    def _set_codebooks(self, codebooks: list[np.ndarray]) -> None:
        self.codebooks_ = codebooks
        self.n_levels_ = np.array([len(codebook) for codebook in codebooks])

    def transform(self, X: Any) -> np.ndarray:
        """Quantise codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Codes. Values beyond those seen in `fit` get the outermost symbols.

        Returns
        -------
        symbols : ndarray of int32 of shape (n_samples, n_features)
            Column j holds numbers in ``range(n_levels_[j])``.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return self._symbols(X)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Look symbols up in the codebooks.

        Parameters
        ----------
        X : array-like of int of shape (n_samples, n_features)
            Symbols.

        Returns
        -------
        codes : ndarray of float64 of shape (n_samples, n_features)

        Raises
        ------
        ValueError
            If a symbol is not in its unit's codebook.
        """
        check_is_fitted(self)
        X = check_array(X, dtype=None, input_name="X")
        if X.shape[1] != len(self.codebooks_):
            raise ValueError(
                f"X has {X.shape[1]} columns, but {type(self).__name__} was fitted on "
                f"{len(self.codebooks_)}; pass what transform returned."
            )
        if X.dtype.kind not in "iu":
            raise ValueError(
                f"X holds {X.dtype} numbers, expected integers: the symbols that "
                "transform returned."
            )
        outside = (X < 0) | (X >= self.n_levels_)
        if outside.any():
            row, column = np.argwhere(outside)[0]
            raise ValueError(
                f"Symbol {X[row, column]} in row {row}, column {column} is not in "
                f"range({self.n_levels_[column]}), which the codebook of that unit has."
            )
        starts = np.concatenate([[0], np.cumsum(self.n_levels_)[:-1]])
        return np.concatenate(self.codebooks_)[X + starts]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags
