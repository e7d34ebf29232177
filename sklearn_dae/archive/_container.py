"""The bytes of an archive: a preamble, chunks, an index and a footer.

In: numbers and byte strings. Out: the parts of a ``.dae`` file, and back. Nothing here
opens a file or knows what images are. docs/archive.md describes every field, with an
example.

A file is a preamble with a header, an optional model, chunks, and at its end the index
of the chunks and the footer, so that it can be written in one go, even to a pipe.
Integers are unsigned and little-endian.
"""

import struct
from typing import NamedTuple

from sklearn_dae._bytes import CHECKSUM_SIZE, checksum
from sklearn_dae.exceptions import BitstreamError

#: Its first byte is not text, and its line ends do not survive a transfer as text.
SIGNATURE = b"\x89DAE\r\n\x1a\n"

#: Last bytes of a file.
END_SIGNATURE = b"\x89DAEend\n"

#: What each chunk begins with, so that it can be found if the index is lost.
CHUNK_MARK = b"\xdaCHK"

FORMAT_VERSION = 1

#: Longest header: most of it is what users want to say about their images.
MAX_HEADER_SIZE = 2**20

#: Longest description of what is in a chunk.
MAX_ABOUT_SIZE = 2**20

#: Signature, version, size and CRC-32 of the header.
_PREAMBLE = struct.Struct("<8sBII")

#: Mark, kind, number; size and CRC-32 of what the chunk says of its contents, and of
#: these; CRC-32 of all of this.
_CHUNK_HEAD = struct.Struct("<4sBII4sI4s4s")

#: Where the index begins, CRC-32 of index and this, end signature.
_FOOTER = struct.Struct("<Q4s8s")

PREAMBLE_SIZE = _PREAMBLE.size
CHUNK_HEAD_SIZE = _CHUNK_HEAD.size
FOOTER_SIZE = _FOOTER.size

#: Most bytes of the contents of a chunk.
_MOST_BYTES = 2**32 - 1


def pack_header(header: bytes) -> bytes:
    """Put the preamble before a header."""
    start = _PREAMBLE.pack(SIGNATURE, FORMAT_VERSION, len(header), 0)[:-CHECKSUM_SIZE]
    return start + checksum(start, header) + header


def header_size(preamble: bytes, file_size: int) -> int:
    """Return the size of the header, from the first bytes of a file."""
    if not preamble.startswith(SIGNATURE):
        raise BitstreamError(_what_it_is(preamble))
    if len(preamble) < PREAMBLE_SIZE:
        raise BitstreamError(f"The archive ends after {len(preamble)} bytes.")
    _, version, size, _ = _PREAMBLE.unpack(preamble)
    if version > FORMAT_VERSION:
        raise BitstreamError(
            f"The archive has version {version} of the format, this sklearn-dae reads "
            f"up to version {FORMAT_VERSION}: upgrade sklearn-dae."
        )
    if version == 0:
        raise BitstreamError("Byte 8: the archive claims version 0 of the format.")
    if size > min(MAX_HEADER_SIZE, file_size - PREAMBLE_SIZE):
        raise BitstreamError(
            f"Byte 9: the archive claims a header of {size} bytes in a file of "
            f"{file_size}: it is cut off or damaged."
        )
    return size


def check_header(preamble: bytes, header: bytes) -> None:
    """Raise unless the header is the one that the preamble was made for."""
    if preamble[-CHECKSUM_SIZE:] != checksum(preamble[:-CHECKSUM_SIZE], header):
        raise BitstreamError(
            "The header of the archive is damaged: its checksum is wrong. Nothing can "
            "be restored without it; get the file from its source again."
        )


def _what_it_is(start: bytes) -> str:
    if not start:
        return "The file is empty."
    if start.startswith(SIGNATURE[:4] + b"M"):
        return "This is a model file, not an archive: load_model reads it."
    if start.startswith(SIGNATURE[:4]) or SIGNATURE.startswith(start):
        return (
            "The archive was changed by a transfer as text, or cut off; transfer it as "
            "binary."
        )
    return "This is not a .dae archive: its signature is missing."


