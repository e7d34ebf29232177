"""Pixels that stand in a file as they are."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np

from sklearn_dae._bytes import ByteReader, leb128
from sklearn_dae.images._bits import pack_rows, packed_size
from sklearn_dae.images._spec import ImageSpec
from sklearn_dae.images._wrapper import MOST_BYTES, Wrapper


@dataclass(frozen=True)
class Layout:
    """How the numbers of images stand in bytes.

    Parameters
    ----------
    dtype : str
        How a number is stored, such as "<u2".

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

    bits : int, default=0
        Bits of a number where a byte holds several of them, or parts; the highest bit
        comes first, and each row begins with a byte of its own. 0 for whole bytes.

    inverted : bool, default=False
        Whether single bits are stored as 1 for 0.
    """

    dtype: str
    upwards: bool = False
    reversed_colours: bool = False
    planes: bool = False
    multiple: int = 1
    by_columns: bool = False
    bits: int = 0
    inverted: bool = False

    def row_size(self, spec: ImageSpec) -> int:
        """Return the bytes of a row, without what fills it up."""
        n_numbers = spec.width * (1 if self.planes else spec.channels)
        if self.bits:
            return packed_size(n_numbers, self.bits)
        return n_numbers * np.dtype(self.dtype).itemsize

    def size(self, spec: ImageSpec) -> int:
        """Return the bytes of an image."""
        row = self.row_size(spec)
        n_rows = spec.height * (spec.channels if self.planes else 1)
        return n_rows * (row + -row % self.multiple)

    def cut(self, data: Any, spec: ImageSpec) -> np.ndarray:
        """Read an image from the bytes that hold its pixels, whole numbers each.

        Returns
        -------
        ndarray of ``spec.dtype`` of shape ``spec.shape``
            A view of the data where that is possible.
        """
        n_planes = spec.channels if self.planes else 1
        rows = np.frombuffer(data, np.uint8).reshape(n_planes * spec.height, -1)
        rows = np.ascontiguousarray(rows[:, : self.row_size(spec)])
        pixels = rows.view(self.dtype).reshape(n_planes, spec.height, spec.width, -1)
        image = np.moveaxis(pixels, 0, 2) if self.planes else pixels[0]
        image = self._turned(image.reshape(spec.height, spec.width, spec.channels))
        return image.reshape(spec.shape).astype(spec.dtype, copy=False)

    def stored(self, image: np.ndarray) -> bytes:
        """Return the bytes that hold the pixels of an image."""
        pixels = image.astype(self.dtype, copy=False)
        if pixels.ndim == 2:
            pixels = pixels[:, :, np.newaxis]
        pixels = self._turned(pixels)
        if self.planes:
            pixels = np.moveaxis(pixels, 2, 0)
        n_rows = pixels.shape[0] * (pixels.shape[1] if self.planes else 1)
        rows = pixels.reshape(n_rows, -1)
        if self.inverted:
            rows = 1 - rows
        if self.bits:
            rows = pack_rows(rows, self.bits)
        if self.multiple > 1:
            rows = np.ascontiguousarray(rows).view(np.uint8)
            rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % self.multiple)))
        return rows.tobytes()

    def _turned(self, pixels: np.ndarray) -> np.ndarray:
        """Turn rows and colours round; doing so twice changes nothing."""
        if self.upwards:
            pixels = pixels[::-1]
        if self.reversed_colours and pixels.shape[-1] > 2:
            order = [2, 1, 0, 3][: pixels.shape[-1]]
            pixels = pixels[..., order]
        return pixels

    def to_bytes(self) -> bytes:
        """Write it: a byte for each field, and the dtype."""
        dtype, *flags = astuple(self)
        return bytes(flags) + dtype.encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote; raises ValueError if it is something else."""
        n_flags = len(fields(cls)) - 1
        dtype = data[n_flags:].decode()
        if not re.fullmatch("[<>|][biuf][1248]", dtype):
            raise ValueError("it does not say how pixels are stored")
        kind = np.dtype(dtype)
        up, reverse, planes, multiple, columns, bits, inverted = data[:n_flags]
        if max(up, reverse, planes, columns, inverted) > 1:
            raise ValueError("it does not say how pixels are ordered")
        if multiple not in (1, 2, 4) or bits > 16 or (bits and kind.kind != "u"):
            raise ValueError("it does not say how rows are stored")
        return cls(
            kind.str,
            bool(up),
            bool(reverse),
            bool(planes),
            multiple,
            bool(columns),
            bits,
            bool(inverted),
        )


