"""The bytes of an archive: a preamble, chunks, an index and a footer.

In: numbers and byte strings. Out: the parts of a ``.dae`` file, and back. Nothing here
opens a file or knows what images are. docs/archive.md describes every field, with an
example.

A file is a preamble with a header, an optional model, chunks, and at its end the index
of the chunks and the footer, so that it can be written in one go, even to a pipe.
Integers are unsigned and little-endian.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

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

#: Signature, version, size and CRC-32 of the header.
_PREAMBLE = struct.Struct("<8sBII")

#: Mark, number, images, size and CRC-32 of names and of data; CRC-32 of all these.
_CHUNK_HEAD = struct.Struct("<4s3I4sI4s4s")

#: Where the index begins, number of images, CRC-32 of index and these, end signature.
_FOOTER = struct.Struct("<QQI8s")

PREAMBLE_SIZE = _PREAMBLE.size
CHUNK_HEAD_SIZE = _CHUNK_HEAD.size
FOOTER_SIZE = _FOOTER.size
INDEX_ENTRY_SIZE = 8


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
    number : int
        Number of the chunk, from 0.

    n_images : int
        Number of images in it.

    names_size, data_size : int
        Bytes of the names and of the coded images.

    names_crc, data_crc : bytes
        Their checksums.
    """

    number: int
    n_images: int
    names_size: int
    names_crc: bytes
    data_size: int
    data_crc: bytes

    @property
    def size(self) -> int:
        """Bytes of the whole chunk."""
        return CHUNK_HEAD_SIZE + self.names_size + self.data_size


class Chunk(NamedTuple):
    """A chunk whose checksums are right."""

    head: ChunkHead
    names: bytes
    data: bytes


def pack_chunk(number: int, n_images: int, names: bytes, data: bytes) -> bytes:
    """Write a chunk."""
    parts = len(names), checksum(names), len(data), checksum(data)
    head = _CHUNK_HEAD.pack(CHUNK_MARK, number, n_images, *parts, b"")
    head = head[:-CHECKSUM_SIZE]
    return b"".join([head, checksum(head), names, data])


def unpack_chunk_head(data: bytes) -> ChunkHead:
    """Read and check the head of a chunk."""
    if len(data) < CHUNK_HEAD_SIZE or not data.startswith(CHUNK_MARK):
        raise BitstreamError("no chunk begins here")
    head = data[: CHUNK_HEAD_SIZE - CHECKSUM_SIZE]
    if data[len(head) : CHUNK_HEAD_SIZE] != checksum(head):
        raise BitstreamError("the checksum of its head is wrong")
    return ChunkHead(*_CHUNK_HEAD.unpack_from(data)[1:-1])


def unpack_chunk(data: bytes) -> Chunk:
    """Read and check a whole chunk."""
    head = unpack_chunk_head(data)
    if head.size != len(data):
        raise BitstreamError(f"it has {len(data)} bytes, but claims {head.size}")
    names = check_names(head, data[CHUNK_HEAD_SIZE : CHUNK_HEAD_SIZE + head.names_size])
    coded = data[CHUNK_HEAD_SIZE + head.names_size :]
    if checksum(coded) != head.data_crc:
        raise BitstreamError("the checksum of its images is wrong")
    return Chunk(head, names, coded)


def check_names(head: ChunkHead, names: bytes) -> bytes:
    """Return the names of a chunk if they are intact."""
    if len(names) != head.names_size or checksum(names) != head.names_crc:
        raise BitstreamError("the checksum of its names is wrong")
    return names


class Footer(NamedTuple):
    """What the end of a file says."""

    index_begin: int
    n_images: int
    checksum: bytes


def pack_index(offsets: Sequence[int], n_images: int, begin: int) -> bytes:
    """Write the index, which is to begin at byte ``begin`` of the file, and footer."""
    index = np.asarray(offsets, "<u8").tobytes()
    footer = _FOOTER.pack(begin, n_images, 0, END_SIGNATURE)
    totals = footer[: -CHECKSUM_SIZE - len(END_SIGNATURE)]
    return b"".join([index, totals, checksum(index, totals), END_SIGNATURE])


def unpack_footer(footer: bytes) -> Footer:
    """Read the footer, whose checksum covers the index too."""
    if len(footer) < FOOTER_SIZE or not footer.endswith(END_SIGNATURE):
        raise BitstreamError("it does not end as an archive does, so it was cut off")
    begin, n_images, _, _ = _FOOTER.unpack(footer)
    crc_end = FOOTER_SIZE - len(END_SIGNATURE)
    return Footer(begin, n_images, footer[crc_end - CHECKSUM_SIZE : crc_end])


def unpack_index(index: bytes, footer: bytes) -> np.ndarray:
    """Return where each chunk begins, as int64."""
    totals = footer[: -CHECKSUM_SIZE - len(END_SIGNATURE)]
    if unpack_footer(footer).checksum != checksum(index, totals):
        raise BitstreamError("the checksum of its index is wrong")
    # What does not fit becomes negative, and thus out of order.
    return np.frombuffer(index, "<u8").astype(np.int64)
