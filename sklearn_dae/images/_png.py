"""PNG: its chunks, and pixels -> a file.

Pixels are packed by filters and zlib; everything else that a file holds, such as its
palette, its resolution and its colour profile, stands in other chunks, before or after
them, and is kept as it is.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self

import numpy as np

from sklearn_dae.images._bits import pack_rows
from sklearn_dae.images._image_file import ORIENTATION_TAG
from sklearn_dae.images._spec import ImageSpec
from sklearn_dae.images._wrapper import Wrapper

SIGNATURE = b"\x89PNG\r\n\x1a\n"

#: Channels of each type of colour.
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}

#: The type of colour that is a number of a palette.
_PALETTE = 3

#: How hard zlib tries.
_LEVEL = 6


class Head(NamedTuple):
    """What a file says of its pixels."""

    width: int
    height: int
    depth: int
    colours: int
    packing: int
    filtering: int
    interlacing: int

    @property
    def spec(self) -> ImageSpec:
        """Describe the image."""
        dtype = np.dtype(np.uint16 if self.depth == 16 else np.uint8)
        highest = (1 << self.depth) - 1
        channels = _CHANNELS[self.colours]
        return ImageSpec(self.height, self.width, channels, dtype, (0, highest))

    @property
    def has_palette(self) -> bool:
        """Whether pixels are numbers of a palette."""
        return self.colours == _PALETTE

    def to_chunk(self) -> bytes:
        """Write the chunk."""
        return chunk(b"IHDR", struct.pack(">IIBBBBB", *self))


def chunk(kind: bytes, content: bytes) -> bytes:
    """Write a chunk."""
    sum_of_all = zlib.crc32(content, zlib.crc32(kind))
    return b"".join(
        [struct.pack(">I", len(content)), kind, content, struct.pack(">I", sum_of_all)]
    )


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each chunk, and where it begins and ends, checked.

    Raises
    ------
    ValueError
        If a chunk is cut off or damaged.
    """
    if not data.startswith(SIGNATURE):
        raise ValueError("it does not begin as a PNG file does")
    at, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        if at + 12 > len(data):
            raise ValueError(f"it is cut off at byte {len(data)}")
        (size,) = struct.unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 12 + size
        if end > len(data):
            raise ValueError(f"it is cut off at byte {len(data)}")
        (expected,) = struct.unpack_from(">I", data, end - 4)
        if zlib.crc32(memoryview(data)[at + 4 : end - 4]) != expected:
            raise ValueError(f"its chunk {kind!r} at byte {at} is damaged")
        yield kind, at, end
        at = end


def read_head(data: bytes) -> Head:
    """Read the first chunk of a file, unchecked.

    Raises
    ------
    ValueError
        If it is another, or says what no PNG file can say.
    """
    if len(data) < 29 or data[12:16] != b"IHDR":
        raise ValueError("it does not begin as a PNG file does")
    head = Head(*struct.unpack_from(">IIBBBBB", data, 16))
    if head.colours not in _CHANNELS or head.depth not in (1, 2, 4, 8, 16):
        raise ValueError(
            f"it has colours of type {head.colours} and {head.depth} bits, which PNG "
            "files do not have"
        )
    if not head.width or not head.height:
        raise ValueError("it has no pixels")
    return head


