"""Codecs: rows of numbers <-> bytes.

In: images as rows. Out: one byte string of chunks, each decodable without the others.
A codec defines two mutually inverse functions for a chunk; what all codecs share is
here: framing, input checks, dtypes, and a score by which a search can rank codecs.

A byte string holds the number of rows and the number of rows per chunk, then for each
chunk its length, its CRC-32 (four bytes) and its bytes. Numbers are unsigned LEB128:
seven bits per byte, lowest first, the highest bit set in all bytes but the last.
"""

from collections.abc import Iterator
from copy import copy
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_dae._bytes import ByteReader, frame, leb128
from sklearn_dae._fields import Fields, dtype, number
from sklearn_dae._scaling import cast
from sklearn_dae._warnings import warn
from sklearn_dae.codecs._chunk import CodedChunk
from sklearn_dae.exceptions import BitstreamError, OutOfDomainWarning

#: Numbers in a chunk by default: several thousand images of 28 x 28 pixels. Smaller
#: chunks make a single image faster to reach, larger ones make coding faster.
_CHUNK_NUMBERS = 2**22

#: Largest number of rows in a chunk.
MAX_CHUNK_SIZE = 65536


class Codec(BaseEstimator):
    """Base class for all codecs.

    A subclass has ``chunk_size`` among its parameters, defines `_encode_chunk`, which
    returns a `CodedChunk`, and its inverse `_decode_chunk`, and learns in `_learn`
    whatever else it needs.

    Attributes
    ----------
    n_features_in_ : int
        Number of values in a row.

    dtype_ : dtype
        Dtype of the rows seen in `fit`, and of what `decode` returns.

    low_, high_ : float
        Range of the rows: that of the dtype for 8-bit integers, else that of the
        training rows.
    """

    _stored_fields: ClassVar[Fields] = {
        "dtype_": dtype,
        "low_": number(),
        "high_": number(),
    }

    def _check_stored(self) -> None:
        self._check_parameters()
        if not self.low_ <= self.high_:
            raise ValueError(f"The range ends at {self.high_}, below {self.low_}")

    chunk_size: int | None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "chunk_size": [Interval(Integral, 1, MAX_CHUNK_SIZE, closed="both"), None],
    }

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from training images what coding needs.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training images.

        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            The fitted codec.

        Raises
        ------
        ValueError
            If a parameter is invalid or asks for what cannot be reached, or the codec
            cannot code numbers of that dtype.

        TypeError
            If a codec is to restore exactly what a transformer cannot.

        ImportError
            If a library that the codec needs is not installed.
        """
        fitted = copy(self)
        fitted._learn(fitted._learn_rows(X))
        # All at once: a fit that fails changes nothing.
        self.__dict__ = fitted.__dict__
        return self

    def _learn(self, X: np.ndarray) -> None:
        """Learn what coding needs, besides the dtype and the range of the rows."""

    def _encode_chunk(self, X: np.ndarray) -> CodedChunk:
        """Encode rows of ``dtype_``."""
        raise NotImplementedError

    def _decode_chunk(self, data: bytes, n_rows: int) -> np.ndarray:
        """Decode ``n_rows`` rows; the caller casts them to ``dtype_``."""
        raise NotImplementedError

    def _check_parameters(self) -> None:
        """Raise unless the parameters are valid, one by one and together."""
        self._validate_params()

    def _learn_rows(self, X: Any) -> np.ndarray:
        """Check parameters and training rows; record the dtype and range of these."""
        self._check_parameters()
        X = validate_data(self, X, dtype="numeric")
        if X.dtype.kind not in "biuf" or X.dtype.itemsize > 8:
            raise ValueError(
                f"X holds {X.dtype} numbers, but codecs take integers and real numbers "
                "of at most 64 bits: convert them, such as by X.astype(np.float64)."
            )
        self.dtype_ = X.dtype
        if X.dtype.kind in "iu" and X.dtype.itemsize == 1:
            limits = np.iinfo(X.dtype)
            self.low_, self.high_ = float(limits.min), float(limits.max)
        else:
            self.low_, self.high_ = float(X.min()), float(X.max())
        return X

    def encode(self, X: Any) -> bytes:
        """Encode rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Images, of the dtype seen in `fit` or one that casts to it without loss.

        Returns
        -------
        bytes
            All that `decode` needs besides the fitted codec.
        """
        X = self._check_rows(X)
        chunk_size = self.rows_of_chunk
        parts = [leb128(len(X)), leb128(chunk_size)]
        apart: list[int] = []
        for start in range(0, len(X), chunk_size):
            chunk = self._encode_chunk(X[start : start + chunk_size])
            parts.append(frame(chunk.data))
            apart += (start + chunk.apart).tolist()
        if apart:
            warn_of_rows_apart(apart, len(X))
        return b"".join(parts)

    def decode(self, data: bytes) -> np.ndarray:
        """Decode what `encode` returned.

        Parameters
        ----------
        data : bytes
            The byte string.

        Returns
        -------
        X : ndarray of ``dtype_`` of shape (n_samples, n_features)
            The rows, in their original order.

        Raises
        ------
        BitstreamError
            If the bytes are truncated, damaged, or not those of such a codec.
        """
        check_is_fitted(self)
        chunks = [self.decode_chunk(chunk, n) for chunk, n in _chunks(data)]
        if not chunks:
            return np.empty((0, self.n_features_in_), self.dtype_)
        return np.concatenate(chunks)

    @property
    def rows_of_chunk(self) -> int:
        """Largest number of rows that are coded together."""
        by_size = _CHUNK_NUMBERS // self.n_features_in_
        return self.chunk_size or min(max(by_size, 1), MAX_CHUNK_SIZE)

    def encode_chunk(self, X: Any) -> CodedChunk:
        """Encode rows, at most ``rows_of_chunk`` of them, without framing."""
        return self._encode_chunk(self._check_rows(X))

    def decode_chunk(self, data: bytes, n_rows: int) -> np.ndarray:
        """Decode the bytes that `encode_chunk` made of ``n_rows`` rows."""
        return cast(self._decode_chunk(data, n_rows), self.dtype_)

    def score(self, X: Any, y: Any = None) -> float:
        """Return a score that ranks codecs of any rate and error; higher is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Images.

        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        float
            Minus the bits per row: those that its codes take, plus those that its
            error would take if it were a Gaussian coded to the precision of the
            pixels: ``n_features / 2 * log2(1 + 12 * MSE / d**2)``, where d is the
            spacing of integers, or for floats a 255th of their range.
        """
        data = self.encode(X)
        return self._score(self._check_rows(X), len(data), self.decode(data))

    def _score(self, X: np.ndarray, n_bytes: int, restored: np.ndarray) -> float:
        """Score rows that took ``n_bytes`` and came back as ``restored``."""
        mse = mean_squared_error(X, restored)
        unit = 1.0 if self.dtype_.kind in "iu" else (self.high_ - self.low_) / 255 or 1
        rest = X.shape[1] / 2 * np.log2(1 + 12 * mse / unit**2)
        return float(-8 * n_bytes / len(X) - rest)

    def _check_rows(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, dtype="numeric", reset=False, ensure_min_samples=0)
        if X.dtype == self.dtype_:
            return X
        converted = X.astype(self.dtype_)
        if self.dtype_.kind in "iu" and not np.array_equal(converted, X):
            raise ValueError(
                f"X holds {X.dtype} numbers that {self.dtype_} cannot hold, the dtype "
                f"that {type(self).__name__} was fitted on; round them, or fit on "
                f"{X.dtype}."
            )
        return converted


def warn_of_rows_apart(rows: list[int], n_rows: int) -> None:
    """Warn of rows that a codec would have restored badly."""
    named = ", ".join(map(str, rows[:10])) + (", ..." if len(rows) > 10 else "")
    warn(
        f"{len(rows)} of {n_rows} images are unlike the training images and would be "
        f"restored badly, so they are stored without loss, which takes more bytes: "
        f"rows {named}. Train on images like them if there are many.",
        OutOfDomainWarning,
    )


def mean_squared_error(X: np.ndarray, Y: np.ndarray) -> float:
    """Return the mean squared difference over all pixels."""
    difference = np.subtract(X, Y, dtype=np.float64)
    return float(np.square(difference).mean()) if difference.size else 0.0


def _chunks(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the checked bytes of each chunk, and the number of rows it holds."""
    reader = ByteReader(data)
    n_left, chunk_size = reader.leb128(), reader.leb128()
    if not 0 < chunk_size <= MAX_CHUNK_SIZE:
        raise BitstreamError(
            f"Chunks of {chunk_size} rows, expected 1 to {MAX_CHUNK_SIZE}."
        )
    number = 0
    while n_left:
        chunk = reader.frame(f"Chunk {number}")
        n_rows = min(n_left, chunk_size)
        yield chunk, n_rows
        n_left -= n_rows
        number += 1
    reader.finish()
