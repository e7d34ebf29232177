"""What is in an archive, found, checked and decoded as it is asked for.

In: an opened file. Out: its header, its codec, its images by number and its files by
number.
"""

from collections.abc import Iterator
from contextlib import suppress
from threading import Lock
from typing import Any

import numpy as np

from sklearn_dae.archive._chunks import Chunks, FileTable, locating
from sklearn_dae.archive._codec_source import given_codec, stored_codec
from sklearn_dae.archive._container import PREAMBLE_SIZE, check_header, header_size
from sklearn_dae.archive._contents import Images, Kept
from sklearn_dae.archive._file import SourceFile
from sklearn_dae.archive._header import Header
from sklearn_dae.archive._index import Index, find_chunks, read_index
from sklearn_dae.archive._kept import KeptImages
from sklearn_dae.archive._recent import Recent
from sklearn_dae.archive._table import Run, Table, numbers_of
from sklearn_dae.codecs import Codec
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images._wrappers import unwrap


class Store:
    """The contents of an archive.

    Parameters
    ----------
    file : SourceFile
        The file.

    model : codec, str, path-like, bytes or None
        The codec, if it is not to be taken from the file.

    salvage : bool
        Whether to search for chunks where the index is lost.

    Attributes
    ----------
    header : Header
        What stands at the beginning of the file.

    places : list of Place
        Where the chunks are that are present, and what they hold.

    index_error : BitstreamError or None
        Why the index could not be read.

    chunks, table, file_table : Chunks, Table, FileTable
        The contents of chunks, the places of images, and the records of files.
    """

    def __init__(self, file: SourceFile, model: Any, salvage: bool) -> None:
        self.file = file
        preamble = file.read(0, min(PREAMBLE_SIZE, file.size))
        size = header_size(preamble, file.size)
        header = file.read(PREAMBLE_SIZE, size)
        check_header(preamble, header)
        self.header = Header.from_bytes(header)
        self.model_begin = PREAMBLE_SIZE + size
        model_inside = self.header.model_size if self.header.model_inside else 0
        self.chunks_begin = self.model_begin + model_inside
        self._codec = None if model is None else given_codec(model, self.header)
        self._codec_lock = Lock()
        index, self.table, self.index_error = self._open_index(salvage)
        self.places, self.chunks_end = index
        self.chunks = Chunks(file, self.places)
        self.file_table = FileTable(self.chunks)
        self._recent, self._kept = Recent(), KeptImages()
        self._image_chunks = [
            position
            for position, place in enumerate(self.places)
            if isinstance(place.contents, Images)
        ]
        self._ranks = {chunk: rank for rank, chunk in enumerate(self._image_chunks)}
        self._ahead: dict[int, np.ndarray] = {}
        self._ahead_lock, self._last = Lock(), -2
        # The chunks up to this one are decoded one by one: one of them is damaged.
        self._alone = -1

    def _open_index(self, salvage: bool) -> tuple[Index, Table, BitstreamError | None]:
        try:
            index = read_index(self.file, self.chunks_begin)
            return index, _dense_table(index), None
        except BitstreamError as error:
            lost = BitstreamError(f"The end of the archive is lost: {error}.")
            if salvage:
                index = find_chunks(self.file, self.chunks_begin)
                return index, Table(index.places), lost
            raise BitstreamError(
                f"{lost} open_archive(file, salvage=True) opens what is left."
            ) from error

    def close(self) -> None:
        """Stop reading."""
        self.file.close()
        self._recent.clear()
        self._kept.close()

    @property
    def codec(self) -> Codec:
        """The codec, read when it is first needed; see `Archive.codec`."""
        with self._codec_lock:
            if self._codec is None:
                self._codec = stored_codec(self.read_model, self.header)
            return self._codec

    @property
    def needs_codec(self) -> bool:
        """Whether there are images that a codec has to decode."""
        return bool(self._image_chunks)

    def read_model(self) -> bytes:
        """Return the model file that is in the archive, unchecked."""
        return self.file.read(self.model_begin, self.chunks_begin - self.model_begin)

    def run(self, number: int) -> Run:
        """Return the run that an image is in.

        Raises
        ------
        BitstreamError
            If no chunk has it.
        """
        run = self.table.find(number)
        if run is None:
            raise self.index_error or missing(range(number, number + 1))
        return run

    def image(self, number: int) -> np.ndarray:
        """Return an image, which must not be changed."""
        run = self.run(number)
        contents = self.places[run.chunk].contents
        place = run.offset + number - run.start
        self.file.check_open()
        if not isinstance(contents, Kept):
            return self._recent.get(run.chunk, self.decode)[place]
        image = self._kept.read(
            contents.file,
            self.file_table.pieces(contents.file),
            contents.specs,
            place,
        )
        if image.shape != run.spec.shape or image.dtype != run.spec.dtype:
            raise BitstreamError(f"Image {number} is not {run.spec}.")
        return image

    def images_of_run(self, run: Run, numbers: np.ndarray) -> Any:
        """Return images of a run by their numbers."""
        if isinstance(self.places[run.chunk].contents, Images):
            images = self._recent.get(run.chunk, self.decode)
            return images[run.offset + numbers - run.start]
        return [self.image(number).copy() for number in numbers.tolist()]

    def images_of_chunk(self, position: int) -> Any:
        """Return the images of a chunk, or of the kept file that it begins."""
        place = self.places[position]
        if isinstance(place.contents, Images):
            return self.decode(position)
        return [self.image(i).copy() for i in numbers_of(place).tolist()]

    def decode(self, position: int) -> np.ndarray:
        """Read and decode a chunk of images.

        Where chunk after chunk is asked for, several are decoded at once.
        """
        with self._ahead_lock:
            rank = self._ranks[position]
            is_next, self._last = rank == self._last + 1, rank
            images = self._ahead.pop(position, None)
        if images is not None:
            return images
        goes_ahead = is_next and rank > self._alone
        positions = self._together(rank) if goes_ahead else [position]
        if len(positions) > 1:
            with suppress(BitstreamError):
                first, *rest = self._decode(positions)
                with self._ahead_lock:
                    self._ahead = dict(zip(positions[1:], rest, strict=True))
                return first
            # Which of several is damaged shows where it is asked for.
            self._alone = rank + len(positions) - 1
        return self._decode([position])[0]

    def _together(self, rank: int) -> list[int]:
        """Return chunks that are best decoded at once, from one on."""
        positions: list[int] = []
        n_numbers = 0
        for position in self._image_chunks[rank:]:
            contents = self.places[position].contents
            assert isinstance(contents, Images)
            n_numbers += contents.n_images * contents.spec.n_numbers
            if positions and n_numbers > self.codec.numbers_at_once:
                break
            positions.append(position)
        return positions

    def _decode(self, positions: list[int]) -> list[np.ndarray]:
        codec, chunks = self.codec, []
        for position in positions:
            contents = self.places[position].contents
            assert isinstance(contents, Images)
            data = self.chunks.read(position)
            chunks.append((data, contents.n_images, contents.spec))
        with locating(self.places[positions[0]]):
            for _, _, spec in chunks:
                if not codec.takes(spec):
                    raise BitstreamError(f"the model does not take images of {spec}")
            decoded = codec.decode_chunks(chunks)
        return [
            rows.reshape(n_images, *spec.shape)
            for rows, (_, n_images, spec) in zip(decoded, chunks, strict=True)
        ]

    def missing(self) -> Iterator[tuple[np.ndarray, BitstreamError]]:
        """Yield the numbers of images that no chunk has."""
        # A false claim can miss any number of them, and take no more memory than that.
        room = max(2**20, 64 * self.file.size)
        for images in self.table.missing():
            listed = images[:room]
            room -= len(listed)
            yield np.arange(listed.start, listed.stop), missing(images)

    def file_pieces(self, number: int) -> Iterator[bytes]:
        """Make a file again, piece by piece.

        Raises
        ------
        BitstreamError
            If it, or one of its images, is damaged.
        """
        if self.file_table.is_kept(number):
            yield from self.file_table.pieces(number)
            return
        entry, first = self.file_table.of_file(number)
        wrapper = unwrap(entry.wrapper)
        try:
            images = range(first, first + entry.n_images)
            yield from wrapper.rebuild(map(self.image, images))
        except (ValueError, TypeError, IndexError, OverflowError) as error:
            raise BitstreamError(
                f"File {number} cannot be made again: {error}"
            ) from error


def _dense_table(index: Index) -> Table:
    """Return the places of images, or raise BitstreamError if no chunk has some."""
    table = Table(index.places)
    for images in table.missing():
        raise BitstreamError(f"its index is false: {missing(images)}")
    return table


def missing(images: range) -> BitstreamError:
    """Return an error that says that no chunk has some images."""
    named = f"Image {images.start}"
    if len(images) > 1:
        named = f"Images {images.start} to {images.stop - 1}"
    return BitstreamError(f"{named}: no chunk has them, so it was lost.")
