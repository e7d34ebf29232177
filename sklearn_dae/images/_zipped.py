"""Arrays of images that are packed as a whole: gzipped IDX files, and .npz files."""

import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from sklearn_dae.images._raw import Raw
from sklearn_dae.images._wrapper import Wrapper

#: Asks zlib for the header of gzip, which then has no name and no time.
_GZIP_BITS = 16 + zlib.MAX_WBITS


@dataclass(frozen=True)
class Gzipped(Wrapper):
    """A file of raw pixels that is gzipped anew.

    Parameters
    ----------
    content : Raw
        The file in it.
    """

    content: Raw

    tag: ClassVar[bytes] = b"G"
    is_exact: ClassVar[bool] = False

    def rebuild(self, images: Iterable[np.ndarray]) -> Iterator[bytes]:
        """Yield a file with the same content."""
        packer = zlib.compressobj(wbits=_GZIP_BITS)
        for piece in self.content.rebuild(images):
            yield packer.compress(piece)
        yield packer.flush()

    def to_parts(self) -> list[bytes]:
        """Return what makes up this record."""
        return self.content.to_parts()

    @classmethod
    def from_parts(cls, parts: list[bytes]) -> Self:
        """Make a record of its parts."""
        return cls(Raw.from_parts(parts))


@dataclass(frozen=True)
class Zipped(Wrapper):
    """A .npz file of images, and perhaps of their names, that is packed anew.

    Parameters
    ----------
    content : Raw
        The array of images, as a .npy file.

    name : str
        What this file is called in the .npz file.

    is_deflated : bool
        Whether members are deflated, or stored as they are.

    first, last : tuple of (str, bytes)
        The members before it and after it: their names and their content.
    """

    content: Raw
    name: str
    is_deflated: bool
    first: tuple[tuple[str, bytes], ...] = ()
    last: tuple[tuple[str, bytes], ...] = ()

    tag: ClassVar[bytes] = b"Z"
    is_exact: ClassVar[bool] = False

    def rebuild(self, images: Iterable[np.ndarray]) -> Iterator[bytes]:
        """Yield a file with the same arrays."""
        written = _Written()
        with zipfile.ZipFile(written, "w") as archive:
            for name, member in self.first:
                yield from self._packed(archive, written, name, [member])
            content = self.content.rebuild(images)
            yield from self._packed(archive, written, self.name, content)
            for name, member in self.last:
                yield from self._packed(archive, written, name, [member])
        yield written.taken()

    def _packed(
        self,
        archive: zipfile.ZipFile,
        written: "_Written",
        name: str,
        content: Iterable[bytes],
    ) -> Iterator[bytes]:
        info = zipfile.ZipInfo(name)
        info.compress_type = (
            zipfile.ZIP_DEFLATED if self.is_deflated else zipfile.ZIP_STORED
        )
        with archive.open(info, "w", force_zip64=True) as member:
            for piece in content:
                member.write(piece)
                yield written.taken()

    def to_parts(self) -> list[bytes]:
        """Return what makes up this record."""
        members = [
            part
            for name, content in (*self.first, *self.last)
            for part in (name.encode(), content)
        ]
        head = bytes([self.is_deflated, len(self.first)])
        return [head, self.name.encode(), *self.content.to_parts(), *members]

    @classmethod
    def from_parts(cls, parts: list[bytes]) -> Self:
        """Make a record of its parts."""
        (is_deflated, n_first), name, members = parts[0], parts[1], parts[7:]
        others = [
            (key.decode(), content)
            for key, content in zip(members[::2], members[1::2], strict=True)
        ]
        if is_deflated > 1 or n_first > len(others):
            raise ValueError("it does not say how arrays are packed")
        first, last = tuple(others[:n_first]), tuple(others[n_first:])
        content = Raw.from_parts(parts[2:7])
        return cls(content, name.decode(), bool(is_deflated), first, last)


class _Written(io.RawIOBase):
    """What was written since it was asked for; nothing can be changed any more."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | memoryview") -> int:  # type: ignore[override]
        self._pieces.append(bytes(data))
        return len(self._pieces[-1])

    def taken(self) -> bytes:
        """Return what was written, once."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
