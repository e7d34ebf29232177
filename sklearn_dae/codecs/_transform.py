"""A codec from any transformer with an inverse, a quantiser and a model of symbols."""

import math
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sklearn_dae._bytes import ByteReader
from sklearn_dae._fields import Fields, expect_equal, instance, number
from sklearn_dae._scaling import cast
from sklearn_dae.codecs._apart import pack_apart, unpack_apart
from sklearn_dae.codecs._base import Codec
from sklearn_dae.codecs._chunk import CodedChunk
from sklearn_dae.codecs._code_model import CodeModel, QuantizedCodes, RoundedCodes
from sklearn_dae.codecs._code_search import CodeSearch
from sklearn_dae.codecs._decoder import (
    CompactDecoder,
    Decoder,
    WholeDecoder,
    network_of,
)
from sklearn_dae.codecs._decoder_fitting import CompactFitting, fit_whole
from sklearn_dae.codecs._guard import error_limit, squared_errors
from sklearn_dae.codecs._images import spec_of_rows
from sklearn_dae.codecs._step import Wish, sample
from sklearn_dae.codecs._transformer import encoded, fitted
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec

#: Most training rows by whose codes weights and codes are rounded, and most pixels of
#: these, which are all held in memory.
_LEARNING_ROWS, _LEARNING_PIXELS = 10_000, 2**26


