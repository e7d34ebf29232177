"""Lossless coding by what a set of images has in common."""

from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions

from sklearn_dae._bytes import ByteReader, leb128
from sklearn_dae._fields import Fields, each, expect_equal, instance
from sklearn_dae.codecs._base import Codec, converted
from sklearn_dae.codecs._chunk import CodedChunk
from sklearn_dae.codecs._images import Given, check_grey
from sklearn_dae.codecs._residuals import from_symbols, to_symbols
from sklearn_dae.codecs._set_model import SetModel
from sklearn_dae.coding import rans_decode, rans_encode
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec

METHODS = ("min_max_differential", "min_max_predictive", "centroid")


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
    sets_ : list of SetModel
        What images of each size have in common: ``references``, the smallest and the
        largest training pixel at each place or the rounded mean; ``classes``, the table
        used at each place; ``tables``, the frequency tables of the residuals.

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

    takes_any_size = True
    _needs_shape = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Codec._parameter_constraints,
        "method": [StrOptions({*METHODS})],
    }

    _stored_fields: ClassVar[Fields] = {"sets_": each(instance(SetModel))}

    def _check_stored(self) -> None:
        super()._check_stored()
        self._check_dtype()
        for part in self.sets_:
            expect_equal("Method", part.method, self.method)
            dtype = part.references.dtype.name
            expect_equal("Type of the references", dtype, self.dtype_.name)

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

    @property
    def error_bound(self) -> float:
        return 0.0

    def _learn_kinds(self, given: Given) -> None:
        self._check_dtype()
        rows: dict[ImageSpec, list[np.ndarray]] = {}
        for kind in given.kinds:
            # Kinds that differ in their dtype only are one.
            check_grey(kind.spec)
            spec = ImageSpec(kind.spec.height, kind.spec.width)
            rows.setdefault(spec, []).append(converted(kind.rows, self.dtype_, self))
        limits = self.low_, self.high_
        self.sets_ = [
            SetModel.learn(
                self.method,
                np.concatenate(parts),
                (spec.height, spec.width),
                limits,
            )
            for spec, parts in rows.items()
        ]

    def _check_dtype(self) -> None:
        """Raise unless the pixels can be predicted."""
        if self.dtype_.kind not in "iu" or self.dtype_.itemsize > 4:
            raise ValueError(
                f"X holds {self.dtype_} numbers, but SetRedundancyCodec takes integers "
                "of 8 to 32 bits: convert them, if they are whole numbers, such as by "
                "X.astype(np.uint8)."
            )

    def _check_kind(self, spec: ImageSpec) -> None:
        self._model_of(spec)

    def _model_of(self, spec: ImageSpec) -> SetModel:
        """Return what is known of images of a size."""
        for part in self.sets_:
            if part.shape == spec.shape:
                return part
        known = ", ".join(str(part.shape) for part in self.sets_[:5])
        more = ", ..." if len(self.sets_) > 5 else ""
        raise ValueError(
            f"Images are {spec}, of shape {spec.shape}, but SetRedundancyCodec was "
            f"fitted on images of the shapes {known}{more}."
        )

    def _encode_chunk(self, X: np.ndarray, spec: ImageSpec) -> CodedChunk:
        model = self._model_of(spec)
        symbols, bits = to_symbols(model.differences(X), model.n_bits)
        stream = rans_encode(symbols, model.tables, model.classes)

        def own_bits() -> np.ndarray:
            return model.tables.bits(symbols, model.classes).sum(axis=1)

        data = leb128(len(bits)) + bits + stream
        return CodedChunk(data, len(X), own_bits=own_bits)

    def _decode_chunk(self, data: bytes, n_images: int, spec: ImageSpec) -> np.ndarray:
        model, shape = self._model_of(spec), (n_images, spec.n_numbers)
        # Claims are checked before they take memory; the half allows for rounding.
        if n_images * model.least_bits / 2 > 8 * len(data) + 64:
            raise BitstreamError(f"{len(data)} bytes cannot hold {n_images} images.")
        reader = ByteReader(data)
        bits = reader.take(reader.leb128())
        stream = reader.take(reader.n_left)
        symbols = rans_decode(stream, shape, model.tables, model.classes)
        differences = from_symbols(symbols, bits, model.n_bits).T
        return model.restore(np.ascontiguousarray(differences))
