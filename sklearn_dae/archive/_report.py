"""What can be said about an archive: its sizes, its damage, what was salvaged."""

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from sklearn_dae.exceptions import BitstreamError


@dataclass(frozen=True)
class ArchiveInfo:
    """What an archive is, and how many bytes each part of it takes.

    Parameters
    ----------
    n_images, n_chunks, chunk_size : int
        Number of images, of chunks, and of images in a chunk (the last may have fewer).

    shape : tuple of int
        Shape of an image.

    dtype : dtype
        Dtype of the images.

    has_names : bool
        Whether each image has a name.

    model_class, model_hash : str
        Class of the codec, and the SHA-256 of its model file.

    model_size : int
        Bytes of the model file, wherever it is stored.

    model_inside : bool
        Whether the model is in the archive.

    format_version : int
        Version of the format.

    created_by : str
        Package and version that wrote the archive.

    header_bytes, chunk_bytes, index_bytes : int
        Bytes of the header; of images, their names and checksums; of index and footer.

    metadata : dict
        What the writer wanted to say about the images.

    images_apart : tuple of int, default=None
        Numbers of the images that are unlike those that the codec was trained on, and
        stored without loss. Only `write_archive` knows them.
    """

    n_images: int
    n_chunks: int
    chunk_size: int
    shape: tuple[int, ...]
    dtype: np.dtype
    has_names: bool
    model_class: str
    model_hash: str
    model_size: int
    model_inside: bool
    format_version: int
    created_by: str
    header_bytes: int
    chunk_bytes: int
    index_bytes: int
    metadata: dict[str, Any] = field(default_factory=dict)
    images_apart: tuple[int, ...] | None = field(
        default=None, compare=False, repr=False
    )

    @property
    def n_apart(self) -> int | None:
        """Number of images unlike the training images, if known."""
        return None if self.images_apart is None else len(self.images_apart)

    @property
    def pixel_bytes(self) -> int:
        """Bytes of the images in memory."""
        return self.n_images * math.prod(self.shape) * self.dtype.itemsize

    @property
    def model_bytes(self) -> int:
        """Bytes that the model takes in the archive."""
        return self.model_size if self.model_inside else 0

    @property
    def bytes_without_model(self) -> int:
        """Bytes of the archive without the model."""
        return self.header_bytes + self.chunk_bytes + self.index_bytes

    @property
    def file_bytes(self) -> int:
        """Bytes of the archive."""
        return self.bytes_without_model + self.model_bytes


class Damage(NamedTuple):
    """What is lost.

    Parameters
    ----------
    chunks : range
        Numbers of the chunks.

    images : range
        Numbers of the images that they hold.

    error : BitstreamError
        What is wrong.
    """

    chunks: range
    images: range
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
        The chunks that cannot be read.
    """

    n_images: int
    n_chunks: int
    index_error: BitstreamError | None = None
    model_error: Exception | None = None
    damages: list[Damage] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.index_error or self.model_error or self.damages)

    @property
    def n_lost(self) -> int:
        """Number of images that are known to be lost."""
        return sum(len(damage.images) for damage in self.damages)

    def __str__(self) -> str:
        lines = [
            f"{self.n_images} images in {self.n_chunks} chunks: "
            + ("all is well" if self.ok else "damaged")
        ]
        lines += [str(error) for error in (self.index_error, self.model_error) if error]
        lines += [str(damage.error) for damage in self.damages]
        if self.n_lost:
            lines.append(f"{self.n_lost} images are lost")
        return "\n".join(lines)


class Salvaged(NamedTuple):
    """Images of a chunk, or why there are none.

    Parameters
    ----------
    start, stop : int
        Number of the first image, and one more than that of the last.

    images : ndarray of shape (stop - start, *shape) or None
        The images.

    names : list of str
        Their names, if they have any and these can be read.

    error : BitstreamError or None
        Why there are no images, or no names.
    """

    start: int
    stop: int
    images: np.ndarray | None
    names: list[str]
    error: BitstreamError | None
