"""Lossless and near-lossless coding by small networks of pixels."""

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import clone
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_dae._callbacks import CallbackSupportMixin, with_callbacks
from sklearn_dae._fields import Fields, each, instance
from sklearn_dae.codecs._base import Codec
from sklearn_dae.codecs._chunk import CodedChunk
from sklearn_dae.codecs._images import Given
from sklearn_dae.codecs._pixel_chunks import decode_chunks, encode_chunks, most_at_once
from sklearn_dae.codecs._planes import whole
from sklearn_dae.entropy import PixelModel
from sklearn_dae.entropy._generic import generic_model
from sklearn_dae.images import ImageSpec

#: How often callbacks are told how far training is.
_N_REPORTS = 100

#: Most channels of an image.
_MOST_CHANNELS = 64


class PixelCodec(CallbackSupportMixin, Codec):
    """Store images without loss, or with a bound on the error of every number.

    A small network says how likely each value of a sample is, given the samples before
    it, those of earlier channels, and those of the image before it where images are a
    series; rANS turns that into bytes. Images may be of any size, grey or coloured, of
    any integers that span 65,536 values or use no more.

    Generic networks come with the package: without `fit`, or where too few images were
    seen in it, these code images. Otherwise `fit` trains small ones for the set, and
    keeps them where they take fewer bytes, themselves counted.

    Parameters
    ----------
    max_abs_error : int, default=0
        How far a restored number may be off.

    reconstruction : {"center", "mean"}, default="center"
        Which of the numbers within the bound is restored: the one in the middle, never
        farther off than ``max_abs_error``; or the one that is expected, with less of a
        squared error, but up to twice as far off.

    effort : int, default=3
        How much time to spend on training: 1, none at all; 2, a few seconds; 3, up to
        half a minute; 4, minutes.

    n_pixels : int, default=None
        Pixels of all images that are to be coded, where `fit` is given a part of them:
        the more there are, the more bytes networks of their own may take. None means
        those seen in `fit`.

    image_shape : tuple of (height, width[, channels]), default=None
        Size of the images that rows are. None treats them as grey squares, and refuses
        rows that are none.

    chunk_size : int, default=None
        Images coded together; each chunk can be decoded without the others. None means
        as many as have half a million numbers.

    random_state : int, default=0
        Seed of the training.

    Attributes
    ----------
    models_ : list of PixelModel
        The networks that were trained, for each number of channels. Where there are
        none, the generic ones are used, which come with the package.

    n_features_in_ : int
        Number of values in a row.

    dtype_ : dtype
        Dtype of the images seen in `fit`, and of the rows that `decode` returns.

    low_, high_ : float
        Range of the numbers: that of the dtype for 8-bit integers, else that of the
        training images.

    Examples
    --------
    >>> from sklearn_dae.codecs import PixelCodec
    >>> from sklearn_dae.datasets import load_digits
    >>> X = load_digits().data
    >>> codec = PixelCodec(effort=1).fit(X[:1500])
    >>> data = codec.encode(X[1500:])
    >>> (codec.decode(data) == X[1500:]).all()
    np.True_
    """

    takes_any_size = True
    _chunk_numbers = 2**19
    _needs_shape = True
    _tells_kinds = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Codec._parameter_constraints,
        "max_abs_error": [Interval(Integral, 0, 2**15, closed="both")],
        "reconstruction": [StrOptions({"center", "mean"})],
        "effort": [Interval(Integral, 1, 4, closed="both")],
        "n_pixels": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": [Interval(Integral, 0, 2**32 - 1, closed="both")],
    }

    _stored_fields: ClassVar[Fields] = {"models_": each(instance(PixelModel))}

    def __init__(
        self,
        max_abs_error: int = 0,
        *,
        reconstruction: str = "center",
        effort: int = 3,
        n_pixels: int | None = None,
        image_shape: tuple[int, ...] | None = None,
        chunk_size: int | None = None,
        random_state: int = 0,
    ) -> None:
        self.max_abs_error = max_abs_error
        self.reconstruction = reconstruction
        self.effort = effort
        self.n_pixels = n_pixels
        self.image_shape = image_shape
        self.chunk_size = chunk_size
        self.random_state = random_state

    @property
    def error_bound(self) -> float:
        is_center = self.reconstruction == "center"
        return float(self.max_abs_error * (1 if is_center else 2))

    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> Self:
        """Train networks for images like these, where they pay.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or images
            Training images: as rows; as an array of shape (n_samples, height, width) or
            (n_samples, height, width, channels); as an `ImageSet`; or, one by one, as a
            list of arrays of shape (height, width) or (height, width, channels), which
            may differ.

        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            The fitted codec.

        Raises
        ------
        ValueError
            If a parameter is invalid, or images have numbers that are not whole, more
            than 65,536 levels, or more than 64 channels.
        """
        context = self._init_callback_context(max_subtasks=_N_REPORTS)
        context.call_on_fit_task_begin(estimator=self, X=X)
        super().fit(X)
        context.call_on_fit_task_end(estimator=self, X=X)
        return self

    def encode(self, X: Any) -> bytes:
        """Encode images; without `fit`, by the generic networks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or images
            Images, in any of the forms that `fit` takes.

        Returns
        -------
        bytes
            All that `decode` needs besides the fitted codec.
        """
        if not hasattr(self, "models_"):
            return clone(self).set_params(effort=1).fit(X).encode(X)
        return super().encode(X)

    def decode(self, data: bytes) -> Any:
        """Decode what `encode` returned; without `fit`, by the generic networks.

        Parameters
        ----------
        data : bytes
            The byte string.

        Returns
        -------
        X : ndarray or list of ndarray
            The images, in their original order and in the form in which they were
            given.

        Raises
        ------
        BitstreamError
            If the bytes are truncated, damaged, or not those of such a codec.
        """
        if not hasattr(self, "models_"):
            codec = clone(self)
            codec.models_ = []
            return codec.decode(data)
        return super().decode(data)

    def _learn_kinds(self, given: Given) -> None:
        self.models_ = []
        for kind in given.kinds:
            self._check_kind(kind.spec)
            whole(kind.rows)
        if self.effort > 1:
            from sklearn_dae.codecs._pixel_fitting import fit_models

            self.models_ = fit_models(self, given.kinds, _Reports(self))

    def _coded_spec(self, spec: ImageSpec) -> ImageSpec:
        # Numbers of any kind are taken as they are.
        return spec

    def _check_kind(self, spec: ImageSpec) -> None:
        if spec.channels > _MOST_CHANNELS:
            raise ValueError(
                f"Images are {spec}; PixelCodec takes at most {_MOST_CHANNELS} "
                "channels: store them by GeneralCodec('lzma')."
            )

    def model_for(self, channels: int) -> PixelModel:
        """Return the networks for images of so many channels."""
        for model in self.models_:
            if len(model.networks) == channels:
                return model
        return generic_model(channels)

    @property
    def numbers_at_once(self) -> int:
        """Numbers of images that are best coded at once: enough for all processes."""
        return most_at_once()

    def _encode_chunks(
        self, chunks: list[tuple[np.ndarray, ImageSpec]]
    ) -> list[CodedChunk]:
        return encode_chunks(chunks, self.model_for, self.max_abs_error)

    def _decode_chunks(
        self, chunks: list[tuple[bytes, int, ImageSpec]]
    ) -> list[np.ndarray]:
        means = self.reconstruction == "mean"
        return decode_chunks(chunks, self.model_for, self.max_abs_error, means=means)


class _Reports:
    """Tells callbacks of a codec which part of a fit is done."""

    def __init__(self, codec: PixelCodec) -> None:
        self._codec, self._n_told = codec, 0

    def __call__(self, share: float) -> None:
        while self._n_told < int(share * _N_REPORTS):
            part = self._codec._callback_fit_ctx.subcontext("part")
            part.call_on_fit_task_begin(estimator=self._codec)
            part.call_on_fit_task_end(estimator=self._codec)
            self._n_told += 1
