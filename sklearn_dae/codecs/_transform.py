"""A codec from any transformer with an inverse, a quantiser and a model of symbols."""

import math
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sklearn_dae._bytes import ByteReader
from sklearn_dae._fields import (
    Fields,
    dtype,
    estimator,
    expect_equal,
    instance,
    number,
)
from sklearn_dae._scaling import cast
from sklearn_dae.codecs._apart import pack_apart, unpack_apart
from sklearn_dae.codecs._base import Codec, mean_squared_error
from sklearn_dae.codecs._chunk import CodedChunk
from sklearn_dae.codecs._code_space import CodeSpace
from sklearn_dae.codecs._guard import error_limit, squared_errors
from sklearn_dae.codecs._step import choose_step, decibels, sample
from sklearn_dae.codecs._transformer import (
    encoded,
    fitted,
    n_inputs,
    n_outputs,
    restored,
)
from sklearn_dae.entropy import ColumnTables
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec
from sklearn_dae.quantizers import KMeansQuantizer, UniformQuantizer

#: Most training rows from whose codes quantiser and tables are learned, and most pixels
#: of these, which are all held in memory.
_LEARNING_ROWS, _LEARNING_PIXELS = 10_000, 2**26


class TransformCodec(Codec):
    """Store images as the quantised codes of a transformer.

    The codes are mapped to uncorrelated coordinates in which all directions matter
    equally for the images, quantised, and coded by rANS with a frequency table for each
    coordinate, learned from the training images.

    Parameters
    ----------
    transformer : transformer with ``inverse_transform``
        Such as `DeepAutoencoderCompressor`, ``PCA``, or a Pipeline. A fitted one is
        used as it is, an unfitted one is cloned and fitted.

    quantizer : quantiser, default=None
        An unfitted `UniformQuantizer` or `KMeansQuantizer`. None means a uniform one,
        whose step follows from ``target_psnr`` or ``target_bits_per_sample``; without
        these, the step adds to the squared error of the transformer a quarter of it,
        and the error of rounding to 8 bits.

    target_psnr : float, default=None
        Peak signal-to-noise ratio of the restored training images, in decibels.

    target_bits_per_sample : float, default=None
        Average number of bits per training image.

    fallback : bool, default=True
        Whether to store an image without loss if it is unlike the training images and
        would be restored badly. `encode` warns of such images.

    rotate : bool, default=True
        Whether to rotate codes before they are quantised. False quantises the codes
        themselves.

    chunk_size : int, default=None
        Images coded together; each chunk can be decoded without the others. None means
        as many as have four million pixels.

    Attributes
    ----------
    transformer_ : transformer
        The fitted transformer.

    quantizer_ : quantiser
        The fitted quantiser.

    tables_ : ColumnTables
        The model of symbols: a table for each coordinate.

    bits_per_sample_ : float
        Bits per training image according to the tables.

    error_limit_ : float
        Squared error of an image beyond which it is stored without loss; infinite
        without ``fallback``.

    psnr_ : float
        Peak signal-to-noise ratio of the restored training images, in decibels.

    n_features_in_ : int
        Number of values in a row.

    dtype_ : dtype
        Dtype of the rows seen in `fit`, and of what `decode` returns.

    low_, high_ : float
        Range of the rows: that of the dtype for 8-bit integers, else that of the
        training rows. `decode` stays within it.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_dae.codecs import TransformCodec
    >>> X = load_digits().data
    >>> codec = TransformCodec(PCA(16), target_psnr=18).fit(X[:1500])
    >>> data = codec.encode(X[1500:])
    >>> codec.decode(data).shape
    (297, 64)
    >>> len(data) / 297 < 8  # bytes an image, which has 64 pixels
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Codec._parameter_constraints,
        "target_psnr": [Interval(Real, 0, None, closed="neither"), None],
        "target_bits_per_sample": [Interval(Real, 0, None, closed="neither"), None],
        "fallback": ["boolean"],
        "rotate": ["boolean"],
    }

    _stored_fields: ClassVar[Fields] = {
        "transformer_": estimator("transform", "inverse_transform"),
        "quantizer_": instance(UniformQuantizer, KMeansQuantizer),
        "tables_": instance(ColumnTables),
        "_space": instance(CodeSpace),
        "_code_dtype": dtype,
        "error_limit_": number(finite=False),
        "bits_per_sample_": number(),
        "psnr_": number(finite=False),
    }

    def _check_stored(self) -> None:
        super()._check_stored()
        transformer, quantizer = self.transformer_, self.quantizer_
        check_is_fitted(transformer)
        check_is_fitted(quantizer)
        n_codes = len(self._space.mean)
        n_features = self.n_features_in_
        expect_equal("Inputs of the transformer", n_inputs(transformer), n_features)
        expect_equal("Values of a code", n_outputs(transformer), n_codes)
        expect_equal("Units of the quantiser", quantizer.n_features_in_, n_codes)
        sizes = [len(table) for table in self.tables_.tables]
        expect_equal("Symbols of the tables", sizes, quantizer.n_levels_)
        if self._code_dtype.kind != "f":
            raise ValueError(f"Codes are {self._code_dtype}, expected floating point")
        if not self.error_limit_ >= 0:
            raise ValueError(f"The limit of errors is {self.error_limit_}")

    def __init__(
        self,
        transformer: Any,
        quantizer: Any = None,
        *,
        target_psnr: float | None = None,
        target_bits_per_sample: float | None = None,
        fallback: bool = True,
        rotate: bool = True,
        chunk_size: int | None = None,
    ) -> None:
        self.transformer = transformer
        self.quantizer = quantizer
        self.target_psnr = target_psnr
        self.target_bits_per_sample = target_bits_per_sample
        self.fallback = fallback
        self.rotate = rotate
        self.chunk_size = chunk_size

    def _learn(self, X: np.ndarray) -> None:
        self.transformer_ = fitted(self.transformer, X)
        most_rows = max(_LEARNING_PIXELS // X.shape[1], 100)
        X = sample(X, min(most_rows, _LEARNING_ROWS))
        codes = encoded(self.transformer_, X)
        self._code_dtype = codes.dtype
        if self.rotate:
            self._space = CodeSpace.learn(self.transformer_, codes)
        else:
            self._space = CodeSpace.plain(codes)
        coordinates = self._space.coordinates(codes)
        quantizer = self.quantizer
        if quantizer is None:
            step = choose_step(
                X,
                coordinates,
                self._to_pixels,
                self._span,
                target_psnr=self.target_psnr,
                most_bits=self.target_bits_per_sample,
            )
            quantizer = UniformQuantizer(step=step)
        self.quantizer_ = clone(quantizer).fit(coordinates)
        symbols = self.quantizer_.transform(coordinates)
        self.tables_ = ColumnTables.fit(symbols, self.quantizer_.n_levels_)
        self.bits_per_sample_ = float(self.tables_.bits(symbols).mean())
        images = self._restore(symbols)
        self.psnr_ = decibels(mean_squared_error(X, images), self._span)
        self.error_limit_ = math.inf
        if self.fallback:
            errors = squared_errors(X, images)
            self.error_limit_ = error_limit(errors, X.shape[1], self._span)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        targets = [self.target_psnr, self.target_bits_per_sample, self.quantizer]
        if sum(target is not None for target in targets) > 1:
            raise ValueError(
                "quantizer, target_psnr and target_bits_per_sample each decide how "
                "fine codes are quantised: give one of them."
            )

    @property
    def _span(self) -> float:
        return (self.high_ - self.low_) or 1.0

    def _restore(self, symbols: np.ndarray) -> np.ndarray:
        """Decode symbols to pixels."""
        return self._to_pixels(self.quantizer_.inverse_transform(symbols))

    def _to_pixels(self, coordinates: np.ndarray) -> np.ndarray:
        codes = self._space.codes(coordinates).astype(self._code_dtype, copy=False)
        return np.clip(restored(self.transformer_, codes), self.low_, self.high_)

    def symbols(self, X: Any) -> np.ndarray:
        """Quantise the codes of images, as the entropy coder is given them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Images.

        Returns
        -------
        symbols : ndarray of int32 of shape (n_samples, n_components)
            What ``tables_`` codes.
        """
        check_is_fitted(self)
        return self._symbols(self._checked_again(X))

    def _symbols(self, X: np.ndarray) -> np.ndarray:
        codes = encoded(self.transformer_, X)
        return self.quantizer_.transform(self._space.coordinates(codes))

    def _encode_chunk(self, X: np.ndarray, spec: ImageSpec) -> CodedChunk:
        if not len(X):
            return CodedChunk(b"", 0)
        symbols = self._symbols(X)
        apart = np.zeros(len(X), bool)
        if self.error_limit_ < math.inf:
            apart = squared_errors(X, self._restore(symbols)) > self.error_limit_
        symbols = symbols[~apart]
        stored = pack_apart(X, apart)

        def own_bits() -> np.ndarray:
            n_bits = np.full(len(X), 8 * len(stored) / max(apart.sum(), 1))
            n_bits[~apart] = self.tables_.bits(symbols)
            return n_bits

        data = stored + self.tables_.encode(symbols)
        return CodedChunk(data, len(X), np.flatnonzero(apart), own_bits)

    def _decode_chunk(self, data: bytes, n_images: int, spec: ImageSpec) -> np.ndarray:
        if not n_images:
            return np.empty((0, self.n_features_in_), self.dtype_)
        reader = ByteReader(data)
        apart, stored = unpack_apart(
            reader, (n_images, self.n_features_in_), self.dtype_
        )
        codes = reader.take(reader.n_left)
        symbols = self.tables_.decode(codes, n_images - len(apart))
        if not len(symbols):
            return stored
        try:
            images = self._restore(symbols)
        except ValueError as error:
            # Codes that were stored can be restored, unless the model is damaged.
            raise BitstreamError(str(error)) from error
        if not len(apart):
            return images
        rows = np.empty((n_images, self.n_features_in_), self.dtype_)
        rows[apart] = stored
        rows[np.delete(np.arange(n_images), apart)] = cast(images, self.dtype_)
        return rows
