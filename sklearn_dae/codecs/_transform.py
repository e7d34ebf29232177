"""A codec from any transformer with an inverse, a quantiser and an entropy coder."""

import math
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

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
from sklearn_dae._validation import check_integer, check_real, check_switch
from sklearn_dae.codecs._base import Codec, mean_squared_error
from sklearn_dae.codecs._code_space import CodeSpace
from sklearn_dae.codecs._exact import ExactDecoder, check_exact
from sklearn_dae.codecs._guard import error_limit, squared_errors
from sklearn_dae.codecs._images import (
    check_bytes,
    check_image_shape,
    choose_image_shape,
)
from sklearn_dae.codecs._pixel_coding import decode_pixels, encode_pixels
from sklearn_dae.codecs._pixel_model import PixelModel
from sklearn_dae.codecs._pixel_training import N_PARTS, fit_pixel_model
from sklearn_dae.codecs._store import pack_apart, read_places, unpack_apart
from sklearn_dae.codecs._transformers import n_inputs, n_outputs
from sklearn_dae.coding import (
    ByteReader,
    FrequencyTables,
    leb128,
    rans_decode,
    rans_encode,
)
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.quantizers import KMeansQuantizer, UniformQuantizer

#: Most training rows from whose codes quantiser and tables are learned, and most on
#: which a step is chosen; and most pixels of the former, which are all held in memory.
_LEARNING_ROWS, _SEARCH_ROWS, _LEARNING_PIXELS = 10_000, 2_000, 2**26

#: Unless told otherwise, quantising adds this fraction to the transformer's error.
_ADDED_ERROR = 0.25

#: Images per lane of rANS. Fewer make decoding many images faster, which should cost
#: little next to the transformer; more save three bytes per lane.
_ROWS_OF_LANE = 64

#: Halvings of the range of steps, 17 octaves wide, in the search for a step.
_N_BISECTIONS = 14


