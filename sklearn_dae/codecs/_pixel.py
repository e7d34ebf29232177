"""Lossless and near-lossless coding by small networks of pixels."""

from collections.abc import Iterable, Iterator, Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_dae._bytes import ByteReader
from sklearn_dae._fields import Fields, each, instance
from sklearn_dae.codecs._base import Codec
from sklearn_dae.codecs._chunk import CodedChunk
from sklearn_dae.codecs._images import Given
from sklearn_dae.codecs._planes import Form, limits_of, whole
from sklearn_dae.entropy import PixelModel
from sklearn_dae.entropy._generic import generic_model
from sklearn_dae.entropy._pixel_coder import CodedStack, stacks_of
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec

#: The first byte of a chunk whose numbers follow as they are; no form begins so.
_PLAIN = b"\0"

#: Most channels of an image.
_MOST_CHANNELS = 64

#: A false claim can take no more memory than that of so many samples, and so many more
#: for each byte.
_FREE_SAMPLES, _SAMPLES_OF_BYTE = 2**22, 2**16


class PixelCodec(Codec):
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
    numbers_at_once = 2**22
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

            self.models_ = fit_models(self, given.kinds)

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

    def _encode_chunks(
        self, chunks: list[tuple[np.ndarray, ImageSpec]]
    ) -> list[CodedChunk]:
        coded = [CodedChunk(b"", 0)] * len(chunks)
        kinds = [(len(rows), spec) for rows, spec in chunks]
        for group in _groups(kinds, range(len(chunks))):
            forms, planes = [], []
            for i in group:
                rows, spec = whole(chunks[i][0]), chunks[i][1]
                forms.append(Form.of(rows, spec, is_exact=self._is_exact))
                planes.append(forms[-1].planes(rows, spec))
            limits = limits_of(forms, stacks_of(planes))
            model = self.model_for(planes[0].shape[1])
            results = model.encode(planes, limits, self.max_abs_error)
            for i, form, result in zip(group, forms, results, strict=True):
                coded[i] = _chunk(chunks[i][0], form, result)
        return coded

    def _decode_chunks(
        self, chunks: list[tuple[bytes, int, ImageSpec]]
    ) -> list[np.ndarray]:
        decoded: dict[int, np.ndarray] = {}
        readers = [ByteReader(data) for data, _, _ in chunks]
        for i, (reader, (_, n_images, spec)) in enumerate(
            zip(readers, chunks, strict=True)
        ):
            if len(chunks[i][0]) < _least_bytes(n_images * spec.n_numbers):
                n_bytes = len(chunks[i][0])
                raise BitstreamError(
                    f"{n_bytes} bytes cannot hold {n_images} images of {spec}."
                )
            if not n_images or chunks[i][0][:1] == _PLAIN:
                decoded[i] = _read_plain(reader, n_images, spec)
        kinds = [(n_images, spec) for _, n_images, spec in chunks]
        for group in _groups(kinds, (i for i in range(len(kinds)) if i not in decoded)):
            forms = [Form.read(readers[i], is_exact=self._is_exact) for i in group]
            stacks = [
                form.stack(*kinds[i]) for i, form in zip(group, forms, strict=True)
            ]
            planes = self.model_for(stacks[0].channels).decode(
                [readers[i].take(readers[i].n_left) for i in group],
                stacks,
                limits_of(forms, stacks),
                self.max_abs_error,
                means=self.reconstruction == "mean",
            )
            for i, form, result in zip(group, forms, planes, strict=True):
                decoded[i] = form.rows(result)
        return [decoded[i] for i in range(len(chunks))]

    @property
    def _is_exact(self) -> bool:
        return not self.max_abs_error


def _groups(
    kinds: Sequence[tuple[int, ImageSpec]], wanted: Iterable[int]
) -> Iterator[list[int]]:
    """Yield which of the chunks that are wanted are coded in lockstep.

    Of each chunk, ``kinds`` has how many images it has, and of what kind.
    """
    by_channels: dict[int, list[int]] = {}
    for i in wanted:
        if kinds[i][0]:
            by_channels.setdefault(kinds[i][1].channels, []).append(i)
    for numbers in by_channels.values():
        group: list[int] = []
        n_at_once = 0
        for i in numbers:
            n_images, spec = kinds[i]
            n_numbers = n_images * spec.n_numbers
            if group and n_at_once + n_numbers > PixelCodec.numbers_at_once:
                yield group
                group, n_at_once = [], 0
            group.append(i)
            n_at_once += n_numbers
        yield group


def _chunk(rows: np.ndarray, form: Form, coded: CodedStack) -> CodedChunk:
    """Return the bytes of a chunk, as they are if that is less."""
    data = form.to_bytes() + coded.data
    # Zeros may follow a stream, in pairs.
    missing = max(0, _least_bytes(rows.size) - len(data))
    data += bytes(missing + missing % 2)
    plain = rows.astype(rows.dtype.newbyteorder("<"), copy=False).tobytes()
    if len(data) > len(plain):
        return CodedChunk(_PLAIN + plain, len(rows))
    return CodedChunk(data, len(rows), own_bits=lambda: coded.n_bits)


def _least_bytes(n_samples: int) -> int:
    """Return the least bytes that so many samples are coded in."""
    return max(0, n_samples - _FREE_SAMPLES) // _SAMPLES_OF_BYTE


def _read_plain(reader: ByteReader, n_images: int, spec: ImageSpec) -> np.ndarray:
    if n_images:
        reader.take(len(_PLAIN))
    data = reader.take(reader.n_left)
    if len(data) != n_images * spec.n_bytes:
        raise BitstreamError(f"{len(data)} bytes for {n_images} images of {spec}.")
    rows = np.frombuffer(data, spec.dtype.newbyteorder("<"))
    return rows.reshape(n_images, spec.n_numbers)
