"""What all image-format codecs share.

In: rows of pixels. Out: files of the format, as its own library writes them.

A chunk holds the lengths of all its files but the last, as LEB128, and then the files:
a chunk of one file is just that file.
"""

import math
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions

from sklearn_dae._bytes import ByteReader, leb128
from sklearn_dae._fields import Fields, count, expect_equal, instance
from sklearn_dae._scaling import PixelScaler
from sklearn_dae.codecs._base import Codec
from sklearn_dae.codecs._chunk import CodedChunk
from sklearn_dae.codecs._images import Given, Kind
from sklearn_dae.codecs._mosaic import Arrangement
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec

LAYOUTS = ("mosaic", "files")


class ImageFormatCodec(Codec):
    """Base class for codecs that write pictures.

    A subclass has the parameters below, checks its own in `_check_parameters`, and
    defines `_require`, `_write` and `_read`.
    """

    layout: str
    image_shape: tuple[int, ...] | None

    takes_any_size = True
    _needs_shape = True

    #: Side of the format's blocks in pixels; images may be padded to a multiple of it.
    _block = 1

    #: Largest side of an image in pixels: within the limits of every format (WebP's is
    #: 16,383), and of what Pillow takes for a picture rather than an attack.
    _most_side = 8192

    #: Images in a mosaic are padded, both ways, to a multiple of this many pixels.
    multiple_: int

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Codec._parameter_constraints,
        "layout": [StrOptions({*LAYOUTS})],
    }

    _stored_fields: ClassVar[Fields] = {
        "scaler_": instance(PixelScaler),
        "multiple_": count(1, 8),
    }

    def _check_stored(self) -> None:
        super()._check_stored()
        self._check_kind(self._spec)
        if self.multiple_ not in (1, self._block):
            raise ValueError(f"multiple_ is {self.multiple_}, must be 1, {self._block}")
        low, high = self.scaler_.low, self.scaler_.high
        if self.dtype_ == np.uint8 and (low != 0 or not 1 <= high <= 255):
            raise ValueError(f"Pixels are said to be in [{low}, {high}]")
        if self._keeps_numbers:
            expect_equal("Largest pixel", high, 255)

    def _require(self) -> None:
        """Raise ImportError unless the library for the format is installed."""
        raise NotImplementedError

    @property
    def _keeps_numbers(self) -> bool:
        """Whether numbers are written as they are; if not, they are stretched."""
        raise NotImplementedError

    @property
    def error_bound(self) -> float:
        return 0.0 if self._keeps_numbers else math.inf

    def _takes(self, spec: ImageSpec) -> bool:
        """Whether the format can hold such a picture, losing none of its bits."""
        raise NotImplementedError

    def _write(self, picture: np.ndarray) -> bytes:
        """Write a picture of shape (height, width[, channels]) as a file."""
        raise NotImplementedError

    def _read(self, data: bytes, spec: ImageSpec) -> np.ndarray:
        """Read such a picture, or raise BitstreamError."""
        raise NotImplementedError

    def holds(self, spec: ImageSpec) -> bool:
        """Whether the format has the bits and channels of such images, before `fit`.

        Parameters
        ----------
        spec : ImageSpec
            The kind of images.

        Returns
        -------
        bool
            Whether it has.
        """
        return self._takes(self._written(spec))

    def _learn_kinds(self, given: Given) -> None:
        self._require()
        for kind in given.kinds:
            self._check_kind(self._coded_spec(kind.spec))
        self.scaler_ = self._scaler([kind.rows for kind in given.kinds])
        self._learn_layout(max(given.kinds, key=lambda kind: kind.rows.size))

    def _learn_layout(self, kind: Kind) -> None:
        """Choose whether images are padded, if there is a choice."""
        self.multiple_ = 1

    def _coded_spec(self, spec: ImageSpec) -> ImageSpec:
        # Of numbers as they are, a file for each image says what it is.
        return spec if self._keeps_numbers else super()._coded_spec(spec)

    def _check_kind(self, spec: ImageSpec) -> None:
        if not self.holds(spec):
            raise ValueError(
                f"X holds images of {spec}, of which {self} would lose some bits or "
                "channels: take another codec, or convert them to uint8, if they are "
                "whole numbers from 0 to 255."
            )
        if max(spec.height, spec.width) > self._most_side:
            raise ValueError(
                f"Images of {spec} are too large: {type(self).__name__} takes at most "
                f"{self._most_side} a side; cut them to tiles."
            )

    def _written(self, spec: ImageSpec) -> ImageSpec:
        """What is written: real numbers become bytes, if they need not be exact."""
        becomes_bytes = spec.dtype.kind == "f" and not self._keeps_numbers
        dtype = np.dtype(np.uint8) if becomes_bytes else spec.dtype
        if dtype.kind == "i":
            # Only the order of numbers is another.
            dtype = np.dtype(f"u{dtype.itemsize}")
        return replace(spec, dtype=dtype, range=None)

    def _scaler(self, rows: list[np.ndarray]) -> PixelScaler:
        """Choose the range that is stretched to 0..255; for floats, that of the rows.

        Formats quantise as if pixels went up to 255. Bytes that all stay below half of
        that are multiplied by a whole number, so that they suffer no more than others.
        """
        if self._keeps_numbers or self.dtype_.kind not in "fu":
            return PixelScaler(0.0, 255.0)
        low = min(float(of_kind.min()) for of_kind in rows)
        high = max(float(of_kind.max()) for of_kind in rows)
        if self.dtype_.kind == "f":
            return PixelScaler.from_data(np.array([low, high], self.dtype_))
        return PixelScaler(0.0, 255 / (255 // max(int(high), 1)))

    @property
    def _stretches(self) -> bool:
        return not self._keeps_numbers and (
            self.dtype_.kind == "f" or self.scaler_.high != 255
        )

    def _layout(self, spec: ImageSpec) -> Arrangement:
        written = self._written(spec)
        return Arrangement(written, self.multiple_, self.layout == "mosaic")

    def _encode_chunk(self, X: np.ndarray, spec: ImageSpec) -> CodedChunk:
        self._require()
        if self._stretches:
            X = np.rint(255 * self.scaler_.to_unit(X)).astype(np.uint8)
        layout = self._layout(spec)
        X = _reordered(X, layout.spec.dtype)
        files, first, own_bits = [], 0, np.zeros(len(X))
        for n in layout.numbers(len(X)):
            files.append(self._write(layout.draw(X[first : first + n])))
            own_bits[first : first + n] = 8 * len(files[-1]) / n
            first += n
        data = b"".join([*(leb128(len(file)) for file in files[:-1]), *files])
        return CodedChunk(data, len(X), own_bits=lambda: own_bits)

    def _decode_chunk(self, data: bytes, n_images: int, spec: ImageSpec) -> np.ndarray:
        self._require()
        layout = self._layout(spec)
        numbers = layout.numbers(n_images)
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
            return _reordered(rows, spec.dtype)
        return self.scaler_.from_unit(rows / 255)


def _reordered(rows: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Turn signed numbers to unsigned ones in the same order, or back."""
    if rows.dtype.kind == dtype.kind:
        return rows
    sign = np.array(1 << 8 * dtype.itemsize - 1, f"u{dtype.itemsize}")
    return (rows.view(sign.dtype) ^ sign).view(dtype)


def require_imagecodecs(name: str, codec: str) -> None:
    """Raise ImportError unless imagecodecs is installed, and has a codec."""
    try:
        import imagecodecs
    except ImportError as error:
        raise ImportError(
            f"{name} needs imagecodecs: pip install 'sklearn-dae[full]'."
        ) from error
    if not getattr(imagecodecs, codec).available:
        raise ImportError(
            f"This imagecodecs was built without {name}: "
            "pip install --upgrade 'sklearn-dae[full]'."
        )
