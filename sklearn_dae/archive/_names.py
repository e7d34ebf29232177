"""Names of the images of a chunk <-> bytes.

In: strings. Out: the length of the content, then the content: the length of each string
in bytes, then the strings in UTF-8, one after another; deflated (zlib's format), unless
that makes it no shorter.
"""

import zlib
from collections.abc import Callable, Sequence
from typing import overload

from sklearn_dae._bytes import ByteReader, leb128
from sklearn_dae.exceptions import BitstreamError

#: Most bytes of the names of a chunk: the most memory that a false claim can take.
_MAX_SIZE = 2**23

#: File names that are not valid in the file system's encoding have lone surrogates.
_ERRORS = "surrogatepass"


def pack_names(names: Sequence[str]) -> bytes:
    """Write names.

    Raises
    ------
    TypeError, ValueError
        If one is not a string, or they are too long.
    """
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"Names must be strings, got {name!r}.")
    strings = [name.encode("utf-8", _ERRORS) for name in names]
    content = b"".join([*(leb128(len(string)) for string in strings), *strings])
    if len(content) > _MAX_SIZE:
        raise ValueError(
            f"The names of {len(names)} images take {len(content)} bytes, at most "
            f"{_MAX_SIZE} can be stored; make them shorter, or chunk_size smaller."
        )
    deflated = zlib.compress(content, 9)
    shorter = deflated if len(deflated) < len(content) else content
    return leb128(len(content)) + shorter


def unpack_names(data: bytes, n_names: int) -> list[str]:
    """Read the ``n_names`` names that `pack_names` wrote.

    Raises
    ------
    BitstreamError
        If the bytes are not those of that many names.
    """
    reader = ByteReader(data)
    size = reader.leb128()
    if size > _MAX_SIZE:
        raise BitstreamError(f"its names claim {size} bytes, at most {_MAX_SIZE}")
    content = reader.take(reader.n_left)
    if len(content) != size:
        content = _inflate(content, size)
    reader = ByteReader(content)
    if n_names > size:
        raise BitstreamError(f"{size} bytes cannot hold {n_names} names")
    lengths = [reader.leb128() for _ in range(n_names)]
    try:
        names = [reader.take(n).decode("utf-8", _ERRORS) for n in lengths]
    except UnicodeDecodeError as error:
        raise BitstreamError(f"a name is not UTF-8: {error}") from None
    reader.finish()
    return names


def _inflate(data: bytes, size: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        # One byte more than expected shows whether the stream goes on.
        content = inflater.decompress(data, size + 1)
    except zlib.error as error:
        raise BitstreamError(f"its names cannot be inflated: {error}") from None
    if len(content) != size or not inflater.eof or inflater.unused_data:
        raise BitstreamError(f"its names do not inflate to {size} bytes")
    return content


class Names(Sequence[str]):
    """Names of all images, read one chunk at a time when they are asked for.

    Parameters
    ----------
    n_names : int
        How many there are.

    chunk_size : int
        Names in a chunk.

    of_chunk : callable
        Returns the names of the chunk of a given number.
    """

    def __init__(
        self, n_names: int, chunk_size: int, of_chunk: Callable[[int], list[str]]
    ) -> None:
        self._n_names = n_names
        self._chunk_size = chunk_size
        self._of_chunk = of_chunk
        self._last: tuple[int, list[str]] = -1, []

    def __len__(self) -> int:
        return self._n_names

    @overload
    def __getitem__(self, key: int) -> str: ...

    @overload
    def __getitem__(self, key: slice) -> list[str]: ...

    def __getitem__(self, key: int | slice) -> str | list[str]:
        if isinstance(key, slice):
            return [self[i] for i in range(self._n_names)[key]]
        number, place = divmod(range(self._n_names)[key], self._chunk_size)
        last, names = self._last
        if number != last:
            names = self._of_chunk(number)
            self._last = number, names
        return names[place]

    def __repr__(self) -> str:
        return f"<{self._n_names} names>"
