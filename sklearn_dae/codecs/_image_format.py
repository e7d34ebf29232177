"""What all image-format codecs share.

In: rows of pixels. Out: files of the format, as its own library writes them.

A chunk holds the lengths of all its files but the last, as LEB128, and then the files:
a chunk of one file is just that file.
"""

from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions

from sklearn_dae._bytes import ByteReader, leb128
from sklearn_dae._fields import Fields, count, expect_equal, instance
from sklearn_dae._scaling import PixelScaler
from sklearn_dae.codecs._base import Codec
from sklearn_dae.codecs._chunk import CodedChunk
from sklearn_dae.codecs._images import check_image_shape, spec_of_rows
from sklearn_dae.codecs._mosaic import Arrangement
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec

LAYOUTS = ("mosaic", "files")

#: Largest side of an image in pixels: within the limits of every format (WebP's is
#: 16,383), and of what Pillow takes for a picture rather than an attack.
MAX_SIDE = 8192


class ImageFormatCodec(Codec):
    """Base class for codecs that write pictures.

    A subclass has the parameters below, checks its own in `_check_parameters`, and
    defines `_require`, `_write` and `_read`.
    """

    lossless: bool
    layout: str
    image_shape: tuple[int, ...] | None

    #: Side of the format's blocks in pixels; images may be padded to a multiple of it.
    _block = 1

    #: Images in a mosaic are padded, both ways, to a multiple of this many pixels.
    multiple_: int

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Codec._parameter_constraints,
        "lossless": ["boolean"],
        "layout": [StrOptions({*LAYOUTS})],
    }

    _stored_fields: ClassVar[Fields] = {
        "scaler_": instance(PixelScaler),
        "multiple_": count(1, 8),
    }

    def _check_stored(self) -> None:
        super()._check_stored()
        self._check_images()
        if self.multiple_ not in (1, self._block):
            raise ValueError(f"multiple_ is {self.multiple_}, must be 1, {self._block}")
        low, high = self.scaler_.low, self.scaler_.high
        if self.dtype_ == np.uint8 and (low != 0 or not 1 <= high <= 255):
            raise ValueError(f"Pixels are said to be in [{low}, {high}]")
        if self._is_lossless:
            expect_equal("Largest pixel", high, 255)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_image_shape(self.image_shape)

    def _require(self) -> None:
        """Raise ImportError unless the library for the format is installed."""
        raise NotImplementedError

    @property
    def _is_lossless(self) -> bool:
        return self.lossless

    def _takes(self, spec: ImageSpec) -> bool:
        """Whether the format can hold such a picture, losing none of its bits."""
        raise NotImplementedError

    def _write(self, picture: np.ndarray) -> bytes:
        """Write a picture of shape (height, width[, channels]) as a file."""
        raise NotImplementedError

    def _read(self, data: bytes, spec: ImageSpec) -> np.ndarray:
        """Read such a picture, or raise BitstreamError."""
        raise NotImplementedError

    def _learn(self, X: np.ndarray) -> None:
        self._require()
        self._check_images()
        self.scaler_ = self._scaler(X)
        self._learn_layout(X)

    def _learn_layout(self, X: np.ndarray) -> None:
        """Choose whether images are padded, if there is a choice."""
        self.multiple_ = 1

    def _check_images(self) -> None:
        """Raise unless the format can hold such pixels and sizes."""
        spec = self._spec
        if not self._takes(spec):
            given = spec_of_rows(self.image_shape, self.n_features_in_, self.dtype_)
            raise ValueError(
                f"X holds images of {given}, of which {self} would lose some bits or "
                "channels: take another codec, or convert them to uint8, if they are "
                "whole numbers from 0 to 255."
            )
        if max(spec.height, spec.width) > MAX_SIDE:
            raise ValueError(
                f"Images of {spec} are too large: {type(self).__name__} takes at most "
                f"{MAX_SIDE} a side; cut them to tiles."
            )

    @property
    def _spec(self) -> ImageSpec:
        """What is written: real numbers become bytes, if they need not be exact."""
        becomes_bytes = self.dtype_.kind == "f" and not self._is_lossless
        dtype = np.dtype(np.uint8) if becomes_bytes else self.dtype_
        if dtype.kind == "i":
            # Only the order of numbers is another.
            dtype = np.dtype(f"u{dtype.itemsize}")
        return spec_of_rows(self.image_shape, self.n_features_in_, dtype)

    def _scaler(self, X: np.ndarray) -> PixelScaler:
        """Choose the range that is stretched to 0..255; for floats, that of X.

        Formats quantise as if pixels went up to 255. Bytes that all stay below half of
        that are multiplied by a whole number, so that they suffer no more than others.
        """
        if X.dtype.kind == "f":
            return PixelScaler.from_data(X)
        if X.dtype != np.uint8:
            return PixelScaler(0.0, 255.0)
        factor = 1 if self._is_lossless else 255 // max(int(X.max()), 1)
        return PixelScaler(0.0, 255 / factor)

    @property
    def _stretches(self) -> bool:
        return self.dtype_.kind == "f" or self.scaler_.high != 255

    @property
    def _layout(self) -> Arrangement:
        return Arrangement(self._spec, self.multiple_, self.layout == "mosaic")

    def _encode_chunk(self, X: np.ndarray) -> CodedChunk:
        self._require()
        if self._stretches:
            X = np.rint(255 * self.scaler_.to_unit(X)).astype(np.uint8)
        layout = self._layout
        X = _reordered(X, layout.spec.dtype)
        files, first, own_bits = [], 0, np.zeros(len(X))
        for n in layout.numbers(len(X)):
            files.append(self._write(layout.draw(X[first : first + n])))
            own_bits[first : first + n] = 8 * len(files[-1]) / n
            first += n
        data = b"".join([*(leb128(len(file)) for file in files[:-1]), *files])
        return CodedChunk(data, len(X), own_bits=lambda: own_bits)

    def _decode_chunk(self, data: bytes, n_rows: int) -> np.ndarray:
        self._require()
        layout = self._layout
        numbers = layout.numbers(n_rows)
        # A file has at least one byte: claims are checked before they take memory.
        if 2 * len(numbers) - 1 > len(data):
            raise BitstreamError(f"{len(data)} bytes cannot hold {len(numbers)} files.")
        reader = ByteReader(data)
        lengths = [reader.leb128() for _ in numbers[1:]]
        lengths.append(reader.n_left - sum(lengths))
        pictures = []
        for n, length in zip(numbers, lengths, strict=True):
            if length < 0:
                raise BitstreamError(f"The files take {-length} bytes more than all.")
            picture = self._read(reader.take(length), layout.picture(n))
            pictures.append(layout.cut(picture, n))
        rows = np.concatenate(pictures)
        if not self._stretches:
            return _reordered(rows, self.dtype_)
        return self.scaler_.from_unit(rows / 255)


def _reordered(rows: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Turn signed numbers to unsigned ones in the same order, or back."""
    if rows.dtype.kind == dtype.kind:
        return rows
    sign = np.array(1 << 8 * dtype.itemsize - 1, f"u{dtype.itemsize}")
    return (rows.view(sign.dtype) ^ sign).view(dtype)