class ChunkHead(NamedTuple):
    """What a chunk says about itself.

    Parameters
    ----------
    kind : int
        What it holds.

    number : int
        Number of the chunk, from 0.

    about_size, data_size : int
        Bytes of the description of its contents, and of these.

    about_crc, data_crc : bytes
        Their checksums.
    """

    kind: int
    number: int
    about_size: int
    about_crc: bytes
    data_size: int
    data_crc: bytes

    @property
    def size(self) -> int:
        """Bytes of the whole chunk."""
        return CHUNK_HEAD_SIZE + self.about_size + self.data_size


class Chunk(NamedTuple):
    """A chunk whose checksums are right: what it says of its contents, and these."""

    head: ChunkHead
    about: bytes
    data: bytes


def pack_chunk(kind: int, number: int, about: bytes, data: bytes) -> bytes:
    """Write a chunk."""
    if len(data) > _MOST_BYTES or len(about) > MAX_ABOUT_SIZE:
        raise ValueError(
            f"A chunk of {len(data)} bytes cannot be stored, at most {_MOST_BYTES}: "
            "make images, or chunk_size, smaller."
        )
    parts = len(about), checksum(about), len(data), checksum(data)
    head = _CHUNK_HEAD.pack(CHUNK_MARK, kind, number, *parts, b"")
    head = head[:-CHECKSUM_SIZE]
    return b"".join([head, checksum(head), about, data])


def unpack_chunk_head(data: bytes) -> ChunkHead:
    """Read and check the head of a chunk."""
    if len(data) < CHUNK_HEAD_SIZE or not data.startswith(CHUNK_MARK):
        raise BitstreamError("no chunk begins here")
    head = data[: CHUNK_HEAD_SIZE - CHECKSUM_SIZE]
    if data[len(head) : CHUNK_HEAD_SIZE] != checksum(head):
        raise BitstreamError("the checksum of its head is wrong")
    unpacked = ChunkHead(*_CHUNK_HEAD.unpack_from(data)[1:-1])
    if unpacked.about_size > MAX_ABOUT_SIZE:
        raise BitstreamError(f"it claims {unpacked.about_size} bytes of description")
    return unpacked


def unpack_chunk(data: bytes) -> Chunk:
    """Read and check a whole chunk."""
    head = unpack_chunk_head(data)
    if head.size != len(data):
        raise BitstreamError(f"it has {len(data)} bytes, but claims {head.size}")
    end = CHUNK_HEAD_SIZE + head.about_size
    about = check_about(head, data[CHUNK_HEAD_SIZE:end])
    contents = data[end:]
    if checksum(contents) != head.data_crc:
        raise BitstreamError("the checksum of its contents is wrong")
    return Chunk(head, about, contents)


def check_about(head: ChunkHead, about: bytes) -> bytes:
    """Return what a chunk says of its contents, if that is intact."""
    if len(about) != head.about_size or checksum(about) != head.about_crc:
        raise BitstreamError("the checksum of its description is wrong")
    return about


def pack_footer(index: bytes, begin: int) -> bytes:
    """Write an index, which is to begin at byte ``begin`` of the file, and footer."""
    place = begin.to_bytes(8, "little")
    return index + _FOOTER.pack(begin, checksum(index, place), END_SIGNATURE)


def index_begin(footer: bytes) -> int:
    """Return where the index begins, by the footer."""
    if len(footer) < FOOTER_SIZE or not footer.endswith(END_SIGNATURE):
        raise BitstreamError("it does not end as an archive does, so it was cut off")
    begin: int = _FOOTER.unpack(footer)[0]
    return begin


def check_index(index: bytes, footer: bytes) -> None:
    """Raise unless the index is the one that the footer was made for."""
    begin, expected, _ = _FOOTER.unpack(footer)
    if checksum(index, begin.to_bytes(8, "little")) != expected:
        raise BitstreamError(
            "the checksum of its index is wrong, so it is damaged, or bytes were lost "
            "or added before it"
        )