class TransformCodec(Codec):
    """Store images as the quantised codes of a transformer.

    The codes are mapped to uncorrelated coordinates in which all directions matter
    equally for the images, rounded, and coded by rANS with a distribution for each
    coordinate, learned from the training images.

    Of an autoencoder, only the decoder is kept, and its weights are rounded to a few
    bits each, as finely as makes it and the codes of all images smallest together.
    Codes of an image are found by refining a linear guess, so that no encoder is
    needed. The same goes for whatever is linear, such as PCA. Any other transformer is
    kept as it is.

    Parameters
    ----------
    transformer : transformer with ``inverse_transform``
        Such as `DeepAutoencoderCompressor`, ``PCA``, or a Pipeline. A fitted one is
        used as it is, an unfitted one is cloned and fitted.

    quantizer : quantiser, default=None
        An unfitted `UniformQuantizer` or `KMeansQuantizer`. None means to round codes
        to multiples of a step, which follows from ``target_psnr`` or
        ``target_bits_per_sample``; without these, rounding adds to the squared error of
        the transformer a quarter of it, and the error of rounding to 8 bits.

    target_psnr : float, default=None
        Peak signal-to-noise ratio of the restored training images, in decibels.

    target_bits_per_sample : float, default=None
        Average number of bits per training image, the decoder not counted.

    n_images : int, default=None
        How many images are to be coded: the more there are, the finer are the weights
        of the decoder. None means as many as are seen in `fit`.

    fallback : bool, default=True
        Whether to store an image without loss if it is unlike the training images and
        would be restored badly. `encode` warns of such images.

    worst_psnr : float, default=None
        The same of the worst image: those that would be restored worse are stored
        without loss, too.

    rotate : bool, default=True
        Whether to rotate codes before they are quantised. False quantises the codes
        themselves.

    autoregressive : bool, default=False
        Whether each value of a code is coded given those before it, by a small network,
        where that takes fewer bytes. That takes some ten seconds in `fit`, and makes
        decoding slower.

    chunk_size : int, default=None
        Images coded together; each chunk can be decoded without the others. None means
        as many as have four million pixels.

    Attributes
    ----------
    decoder_ : CompactDecoder or WholeDecoder
        What restores images from codes: the decoder of a network, its weights in a few
        bits each, or a transformer as it is.

    code_model_ : RoundedCodes or QuantizedCodes
        How codes are rounded, and how they are coded.

    transformer_ : transformer
        The fitted transformer. A codec that was loaded has it only if it is its
        decoder.

    bits_per_sample_ : float
        Bits per training image, the decoder not counted.

    error_limit_ : float
        Squared error of an image beyond which it is unlike the training images, and
        stored without loss; infinite without ``fallback``.

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
        "n_images": [Interval(Integral, 1, None, closed="left"), None],
        "fallback": ["boolean"],
        "worst_psnr": [Interval(Real, 0, None, closed="neither"), None],
        "rotate": ["boolean"],
        "autoregressive": ["boolean"],
    }

    _stored_fields: ClassVar[Fields] = {
        "decoder_": instance(CompactDecoder, WholeDecoder),
        "code_model_": instance(RoundedCodes, QuantizedCodes),
        "error_limit_": number(finite=False),
        "bits_per_sample_": number(),
        "psnr_": number(finite=False),
    }

    decoder_: Decoder
    code_model_: CodeModel

    def _check_stored(self) -> None:
        super()._check_stored()
        decoder, model = self.decoder_, self.code_model_
        expect_equal("Pixels of an image", decoder.n_features, self.n_features_in_)
        expect_equal("Values of a code", model.n_values, decoder.n_values)
        if not self.error_limit_ >= 0:
            raise ValueError(f"The limit of errors is {self.error_limit_}")

    def _complete_stored(self) -> None:
        if isinstance(self.decoder_, WholeDecoder):
            self.transformer_ = self.decoder_.transformer

    def _stored_parameters(self) -> dict[str, Any]:
        parameters = self.get_params(deep=False)
        if isinstance(getattr(self, "decoder_", None), CompactDecoder):
            # Neither the encoder of a network nor how it was trained is needed again.
            parameters["transformer"] = None
        return parameters

    def __init__(
        self,
        transformer: Any,
        quantizer: Any = None,
        *,
        target_psnr: float | None = None,
        target_bits_per_sample: float | None = None,
        n_images: int | None = None,
        fallback: bool = True,
        worst_psnr: float | None = None,
        rotate: bool = True,
        autoregressive: bool = False,
        chunk_size: int | None = None,
    ) -> None:
        self.transformer = transformer
        self.quantizer = quantizer
        self.target_psnr = target_psnr
        self.target_bits_per_sample = target_bits_per_sample
        self.n_images = n_images
        self.fallback = fallback
        self.worst_psnr = worst_psnr
        self.rotate = rotate
        self.autoregressive = autoregressive
        self.chunk_size = chunk_size

    def _learn(self, X: np.ndarray) -> None:
        n_images = self.n_images or len(X)
        self.transformer_ = fitted(self.transformer, X)
        most_rows = max(_LEARNING_PIXELS // X.shape[1], 100)
        X = sample(X, min(most_rows, _LEARNING_ROWS))
        codes = encoded(self.transformer_, X)
        wish = self._wish
        network = network_of(self.transformer_, codes, wish.low, wish.high)
        if network is None:
            parts = fit_whole(self.transformer_, codes, X, wish, rotate=self.rotate)
        else:
            fitting = CompactFitting(
                network,
                codes,
                X,
                wish,
                picture=self._picture,
                n_images=n_images,
                rotate=self.rotate,
                threshold=getattr(self.transformer_, "threshold", None),
            )
            parts = fitting.fitted()
        self.decoder_, model = parts.decoder, parts.model
        symbols = model.symbols(parts.codes)
        if self.autoregressive and isinstance(model, RoundedCodes):
            model = model.autoregressive(symbols, n_images)
        self.code_model_ = model
        self.bits_per_sample_ = float(self.code_model_.bits(symbols).mean())
        images = self._restore(symbols)
        self.psnr_ = wish.psnr(X, images)
        self.error_limit_ = math.inf
        if self.fallback:
            errors = squared_errors(X, images)
            self.error_limit_ = error_limit(errors, X.shape[1], wish.span)

    @property
    def _wish(self) -> Wish:
        return Wish(
            self.quantizer,
            self.target_psnr,
            self.target_bits_per_sample,
            self.low_,
            self.high_,
            self.dtype_,
        )

    @property
    def _picture(self) -> tuple[int, int, int]:
        """What rows are, or, since that only decides how weights are packed, may be."""
        try:
            spec = spec_of_rows(self.image_shape_, self.n_features_in_)
        except ValueError:
            # Rows that are no squares.
            return 1, self.n_features_in_, 1
        return spec.height, spec.width, spec.channels

    def _check_parameters(self) -> None:
        super()._check_parameters()
        targets = [self.target_psnr, self.target_bits_per_sample, self.quantizer]
        if sum(target is not None for target in targets) > 1:
            raise ValueError(
                "quantizer, target_psnr and target_bits_per_sample each decide how "
                "fine codes are quantised: give one of them."
            )

    def _restore(self, symbols: np.ndarray) -> np.ndarray:
        """Decode symbols to pixels."""
        images = self.decoder_.decode(self.code_model_.codes(symbols))
        return np.clip(images, self.low_, self.high_)

    def symbols(self, X: Any) -> np.ndarray:
        """Quantise the codes of images, as the entropy coder is given them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Images.

        Returns
        -------
        symbols : ndarray of int32 of shape (n_samples, n_components)
            What ``code_model_`` codes.
        """
        check_is_fitted(self)
        return self._symbols(self._checked_again(X))

    def _symbols(self, X: np.ndarray) -> np.ndarray:
        return self.code_model_.symbols(self._codes(X))

    def _codes(self, X: np.ndarray) -> np.ndarray:
        """Find codes of images."""
        decoder = self.decoder_
        if isinstance(decoder, WholeDecoder):
            return decoder.encode(X)
        # The same as in fit, where the quality that is met is not known yet.
        psnr = self.psnr_ if self.target_psnr is None else self.target_psnr
        usual = self._wish.squared_error(psnr, self.n_features_in_)
        search = CodeSearch.of(
            decoder.network, self.code_model_, usual, rotated=self.rotate
        )
        return search.codes(X)

    def _encode_chunk(self, X: np.ndarray, spec: ImageSpec) -> CodedChunk:
        if not len(X):
            return CodedChunk(b"", 0)
        symbols = self._symbols(X)
        apart = unlike = np.zeros(len(X), bool)
        most = self._most_error
        if min(self.error_limit_, most) < math.inf:
            errors = squared_errors(X, self._restore(symbols))
            unlike = errors > self.error_limit_
            apart = unlike | (errors > most)
        symbols = symbols[~apart]
        stored = pack_apart(X, apart)

        def own_bits() -> np.ndarray:
            n_bits = np.full(len(X), 8 * len(stored) / max(apart.sum(), 1))
            n_bits[~apart] = self.code_model_.bits(symbols)
            return n_bits

        data = stored + self.code_model_.encode(symbols)
        return CodedChunk(data, len(X), np.flatnonzero(unlike), own_bits)

    @property
    def _most_error(self) -> float:
        """Squared error that the worst image may have."""
        if self.worst_psnr is None:
            return math.inf
        return self._wish.squared_error(self.worst_psnr, self.n_features_in_)

    def _decode_chunk(self, data: bytes, n_images: int, spec: ImageSpec) -> np.ndarray:
        if not n_images:
            return np.empty((0, self.n_features_in_), self.dtype_)
        reader = ByteReader(data)
        apart, stored = unpack_apart(
            reader, (n_images, self.n_features_in_), self.dtype_
        )
        codes = reader.take(reader.n_left)
        symbols = self.code_model_.decode(codes, n_images - len(apart))
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