@dataclass(frozen=True)
class Png(Wrapper):
    """A PNG file whose pixels are packed anew.

    Parameters
    ----------
    before, after : bytes
        The chunks before the pixels and after them, without the last one.

    end : bytes
        What follows the last chunk.
    """

    before: bytes
    after: bytes
    end: bytes

    tag: ClassVar[bytes] = b"P"
    is_exact: ClassVar[bool] = False

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Take what stands around the pixels of a file.

        Raises
        ------
        ValueError
            If the file is damaged, or its pixels do not stand together.
        """
        head = read_head(data)
        before = [head._replace(interlacing=0).to_chunk()]
        after: list[bytes] = []
        last, n_ends = b"", 0
        end = len(data)
        for kind, begin, stop in chunks(data):
            if kind == b"IDAT":
                n_ends += last != b"IDAT"
            elif kind not in (b"IHDR", b"IEND"):
                (after if n_ends else before).append(data[begin:stop])
            last, end = kind, stop
        if n_ends != 1:
            raise ValueError(f"its pixels stand in {n_ends} places, expected one")
        return cls(b"".join(before), b"".join(after), data[end:])

    @classmethod
    def plain(cls, spec: ImageSpec, orientation: int = 1) -> Self:
        """Describe a file of unsigned pixels with nothing around them.

        Raises
        ------
        ValueError
            If PNG files cannot hold such pixels.
        """
        if spec.channels not in _TYPES or spec.dtype not in (np.uint8, np.uint16, bool):
            raise ValueError(
                f"PNG files hold unsigned integers of 8 or 16 bits in up to four "
                f"channels, got {spec}"
            )
        depth = 16 if spec.dtype == np.uint16 else 8
        if spec.depth == 1 and spec.channels == 1:
            depth = 1
        head = Head(spec.width, spec.height, depth, _TYPES[spec.channels], 0, 0, 0)
        before = head.to_chunk()
        if orientation != 1:
            # One entry of one short number, in the order of bytes of Motorola's.
            entry = struct.pack(">HHIHHI", ORIENTATION_TAG, 3, 1, orientation, 0, 0)
            exif = b"MM\0*" + struct.pack(">IH", 8, 1) + entry
            before += chunk(b"eXIf", exif)
        return cls(before, b"", b"")

    def rebuild(self, images: Iterable[np.ndarray]) -> Iterator[bytes]:
        """Yield a file with the same pixels."""
        (image,) = images
        head = read_head(SIGNATURE + self.before)
        yield SIGNATURE + self.before
        yield chunk(b"IDAT", zlib.compress(_filtered(image, head), _LEVEL))
        yield self.after + chunk(b"IEND", b"") + self.end

    def to_parts(self) -> list[bytes]:
        """Return what makes up this record."""
        return [self.before, self.after, self.end]

    @classmethod
    def from_parts(cls, parts: list[bytes]) -> Self:
        """Make a record of its parts."""
        before, after, end = parts
        for kind, _, _ in chunks(SIGNATURE + before + after + chunk(b"IEND", b"")):
            if kind == b"IDAT":
                raise ValueError("pixels stand among what should be around them")
        read_head(SIGNATURE + before)
        return cls(before, after, end)


def _filtered(image: np.ndarray, head: Head) -> bytes:
    """Return the rows of an image, each with the filter that leaves the least."""
    pixels = image.reshape(len(image), -1)
    if head.depth < 8:
        rows = pack_rows(pixels, head.depth)
        return np.pad(rows, ((0, 0), (1, 0))).tobytes()
    rows = np.ascontiguousarray(pixels.astype(f">u{head.depth // 8}")).view(np.uint8)
    if head.has_palette:
        return np.pad(rows, ((0, 0), (1, 0))).tobytes()
    n = _CHANNELS[head.colours] * head.depth // 8
    above = np.pad(rows, ((1, 0), (n, 0)))
    left, up, corner = above[1:, :-n], above[:-1, n:], above[:-1, :-n]
    least = np.full(len(rows), np.iinfo(np.int64).max)
    best = np.empty((len(rows), 1 + rows.shape[1]), np.uint8)
    predictions = (
        np.zeros_like(left),
        left,
        up,
        ((left.astype(np.uint16) + up) // 2).astype(np.uint8),
        _paeth(left, up, corner),
    )
    for number, prediction in enumerate(predictions):
        rest = rows - prediction
        cost = np.abs(rest.view(np.int8).astype(np.int16)).sum(axis=1, dtype=np.int64)
        better = cost < least
        least[better] = cost[better]
        best[better, 0] = number
        best[better, 1:] = rest[better]
    return best.tobytes()


def _paeth(left: np.ndarray, up: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """Predict each byte by that neighbour which is closest to left + up - corner."""
    a, b, c = (neighbour.astype(np.int16) for neighbour in (left, up, corner))
    to_left, to_up, to_corner = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    is_left = (to_left <= to_up) & (to_left <= to_corner)
    return np.where(is_left, left, np.where(to_up <= to_corner, up, corner))
