"""The contents of the chunks of an archive, checked.

In: a file and where its chunks are. Out: coded images, records of files and pieces of
kept files, or an error that says what is lost, and where in the file.
"""

import json
import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate

from sklearn_dae.archive._container import unpack_chunk
from sklearn_dae.archive._contents import Accounted, Files, Kept
from sklearn_dae.archive._file import SourceFile
from sklearn_dae.archive._files import Entry, unpack_entries, unsqueeze
from sklearn_dae.archive._index import Place
from sklearn_dae.archive._packing import unpack_file
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import Account


class Chunks:
    """The chunks of a file, by their position among those that are present.

    Parameters
    ----------
    file : SourceFile
        The file.

    places : sequence of Place
        Where its chunks are.
    """

    def __init__(self, file: SourceFile, places: Sequence[Place]) -> None:
        self._file, self.places = file, places

    def read(self, position: int) -> bytes:
        """Return the contents of a chunk, after checking its checksums.

        Raises
        ------
        BitstreamError
            If a checksum is wrong, or it is not the chunk that the index has there.
        """
        place = self.places[position]
        with locating(place):
            chunk = unpack_chunk(self._file.read(place.begin, place.end - place.begin))
            contents = place.contents
            found = chunk.head.number, chunk.head.kind, chunk.about
            if found != (place.number, contents.kind, contents.to_bytes()):
                raise BitstreamError(f"there is chunk {chunk.head.number} in its place")
        return chunk.data

    def entries(self, position: int) -> list[Entry]:
        """Return the records of files in a chunk of them.

        Raises
        ------
        BitstreamError
            If they are damaged.
        """
        place = self.places[position]
        contents, data = place.contents, self.read(position)
        assert isinstance(contents, Files)
        with locating(place):
            n_files = contents.stop - contents.start
            entries = unpack_entries(data, n_files, contents.size)
            if sum(entry.n_images for entry in entries) != contents.n_images:
                raise BitstreamError(
                    f"its files do not hold {contents.n_images} images"
                )
        return entries

    def account(self, position: int) -> Account:
        """Return the account of what was taken in.

        Raises
        ------
        BitstreamError
            If it is damaged.
        """
        place = self.places[position]
        contents, data = place.contents, self.read(position)
        assert isinstance(contents, Accounted)
        with locating(place):
            unpacked, rest = unsqueeze(data, contents.size)
            try:
                account = Account.from_dict(json.loads(unpacked))
            except (ValueError, RecursionError) as error:
                raise BitstreamError(f"it cannot be read: {error}") from None
            if rest:
                raise BitstreamError(f"{len(rest)} bytes follow it")
        return account