@dataclass(frozen=True)
class Raw(Wrapper):
    """Pixels that stand in a file as they are, with other bytes around them.

    Parameters
    ----------
    layout : Layout
        How pixels are stored.

    before, after : bytes
        What stands before the pixels and after them.

    gaps : tuple of (int, bytes), default=()
        What stands between them, and after how many bytes of pixels since the gap
        before it.
    """

    layout: Layout
    before: bytes = b""
    after: bytes = b""
    gaps: tuple[tuple[int, bytes], ...] = ()

    tag: ClassVar[bytes] = b"R"

    @classmethod
    def around(
        cls,
        path: str | os.PathLike[str],
        layout: Layout,
        places: Iterable[tuple[int, int]],
    ) -> Self | None:
        """Read what stands around the pixels of a file.

        Parameters
        ----------
        path : path-like
            The file.

        layout : Layout
            How its pixels are stored.

        places : iterable of (begin, size)
            Where they are, in bytes.

        Returns
        -------
        Raw or None
            None if the places are in another order than the pixels, or with more
            around them than should stand in memory.
        """
        with open(path, "rb") as file:
            n_bytes = os.fstat(file.fileno()).st_size
            spans = _joined([(0, 0), *places, (n_bytes, 0)])
            outside = n_bytes - sum(size for _, size in spans)
            if any(a + size > b for (a, size), (b, _) in pairwise(spans)):
                return None
            if outside > MOST_BYTES:
                return None
            between = []
            for (begin, size), (end, _) in pairwise(spans):
                file.seek(begin + size)
                between.append(file.read(end - begin - size))
        if len(between) == 1:
            return cls(layout, between[0])
        sizes = [size for _, size in spans[1:-1]]
        before, *inner, after = between
        return cls(layout, before, after, tuple(zip(sizes, inner, strict=False)))

    def rebuild(self, images: Iterable[np.ndarray]) -> Iterator[bytes]:
        """Yield the bytes of the file."""
        yield self.before
        yield from self._with_gaps(self._stored(images))
        yield self.after

    def _stored(self, images: Iterable[np.ndarray]) -> Iterator[bytes]:
        if self.layout.by_columns:
            everything = np.asarray([*images]).astype(self.layout.dtype, copy=False)
            yield everything.tobytes(order="F")
        else:
            yield from map(self.layout.stored, images)

    def _with_gaps(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        gaps = list(reversed(self.gaps))
        n_left = gaps[-1][0] if gaps else 0
        for piece in pieces:
            at = 0
            while gaps and len(piece) - at >= n_left:
                yield piece[at : at + n_left]
                at += n_left
                yield gaps.pop()[1]
                n_left = gaps[-1][0] if gaps else 0
            n_left -= len(piece) - at
            yield piece[at:] if at else piece
        if gaps:
            raise ValueError(
                f"The file has more images: {len(gaps)} pieces of it are still to come."
            )

    def to_parts(self) -> list[bytes]:
        numbers = [n for size, gap in self.gaps for n in (size, len(gap))]
        return [
            self.before,
            self.after,
            self.layout.to_bytes(),
            b"".join(map(leb128, numbers)),
            b"".join(gap for _, gap in self.gaps),
        ]

    @classmethod
    def from_parts(cls, parts: list[bytes]) -> Self:
        before, after, layout, numbers, between = parts
        reader, contents, gaps = ByteReader(numbers), ByteReader(between), []
        while reader.n_left:
            size = reader.leb128()
            gaps.append((size, contents.take(reader.leb128())))
        contents.finish()
        return cls(Layout.from_bytes(layout), before, after, tuple(gaps))


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join spans that follow on each other; the first and the last one stay."""
    joined = spans[:1]
    for begin, size in spans[1:-1]:
        before, n_before = joined[-1]
        if len(joined) > 1 and before + n_before == begin:
            joined[-1] = before, n_before + size
        else:
            joined.append((begin, size))
    return [*joined, spans[-1]]
