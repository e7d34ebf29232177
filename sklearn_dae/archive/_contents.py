"""What chunks hold, and how each says so: images, files, pieces of a kept file.

In: what is to be stored. Out: the description that stands in the head of a chunk and in
the index, and back. From these alone it is known where every image is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import ClassVar, Self

import numpy as np

from sklearn_dae._bytes import CHECKSUM_SIZE, ByteReader, leb128
from sklearn_dae.archive._packing import JPEG_XL, LZMA, MOST_BYTES, Packing
from sklearn_dae.codecs._chunk import most_images_of_chunk
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec
from sklearn_dae.images._spec_bytes import pack_spec, unpack_spec

#: Most images of a kept file for each byte of its first piece: a false claim can take
#: no more memory than that. Blank images of 16 pixels, deflated, are as many.
MOST_IMAGES_OF_BYTE = 64

#: Most images and files that there may be.
_MOST = 2**62


class ChunkKind(IntEnum):
    """What a chunk holds."""

    IMAGES, FILES, KEPT, ACCOUNT = range(4)


@lru_cache(1024)
def _spec_of(data: bytes) -> ImageSpec:
    """Read a kind of images, of which there are few in many chunks."""
    reader = ByteReader(data)
    spec = unpack_spec(reader)
    reader.finish()
    return spec


def runs_of(specs: Sequence[ImageSpec]) -> tuple[tuple[ImageSpec, int], ...]:
    """Count equal kinds of images that follow each other."""
    runs: list[tuple[ImageSpec, int]] = []
    for spec in specs:
        if runs and runs[-1][0] == spec:
            runs[-1] = spec, runs[-1][1] + 1
        else:
            runs.append((spec, 1))
    return tuple(runs)


@dataclass(frozen=True)
class Images:
    """Images of one kind, coded together.

    Parameters
    ----------
    spec : ImageSpec
        What each of them is.

    runs : tuple of (start, stop)
        Their numbers: those from each start to before its stop, in ascending order.
    """

    spec: ImageSpec
    runs: tuple[tuple[int, int], ...]

    kind: ClassVar[ChunkKind] = ChunkKind.IMAGES

    @classmethod
    def of(cls, spec: ImageSpec, numbers: np.ndarray) -> Self:
        """Describe images by their numbers, in ascending order."""
        cuts = np.flatnonzero(np.diff(numbers) != 1) + 1
        parts = np.split(numbers, cuts)
        return cls(spec, tuple((int(p[0]), int(p[-1]) + 1) for p in parts))

    @property
    def n_images(self) -> int:
        """Number of images."""
        return sum(stop - start for start, stop in self.runs)

    def to_bytes(self) -> bytes:
        """Write the description: the kind, and how long gaps and runs are."""
        spec, at = pack_spec(self.spec), 0
        parts = [leb128(len(spec)), spec, leb128(len(self.runs))]
        for start, stop in self.runs:
            parts += [leb128(start - at), leb128(stop - start)]
            at = stop
        return b"".join(parts)

    @classmethod
    def read(cls, reader: ByteReader) -> Self:
        """Read a description."""
        spec = _spec_of(reader.take(reader.leb128()))
        at, runs, n_images = 0, [], 0
        for _ in range(reader.leb128()):
            start = at + reader.leb128()
            at = start + reader.leb128()
            n_images += at - start
            if not start < at < _MOST:
                raise BitstreamError(f"it holds images {start} to {at}")
            runs.append((start, at))
        if not 1 <= n_images <= most_images_of_chunk(spec.n_numbers):
            raise BitstreamError(f"it holds {n_images} images of {spec}")
        return cls(spec, tuple(runs))

    def __str__(self) -> str:
        first, last = self.runs[0][0], self.runs[-1][1] - 1
        if self.n_images == 1:
            return f"image {first}"
        return f"{self.n_images} images, {first} to {last}"


@dataclass(frozen=True)
class Files:
    """Names of files, and what stood around their pixels.

    Parameters
    ----------
    start, stop : int
        Their numbers: from ``start`` to before ``stop``.

    first_image, n_images : int
        The first image in them, and how many they hold.

    size : int
        Bytes of all that is said of them, unpacked.
    """

    start: int
    stop: int
    first_image: int
    n_images: int
    size: int

    kind: ClassVar[ChunkKind] = ChunkKind.FILES

    def to_bytes(self) -> bytes:
        """Write the description."""
        numbers = self.start, self.stop - self.start, self.first_image, self.n_images
        return b"".join(map(leb128, (*numbers, self.size)))

    @classmethod
    def read(cls, reader: ByteReader) -> Self:
        """Read a description."""
        start, n_files, first_image, n_images, size = (
            reader.leb128() for _ in range(5)
        )
        if max(start + n_files, first_image + n_images) >= _MOST:
            raise BitstreamError(f"it holds {n_files} files from {start} on")
        return cls(start, start + n_files, first_image, n_images, size)

    def __str__(self) -> str:
        return f"names of files {self.start} to {self.stop - 1}"


@dataclass(frozen=True)
class Kept:
    """A piece of a file that is kept as it is.

    Parameters
    ----------
    file : int
        The number of the file.

    begin, size : int
        Where in the file the piece begins, and bytes of the whole file.

    first_image : int
        The first image in the file.

    specs : tuple of (ImageSpec, n)
        What its images are: so many of a kind, and then of another. Only the first
        piece says it.

    packing : Packing, default=None
        How the file is packed, which is in one piece then; None if it is as it was.
    """

    file: int
    begin: int
    size: int
    first_image: int
    specs: tuple[tuple[ImageSpec, int], ...] = ()
    packing: Packing | None = None

    kind: ClassVar[ChunkKind] = ChunkKind.KEPT

    @property
    def n_images(self) -> int:
        """Number of images in the file, as its first piece says."""
        return sum(n for _, n in self.specs)

    @property
    def n_pixels(self) -> int:
        """Number of pixels of these images."""
        return sum(spec.n_pixels * n for spec, n in self.specs)

    @property
    def packages(self) -> tuple[str, ...]:
        """Packages beside those of this one that it takes to unpack the file."""
        is_jpeg_xl = self.packing is not None and self.packing.way == JPEG_XL
        return ("imagecodecs",) if is_jpeg_xl else ()

    def to_bytes(self) -> bytes:
        """Write the description."""
        numbers = self.file, self.begin, self.size, self.first_image, len(self.specs)
        parts = list(map(leb128, numbers))
        for spec, n in self.specs:
            packed = pack_spec(spec)
            parts += [leb128(len(packed)), packed, leb128(n)]
        if self.packing is not None:
            parts += [leb128(self.packing.way), self.packing.checksum]
        return b"".join(parts)

    @classmethod
    def read(cls, reader: ByteReader) -> Self:
        """Read a description."""
        file, begin, size, first_image, n_specs = (reader.leb128() for _ in range(5))
        specs = []
        for _ in range(n_specs):
            spec = _spec_of(reader.take(reader.leb128()))
            specs.append((spec, reader.leb128()))
        packing = None
        if reader.n_left:
            packing = Packing(reader.leb128(), reader.take(CHECKSUM_SIZE))
            if packing.way not in (LZMA, JPEG_XL) or begin or size > MOST_BYTES:
                raise BitstreamError(
                    f"it holds file {file}, of {size} bytes, packed in an unknown way"
                )
        kept = cls(file, begin, size, first_image, tuple(specs), packing)
        if max(file, size, first_image + kept.n_images) >= _MOST:
            raise BitstreamError(f"it holds a part of file {file}")
        return kept

    def __str__(self) -> str:
        return f"file {self.file}, from its byte {self.begin} on"


@dataclass(frozen=True)
class Accounted:
    """What was taken in, and what was left out.

    Parameters
    ----------
    size : int
        Bytes of it, unpacked.
    """

    size: int

    kind: ClassVar[ChunkKind] = ChunkKind.ACCOUNT

    def to_bytes(self) -> bytes:
        """Write the description."""
        return leb128(self.size)

    @classmethod
    def read(cls, reader: ByteReader) -> Self:
        """Read a description."""
        return cls(reader.leb128())

    def __str__(self) -> str:
        return "account of what was taken in"


Contents = Images | Files | Kept | Accounted

_CONTENTS: tuple[type[Contents], ...] = (Images, Files, Kept, Accounted)


def read_contents(kind: int, about: bytes, size: int) -> Contents:
    """Read what a chunk of some kind, of ``size`` bytes, says of its contents.

    Raises
    ------
    BitstreamError
        If it says what cannot be.
    """
    if kind >= len(_CONTENTS):
        raise BitstreamError(f"it is of the unknown kind {kind}")
    reader = ByteReader(about)
    contents = _CONTENTS[kind].read(reader)
    reader.finish()
    if isinstance(contents, Kept) and contents.n_images > MOST_IMAGES_OF_BYTE * size:
        raise BitstreamError(f"it claims {contents.n_images} images in {size} bytes")
    return contents
