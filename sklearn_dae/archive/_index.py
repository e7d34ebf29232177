"""Where the chunks of an archive are: as its index says, or found one by one.

In: a file, and where its chunks begin. Out: for each chunk where it is and what is in
it.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sklearn_dae._bytes import ByteReader, leb128
from sklearn_dae.archive._container import (
    CHUNK_HEAD_SIZE,
    CHUNK_MARK,
    END_SIGNATURE,
    FOOTER_SIZE,
    SIGNATURE,
    ChunkHead,
    check_about,
    check_index,
    index_begin,
    unpack_chunk,
    unpack_chunk_head,
)
from sklearn_dae.archive._contents import Contents, Kept, read_contents
from sklearn_dae.archive._file import SourceFile
from sklearn_dae.exceptions import BitstreamError

#: Bytes searched for a mark at once.
_BLOCK_SIZE = 2**16

#: What a chunk begins with, and what an archive begins and ends with.
_MARKS = re.compile(b"|".join(map(re.escape, (CHUNK_MARK, SIGNATURE, END_SIGNATURE))))


class Place(NamedTuple):
    """A chunk: its number, its bytes in the file, and what it says that it holds."""

    number: int
    begin: int
    end: int
    contents: Contents

    def __str__(self) -> str:
        return (
            f"Chunk {self.number} ({self.contents}; bytes {self.begin} to {self.end})"
        )


class Index(NamedTuple):
    """The chunks that are present, and the byte at which the last one ends."""

    places: list[Place]
    end: int


def pack_index(places: Sequence[tuple[int, Contents]]) -> bytes:
    """Write the size of each chunk, and what it holds."""
    parts = [leb128(len(places))]
    for size, contents in places:
        about = contents.to_bytes()
        parts += [bytes([contents.kind]), leb128(size), leb128(len(about)), about]
    return b"".join(parts)


def read_index(file: SourceFile, begin: int) -> Index:
    """Read the index at the end of a file whose chunks begin at byte ``begin``.

    Raises
    ------
    BitstreamError
        If the end of the file is not as it was written.
    """
    footer_begin = max(begin, file.size - FOOTER_SIZE)
    footer = file.read(footer_begin, file.size - footer_begin)
    end = index_begin(footer)
    if not begin <= end <= footer_begin:
        raise BitstreamError(
            "its index is not where it should be, so bytes were lost or added"
        )
    index = file.read(end, footer_begin - end)
    check_index(index, footer)
    reader = ByteReader(index)
    places, at = [], begin
    for number in range(reader.leb128()):
        kind, size = reader.take(1)[0], reader.leb128()
        contents = read_contents(kind, reader.take(reader.leb128()), size)
        places.append(Place(number, at, at + size, contents))
        at += size
        if size < CHUNK_HEAD_SIZE or at > end:
            raise BitstreamError("the chunks of its index are not in the file")
    reader.finish()
    if at != end:
        raise BitstreamError("bytes were lost or added before its index")
    return Index(places, end)


def find_chunks(file: SourceFile, begin: int) -> Index:
    """Find the chunks of a file by the marks that they begin with.

    Those of another archive, which is a kept file of this one, are not taken for its
    own.
    """
    found: dict[int, Place] = {}
    marks, position, mark = _marks(file, begin), begin, CHUNK_MARK
    last: Place | None = None
    # How many archives have begun, within this one, that have not ended.
    depth = 0
    # Bytes that may be read to see whether chunks are whole, whatever they claim.
    room = file.size
    while mark:
        if mark == SIGNATURE:
            depth += 1
        elif mark == END_SIGNATURE:
            depth = max(0, depth - 1)
        else:
            place = _place_at(file, position)
            if place is not None and (not depth or _goes_on(last, place)):
                last = place
                followed = _place_at(file, place.end) is not None
                size = place.end - place.begin
                # A later piece of an archive may hold chunks of it after no beginning.
                if not followed and _goes_on(place, place) and size <= room:
                    followed, room = _is_whole(file, place), room - size
                # Of two chunks with one number, one that another follows may be whole.
                if followed or place.number not in found:
                    found[place.number] = place
                if followed:
                    depth, position = 0, place.end
                    marks = _marks(file, position + 1)
                    continue
                if _goes_on(place, place) and place.end > file.size:
                    depth = max(depth, 1)
        position, mark = next(marks, (file.size, b""))
    # A chunk in which another begins is damaged. Letting it end there bounds what is
    # read of all chunks by the size of the file, whatever they claim.
    in_order = sorted(found.values(), key=lambda place: place.begin)
    nexts = [*(place.begin for place in in_order), file.size][1:]
    places = [
        place._replace(end=min(place.end, limit))
        for place, limit in zip(in_order, nexts, strict=True)
    ]
    end = max((place.end for place in places), default=begin)
    return Index(sorted(places), end)


def _is_whole(file: SourceFile, place: Place) -> bool:
    """Whether the checksums of a chunk are right."""
    try:
        unpack_chunk(file.read(place.begin, place.end - place.begin))
    except BitstreamError:
        return False
    return True


def _goes_on(last: Place | None, place: Place) -> bool:
    """Whether a chunk is a later piece of the kept file that another one is of."""
    contents = place.contents
    if last is None or not isinstance(contents, Kept) or not contents.begin:
        return False
    before = last.contents
    return isinstance(before, Kept) and before.file == contents.file


def _place_at(file: SourceFile, position: int) -> Place | None:
    """Describe the chunk that begins at a byte, if one does."""
    if position + CHUNK_HEAD_SIZE > file.size:
        return None
    try:
        head = unpack_chunk_head(file.read(position, CHUNK_HEAD_SIZE))
        return Place(
            head.number, position, position + head.size, _contents(file, position, head)
        )
    except BitstreamError:
        return None


def _contents(file: SourceFile, position: int, head: ChunkHead) -> Contents:
    about = file.read(position + CHUNK_HEAD_SIZE, head.about_size)
    return read_contents(head.kind, check_about(head, about), head.size)


def _marks(file: SourceFile, begin: int) -> Iterator[tuple[int, bytes]]:
    """Yield the positions from ``begin`` on at which there is a mark, and the mark.

    Marks are those of a chunk, and what archives begin and end with.
    """
    yielded = -1
    while begin < file.size:
        block = file.read(begin, min(_BLOCK_SIZE, file.size - begin))
        for found in _MARKS.finditer(block):
            if begin + found.start() > yielded:
                yielded = begin + found.start()
                yield yielded, found[0]
        # A mark may lie across the end of the block.
        begin += max(len(block) - len(SIGNATURE) + 1, 1)
