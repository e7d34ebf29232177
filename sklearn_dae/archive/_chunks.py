"""The chunks of an archive: where they are, and what is in them, checked.

In: a file, its header and its index. Out: the coded images and the names of a chunk, or
an error that says which images are lost, and where in the file.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sklearn_dae.archive._container import (
    CHUNK_HEAD_SIZE,
    ChunkHead,
    check_names,
    unpack_chunk,
    unpack_chunk_head,
)
from sklearn_dae.archive._file import SourceFile
from sklearn_dae.archive._header import Header
from sklearn_dae.archive._index import Index
from sklearn_dae.archive._names import unpack_names
from sklearn_dae.exceptions import BitstreamError


class Chunks:
    """The chunks of a file, by number.

    Parameters
    ----------
    file : SourceFile
        The file.

    header : Header
        Its header.

    index : Index
        Where its chunks are.
    """

    def __init__(self, file: SourceFile, header: Header, index: Index) -> None:
        self._file = file
        self._header = header
        self._index = index

    def images_of(self, number: int) -> range:
        """Return the numbers of the images of a chunk."""
        return self._header.images_of(number, self._index.n_images)

    def read(self, number: int) -> bytes:
        """Return the coded images of a chunk, after checking its checksums.

        Raises
        ------
        BitstreamError
            If a checksum is wrong, or there is no such chunk.
        """
        begin, end = self.place(number)
        with self.locating(number):
            head, names, data = unpack_chunk(self._file.read(begin, end - begin))
            self._check_head(head, number)
            if self._header.has_names:
                unpack_names(names, head.n_images)
        return data

    def read_names(self, number: int) -> list[str]:
        """Read the names of a chunk, but not its images.

        Raises
        ------
        BitstreamError
            If they are damaged, or there is no such chunk.
        """
        begin, _ = self.place(number)
        with self.locating(number):
            head = unpack_chunk_head(self._file.read(begin, CHUNK_HEAD_SIZE))
            self._check_head(head, number)
            names = self._file.read(begin + CHUNK_HEAD_SIZE, head.names_size)
            return unpack_names(check_names(head, names), head.n_images)

    def place(self, number: int) -> tuple[int, int]:
        """Return where a chunk begins and ends.

        Raises
        ------
        BitstreamError
            If there is no such chunk.
        """
        place = self._index.find(number)
        if place is None:
            raise BitstreamError(f"{self._describe(number)}: it was not found.")
        return place

    @contextmanager
    def locating(self, number: int) -> Iterator[None]:
        """Make errors say where they occurred."""
        try:
            yield
        except BitstreamError as error:
            raise BitstreamError(f"{self._describe(number)}: {error}") from error

    def _check_head(self, head: ChunkHead, number: int) -> None:
        n_images = len(self.images_of(number))
        if head.number != number or head.n_images != n_images:
            raise BitstreamError(
                f"there is chunk {head.number} with {head.n_images} images in its "
                f"place, expected {n_images}"
            )
        if not self._header.has_names and head.names_size:
            raise BitstreamError("it has names, but the archive has none")

    def _describe(self, number: int) -> str:
        images = self.images_of(number)
        place = self._index.find(number)
        at = "" if place is None else f", bytes {place[0]} to {place[1]}"
        return (
            f"Chunk {number} (images {images.start} to {images.stop - 1}{at}) cannot "
            "be read"
        )
