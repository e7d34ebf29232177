"""Huffman coding as a scikit-learn transformer: rows of numbers <-> rows of bytes."""

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import check_array
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_dae._fields import Fields, expect_equal, instance, number
from sklearn_dae._validation import check_choice
from sklearn_dae.coding._huffman import HuffmanCode
from sklearn_dae.exceptions import BitstreamError


class HuffmanCoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Code rows of numbers without loss, with one canonical Huffman code.

    `fit` gives each value that it sees a word, shorter for more frequent values. Any
    other value is coded as an escape word and the value itself. A row that would get
    longer than its values are in memory is stored as it is.

    The bits of a row are a zero, the words of its values, and the values that have no
    word; or a one and all values. A value is written as the little-endian bytes of the
    dtype that `fit` saw. Zeros fill the last byte.

    Parameters
    ----------
    handle_unknown : {"escape", "error"}, default="escape"
        What to do with a value that was not seen in `fit`: code it as an escape word
        and its bits, or raise ValueError. The escape word counts as one more value.

    Attributes
    ----------
    values_ : ndarray of shape (n_values,)
        The values seen in `fit`, in ascending order.

    word_lengths_ : ndarray of int of shape (n_values,)
        Lengths of their words, in bits.

    mean_bits_ : float
        Mean number of bits per value in the rows of `fit`.

    n_features_in_ : int
        Number of values in a row.

    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Names of the columns, if X had names.

    See Also
    --------
    rans_encode : Needs fewer bits, above all where values take fractions of a bit.

    References
    ----------
    Huffman, D. A. (1952). A method for the construction of minimum-redundancy
    codes. Proceedings of the IRE 40, 1098-1101.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae import HuffmanCoder
    >>> X = np.array([[0, 0, 0, 1], [0, 0, 2, 0]], dtype=np.uint8)
    >>> coder = HuffmanCoder().fit(X)
    >>> coder.encode(X)
    [b'\x0c', b'\x1c']
    >>> coder.bits(X), coder.bits([[0, 0, 0, 77]])
    (array([7, 7]), array([14]))
    >>> coder.transform(X)
    array([[12,  0,  0,  0,  0],
           [28,  0,  0,  0,  0]], dtype=uint8)
    >>> coder.inverse_transform(coder.transform(X))
    array([[0, 0, 0, 1],
           [0, 0, 2, 0]], dtype=uint8)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "handle_unknown": [StrOptions({"escape", "error"})],
    }

    _stored_fields: ClassVar[Fields] = {
        "_code": instance(HuffmanCode),
        "mean_bits_": number(),
    }

    def _complete_stored(self) -> None:
        self._set_code(self._code)

    def _check_stored(self) -> None:
        check_choice("handle_unknown", self.handle_unknown, ("escape", "error"))
        has_escape = len(self._code.lengths) > len(self._code.values)
        expect_equal("Escape word", has_escape, self.handle_unknown == "escape")

    def __init__(self, handle_unknown: str = "escape") -> None:
        self.handle_unknown = handle_unknown

    def fit(self, X: Any, y: None = None) -> Self:
        """Learn the code of the values.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of finite numbers. Their dtype is that of the decoded rows.

        y : None
            Ignored.

        Returns
        -------
        self : HuffmanCoder
            The fitted coder.
        """
        self._validate_params()
        X = validate_data(self, X)
        values, counts = np.unique(X, return_counts=True)
        if self.handle_unknown == "escape":
            counts = np.append(counts, 1)
        self._set_code(HuffmanCode(values, counts))
        self.mean_bits_ = self._bits(self._indices(X)).mean() / self.n_features_in_
        return self

    def _set_code(self, code: HuffmanCode) -> None:
        self._code = code
        self.values_ = code.values
        self.word_lengths_ = code.lengths[: len(self.values_)]
        longest = self._value_lengths.max() * self.n_features_in_
        self._n_features_out = int(1 + min(longest, self._stored_bits) + 7) // 8

    def transform(self, X: Any) -> np.ndarray:
        """Code rows as rows of bytes, padded with zeros to a common length.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of finite numbers.

        Returns
        -------
        coded : ndarray of uint8 of shape (n_samples, n_bytes)
            The bytes of each row. `n_bytes` is what the longest possible row takes, so
            the array takes as much memory as X; `encode` leaves the zeros out.

        Raises
        ------
        ValueError
            As for `encode`.
        """
        rows = self.encode(X)
        coded = b"".join(row.ljust(self._n_features_out, b"\0") for row in rows)
        return np.frombuffer(bytearray(coded), np.uint8).reshape(len(rows), -1)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Recover the rows of numbers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_bytes)
            What `transform` returned.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            The numbers, in the dtype of `fit`.

        Raises
        ------
        BitstreamError
            If a row is not what `transform` returns.
        """
        check_is_fitted(self)
        coded = check_array(X)
        if coded.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {coded.shape[1]} columns, expected the {self._n_features_out} "
                "of what transform returned."
            )
        as_bytes = coded.astype(np.uint8)
        if not np.array_equal(as_bytes, coded):
            raise BitstreamError(
                f"X has values in [{coded.min()}, {coded.max()}], expected whole bytes "
                "in [0, 255]."
            )
        return self.decode([row.tobytes() for row in as_bytes])

    def encode(self, X: Any) -> list[bytes]:
        """Code rows as bytes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of finite numbers.

        Returns
        -------
        rows : list of bytes
            The bytes of each row, as few as its bits allow.

        Raises
        ------
        ValueError
            If the dtype of `fit` cannot hold a value, or a value was not seen in `fit`
            and ``handle_unknown="error"``.
        """
        X = self._check(X)
        indices = self._indices(X)
        stored = self._value_lengths[indices].sum(axis=1) > self._stored_bits
        return [
            self._code.store(row) if whole else self._code.encode(row, places)
            for row, places, whole in zip(X, indices, stored, strict=True)
        ]

    def decode(self, rows: list[bytes]) -> np.ndarray:
        """Recover the rows of numbers from what `encode` returned.

        Parameters
        ----------
        rows : list of bytes
            The coded rows. Zeros may follow a row.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            The numbers, in the dtype of `fit`.

        Raises
        ------
        BitstreamError
            If a row is cut off, or does not end in zeros.
        """
        check_is_fitted(self)
        X = np.empty((len(rows), self.n_features_in_), self.values_.dtype)
        for i, row in enumerate(rows):
            try:
                X[i] = self._code.decode(row, self.n_features_in_)
            except BitstreamError as error:
                raise BitstreamError(f"Row {i} {error}.") from error
        return X

    def bits(self, X: Any) -> np.ndarray:
        """Return the length of each coded row, in bits.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of finite numbers.

        Returns
        -------
        bits : ndarray of int of shape (n_samples,)
            Lengths, not counting the zeros that fill the last byte.

        Raises
        ------
        ValueError
            As for `encode`.
        """
        return self._bits(self._indices(self._check(X)))

    def score(self, X: Any, y: None = None) -> float:
        """Return minus the mean number of bits per value, for a grid search.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of finite numbers.

        y : None
            Ignored.

        Returns
        -------
        score : float
            The higher, the shorter the coded rows are.
        """
        return -float(self.bits(X).mean()) / self.n_features_in_

    def __sklearn_tags__(self) -> Any:
        """Declare that the result is bytes, whatever goes in."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

    @property
    def _stored_bits(self) -> int:
        """Bits of a row whose values are stored as they are."""
        return 8 * self.values_.itemsize * self.n_features_in_

    @property
    def _value_lengths(self) -> np.ndarray:
        """Bits of each value; the last entry may be that of values without a word."""
        lengths = self._code.lengths.copy()
        lengths[len(self.values_) :] += 8 * self.values_.itemsize
        return lengths

    def _check(self, X: Any) -> np.ndarray:
        """Return X in the dtype of `fit`, or raise if that changes a value."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        with np.errstate(invalid="ignore", over="ignore"):
            converted = X.astype(self.values_.dtype, copy=False)
            # Either comparison alone may round or wrap around.
            changed = (converted != X) | (converted.astype(X.dtype) != X)
        if changed.any():
            raise ValueError(
                f"X has the value {X[changed][0]}, which {self.values_.dtype} cannot "
                "hold: fit the coder to numbers of the dtype that it will code."
            )
        return converted

    def _indices(self, X: np.ndarray) -> np.ndarray:
        """Return the index of each value in `values_`, or its length if not there."""
        indices = self._code.indices(X)
        unknown = indices == len(self.values_)
        if self.handle_unknown == "error" and unknown.any():
            raise ValueError(
                f"X has the value {X[unknown][0]}, which was not seen in fit: pass "
                'handle_unknown="escape" to code it all the same.'
            )
        return indices

    def _bits(self, indices: np.ndarray) -> np.ndarray:
        words = self._value_lengths[indices].sum(axis=1)
        return 1 + np.minimum(words, self._stored_bits)
