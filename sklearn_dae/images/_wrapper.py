"""What stands around the pixels of a file, and how both become the file again.

In: a file that was read. Out: a record from which, with the pixels, the file can be
made again: byte for byte, or, where a format compresses, with the same pixels and
everything else that was in it. Such a record becomes bytes and back, as an archive
needs it.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from sklearn_dae._bytes import leb128
from sklearn_dae.images._spec import ImageSpec


class Wrapper(ABC):
    """How a file is made again from its images.

    A subclass is a frozen dataclass, and is listed in `WRAPPERS` of `_wrappers`.
    """

    #: What it is called in bytes.
    tag: ClassVar[bytes]

    #: Whether the file comes back byte for byte.
    is_exact: ClassVar[bool] = True

    @abstractmethod
    def rebuild(self, images: Sequence[np.ndarray]) -> bytes:
        """Return the bytes of the file."""

    @abstractmethod
    def to_parts(self) -> list[bytes]:
        """Return what makes up this record."""

    @classmethod
    @abstractmethod
    def from_parts(cls, parts: list[bytes]) -> Self:
        """Make a record of its parts; raises ValueError or IndexError if it cannot."""

    def to_bytes(self) -> bytes:
        """Return the record as bytes."""
        parts = self.to_parts()
        sizes = b"".join(leb128(len(part)) for part in parts)
        return b"".join([self.tag, leb128(len(parts)), sizes, *parts])


@dataclass(frozen=True)
class Kept(Wrapper):
    """The file itself, for formats that pixels alone do not restore.

    Parameters
    ----------
    data : bytes
        The file.
    """

    data: bytes

    tag: ClassVar[bytes] = b"K"

    def rebuild(self, images: Sequence[np.ndarray]) -> bytes:
        """Return the file."""
        return self.data

    def to_parts(self) -> list[bytes]:
        return [self.data]

    @classmethod
    def from_parts(cls, parts: list[bytes]) -> Self:
        (data,) = parts
        return cls(data)


@dataclass(frozen=True)
class Raw(Wrapper):
    """Pixels that stand in a file as they are, with other bytes before and after.

    Parameters
    ----------
    before, after : bytes
        What else is in the file.

    dtype : str
        How numbers are stored, such as "<u2".

    upwards : bool, default=False
        Whether the last row of an image comes first.

    reversed_colours : bool, default=False
        Whether blue comes before green and red.

    planes : bool, default=False
        Whether each channel comes as a plane of its own.

    multiple : int, default=1
        Number of bytes of which each row takes a multiple, filled up by zeros.

    by_columns : bool, default=False
        Whether all images are stored as one array, its first axis fastest.
    """

    before: bytes
    after: bytes
    dtype: str
    upwards: bool = False
    reversed_colours: bool = False
    planes: bool = False
    multiple: int = 1
    by_columns: bool = False

    tag: ClassVar[bytes] = b"R"

    def size(self, spec: ImageSpec) -> int:
        """Return the bytes of an image."""
        row = spec.width * spec.channels * np.dtype(self.dtype).itemsize
        return spec.height * (row + -row % self.multiple)

    def cut(self, data: Any, spec: ImageSpec, n_images: int) -> np.ndarray:
        """Read images from the bytes that hold their pixels.

        Returns
        -------
        ndarray of ``spec.dtype`` of shape (n_images, *spec.shape)
            A view of the data where that is possible.
        """
        shape = spec.height, spec.width, spec.channels
        if self.by_columns:
            numbers = np.frombuffer(data, self.dtype)
            images = numbers.reshape((n_images, *spec.shape), order="F")
            return images.astype(spec.dtype, copy=False)
        row = spec.width * spec.channels * np.dtype(self.dtype).itemsize
        rows = np.frombuffer(data, np.uint8).reshape(n_images, -1)
        if self.multiple > 1:
            rows = rows.reshape(n_images, spec.height, -1)[:, :, :row]
        pixels = np.ascontiguousarray(rows).view(self.dtype)
        if self.planes:
            pixels = np.moveaxis(
                pixels.reshape(n_images, spec.channels, spec.height, spec.width), 1, 3
            )
        pixels = self._turned(pixels.reshape(n_images, *shape))
        return pixels.reshape(n_images, *spec.shape).astype(spec.dtype, copy=False)

    def rebuild(self, images: Sequence[np.ndarray]) -> bytes:
        """Return the bytes of the file."""
        if self.by_columns:
            everything = np.asarray(images).astype(self.dtype, copy=False)
            return self.before + everything.tobytes(order="F") + self.after
        return b"".join([self.before, *map(self._pixels, images), self.after])

    def _pixels(self, image: np.ndarray) -> bytes:
        pixels = image.astype(self.dtype, copy=False)
        if pixels.ndim == 2:
            pixels = pixels[:, :, np.newaxis]
        pixels = self._turned(pixels[np.newaxis])[0]
        if self.planes:
            pixels = np.moveaxis(pixels, 2, 0)
        if self.multiple == 1:
            return pixels.tobytes()
        rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(len(pixels), -1)
        return np.pad(rows, ((0, 0), (0, -rows.shape[1] % self.multiple))).tobytes()

    def _turned(self, pixels: np.ndarray) -> np.ndarray:
        """Turn rows and colours round; doing so twice changes nothing."""
        if self.upwards:
            pixels = pixels[:, ::-1]
        if self.reversed_colours:
            order = [2, 1, 0, 3][: pixels.shape[-1]]
            pixels = pixels[..., order]
        return pixels

    def to_parts(self) -> list[bytes]:
        flags = bytes(
            [
                self.upwards,
                self.reversed_colours,
                self.planes,
                self.multiple,
                self.by_columns,
            ]
        )
        return [self.before, self.after, self.dtype.encode(), flags]

    @classmethod
    def from_parts(cls, parts: list[bytes]) -> Self:
        before, after, dtype, flags = parts
        kind = np.dtype(dtype.decode())
        upwards, reversed_colours, planes, multiple, by_columns = flags
        if kind.kind not in "biuf" or max(upwards, reversed_colours, planes) > 1:
            raise ValueError("it does not say how pixels are stored")
        if multiple not in (1, 2, 4) or by_columns > 1:
            raise ValueError("it does not say how rows are stored")
        return cls(
            before,
            after,
            kind.str,
            bool(upwards),
            bool(reversed_colours),
            bool(planes),
            multiple,
            bool(by_columns),
        )
