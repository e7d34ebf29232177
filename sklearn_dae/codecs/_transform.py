"""A codec from any transformer with an inverse, a quantiser and a model of symbols."""

import math
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sklearn_dae._bytes import ByteReader, leb128
from sklearn_dae._callbacks import CallbackSupportMixin, with_callbacks
from sklearn_dae._fields import (
    NONE,
    Fields,
    dtype,
    estimator,
    expect_equal,
    instance,
    number,
    one_of,
)
from sklearn_dae._scaling import cast
from sklearn_dae.codecs._apart import pack_apart, unpack_apart
from sklearn_dae.codecs._base import Codec, mean_squared_error
from sklearn_dae.codecs._chunk import CodedChunk
from sklearn_dae.codecs._code_space import CodeSpace
from sklearn_dae.codecs._exact import ExactDecoder, check_exact
from sklearn_dae.codecs._guard import error_limit, squared_errors
from sklearn_dae.codecs._images import check_bytes, check_grey
from sklearn_dae.codecs._step import (
    SEARCH_ROWS,
    choose_step,
    decibels,
    sample,
)
from sklearn_dae.codecs._transformer import (
    encoded,
    fitted,
    n_inputs,
    n_outputs,
    restored,
)
from sklearn_dae.entropy import ColumnTables, PixelModel
from sklearn_dae.entropy._pixel_training import N_PARTS
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec
from sklearn_dae.quantizers import KMeansQuantizer, UniformQuantizer

#: Most training rows from whose codes quantiser and tables are learned, and most pixels
#: of these, which are all held in memory.
_LEARNING_ROWS, _LEARNING_PIXELS = 10_000, 2**26


