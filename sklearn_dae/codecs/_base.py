"""Codecs: images <-> bytes.

In: images, as rows of numbers, as an array, or one by one. Out: one byte string of
chunks, each decodable without the others. A codec defines two mutually inverse
functions for a chunk of images of one kind; what all codecs share is here: framing,
input checks, dtypes, and a score by which a search can rank codecs.

A byte string holds the number of rows and the number of rows per chunk, then for each
chunk its length, its CRC-32 (four bytes) and its bytes. Images that are no rows have
another beginning: 1, if they were given as an array, 2, if one by one, or 3, if as rows
all the same; 0; for images one by one the number of kinds of images; for each kind what
they are, how many there are, and how many in a chunk; and if there are several kinds,
that of each image.
Numbers are unsigned LEB128: seven bits per byte, lowest first, the highest bit set in
all bytes but the last.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from itertools import islice
from numbers import Integral
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import assert_all_finite
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_dae._bytes import ByteReader, frame, leb128
from sklearn_dae._fields import (
    NONE,
    Fields,
    dtype,
    expect_equal,
    image_shape,
    number,
    one_of,
)
from sklearn_dae._scaling import cast
from sklearn_dae._warnings import warn
from sklearn_dae.codecs._chunk import CodedChunk
from sklearn_dae.codecs._images import (
    ARRAY,
    ROWS,
    SEQUENCE,
    TOLD_ROWS,
    Given,
    check_image_shape,
    given_images,
    spec_of_rows,
)
from sklearn_dae.exceptions import BitstreamError, OutOfDomainWarning
from sklearn_dae.images import ImageSpec
from sklearn_dae.images._spec_bytes import pack_spec, unpack_spec

#: Largest number of images in a chunk.
MAX_CHUNK_SIZE = 65536


class Codec(BaseEstimator):
    """Base class for all codecs.

    A subclass has ``chunk_size`` among its parameters, defines `_encode_chunk`, which
    returns a `CodedChunk`, and its inverse `_decode_chunk`, and learns in `_learn`
    whatever else it needs. One that takes images of any size says so by
    ``takes_any_size``, and then learns in `_learn_kinds`.

    Attributes
    ----------
    n_features_in_ : int
        Number of values in an image; of the kind that had most, if there were several.

    image_shape_ : tuple of int or None
        Shape of such an image, (height, width) or (height, width, channels); None if it
        was a row, and nothing more was said of it.

    dtype_ : dtype
        Dtype of the images seen in `fit`, and of the rows that `decode` returns.

    low_, high_ : float
        Range of the numbers: that of the dtype for 8-bit integers, else that of the
        training images.
    """

    #: Whether images may have another size than those that `fit` saw, or each its own.
    takes_any_size: ClassVar[bool] = False

    #: Numbers in a chunk by default: several thousand images of 28 x 28 pixels. Smaller
    #: chunks make a single image faster to reach, larger ones make coding faster.
    _chunk_numbers: ClassVar[int] = 2**22

    #: Whether rows must be known to be pictures, and of which shape.
    _needs_shape: bool = False

    #: Whether bytes say what images are, even where all are what `fit` saw.
    _tells_kinds: ClassVar[bool] = False

    #: Whether NaN and infinity are numbers like any other.
    _takes_nan: ClassVar[bool] = False

    _stored_fields: ClassVar[Fields] = {
        "image_shape_": one_of(NONE, image_shape),
        "dtype_": dtype,
        "low_": number(),
        "high_": number(),
    }

    def _check_stored(self) -> None:
        self._check_parameters()
        if self.image_shape_ is not None:
            spec_of_rows(self.image_shape_, self.n_features_in_)
        if self._shape_wanted is not None:
            shape = ImageSpec.of_shape(self._shape_wanted).shape
            expect_equal("Parameter image_shape", shape, self.image_shape_)
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
        X : array-like of shape (n_samples, n_features), or images
            Training images: as rows; as an array of shape (n_samples, height, width) or
            (n_samples, height, width, channels); as an `ImageSet`; or, one by one, as a
            list of arrays of shape (height, width) or (height, width, channels), which
            may differ where the codec ``takes_any_size``.

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
            cannot code such images.

        ImportError
            If a library that the codec needs is not installed.
        """
        fitted = copy(self)
        fitted._learn_kinds(fitted._learn_given(X))
        # All at once: a fit that fails changes nothing.
        self.__dict__ = fitted.__dict__
        return self

    def _learn_kinds(self, given: Given) -> None:
        """Learn what coding needs from images of several kinds."""
        if len(given.kinds) > 1:
            raise ValueError(
                f"X holds images of {len(given.kinds)} kinds, such as "
                f"{given.kinds[0].spec} and {given.kinds[1].spec}, but "
                f"{type(self).__name__} takes images of one kind: fit one for each, or "
                "take a codec that takes any size, such as JpegXLCodec."
            )
        self._learn(given.kinds[0].rows)

    def _learn(self, X: np.ndarray) -> None:
        """Learn what coding needs from rows, besides their dtype and range."""

    def _encode_chunk(self, X: np.ndarray, spec: ImageSpec) -> CodedChunk:
        """Encode images of a kind, as rows of ``spec.dtype``."""
        raise NotImplementedError

    def _decode_chunk(self, data: bytes, n_images: int, spec: ImageSpec) -> np.ndarray:
        """Decode images of a kind to rows; the caller casts them to its dtype."""
        raise NotImplementedError

    def _encode_chunks(
        self, chunks: list[tuple[np.ndarray, ImageSpec]]
    ) -> list[CodedChunk]:
        """Encode several chunks."""
        return [self._encode_chunk(rows, spec) for rows, spec in chunks]

    def _decode_chunks(
        self, chunks: list[tuple[bytes, int, ImageSpec]]
    ) -> list[np.ndarray]:
        """Decode several chunks."""
        return [self._decode_chunk(*chunk) for chunk in chunks]

    def _check_parameters(self) -> None:
        """Raise unless the parameters are valid, one by one and together."""
        self._validate_params()
        check_image_shape(self._shape_wanted)

    @property
    def _shape_wanted(self) -> Any:
        return getattr(self, "image_shape", None)

    def _learn_given(self, X: Any) -> Given:
        """Check parameters and training images; record what the latter are."""
        self._check_parameters()
        self.image_shape_ = None
        if self._shape_wanted is not None:
            shape = tuple(map(int, self._shape_wanted))
            self.image_shape_ = ImageSpec.of_shape(shape).shape
        given = given_images(X, self._checked, self._spec_of_rows)
        if not given.kinds:
            raise ValueError("X holds no images; expected one or more.")
        main = max(given.kinds, key=lambda kind: kind.rows.size)
        if given.form != ROWS:
            self._checked(main.rows)
        for kind in given.kinds:
            self._check_finite(kind.rows)
        if given.form != ROWS or self._needs_shape:
            if self.image_shape_ not in (None, main.spec.shape):
                raise ValueError(
                    f"X holds images of shape {main.spec.shape}, but image_shape == "
                    f"{self.image_shape_}; leave it at None."
                )
            self.image_shape_ = main.spec.shape
        self.dtype_ = np.result_type(*(kind.rows.dtype for kind in given.kinds))
        if self.dtype_.kind in "iu" and self.dtype_.itemsize == 1:
            limits = np.iinfo(self.dtype_)
            self.low_, self.high_ = float(limits.min), float(limits.max)
        else:
            ends = [finite_range(kind.rows) for kind in given.kinds]
            self.low_ = min(low for low, _ in ends)
            self.high_ = max(high for _, high in ends)
        return given

    def _checked(self, X: Any) -> np.ndarray:
        X = validate_data(
            self, X, dtype="numeric", ensure_all_finite=not self._takes_nan
        )
        if X.dtype.kind not in "biuf" or X.dtype.itemsize > 8:
            raise ValueError(
                f"X holds {X.dtype} numbers, but codecs take integers and real numbers "
                "of at most 64 bits: convert them, such as by X.astype(np.float64)."
            )
        return X

    def _spec_of_rows(self, n_features: int, dtype: np.dtype) -> ImageSpec:
        """Describe what rows are: pictures, or a line of numbers each."""
        if self.image_shape_ is None and not self._needs_shape:
            return ImageSpec(1, n_features, 1, dtype)
        return spec_of_rows(self.image_shape_, n_features, dtype)

    @property
    def _spec(self) -> ImageSpec:
        """What images of `fit` were."""
        return self._spec_of_rows(self.n_features_in_, self.dtype_)

    @property
    def error_bound(self) -> float:
        """How far any number may be off when it comes back.

        Zero for a codec that loses nothing, infinity where nothing is promised.
        """
        return math.inf

    @property
    def packages(self) -> tuple[str, ...]:
        """Names of packages that decoding needs and this one does not need anyway."""
        return ()

    def takes(self, spec: ImageSpec) -> bool:
        """Whether images of a kind can be coded.

        Parameters
        ----------
        spec : ImageSpec
            The kind of images.

        Returns
        -------
        bool
            Whether they can. Their numbers may still be refused, where ``dtype_``
            cannot hold them.
        """
        check_is_fitted(self)
        try:
            self._check_kind(self._coded_spec(spec))
        except ValueError:
            return False
        return True

    def _check_kind(self, spec: ImageSpec) -> None:
        """Raise ValueError unless such images can be coded."""
        if not self.takes_any_size and spec.n_numbers != self.n_features_in_:
            raise ValueError(
                f"Images of shape {spec.shape} have {spec.n_numbers} numbers, but "
                f"{type(self).__name__} was fitted on images of {self.n_features_in_}."
            )

    def _coded_spec(self, spec: ImageSpec) -> ImageSpec:
        """Describe images of a kind as they are coded: with numbers of ``dtype_``."""
        if spec.dtype == self.dtype_:
            return spec
        return replace(spec, dtype=self.dtype_, range=None)

    def encode(self, X: Any) -> bytes:
        """Encode images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or images
            Images, in any of the forms that `fit` takes, of the dtype seen there or one
            that casts to it without loss.

        Returns
        -------
        bytes
            All that `decode` needs besides the fitted codec.
        """
        check_is_fitted(self)
        given = self._given(X)
        head, order = [], np.zeros(given.n_images, np.int64)
        form = TOLD_ROWS if given.form == ROWS and self._tells_kinds else given.form
        if form != ROWS:
            head += [leb128(form), leb128(0)]
        if form == SEQUENCE:
            head.append(leb128(len(given.kinds)))
        chunks, places = [], []
        for rank, kind in enumerate(given.kinds):
            order[kind.places] = rank
            if form != ROWS:
                head.append(pack_spec(kind.spec))
            size = self.images_of_chunk(kind.spec)
            head += [leb128(len(kind.rows)), leb128(size)]
            for start in range(0, len(kind.rows), size):
                chunks.append((kind.rows[start : start + size], kind.spec))
                places.append(kind.places[start : start + size])
        if len(given.kinds) > 1:
            head += map(leb128, order.tolist())
        coded = self.encode_chunks(chunks)
        apart = [of[chunk.apart] for of, chunk in zip(places, coded, strict=True)]
        told = np.concatenate([np.empty(0, np.int64), *apart]).tolist()
        if told:
            warn_of_images_apart(told, given.n_images)
        return b"".join(head + [frame(chunk.data) for chunk in coded])

    def decode(self, data: bytes) -> Any:
        """Decode what `encode` returned.

        Parameters
        ----------
        data : bytes
            The byte string.

        Returns
        -------
        X : ndarray or list of ndarray
            The images, in their original order and in the form in which they were
            given: rows of ``dtype_`` of shape (n_samples, n_features); an array of
            shape (n_samples, height, width[, channels]); or a list of arrays.

        Raises
        ------
        BitstreamError
            If the bytes are truncated, damaged, or not those of such a codec.
        """
        check_is_fitted(self)
        form, order, kinds = self._decode_kinds(data)
        images = [
            rows if form == ROWS else rows.reshape(len(rows), *spec.shape)
            for spec, rows in kinds
        ]
        if form != SEQUENCE:
            return images[0]
        each = [iter(of_kind) for of_kind in images]
        return [next(each[number]) for number in order]

    def _decode_kinds(
        self, data: bytes
    ) -> tuple[int, list[int], list[tuple[ImageSpec, np.ndarray]]]:
        """Return the form, the kind of each image, and the images of each kind."""
        reader = ByteReader(data)
        first, second = reader.leb128(), reader.leb128()
        if second:
            form, parts = ROWS, [_Part(self._spec, first, second)]
        elif first in (ARRAY, SEQUENCE, TOLD_ROWS):
            form = ROWS if first == TOLD_ROWS else first
            n_kinds = reader.leb128() if form == SEQUENCE else 1
            parts = [self._read_part(reader) for _ in range(n_kinds)]
        else:
            raise BitstreamError(f"Images in form {first}, expected 1, 2 or 3.")
        order = _read_order(reader, parts) if len(parts) > 1 else None
        kinds = self._decode_parts(reader, parts)
        reader.finish()
        if order is None:
            order = [0] * sum(len(rows) for _, rows in kinds)
        return form, order, kinds

    def _read_part(self, reader: ByteReader) -> "_Part":
        spec = unpack_spec(reader)
        part = _Part(spec, reader.leb128(), reader.leb128())
        if not self.takes(spec):
            raise BitstreamError(f"Images are {spec}, which the codec does not take.")
        return part

    def _decode_parts(
        self, reader: ByteReader, parts: list["_Part"]
    ) -> list[tuple[ImageSpec, np.ndarray]]:
        chunks = []
        for part in parts:
            if not 0 < part.chunk_size <= MAX_CHUNK_SIZE:
                raise BitstreamError(
                    f"Chunks of {part.chunk_size} images, expected 1 to "
                    f"{MAX_CHUNK_SIZE}."
                )
            for place, n_images in enumerate(part.chunks()):
                chunks.append((reader.frame(f"Chunk {place}"), n_images, part.spec))
        decoded = iter(self.decode_chunks(chunks))
        return [
            (
                part.spec,
                np.concatenate(
                    [
                        np.empty((0, part.spec.n_numbers), part.spec.dtype),
                        *islice(decoded, part.n_chunks),
                    ]
                ),
            )
            for part in parts
        ]

    def images_of_chunk(self, spec: ImageSpec | None = None) -> int:
        """Return how many images of a kind are coded together, at most."""
        n_numbers = self.n_features_in_ if spec is None else spec.n_numbers
        by_size = self._chunk_numbers // n_numbers
        return self.chunk_size or min(max(by_size, 1), MAX_CHUNK_SIZE)

    def encode_chunk(self, X: Any, spec: ImageSpec | None = None) -> CodedChunk:
        """Encode images of one kind together, without framing.

        Parameters
        ----------
        X : array-like of shape (n_images, n_numbers)
            Images as rows of their numbers, at most ``images_of_chunk(spec)`` of them.

        spec : ImageSpec, default=None
            What they are; None means what those of `fit` were.

        Returns
        -------
        CodedChunk
            Their bytes.

        Raises
        ------
        ValueError
            If the codec does not take such images.
        """
        check_is_fitted(self)
        rows = self._given(X).kinds[0].rows if spec is None else np.asarray(X)
        (coded,) = self.encode_chunks([(rows, spec or self._spec)])
        return coded

    @property
    def numbers_at_once(self) -> int:
        """Numbers of images that are best coded at once, in several chunks.

        More take more memory, and make nothing faster.
        """
        return 0

    def encode_chunks(
        self, chunks: Sequence[tuple[np.ndarray, ImageSpec]]
    ) -> list[CodedChunk]:
        """Encode several chunks, which some codecs do faster than one after another.

        Parameters
        ----------
        chunks : sequence of (rows, spec)
            The images of each chunk, as rows, and what they are.

        Returns
        -------
        list of CodedChunk
            The same as `encode_chunk` returns for each.

        Raises
        ------
        ValueError
            If the codec does not take such images.
        """
        check_is_fitted(self)
        checked = []
        for rows, spec in chunks:
            self._check_finite(rows)
            coded = self._coded_spec(spec)
            self._check_kind(coded)
            checked.append((converted(rows, coded.dtype, self), coded))
        return self._encode_chunks(checked)

    def decode_chunk(
        self, data: bytes, n_images: int, spec: ImageSpec | None = None
    ) -> np.ndarray:
        """Decode the bytes that `encode_chunk` made of ``n_images`` images.

        Returns
        -------
        ndarray of ``spec.dtype`` of shape (n_images, n_numbers)
            The images as rows of their numbers.
        """
        (rows,) = self.decode_chunks([(data, n_images, spec or self._spec)])
        return rows

    def decode_chunks(
        self, chunks: Sequence[tuple[bytes, int, ImageSpec]]
    ) -> list[np.ndarray]:
        """Decode several chunks, which some codecs do faster than one after another.

        Parameters
        ----------
        chunks : sequence of (data, n_images, spec)
            The bytes of each chunk, how many images it has, and what they are.

        Returns
        -------
        list of ndarray
            The same as `decode_chunk` returns for each.
        """
        coded = [(data, n, self._coded_spec(spec)) for data, n, spec in chunks]
        return [
            cast(rows, spec.dtype)
            for rows, (_, _, spec) in zip(
                self._decode_chunks(coded), chunks, strict=True
            )
        ]

    def score(self, X: Any, y: Any = None) -> float:
        """Return a score that ranks codecs of any rate and error; higher is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or images
            Images, in any of the forms that `fit` takes.

        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        float
            Minus the bits per image: those that its codes take, plus those that its
            error would take if it were a Gaussian coded to the precision of the
            pixels: ``n_features / 2 * log2(1 + 12 * MSE / d**2)``, where d is the
            spacing of integers, or for floats a 255th of their range.
        """
        given, data = self._given(X), self.encode(X)
        _, _, kinds = self._decode_kinds(data)
        before = np.concatenate([kind.rows.ravel() for kind in given.kinds])
        after = np.concatenate([rows.ravel() for _, rows in kinds])
        return self._score(before, len(data), after, given.n_images)

    def _score(
        self, X: np.ndarray, n_bytes: int, restored: np.ndarray, n_images: int
    ) -> float:
        """Score images that took ``n_bytes`` and came back as ``restored``."""
        mse = mean_squared_error(X, restored)
        unit = 1.0 if self.dtype_.kind in "iu" else (self.high_ - self.low_) / 255 or 1
        rest = X.size / 2 * np.log2(1 + 12 * mse / unit**2)
        return float((-8 * n_bytes - rest) / n_images)

    def _given(self, X: Any) -> Given:
        """Check images that are to be coded."""
        given = given_images(X, self._checked_again, self._spec_of_rows)
        for kind in given.kinds:
            self._check_finite(kind.rows)
        return given

    def _check_finite(self, rows: np.ndarray) -> None:
        if rows.dtype.kind == "f" and not self._takes_nan:
            assert_all_finite(rows, input_name="X", estimator_name=type(self).__name__)

    def _checked_again(self, X: Any) -> np.ndarray:
        rows = validate_data(
            self,
            X,
            dtype="numeric",
            reset=False,
            ensure_min_samples=0,
            ensure_all_finite=not self._takes_nan,
        )
        return converted(rows, self.dtype_, self)


