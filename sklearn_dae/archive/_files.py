"""Files -> bytes: their names, and what stood around their pixels.

In: records of files. Out: one byte string for many of them, in which what they have in
common takes little. Names are bytes, as in the file system.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sklearn_dae._bytes import ByteReader, leb128
from sklearn_dae.archive._packing import pack_lzma, unpack_lzma
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import Account

#: Most bytes of what is said of the files of a chunk, unpacked: the most memory that a
#: false claim can take.
MAX_SIZE = 2**25

#: Most files of which is said something in one chunk.
MOST_FILES = 4096

#: Bytes of names of files that were left out, in one chunk.
_ACCOUNT_SIZE = 2**22

#: Bytes of a digest: those of a SHA-256 that are stored.
DIGEST_SIZE = 16

#: How a file comes back: not at all, by what stood around its pixels (with the same
#: pixels, or byte for byte), or as it was kept.
NAMED, SAME_PIXELS, SAME_BYTES, KEPT = range(4)


@dataclass(frozen=True)
class Entry:
    """What is stored of a file, beside its images.

    Parameters
    ----------
    name : str
        Its name, with slashes between folders.

    n_images : int
        How many images it holds.

    way : int
        How it comes back: ``NAMED``, ``SAME_PIXELS``, ``SAME_BYTES`` or ``KEPT``.

    wrapper : bytes, default=b""
        What stood around the pixels.

    digest : bytes, default=b""
        The beginning of its SHA-256, where it comes back byte for byte.
    """

    name: str
    n_images: int = 1
    way: int = NAMED
    wrapper: bytes = b""
    digest: bytes = b""

    @property
    def size(self) -> int:
        """Bytes that it takes, unpacked; somewhat more, in fact."""
        return len(name_to_bytes(self.name)) + len(self.wrapper)

    @property
    def has_digest(self) -> bool:
        """Whether it comes back byte for byte."""
        return self.way in (SAME_BYTES, KEPT)


def name_to_bytes(name: Any) -> bytes:
    """Return the bytes of a name.

    Raises
    ------
    TypeError, ValueError
        If it is no string, or one that stands for no bytes.
    """
    if not isinstance(name, str):
        raise TypeError(f"Names must be strings, got {name!r}.")
    try:
        # Bytes of a file name that are no text are lone surrogates.
        data = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise ValueError(f"The name {name!r} cannot be stored: {error}.") from None
    if name_from_bytes(data) != name:
        raise ValueError(
            f"The name {name!r} cannot be stored: its surrogates are those of "
            f"{name_from_bytes(data)!r}."
        )
    return data


def name_from_bytes(data: bytes) -> str:
    """Return the name that bytes stand for."""
    return data.decode("utf-8", "surrogateescape")


def pack_entries(entries: Sequence[Entry]) -> tuple[int, bytes]:
    """Write records of files.

    Returns
    -------
    size : int
        Bytes of all, unpacked, without digests.

    data : bytes
        All of it, packed.

    Raises
    ------
    TypeError, ValueError
        If a name cannot be stored, or all of them are too long.
    """
    names = [name_to_bytes(entry.name) for entry in entries]
    wrappers = [e.wrapper for e in entries if e.way in (SAME_PIXELS, SAME_BYTES)]
    contents = b"".join(
        [
            bytes(entry.way for entry in entries),
            *(leb128(entry.n_images) for entry in entries),
            *(leb128(len(part)) for part in names + wrappers),
            *names,
            *wrappers,
        ]
    )
    if len(contents) > MAX_SIZE:
        raise ValueError(
            f"The names of {len(entries)} files take {len(contents)} bytes, at most "
            f"{MAX_SIZE} can be stored; make them shorter."
        )
    digests = b"".join(entry.digest for entry in entries)
    return len(contents), squeeze(contents) + digests


def unpack_entries(data: bytes, n_files: int, size: int) -> list[Entry]:
    """Read the ``n_files`` records that `pack_entries` wrote, of ``size`` bytes.

    Raises
    ------
    BitstreamError
        If these are not such bytes.
    """
    if n_files > MOST_FILES or size > MAX_SIZE:
        raise BitstreamError(f"it claims {n_files} files in {size} bytes")
    contents, digests = unsqueeze(data, size)
    reader = ByteReader(contents)
    ways = reader.take(n_files)
    if max(ways, default=0) > KEPT:
        raise BitstreamError("a file comes back in an unknown way")
    counts = [reader.leb128() for _ in range(n_files)]
    lengths = [reader.leb128() for _ in range(n_files)]
    wrapped = [i for i, way in enumerate(ways) if way in (SAME_PIXELS, SAME_BYTES)]
    sizes = [reader.leb128() for _ in wrapped]
    entries = [
        Entry(name_from_bytes(reader.take(length)), n, way)
        for length, n, way in zip(lengths, counts, ways, strict=True)
    ]
    for i, n_bytes in zip(wrapped, sizes, strict=True):
        entries[i] = replace(entries[i], wrapper=reader.take(n_bytes))
    reader.finish()
    reader = ByteReader(digests)
    for i, entry in enumerate(entries):
        if entry.has_digest:
            entries[i] = replace(entry, digest=reader.take(DIGEST_SIZE))
    reader.finish()
    return entries


def pack_account(account: Account) -> Iterator[bytes]:
    """Write what was taken in; in several parts, if many files were left out."""
    part, size = replace(account, left_out={}), 0
    for reason, named in account.left_out.items():
        for name, detail in named.items():
            part.left_out.setdefault(reason, {})[name] = detail
            size += len(json.dumps([reason, name, detail]))
            if size > _ACCOUNT_SIZE:
                yield _json(part)
                part, size = Account(), 0
    yield _json(part)


def _json(account: Account) -> bytes:
    return json.dumps(account.to_dict(), separators=(",", ":")).encode()


def squeeze(contents: bytes) -> bytes:
    """Pack bytes by LZMA, after their size when packed, unless it makes them longer."""
    packed = pack_lzma(contents)
    shorter = packed if len(packed) < len(contents) else contents
    return leb128(len(shorter)) + shorter


def unsqueeze(data: bytes, size: int) -> tuple[bytes, bytes]:
    """Unpack ``size`` bytes that were packed; return them and what follows them."""
    reader = ByteReader(data)
    packed = reader.take(reader.leb128())
    rest = reader.take(reader.n_left)
    if size > MAX_SIZE:
        raise BitstreamError(f"it claims {size} bytes, at most {MAX_SIZE}")
    if len(packed) == size:
        return packed, rest
    return unpack_lzma(packed, size), rest