class FileTable:
    """The records of all files, read a chunk at a time when they are asked for.

    Parameters
    ----------
    chunks : Chunks
        All chunks.

    Attributes
    ----------
    n_files : int
        Number of files, as far as is known.
    """

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self.n_files = 0
        self._pieces: dict[int, list[int]] = {}
        self._parts: list[tuple[Files, int]] = []
        self._starts: list[int] = []
        for position, place in enumerate(chunks.places):
            if isinstance(place.contents, Files):
                self._parts.append((place.contents, position))
                self.n_files = max(self.n_files, place.contents.stop)
            elif isinstance(place.contents, Kept):
                self._pieces.setdefault(place.contents.file, []).append(position)
                self.n_files = max(self.n_files, place.contents.file + 1)
        self._parts.sort(key=lambda part: (part[0].first_image, part[0].start))
        self._starts = [contents.first_image for contents, _ in self._parts]
        self._by_file = sorted(
            (contents.start, i) for i, (contents, _) in enumerate(self._parts)
        )
        self._last: tuple[int, list[Entry], list[int]] | None = None

    def parts(self, *, salvage: bool = False) -> Iterator[tuple[Files, list[Entry]]]:
        """Yield the records of files, chunk by chunk; or those that are not damaged."""
        for contents, position in self._parts:
            try:
                entries, _ = self._entries(position)
            except BitstreamError:
                if not salvage:
                    raise
            else:
                yield contents, entries

    def intact(self) -> Iterator[tuple[int, Entry]]:
        """Yield the first image of each file, and its record if it is not damaged."""
        for contents, entries in self.parts(salvage=True):
            first = contents.first_image
            for entry in entries:
                yield first, entry
                first += entry.n_images

    def nameless(self) -> Iterator[Kept]:
        """Yield the files that are kept as they are, but whose records are lost."""
        known = {
            number
            for contents, _ in self.parts(salvage=True)
            for number in range(contents.start, contents.stop)
        }
        for number, positions in self._pieces.items():
            first = self._chunks.places[positions[0]].contents
            if number not in known and isinstance(first, Kept) and not first.begin:
                yield first

    def of_file(self, number: int) -> tuple[Entry, int]:
        """Return the record of a file, and the number of its first image."""
        part = bisect_right(self._by_file, (number, math.inf)) - 1
        if part >= 0:
            contents, position = self._parts[self._by_file[part][1]]
            if number < contents.stop:
                entries, ends = self._entries(position)
                at = number - contents.start
                first = contents.first_image + (ends[at - 1] if at else 0)
                return entries[at], first
        raise BitstreamError(f"The record of file {number} was not found.")

    def of_image(self, number: int) -> tuple[Entry, int]:
        """Return the record of the file of an image, and which of its images it is."""
        part = bisect_right(self._starts, number) - 1
        if part >= 0:
            contents, position = self._parts[part]
            place = number - contents.first_image
            if place < contents.n_images:
                entries, ends = self._entries(position)
                at = bisect_right(ends, place)
                return entries[at], place - (ends[at - 1] if at else 0)
        raise BitstreamError(f"The name of image {number} was not found.")

    def _entries(self, position: int) -> tuple[list[Entry], list[int]]:
        last = self._last
        if last is None or last[0] != position:
            entries = self._chunks.entries(position)
            last = position, entries, list(accumulate(e.n_images for e in entries))
            self._last = last
        return last[1:]

    def is_kept(self, number: int) -> bool:
        """Whether a file is kept as it is."""
        return number in self._pieces

    def pieces(self, number: int) -> Iterator[bytes]:
        """Yield a file that is kept as it is, piece by piece.

        Raises
        ------
        BitstreamError
            If a piece is damaged or missing.

        ImportError
            If it is packed in a way that takes a package which is not installed.
        """
        at, size = 0, None
        for position in self._pieces.get(number, ()):
            contents = self._chunks.places[position].contents
            assert isinstance(contents, Kept)
            if contents.begin != at:
                break
            data = self.piece(position)
            at, size = at + len(data), contents.size
            yield data
        if at != size:
            raise BitstreamError(
                f"File {number} is kept in pieces, and one is missing."
            )

    def piece(self, position: int) -> bytes:
        """Return a piece of a file that is kept, as it was.

        Raises
        ------
        BitstreamError
            If it is damaged.

        ImportError
            If the file is packed in a way that takes a package which is not installed.
        """
        place = self._chunks.places[position]
        contents, data = place.contents, self._chunks.read(position)
        assert isinstance(contents, Kept)
        if contents.packing is None:
            return data
        try:
            with locating(place):
                return unpack_file(
                    data, contents.packing, contents.size, contents.n_pixels
                )
        except ImportError as error:
            called = self._called(contents.file)
            raise ImportError(f"{called} is kept as JPEG XL. {error}") from error

    def _called(self, number: int) -> str:
        """Return what to call a file, whose name may be lost."""
        try:
            return repr(self.of_file(number)[0].name)
        except BitstreamError:
            return f"File {number}"


@contextmanager
def locating(place: Place) -> Iterator[None]:
    """Make errors say where they occurred."""
    try:
        yield
    except BitstreamError as error:
        raise BitstreamError(f"{place} cannot be read: {error}") from error