class TransformCodec(CallbackSupportMixin, Codec):
    """Store images as the quantised codes of a transformer.

    The codes are mapped to uncorrelated coordinates in which all directions matter
    equally for the images, quantised, and coded by rANS with a frequency table for each
    coordinate, learned from the training images.

    8-bit images can be stored without loss, or with a bound on the error of every
    pixel: then the restored image serves as a prediction, and the rest is coded pixel
    by pixel, with a model of how pixels depend on the prediction, on the pixels above
    and to the left, and on how far predictions were off in training. Callbacks follow
    the training of that model.

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

    lossless : bool, default=False
        Whether to restore images exactly. Requires uint8 images, and as the transformer
        a `DeepAutoencoderCompressor` or ``PCA``, which are then computed in whole
        numbers so that every machine restores the same. The parameters above say how
        good the prediction is.

    max_abs_error : int, default=None
        Largest error of a restored pixel, for every pixel of every image. Otherwise
        like ``lossless``, which is an error of 0.

    fallback : bool, default=True
        Whether to store an image without loss if it is unlike the training images and
        would be restored badly. `encode` warns of such images.

    image_shape : tuple of (height, width), default=None
        Size of the images, which lossless coding goes through row by row. None treats
        them as squares, and refuses rows that are none.

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

    pixel_model_ : PixelModel or None
        The model of pixels, if their errors are bounded.

    bits_per_sample_ : float
        Bits per training image according to the tables, plus those for its pixels if
        their error is bounded.

    error_limit_ : float
        Squared error of an image beyond which it is stored without loss; infinite
        without ``fallback``, and where the error of every pixel is bounded.

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
        "lossless": ["boolean"],
        "max_abs_error": [Interval(Integral, 0, 127, closed="both"), None],
        "fallback": ["boolean"],
        "rotate": ["boolean"],
    }

    #: Made from the transformer when first needed.
    _exact: ExactDecoder | None = None

    _stored_fields: ClassVar[Fields] = {
        "transformer_": estimator("transform", "inverse_transform"),
        "quantizer_": instance(UniformQuantizer, KMeansQuantizer),
        "tables_": instance(ColumnTables),
        "_space": instance(CodeSpace),
        "_code_dtype": dtype,
        "pixel_model_": one_of(NONE, instance(PixelModel)),
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
        model = self.pixel_model_
        expect_equal("Models of pixels", model is not None, self._bounds_pixels)
        if model is not None:
            check_bytes(self.dtype_)
            check_grey(self._spec)
            shape = self._spec.height, self._spec.width
            expect_equal("Size of an image", model.shape, shape)
            expect_equal("Largest error", model.max_error, self.max_abs_error or 0)
            self._predict(np.zeros((1, n_codes), np.int32))

    def __init__(
        self,
        transformer: Any,
        quantizer: Any = None,
        *,
        target_psnr: float | None = None,
        target_bits_per_sample: float | None = None,
        lossless: bool = False,
        max_abs_error: int | None = None,
        fallback: bool = True,
        image_shape: tuple[int, int] | None = None,
        rotate: bool = True,
        chunk_size: int | None = None,
    ) -> None:
        self.transformer = transformer
        self.quantizer = quantizer
        self.target_psnr = target_psnr
        self.target_bits_per_sample = target_bits_per_sample
        self.lossless = lossless
        self.max_abs_error = max_abs_error
        self.fallback = fallback
        self.image_shape = image_shape
        self.rotate = rotate
        self.chunk_size = chunk_size

    @with_callbacks
    def _learn(self, X: np.ndarray) -> None:
        if self._bounds_pixels:
            check_bytes(X.dtype)
            check_exact(self.transformer)
            check_grey(self._spec)
        n_parts = N_PARTS if self._bounds_pixels else 0
        context = self._init_callback_context(max_subtasks=n_parts)
        context.call_on_fit_task_begin(estimator=self, X=X)
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
        self.error_limit_ = math.inf
        self.pixel_model_: PixelModel | None = None
        self._exact = None
        if self._bounds_pixels:
            self._learn_pixels(X, symbols, context)
        else:
            images = self._restore(symbols)
            self.psnr_ = self._psnr(X, images)
            if self.fallback:
                errors = squared_errors(X, images)
                self.error_limit_ = error_limit(errors, X.shape[1], self._span)
        context.call_on_fit_task_end(estimator=self, X=X)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.lossless and self.max_abs_error:
            raise ValueError(
                f"lossless=True with max_abs_error={self.max_abs_error}: without "
                "loss there is no error; give one of them."
            )
        targets = [self.target_psnr, self.target_bits_per_sample, self.quantizer]
        if sum(target is not None for target in targets) > 1:
            raise ValueError(
                "quantizer, target_psnr and target_bits_per_sample each decide how "
                "fine codes are quantised: give one of them."
            )

    @property
    def _bounds_pixels(self) -> bool:
        return self.lossless or self.max_abs_error is not None

    @property
    def error_bound(self) -> float:
        return float(self.max_abs_error or 0) if self._bounds_pixels else math.inf

    @property
    def _needs_shape(self) -> bool:  # type: ignore[override]
        return self._bounds_pixels

    def _learn_pixels(self, X: np.ndarray, symbols: np.ndarray, context: Any) -> None:
        """Learn how pixels depend on what the codes say about them."""

        def tell_callbacks() -> bool:
            part = context.subcontext(task_name="pixel model")
            part.call_on_fit_task_begin(estimator=self, X=X)
            stops: bool = part.call_on_fit_task_end(estimator=self, X=X)
            return stops

        predicted = self._predict(symbols)
        shape = self._spec.height, self._spec.width
        max_error = self.max_abs_error or 0
        self.pixel_model_ = PixelModel.fit(
            X, predicted, shape, max_error, on_part=tell_callbacks
        )
        X, predicted = sample(X, SEARCH_ROWS), sample(predicted, SEARCH_ROWS)
        coded = self.pixel_model_.encode(X, predicted)
        self.bits_per_sample_ += float(coded.n_bits.mean())
        self.psnr_ = self._psnr(X, coded.images)

    def _predict(self, symbols: np.ndarray) -> np.ndarray:
        """Decode symbols to uint8 pixels, the same on every machine."""
        if self._exact is None:
            codebooks = self.quantizer_.codebooks_
            largest = max(float(np.abs(book).max()) for book in codebooks)
            self._exact = ExactDecoder(self.transformer_, self._space, largest)
        return self._exact(self.quantizer_.inverse_transform(symbols))

    def __getstate__(self) -> dict[str, Any]:
        # It is large, and quickly made from the transformer.
        return super().__getstate__() | {"_exact": None}

    def _psnr(self, X: np.ndarray, Y: np.ndarray) -> float:
        return decibels(mean_squared_error(X, Y), self._span)

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
        return self._symbols(self._check_rows(X))

    def _symbols(self, X: np.ndarray) -> np.ndarray:
        codes = encoded(self.transformer_, X)
        return self.quantizer_.transform(self._space.coordinates(codes))

    def _encode_chunk(self, X: np.ndarray, spec: ImageSpec) -> CodedChunk:
        if not len(X):
            return CodedChunk(b"", 0)
        symbols = self._symbols(X)
        if self.pixel_model_ is None:
            apart = np.zeros(len(X), bool)
            if self.error_limit_ < math.inf:
                apart = squared_errors(X, self._restore(symbols)) > self.error_limit_
            pixel_bits, pixels = np.zeros(len(X)), None
        else:
            predicted = self._predict(symbols)
            coded = self.pixel_model_.encode(X, predicted)
            pixel_bits, pixels = coded.n_bits, coded.data
            # Such an image is shorter stored as it is.
            apart = pixel_bits > 8 * X.shape[1]
            if apart.any():
                kept = ~apart
                pixels = self.pixel_model_.encode(X[kept], predicted[kept]).data
        symbols = symbols[~apart]
        codes = self.tables_.encode(symbols)
        if pixels is not None:
            codes = leb128(len(codes)) + codes + pixels
        stored = pack_apart(X, apart)

        def own_bits() -> np.ndarray:
            n_bits = np.full(len(X), 8 * len(stored) / max(apart.sum(), 1))
            n_bits[~apart] = pixel_bits[~apart] + self.tables_.bits(symbols)
            return n_bits

        # Where errors are bounded, pixels of images apart are as good as all others.
        told = np.flatnonzero(apart if pixels is None else [])
        return CodedChunk(stored + codes, len(X), told, own_bits)

    def _decode_chunk(self, data: bytes, n_images: int, spec: ImageSpec) -> np.ndarray:
        if not n_images:
            return np.empty((0, self.n_features_in_), self.dtype_)
        reader = ByteReader(data)
        apart, stored = unpack_apart(
            reader, (n_images, self.n_features_in_), self.dtype_
        )
        has_pixels = self.pixel_model_ is not None
        codes = reader.take(reader.leb128() if has_pixels else reader.n_left)
        symbols = self.tables_.decode(codes, n_images - len(apart))
        if not len(symbols):
            reader.finish()
            return stored
        if self.pixel_model_ is None:
            try:
                images = self._restore(symbols)
            except ValueError as error:
                # Codes that were stored can be restored, unless the model is damaged.
                raise BitstreamError(str(error)) from error
        else:
            pixels = reader.take(reader.n_left)
            images = self.pixel_model_.decode(pixels, self._predict(symbols))
        if not len(apart):
            return images
        rows = np.empty((n_images, self.n_features_in_), self.dtype_)
        rows[apart] = stored
        rows[np.delete(np.arange(n_images), apart)] = cast(images, self.dtype_)
        return rows