class TransformCodec(CallbackSupportMixin, Codec):
    """Store images as the quantised codes of a transformer.

    The codes are mapped to uncorrelated coordinates in which all directions matter
    equally for the images, quantised, and coded by rANS with a frequency table for each
    coordinate, learned from the training images.

    8-bit images can be stored without loss, or with a bound on the error of every
    pixel: then the restored image serves as a prediction, and the rest is coded pixel
    by pixel, with a model of how pixels depend on the prediction, on the pixels above
    and to the left, and on how far predictions were off in training.

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
        them as squares if the number of pixels is a square, otherwise as single lines.

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

    tables_ : FrequencyTables
        A table for each coordinate.

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

    #: Made from the transformer when first needed.
    _exact: ExactDecoder | None = None

    _stored_fields: ClassVar[Fields] = {
        "transformer_": estimator("transform", "inverse_transform"),
        "quantizer_": instance(UniformQuantizer, KMeansQuantizer),
        "tables_": instance(FrequencyTables),
        "_space": instance(CodeSpace),
        "_code_dtype": dtype,
        "_pixel_model": one_of(NONE, instance(PixelModel)),
        "error_limit_": number(finite=False),
        "bits_per_sample_": number(),
        "psnr_": number(finite=False),
    }

    def _check_stored(self) -> None:
        super()._check_stored()
        self._check_parameters()
        transformer, quantizer = self.transformer_, self.quantizer_
        check_is_fitted(transformer)
        check_is_fitted(quantizer)
        n_codes = len(self._space.mean)
        n_features = self.n_features_in_
        expect_equal("Inputs of the transformer", n_inputs(transformer), n_features)
        expect_equal("Values of a code", n_outputs(transformer), n_codes)
        expect_equal("Units of the quantiser", quantizer.n_features_in_, n_codes)
        sizes = [len(table) for table in self.tables_]
        expect_equal("Symbols of the tables", sizes, quantizer.n_levels_)
        if self._code_dtype.kind != "f":
            raise ValueError(f"Codes are {self._code_dtype}, expected floating point")
        if not self.error_limit_ >= 0:
            raise ValueError(f"The limit of errors is {self.error_limit_}")
        model = self._pixel_model
        expect_equal("Models of pixels", model is not None, self._bounds_pixels)
        if model is not None:
            check_bytes(self.dtype_)
            shape = choose_image_shape(self.image_shape, n_features)
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
    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the transformer if it is not, then quantiser and tables to its codes.

        Callbacks follow the training of the pixel model, which bounded errors need.

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
            If a target cannot be reached, however fine or coarse the quantiser; if
            errors are to be bounded for pixels that are not of 8 bits; or if the
            transformer gives NaN.

        TypeError
            If errors are to be bounded and the transformer has no exact arithmetic.
        """
        self._check_parameters()
        X = self._learn_rows(X)
        if self._bounds_pixels:
            check_bytes(X.dtype)
            check_exact(self.transformer)
            choose_image_shape(self.image_shape, X.shape[1])
        n_parts = N_PARTS if self._bounds_pixels else 0
        context = self._init_callback_context(max_subtasks=n_parts)
        context.call_on_fit_task_begin(estimator=self, X=X)
        self.transformer_ = _fitted(self.transformer, X)
        most_rows = max(_LEARNING_PIXELS // X.shape[1], 100)
        X = _sample(X, min(most_rows, _LEARNING_ROWS))
        codes = self._codes(X)
        self._code_dtype = codes.dtype
        if self.rotate:
            self._space = CodeSpace.learn(self.transformer_, codes)
        else:
            self._space = CodeSpace.plain(codes)
        coordinates = self._space.coordinates(codes)
        if self.quantizer is not None:
            self._quantize(coordinates, clone(self.quantizer))
        else:
            self._choose_step(X, coordinates)
        symbols = self.quantizer_.transform(coordinates)
        self.error_limit_ = math.inf
        self._pixel_model: PixelModel | None = None
        self._exact = None
        if self._bounds_pixels:
            self._learn_pixels(X, symbols, context)
        else:
            restored = self._restore(symbols)
            self.psnr_ = self._psnr(X, restored)
            if self.fallback:
                errors = squared_errors(X, restored)
                self.error_limit_ = error_limit(errors, X.shape[1], self._span)
        context.call_on_fit_task_end(estimator=self, X=X)
        return self

    def _check_parameters(self) -> None:
        for name in ("rotate", "lossless", "fallback"):
            check_switch(name, getattr(self, name))
        check_image_shape(self.image_shape)
        if self.max_abs_error is not None:
            check_integer("max_abs_error", self.max_abs_error, 0, 127)
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
        for name in ("target_psnr", "target_bits_per_sample"):
            if getattr(self, name) is not None:
                check_real(name, getattr(self, name), 0, boundaries="neither")

    @property
    def _bounds_pixels(self) -> bool:
        return self.lossless or self.max_abs_error is not None

    def _learn_pixels(self, X: np.ndarray, symbols: np.ndarray, context: Any) -> None:
        """Learn how pixels depend on what the codes say about them."""

        def tell_callbacks() -> bool:
            part = context.subcontext(task_name="pixel model")
            part.call_on_fit_task_begin(estimator=self, X=X)
            stops: bool = part.call_on_fit_task_end(estimator=self, X=X)
            return stops

        predicted = self._predict(symbols)
        shape = choose_image_shape(self.image_shape, X.shape[1])
        max_error = self.max_abs_error or 0
        model = fit_pixel_model(X, predicted, shape, max_error, on_part=tell_callbacks)
        X, predicted = _sample(X, _SEARCH_ROWS), _sample(predicted, _SEARCH_ROWS)
        coded = encode_pixels(X, predicted, model)
        self._pixel_model = model
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

    def _quantize(self, coordinates: np.ndarray, quantizer: Any) -> None:
        """Fit a quantiser and the tables of its symbols."""
        self.quantizer_ = quantizer.fit(coordinates)
        symbols = quantizer.transform(coordinates)
        counts = [
            np.bincount(column, minlength=n)
            for column, n in zip(symbols.T, quantizer.n_levels_, strict=True)
        ]
        self.tables_ = FrequencyTables.from_counts(counts, pseudo_count=1)
        self.bits_per_sample_ = float(self.tables_.bits(symbols).sum() / len(symbols))

    def _choose_step(self, X: np.ndarray, coordinates: np.ndarray) -> None:
        """Quantise uniformly, with the step that meets the target."""
        X, at = _sample(X, _SEARCH_ROWS), _sample(coordinates, _SEARCH_ROWS)
        most_bits = self.target_bits_per_sample
        least_psnr = self._least_psnr(X, at) if most_bits is None else 0.0

        def too_fine(step: float) -> bool:
            quantizer = UniformQuantizer(step=step)
            if most_bits is not None:
                self._quantize(coordinates, quantizer)
                return self.bits_per_sample_ > most_bits
            self.quantizer_ = quantizer.fit(coordinates)
            restored = self._restore(self.quantizer_.transform(at))
            return self._psnr(X, restored) >= least_psnr

        # A step wider than the coordinates keeps nothing of them, span * 2**-15 all.
        span = float(np.ptp(coordinates, axis=0).max()) or 1.0
        low, high = span * 2.0**-15, 4 * span
        for _ in range(_N_BISECTIONS):
            middle = math.sqrt(low * high)
            low, high = (middle, high) if too_fine(middle) else (low, middle)
        # Rather too few bits than too many, and rather too high a quality than too low.
        step = high if most_bits is not None else low
        self._quantize(coordinates, UniformQuantizer(step=step))
        if most_bits is not None and self.bits_per_sample_ > most_bits:
            raise ValueError(
                f"target_bits_per_sample == {most_bits:g}, but codes take "
                f"{self.bits_per_sample_:.2f} bits when all of them are restored as "
                "their mean; ask for more, or give the transformer fewer components."
            )

    def _least_psnr(self, X: np.ndarray, coordinates: np.ndarray) -> float:
        """Return the quality asked for, or else one that loses little."""
        mse = mean_squared_error(X, self._to_pixels(self._space.codes(coordinates)))
        if self.target_psnr is None:
            # Where the transformer makes no error, allow that of rounding to 8 bits.
            return self._decibels(
                (1 + _ADDED_ERROR) * mse + self._span**2 / 255**2 / 12
            )
        best = self._decibels(mse)
        if self.target_psnr >= best:
            raise ValueError(
                f"target_psnr == {self.target_psnr:g}, but the transformer itself "
                f"restores the training images with {best:.2f} dB; ask for less, or "
                "give the transformer more components."
            )
        return self.target_psnr

    def _psnr(self, X: np.ndarray, Y: np.ndarray) -> float:
        return self._decibels(mean_squared_error(X, Y))

    def _decibels(self, mse: float) -> float:
        return math.inf if mse == 0 else 10 * math.log10(self._span**2 / mse)

    @property
    def _span(self) -> float:
        return (self.high_ - self.low_) or 1.0

    def _restore(self, symbols: np.ndarray) -> np.ndarray:
        """Decode symbols to pixels."""
        coordinates = self.quantizer_.inverse_transform(symbols)
        return self._to_pixels(self._space.codes(coordinates))

    def _to_pixels(self, codes: np.ndarray) -> np.ndarray:
        codes = codes.astype(self._code_dtype, copy=False)
        pixels = np.asarray(self.transformer_.inverse_transform(codes))
        if np.isnan(pixels).any():
            raise ValueError(
                f"{type(self.transformer_).__name__} restores images with NaN, which "
                "are no images; fit another transformer."
            )
        return np.clip(pixels, self.low_, self.high_)

    def _codes(self, X: np.ndarray) -> np.ndarray:
        codes = np.asarray(self.transformer_.transform(X))
        if not np.isfinite(codes).all():
            raise ValueError(
                f"{type(self.transformer_).__name__} gives codes with NaN or infinity, "
                "which cannot be quantised; fit another transformer."
            )
        return codes

    def symbols(self, X: Any) -> np.ndarray:
        """Quantise the codes of images, as the entropy coder is given them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Images.

        Returns
        -------
        symbols : ndarray of int32 of shape (n_samples, n_components)
            Column j is coded by table j of ``tables_``.
        """
        return self._symbols(self._check_rows(X))

    def _symbols(self, X: np.ndarray) -> np.ndarray:
        codes = self._codes(X)
        return self.quantizer_.transform(self._space.coordinates(codes))

    def _encode_chunk(self, X: np.ndarray) -> bytes:
        if not len(X):
            return b""
        symbols = self._symbols(X)
        if self._pixel_model is None:
            apart = np.zeros(len(X), bool)
            if self.error_limit_ < math.inf:
                apart = squared_errors(X, self._restore(symbols)) > self.error_limit_
            coded = None
        else:
            predicted = self._predict(symbols)
            coded = encode_pixels(X, predicted, self._pixel_model)
            # Such an image is shorter stored as it is.
            apart = coded.n_bits > 8 * X.shape[1]
            if apart.any():
                kept = ~apart
                coded = encode_pixels(X[kept], predicted[kept], self._pixel_model)
        symbols = symbols[~apart]
        n_lanes = -(-len(symbols) // _ROWS_OF_LANE)
        codes = rans_encode(symbols, self.tables_, n_lanes=max(1, n_lanes))
        if coded is not None:
            codes = leb128(len(codes)) + codes + coded.data
        return pack_apart(X, apart) + codes

    def _decode_chunk(self, data: bytes, n_rows: int) -> np.ndarray:
        if not n_rows:
            return np.empty((0, self.n_features_in_), self.dtype_)
        reader = ByteReader(data)
        apart, stored = unpack_apart(reader, (n_rows, self.n_features_in_), self.dtype_)
        has_pixels = self._pixel_model is not None
        codes = reader.take(reader.leb128() if has_pixels else reader.n_left)
        symbols = self._decode_codes(codes, n_rows - len(apart))
        if not len(symbols):
            reader.finish()
            return stored
        if self._pixel_model is None:
            try:
                restored = self._restore(symbols)
            except ValueError as error:
                # Codes that were stored can be restored, unless the model is damaged.
                raise BitstreamError(str(error)) from error
        else:
            pixels = reader.take(reader.n_left)
            restored = decode_pixels(pixels, self._predict(symbols), self._pixel_model)
        if not len(apart):
            return restored
        rows = np.empty((n_rows, self.n_features_in_), self.dtype_)
        rows[apart] = stored
        rows[np.delete(np.arange(n_rows), apart)] = cast(restored, self.dtype_)
        return rows

    def _decode_codes(self, data: bytes, n_rows: int) -> np.ndarray:
        # Claims are checked before memory is allocated for them.
        tables, least_bits = self.tables_, self.tables_.least_bits
        if n_rows * least_bits > 8 * len(data):
            raise BitstreamError(
                f"{len(data)} bytes cannot hold {n_rows} images of at least "
                f"{least_bits:.2f} bits."
            )
        return rans_decode(data, (n_rows, len(tables)), tables)

    def _rows_apart(self, data: bytes, n_rows: int) -> list[int]:
        if not n_rows or self._pixel_model is not None:
            return []  # Their pixels are as good as those of the others.
        return read_places(ByteReader(data), n_rows).tolist()


def _fitted(transformer: Any, X: np.ndarray) -> Any:
    """Return the transformer, or a fitted clone if it is not fitted."""
    for method in ("transform", "inverse_transform"):
        if not hasattr(transformer, method):
            raise TypeError(
                f"transformer == {transformer!r} has no {method}; a codec needs a "
                "transformer that has an inverse, such as DeepAutoencoderCompressor, "
                "PCA, or a Pipeline of such."
            )
    try:
        check_is_fitted(transformer)
    except NotFittedError:
        return clone(transformer).fit(X)
    return transformer


def _sample(rows: np.ndarray, most: int) -> np.ndarray:
    """Return at most ``most`` rows, the same ones for arrays of equal length.

    They are drawn at random: every second row of MNIST, say, is from writers of another
    kind.
    """
    if len(rows) <= most:
        return rows
    chosen = np.random.default_rng(0).choice(len(rows), most, replace=False)
    return rows[np.sort(chosen)]
