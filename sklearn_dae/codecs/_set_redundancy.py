"""Lossless coding by what a set of images has in common."""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions

from sklearn_dae._bytes import ByteReader, leb128
from sklearn_dae._fields import Fields, array, expect_equal, instance
from sklearn_dae.codecs._base import Codec
from sklearn_dae.codecs._chunk import CodedChunk
from sklearn_dae.codecs._images import check_image_shape, size_of_rows
from sklearn_dae.codecs._residuals import (
    from_symbols,
    n_symbols,
    to_symbols,
    wrap,
)
from sklearn_dae.codecs._set_prediction import SetPredictor
from sklearn_dae.coding import (
    FrequencyTables,
    rans_decode,
    rans_encode,
)
from sklearn_dae.coding._tables import check_all_codable
from sklearn_dae.exceptions import BitstreamError

METHODS = ("min_max_differential", "min_max_predictive", "centroid")

#: Numbers that are processed at once in `fit`.
_BLOCK_NUMBERS = 2**21

#: Bounds, an octave apart, of the mean difference from the prediction: places of an
#: image between the same two bounds share a table.
_CLASS_BOUNDS = 2.0 ** np.arange(-8, 17)

#: What a sighting of a symbol counts, where a symbol never seen counts 1.
_SEEN = 16


