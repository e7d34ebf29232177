"""Where the chunks of an archive are: as its index says, or found one by one.

In: a file, and where its chunks begin. Out: the number of images, and the first byte
of each chunk and the first after it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sklearn_dae.archive._container import (
    CHUNK_HEAD_SIZE,
    CHUNK_MARK,
    FOOTER_SIZE,
    INDEX_ENTRY_SIZE,
    ChunkHead,
    unpack_chunk_head,
    unpack_footer,
    unpack_index,
)
from sklearn_dae.archive._file import SourceFile
from sklearn_dae.archive._header import Header
from sklearn_dae.exceptions import BitstreamError

#: Bytes searched for a mark at once.
_BLOCK_SIZE = 2**16


@dataclass(frozen=True, eq=False)
class Index:
    """The chunks that are present.

    Parameters
    ----------
    n_images : int
        Number of images in the archive, as far as is known.

    end : int
        Byte at which the last chunk ends.

    numbers, begins, ends : ndarray of int64 of shape (n_found,)
        Numbers of the chunks, in ascending order; the first byte of each, and the first
        one after it.
    """

    n_images: int
    end: int
    numbers: np.ndarray
    begins: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.numbers)

    def find(self, number: int) -> tuple[int, int] | None:
        """Return where a chunk begins and ends, or None if it is not there."""
        i = int(np.searchsorted(self.numbers, number))
        if i == len(self.numbers) or self.numbers[i] != number:
            return None
        return int(self.begins[i]), int(self.ends[i])


def read_index(file: SourceFile, begin: int, header: Header) -> Index:
    """Read the index at the end of a file whose chunks begin at byte ``begin``.

    Raises
    ------
    BitstreamError
        If the end of the file is not as it was written.
    """
    footer_begin = max(begin, file.size - FOOTER_SIZE)
    footer = file.read(footer_begin, file.size - footer_begin)
    end, n_images, _ = unpack_footer(footer)
    n_chunks = header.n_chunks(n_images)
    if not begin <= end or end + n_chunks * INDEX_ENTRY_SIZE != footer_begin:
        raise BitstreamError(
            f"its index of {n_chunks} chunks is not where it should be, so bytes were "
            "lost or added"
        )
    begins = unpack_index(file.read(end, footer_begin - end), footer)
    bounds = np.append(begins, end)
    if bounds[0] != begin or (np.diff(bounds) < CHUNK_HEAD_SIZE).any():
        raise BitstreamError("the chunks of its index do not follow each other")
    return Index(n_images, end, np.arange(n_chunks), begins, bounds[1:])


def find_chunks(file: SourceFile, begin: int, header: Header) -> Index:
    """Find the chunks of a file by the marks that they begin with."""
    found: dict[int, tuple[int, int]] = {}
    n_images = 0
    marks = _marks(file, begin)
    position: int | None = begin
    while position is not None:
        head = _head_at(file, position, header)
        if head is not None:
            end = position + head.size
            followed = _head_at(file, end, header) is not None
            # Of two chunks with one number, one that another follows may be whole.
            if followed or head.number not in found:
                found[head.number] = position, end
            n_images = max(n_images, head.number * header.chunk_size + head.n_images)
            if followed:
                position, marks = end, _marks(file, end + 1)
                continue
        position = next(marks, None)
    numbers = np.array(sorted(found), np.int64)
    places = np.array([found[n] for n in numbers.tolist()], np.int64).reshape(-1, 2)
    begins, ends = places.T
    # A chunk in which another begins is damaged. Letting it end there bounds what is
    # read of all chunks by the size of the file, whatever they claim.
    order = np.argsort(begins)
    ends[order[:-1]] = np.minimum(ends[order[:-1]], begins[order[1:]])
    end = min(int(ends.max(initial=begin)), file.size)
    return Index(n_images, end, numbers, begins, ends)


def _head_at(file: SourceFile, position: int, header: Header) -> ChunkHead | None:
    """Return the head of the chunk that begins at a byte, if one does."""
    if position + CHUNK_HEAD_SIZE > file.size:
        return None
    try:
        head = unpack_chunk_head(file.read(position, CHUNK_HEAD_SIZE))
    except BitstreamError:
        return None
    return head if 1 <= head.n_images <= header.chunk_size else None


def _marks(file: SourceFile, begin: int) -> Iterator[int]:
    """Yield the positions from ``begin`` on at which there is a mark."""
    while begin < file.size:
        block = file.read(begin, min(_BLOCK_SIZE, file.size - begin))
        at = block.find(CHUNK_MARK)
        while at >= 0:
            yield begin + at
            at = block.find(CHUNK_MARK, at + 1)
        # A mark may lie across the end of the block.
        begin += max(len(block) - len(CHUNK_MARK) + 1, 1)