class _Part(NamedTuple):
    """Images of one kind in a byte string: what, how many, and how many together."""

    spec: ImageSpec
    n_images: int
    chunk_size: int

    @property
    def n_chunks(self) -> int:
        """Number of chunks."""
        return -(-self.n_images // self.chunk_size)

    def chunks(self) -> Iterator[int]:
        """Yield the number of images of each chunk."""
        for start in range(0, self.n_images, self.chunk_size):
            yield min(self.chunk_size, self.n_images - start)


def _read_order(reader: ByteReader, parts: list[_Part]) -> list[int]:
    """Read the kind of each image."""
    counts = [part.n_images for part in parts]
    # Each takes a byte or more: claims are checked before they take memory.
    if sum(counts) > reader.n_left:
        raise BitstreamError(f"There are not {sum(counts)} images.")
    order = [reader.leb128() for _ in range(sum(counts))]
    if Counter(order) != Counter(dict(enumerate(counts))):
        raise BitstreamError("Images are not of the kinds that there are.")
    return order


def converted(rows: np.ndarray, dtype: np.dtype, codec: Codec) -> np.ndarray:
    """Convert rows to the dtype in which they are coded.

    Raises
    ------
    ValueError
        If that changes a number, and the codec or the dtype allows no change.
    """
    if rows.dtype == dtype:
        return rows
    with np.errstate(invalid="ignore", over="ignore"):
        numbers = rows.astype(dtype)
        again = numbers.astype(rows.dtype)
    is_same = np.array_equal(numbers, rows) if dtype.kind in "iu" else True
    if codec.error_bound == 0:
        # Minus zero is equal to zero, but has other bits.
        is_same = np.array_equal(_bits(again), _bits(rows))
    if not is_same:
        raise ValueError(
            f"X holds {rows.dtype} numbers that {dtype} cannot hold, the dtype that "
            f"{type(codec).__name__} was fitted on; round them, or fit on "
            f"{rows.dtype}."
        )
    return numbers


def _bits(rows: np.ndarray) -> np.ndarray:
    """View numbers as integers of their size."""
    return np.ascontiguousarray(rows).view(f"u{rows.itemsize}")


def finite_range(rows: np.ndarray) -> tuple[float, float]:
    """Return the smallest and the largest number that is finite; zero if none is."""
    low, high = float(rows.min()), float(rows.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        finite = rows[np.isfinite(rows)]
        if not finite.size:
            return 0.0, 0.0
        low, high = float(finite.min()), float(finite.max())
    return low, high


def warn_of_images_apart(images: list[int], n_images: int) -> None:
    """Warn of images that a codec would have restored badly."""
    named = ", ".join(map(str, images[:10])) + (", ..." if len(images) > 10 else "")
    warn(
        f"{len(images)} of {n_images} images are unlike the training images and would "
        f"be restored badly, so they are stored without loss, which takes more bytes: "
        f"images {named}. Train on images like them if there are many.",
        OutOfDomainWarning,
    )


def mean_squared_error(X: np.ndarray, Y: np.ndarray) -> float:
    """Return the mean squared difference over all pixels."""
    difference = np.subtract(X, Y, dtype=np.float64)
    return float(np.square(difference).mean()) if difference.size else 0.0
