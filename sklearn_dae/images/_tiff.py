"""TIFF files whose pixels are compressed, or stand in tiles: their pages, written anew.

In: an open file. Out: the forms of its pages, as `_tiff_form` reads them, from which
tifffile writes a file with the same pages.
"""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar, Self

import numpy as np

from sklearn_dae._bytes import ByteReader, leb128
from sklearn_dae.images._image_file import Unreadable
from sklearn_dae.images._tiff_form import Form, form_of
from sklearn_dae.images._wrapper import Wrapper

#: Bytes of a file that may stand in memory; more of them are on the disk.
_MOST_IN_MEMORY = 2**24

#: Bytes that are read at a time.
_PIECE = 2**20


@dataclass(frozen=True)
class Tiff(Wrapper):
    """A TIFF file whose pages are written anew.

    Parameters
    ----------
    byteorder : str
        "<" or ">".

    is_big : bool
        Whether offsets take 64 bits.

    forms : tuple of Form
        The ways in which pages are written.

    pages : tuple of int
        The number of the form of each page.
    """

    byteorder: str
    is_big: bool
    forms: tuple[Form, ...]
    pages: tuple[int, ...]

    tag: ClassVar[bytes] = b"T"
    is_exact: ClassVar[bool] = False

    @classmethod
    def of(cls, file: Any) -> Self:
        """Take what an open `tifffile.TiffFile` says of its pages.

        Raises
        ------
        Unusual
            If it says what cannot be written anew.
        """
        numbers: dict[Form, int] = {}
        pages = [
            numbers.setdefault(form_of(page), len(numbers)) for page in pages_of(file)
        ]
        return cls(file.byteorder, bool(file.is_bigtiff), tuple(numbers), tuple(pages))

    def rebuild(self, images: Iterable[np.ndarray]) -> Iterator[bytes]:
        """Yield a file with the same pages."""
        with self.written(images) as file:
            while piece := file.read(_PIECE):
                yield piece

    @contextmanager
    def written(self, images: Iterable[np.ndarray]) -> Iterator[BinaryIO]:
        """Write a temporary file with the same pages, and open it at its beginning."""
        with _Spooled(_MOST_IN_MEMORY) as spooled:
            file: Any = spooled
            try:
                self._write(file, images)
            except (ValueError, MemoryError, OSError):
                raise
            except Exception as error:
                # tifffile raises whatever it likes for what it cannot write.
                raise ValueError(
                    f"pages cannot be written as they say: {error}"
                ) from error
            file.seek(0)
            yield file

    def _write(self, file: BinaryIO, images: Iterable[np.ndarray]) -> None:
        order = {"byteorder": self.byteorder, "bigtiff": self.is_big}
        with tifffile().TiffWriter(file, **order, shaped=False, ome=False) as writer:
            for number, image in zip(self.pages, images, strict=True):
                form = self.forms[number]
                options = form.options(self.byteorder)
                writer.write(form.arranged(image), **options, maxworkers=1)

    def to_parts(self) -> list[bytes]:
        """Return what makes up this record."""
        head = bytes([self.byteorder == ">", self.is_big])
        forms = b"".join(form.to_bytes() for form in self.forms)
        return [head, b"".join(map(leb128, self.pages)), forms]

    @classmethod
    def from_parts(cls, parts: list[bytes]) -> Self:
        """Make a record of its parts."""
        (is_swapped, is_big), numbers, written = parts
        reader, contents = ByteReader(numbers), ByteReader(written)
        pages, forms = [], []
        while reader.n_left:
            pages.append(reader.leb128())
        while contents.n_left:
            forms.append(Form.read(contents))
        if max(is_swapped, is_big) > 1 or max(pages, default=0) >= len(forms):
            raise ValueError("it does not say how pages are written")
        order = ">" if is_swapped else "<"
        return cls(order, bool(is_big), tuple(forms), tuple(pages))


class _Spooled(tempfile.SpooledTemporaryFile[bytes]):
    """A temporary file with the name that tifffile wants of it."""

    @property
    def name(self) -> str:
        return ""


def pages_of(file: Any) -> Iterator[Any]:
    """Yield the pages of an open `tifffile.TiffFile`.

    Its own loop has no end in a damaged file whose pages lead back to each other.
    """
    return (file.pages[number] for number in range(len(file.pages)))


def tifffile() -> Any:
    """Import tifffile.

    Raises
    ------
    Unreadable
        If it is missing.
    """
    try:
        import tifffile
    except ImportError as error:
        raise Unreadable(
            "needs tifffile",
            "reading TIFF files takes tifffile: pip install 'sklearn-dae[full]'",
        ) from error
    return tifffile
