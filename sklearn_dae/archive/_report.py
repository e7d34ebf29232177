"""What can be said about an archive: its sizes, its damage, what was salvaged."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np

from sklearn_dae.archive._contents import ChunkKind
from sklearn_dae.archive._header import Header
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec


@dataclass
class Parts:
    """Bytes of each part of an archive.

    Parameters
    ----------
    header, model : int
        The header, and the model if it is in the archive.

    images : int
        Coded images.

    files : int
        Names of files, what stands around their pixels, and the account of what was
        taken in.

    kept : int
        Files that are kept as they are.

    index : int
        The index and what follows it.
    """

    header: int = 0
    model: int = 0
    images: int = 0
    files: int = 0
    kept: int = 0
    index: int = 0

    def add(self, kind: int, size: int) -> None:
        """Count a chunk."""
        if kind == ChunkKind.IMAGES:
            self.images += size
        elif kind == ChunkKind.KEPT:
            self.kept += size
        else:
            self.files += size

    @property
    def total(self) -> int:
        """Bytes of the archive."""
        return self.without_model + self.model

    @property
    def without_model(self) -> int:
        """Bytes of the archive without the model."""
        return self.header + self.images + self.files + self.kept + self.index


@dataclass(frozen=True)
class ArchiveInfo:
    """What an archive is, and how many bytes each part of it takes.

    Parameters
    ----------
    n_images, n_files, n_chunks : int
        Number of images, of files (or, where there were none, of names of images), and
        of chunks.

    kinds : dict of ImageSpec to int
        How many images there are of each kind.

    model_class, model_hash : str
        Class of the codec, and the SHA-256 of its model file; empty if there is none.

    model_size : int
        Bytes of the model file, wherever it is stored.

    model_inside : bool
        Whether the model is in the archive.

    created_by : str
        Package and version that wrote the archive.

    parts : Parts
        Bytes of each part.

    metadata : dict
        What the writer wanted to say about the images.

    images_apart : tuple of int, default=None
        Numbers of the images that are unlike those that the codec was trained on, and
        stored without loss. Only `write_archive` knows them.
    """

    n_images: int
    n_files: int
    n_chunks: int
    kinds: dict[ImageSpec, int]
    model_class: str
    model_hash: str
    model_size: int
    model_inside: bool
    created_by: str
    parts: Parts
    metadata: dict[str, Any] = field(default_factory=dict)
    images_apart: tuple[int, ...] | None = field(
        default=None, compare=False, repr=False
    )

    @classmethod
    def of(cls, header: Header, **known: Any) -> Self:
        """Add what a header says to what else is known of an archive."""
        return cls(
            model_class=header.model_class,
            model_hash=header.model_hash,
            model_size=header.model_size,
            model_inside=header.model_inside,
            created_by=header.created_by,
            metadata=header.metadata,
            **known,
        )

    @property
    def n_apart(self) -> int | None:
        """Number of images unlike the training images, if known."""
        return None if self.images_apart is None else len(self.images_apart)

    @property
    def pixel_bytes(self) -> int:
        """Bytes of the images in memory."""
        return sum(n * spec.n_bytes for spec, n in self.kinds.items())

    @property
    def bytes_with_model(self) -> int:
        """Bytes of the archive and of its model, wherever that is stored."""
        return self.parts.without_model + self.model_size


class ArchivedFile(NamedTuple):
    """A file that an archive can make again.

    Parameters
    ----------
    number : int
        Which of its files it is.

    name : str
        Its name, with slashes between folders.

    images : range
        The numbers of its images.

    is_exact : bool
        Whether it comes back byte for byte; otherwise the same pixels do, and what else
        was in it.
    """

    number: int
    name: str
    images: range
    is_exact: bool


class Damage(NamedTuple):
    """A chunk that cannot be read, or images that no chunk has.

    Parameters
    ----------
    chunk : int or None
        Number of the chunk; None if there is none.

    images : ndarray of int
        Numbers of the images that are lost with it.

    error : BitstreamError
        What is wrong.
    """

    chunk: int | None
    images: np.ndarray
    error: BitstreamError


@dataclass(frozen=True)
class Verification:
    """What `Archive.verify` found; printed, one line for each thing that is wrong.

    Parameters
    ----------
    n_images, n_chunks : int
        Number of images and of chunks in the archive, as far as is known.

    index_error : BitstreamError, default=None
        Why the end of the archive cannot be read. Images after the last chunk that was
        found may then be missing without being listed.

    model_error : Exception, default=None
        Why the model cannot be read.

    damages : list of Damage
        The chunks that cannot be read, and what else is missing.

    files_apart : list of str
        Names of files that come back otherwise than they were, as far as that was
        asked for.
    """

    n_images: int
    n_chunks: int
    index_error: BitstreamError | None = None
    model_error: Exception | None = None
    damages: list[Damage] = field(default_factory=list)
    files_apart: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        wrong = self.damages or self.files_apart
        return not (self.index_error or self.model_error or wrong)

    @property
    def lost(self) -> np.ndarray:
        """Numbers of the images that are known to be lost, in ascending order."""
        none = np.empty(0, np.int64)
        return np.unique(np.concatenate([none, *(d.images for d in self.damages)]))

    @property
    def n_lost(self) -> int:
        """Number of images that are known to be lost."""
        return len(self.lost)

    def __str__(self) -> str:
        lines = [
            f"{self.n_images} images in {self.n_chunks} chunks: "
            + ("all is well" if self.ok else "damaged")
        ]
        lines += [str(error) for error in (self.index_error, self.model_error) if error]
        lines += [str(damage.error) for damage in self.damages]
        lines += [f"{name!r} comes back otherwise" for name in self.files_apart]
        if self.n_lost:
            lines.append(f"{self.n_lost} images are lost")
        return "\n".join(lines)


class Salvaged(NamedTuple):
    """Images of a chunk, or why there are none.

    Parameters
    ----------
    numbers : ndarray of int
        Numbers of the images.

    images : sequence of ndarray or None
        The images: one array if they are of one kind.

    error : BitstreamError or None
        Why there are no images.
    """

    numbers: np.ndarray
    images: Any
    error: BitstreamError | None