class SetRedundancyCodec(Codec):
    """Store images without loss by how they differ from what their set has in common.

    Three methods due to Karadimitriou predict a pixel from the training images and from
    the pixels to the left and above it. The residual is coded by rANS; places where the
    training images were predicted about equally well share a frequency table. Any image
    comes back exactly, even with pixels that no training image has.

    Parameters
    ----------
    method : {"min_max_differential", "min_max_predictive", "centroid"}, \
default="min_max_predictive"
        How a pixel is predicted. "min_max_differential": as the smallest or the
        largest training pixel at its place, whichever was nearer at the pixel to the
        left. "min_max_predictive": as far between these two as its neighbours are
        between theirs. "centroid": as the mean training pixel at its place, plus the
        difference of its neighbours from theirs.

    image_shape : tuple of (height, width), default=None
        Size of the images. None treats them as squares, and refuses rows that are none.

    chunk_size : int, default=None
        Images coded together; each chunk can be decoded without the others. None means
        as many as have four million pixels.

    Attributes
    ----------
    references_ : ndarray of shape (2, n_features) or (1, n_features)
        The smallest and the largest training pixel at each place, or the rounded mean.

    classes_ : ndarray of uint8 of shape (n_features,)
        The table used at each place.

    tables_ : FrequencyTables
        The frequency tables of the residuals.

    n_features_in_ : int
        Number of values in a row.

    dtype_ : dtype
        Dtype of the rows seen in `fit`, and of what `decode` returns.

    low_, high_ : float
        Range of the rows: that of the dtype for 8-bit integers, else that of the
        training rows.

    Notes
    -----
    The publications describe the methods as mappings of pixels, to be followed by any
    coder; which neighbours predict, and how, is interpreted here as follows.
    "min_max_differential" goes by the pixel to the left, or in the first column by the
    one above; differences are counted inwards, from the smallest up or from the largest
    down. For the other two, the levels (or the differences from the centroid) of the
    pixels to the left, above, and above to the left are combined by the median
    predictor of LOCO-I, which took fewer bits on digits, MNIST and X-rays than the left
    one alone, and than the mean of left and above. A level is rounded down to 16 bits;
    where all training images have the same pixel it is zero.

    References
    ----------
    Karadimitriou, K. (1996). Set redundancy, the enhanced compression model, and
    methods for compressing sets of similar images. PhD thesis, Louisiana State
    University.

    Karadimitriou, K. and Tyler, J. M. (1997). Min-max compression methods for medical
    image databases. ACM SIGMOD Record 26(1), 47-52.

    Karadimitriou, K. and Tyler, J. M. (1998). The Centroid method for compressing sets
    of similar images. Pattern Recognition Letters 19(7), 585-593.

    Weinberger, M. J., Seroussi, G. and Sapiro, G. (1996). LOCO-I: A low complexity,
    context-based, lossless image compression algorithm. Data Compression Conference.

    Examples
    --------
    >>> from sklearn_dae.codecs import SetRedundancyCodec
    >>> from sklearn_dae.datasets import load_digits
    >>> X = load_digits().data
    >>> codec = SetRedundancyCodec("min_max_differential").fit(X[:1500])
    >>> data = codec.encode(X[1500:])
    >>> (codec.decode(data) == X[1500:]).all()
    np.True_
    >>> print(round(8 * len(data) / X[1500:].size, 2))  # bits a pixel
    2.59
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Codec._parameter_constraints,
        "method": [StrOptions({*METHODS})],
    }

    _stored_fields: ClassVar[Fields] = {
        "references_": array("references", "features", kinds="iu"),
        "classes_": array("features", kinds="u"),
        "tables_": instance(FrequencyTables),
    }

    def _check_stored(self) -> None:
        super()._check_stored()
        self._check_images()
        references, tables = self.references_, self.tables_
        expect_equal("Type of the references", references.dtype.name, self.dtype_.name)
        n_references = 1 if self.method == "centroid" else 2
        expect_equal("References", len(references), n_references)
        if (references[0] > references[-1]).any():
            raise ValueError("A smallest pixel is larger than the largest")
        expect_equal("Type of the classes", self.classes_.dtype, np.uint8)
        last = self.classes_.max()
        if last >= len(tables):
            raise ValueError(f"A place has table {last} of {len(tables)}")
        check_all_codable(tables, n_symbols(8 * self.dtype_.itemsize))

    def __init__(
        self,
        method: str = "min_max_predictive",
        *,
        image_shape: tuple[int, int] | None = None,
        chunk_size: int | None = None,
    ) -> None:
        self.method = method
        self.image_shape = image_shape
        self.chunk_size = chunk_size

    def _learn(self, X: np.ndarray) -> None:
        self._check_images()
        if self.method == "centroid":
            self.references_ = np.rint(X.mean(axis=0, keepdims=True)).astype(X.dtype)
        else:
            self.references_ = np.stack([X.min(axis=0), X.max(axis=0)])
        sums = np.zeros(X.shape[1])
        for differences in self._all_differences(X):
            sums += np.abs(differences).sum(axis=0)
        classes = np.digitize(sums / len(X), _CLASS_BOUNDS)
        used, self.classes_ = np.unique(classes, return_inverse=True)
        self.classes_ = self.classes_.astype(np.uint8)
        n = n_symbols(self._n_bits)
        counts = np.zeros(len(used) * n, np.int64)
        for differences in self._all_differences(X):
            symbols, _ = to_symbols(differences, self._n_bits)
            places = symbols + n * self.classes_.astype(np.int64)
            counts += np.bincount(places.ravel(), minlength=counts.size)
        self.tables_ = FrequencyTables.from_counts(
            list(_SEEN * counts.reshape(-1, n)), precision=16, pseudo_count=1
        )

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_image_shape(self.image_shape)

    def _check_images(self) -> None:
        """Raise unless the pixels and sizes can be predicted."""
        if self.dtype_.kind not in "iu" or self.dtype_.itemsize > 4:
            raise ValueError(
                f"X holds {self.dtype_} numbers, but SetRedundancyCodec takes integers "
                "of 8 to 32 bits: convert them, if they are whole numbers, such as by "
                "X.astype(np.uint8)."
            )
        size_of_rows(self.image_shape, self.n_features_in_)

    @property
    def _n_bits(self) -> int:
        return 8 * self.dtype_.itemsize

    @property
    def _predictor(self) -> SetPredictor:
        shape = size_of_rows(self.image_shape, self.n_features_in_)
        limits = int(self.low_), int(self.high_)
        return SetPredictor.make(self.method, self.references_, shape, limits)

    def _all_differences(self, X: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the residuals of the rows, some rows at a time."""
        n_rows = max(1, _BLOCK_NUMBERS // X.shape[1])
        for start in range(0, len(X), n_rows):
            yield self._differences(X[start : start + n_rows])

    def _differences(self, X: np.ndarray) -> np.ndarray:
        predictor = self._predictor
        pixels = np.empty((len(X), X.shape[1] + 1), np.int64)
        pixels[:, :-1], pixels[:, -1] = X, predictor.before
        neighbours = [pixels[:, places] for places in predictor.neighbours]
        places = np.arange(X.shape[1])
        predictions, directions = predictor.predict(places, neighbours)
        return wrap(directions * (pixels[:, :-1] - predictions), self._n_bits)

    def _encode_chunk(self, X: np.ndarray) -> CodedChunk:
        symbols, bits = to_symbols(self._differences(X), self._n_bits)
        stream = rans_encode(symbols, self.tables_, self.classes_)

        def own_bits() -> np.ndarray:
            return self.tables_.bits(symbols, self.classes_).sum(axis=1)

        data = leb128(len(bits)) + bits + stream
        return CodedChunk(data, len(X), own_bits=own_bits)

    def _decode_chunk(self, data: bytes, n_rows: int) -> np.ndarray:
        shape = n_rows, self.n_features_in_
        least = np.array([16 - np.log2(table.max()) for table in self.tables_])
        # Claims are checked before they take memory; the half allows for rounding.
        if n_rows * least[self.classes_].sum() / 2 > 8 * len(data) + 64:
            raise BitstreamError(f"{len(data)} bytes cannot hold {n_rows} images.")
        reader = ByteReader(data)
        bits = reader.take(reader.leb128())
        stream = reader.take(reader.n_left)
        symbols = rans_decode(stream, shape, self.tables_, self.classes_)
        differences = from_symbols(symbols, bits, self._n_bits).T
        return self._restore(np.ascontiguousarray(differences))

    def _restore(self, differences: np.ndarray) -> np.ndarray:
        """Undo `_differences`; here each row is one pixel of all images."""
        predictor = self._predictor
        lowest = int(np.iinfo(self.dtype_).min)
        mask = (1 << self._n_bits) - 1
        pixels = np.empty((len(differences) + 1, differences.shape[1]), np.int64)
        pixels[-1] = predictor.before
        for place, difference in enumerate(differences):
            neighbours = pixels[predictor.neighbours[:, place]]
            prediction, direction = predictor.predict(place, neighbours)
            restored = prediction + direction * difference
            pixels[place] = (restored - lowest & mask) + lowest
        return pixels[:-1].T.astype(self.dtype_)
