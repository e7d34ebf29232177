"""An archive -> its images and files, from anywhere in it.

In: a file that `write_archive` wrote, possibly damaged since. Out: images, by number or
name, one after another, or as many as can be salvaged; and the files that they came
from. Only the chunks that are asked for are read, and everything read is checked.
"""

import hashlib
import operator
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any, NamedTuple, Self

import numpy as np

from sklearn_dae.archive._chunks import Chunks, FileTable, locating
from sklearn_dae.archive._codec_source import given_codec, stored_codec
from sklearn_dae.archive._container import PREAMBLE_SIZE, check_header, header_size
from sklearn_dae.archive._contents import (
    Accounted,
    Files,
    Images,
    Kept,
)
from sklearn_dae.archive._file import SourceFile
from sklearn_dae.archive._files import (
    DIGEST_SIZE,
    KEPT,
    SAME_BYTES,
    SAME_PIXELS,
)
from sklearn_dae.archive._header import Header
from sklearn_dae.archive._index import Index, Place, find_chunks, read_index
from sklearn_dae.archive._kept import KeptImages
from sklearn_dae.archive._names import Names
from sklearn_dae.archive._recent import Recent
from sklearn_dae.archive._report import (
    ArchiveInfo,
    Damage,
    Parts,
    Salvaged,
    Verification,
)
from sklearn_dae.archive._selection import selected_numbers
from sklearn_dae.archive._table import Run, Table, numbers_of
from sklearn_dae.codecs import Codec
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import Account, ImageSpec
from sklearn_dae.images._wrappers import unwrap


def open_archive(file: Any, model: Any = None, *, salvage: bool = False) -> "Archive":
    """Open a ``.dae`` archive to read images from it.

    Parameters
    ----------
    file : str, path-like or seekable binary file
        The archive. A file object is left open.

    model : codec, str, path-like or bytes, default=None
        What the images were coded with, if the archive holds only a reference to it, or
        a damaged copy: the fitted codec, the path of a model file, or its bytes.

    salvage : bool, default=False
        Whether to also open an archive that has lost its end, such as one that was cut
        off: its chunks are then searched for.

    Returns
    -------
    Archive
        The images, to be used in a ``with`` statement. They are not held in memory.

    Raises
    ------
    BitstreamError
        If the file is not an archive, is from a newer version or cut off, or its header
        is damaged. Damaged images are found when they are read.

    ValueError
        If ``model`` is not the one that the images were coded with.

    OSError
        If the file cannot be read.

    See Also
    --------
    write_archive : The inverse, with an example.
    """
    source = SourceFile(file)
    try:
        return Archive(source, model, salvage)
    except BitstreamError as error:
        source.close()
        if source.path is None:
            raise
        raise BitstreamError(f"{source.path}: {error}") from error
    except BaseException:
        source.close()
        raise


class ArchivedFile(NamedTuple):
    """A file that an archive can make again.

    Parameters
    ----------
    number : int
        Which of its files it is.

    name : str
        Its name, with slashes between folders.

    images : range
        The numbers of its images.

    is_exact : bool
        Whether it comes back byte for byte; otherwise the same pixels do, and what else
        was in it.
    """

    number: int
    name: str
    images: range
    is_exact: bool


class Archive:
    """The images of a file, as `open_archive` returns them.

    ``len(archive)`` is their number; ``archive[i]`` is one of them, of shape (height,
    width) or (height, width, channels), and so is ``archive["name"]``. A slice, an
    array of integers or a mask selects several: as one array if they are of one kind,
    otherwise as a list. Only the chunks that are asked for are read, and the last ones
    are kept decoded. Several threads may read at once. An archive that was opened by
    path can be pickled; unpickling opens the path again.

    Reading raises `BitstreamError` where the file is damaged, and ValueError where the
    model is missing or the archive is closed.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> from sklearn_dae.archive import open_archive, write_archive
    >>> from sklearn_dae.codecs import HuffmanCodec
    >>> from sklearn_dae.datasets import load_digits
    >>> digits = load_digits()
    >>> file = io.BytesIO()
    >>> codec = HuffmanCodec().fit(digits.data)
    >>> info = write_archive(file, digits, codec, chunk_size=100)
    >>> archive = open_archive(file)
    >>> archive
    <Archive of 1797 images of 8 x 8 pixels, grey, uint8>
    >>> archive[-1].shape, archive[10:20].shape, archive[[3, 1, -2]].shape
    ((8, 8), (10, 8, 8), (3, 8, 8))
    >>> np.array_equal([image.ravel() for image in archive], digits.data)
    True
    >>> print(archive.verify())
    1797 images in 18 chunks: all is well
    """

    def __init__(self, file: SourceFile, model: Any, salvage: bool) -> None:
        self._file = file
        self._given, self._salvage = model, salvage
        preamble = file.read(0, min(PREAMBLE_SIZE, file.size))
        size = header_size(preamble, file.size)
        header = file.read(PREAMBLE_SIZE, size)
        check_header(preamble, header)
        self.header = Header.from_bytes(header)
        self._model_begin = PREAMBLE_SIZE + size
        model_inside = self.header.model_size if self.header.model_inside else 0
        self._chunks_begin = self._model_begin + model_inside
        self._codec = None if model is None else given_codec(model, self.header)
        self._codec_lock = Lock()
        self._index, self._index_error = self._open_index()
        self._chunks = Chunks(file, self.places)
        self._table = Table(self.places)
        self._file_table = FileTable(self._chunks)
        self._recent, self._kept = Recent(), KeptImages()
        n_names = len(self) if self._has_names else 0
        self._names = Names(n_names, self._file_table)

    def _open_index(self) -> tuple[Index, BitstreamError | None]:
        try:
            return read_index(self._file, self._chunks_begin), None
        except BitstreamError as error:
            lost = BitstreamError(f"The end of the archive is lost: {error}.")
            if self._salvage:
                return find_chunks(self._file, self._chunks_begin), lost
            raise BitstreamError(
                f"{lost} open_archive(file, salvage=True) opens what is left."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading, and close the file if it was opened by path."""
        self._file.close()
        self._recent.clear()
        self._kept.close()

    def __reduce__(self) -> Any:
        if self._file.path is None:
            raise TypeError(
                "Only an archive that was opened by its path can be pickled: another "
                "process cannot read the file that this one reads."
            )
        return _reopen, (self._file.path, self._given, self._salvage)

    def __repr__(self) -> str:
        kinds = list(self.kinds)
        of = f" of {kinds[0]}" if len(kinds) == 1 else f" of {len(kinds)} kinds"
        return f"<Archive of {len(self)} images{of if kinds else ''}>"

    @property
    def kinds(self) -> dict[ImageSpec, int]:
        """How many images there are of each kind."""
        return self._table.specs()

    @property
    def spec(self) -> ImageSpec:
        """What all images are.

        Raises
        ------
        ValueError
            If there are several kinds of images, or none.
        """
        kinds = list(self.kinds)
        if len(kinds) == 1:
            return kinds[0]
        if not kinds:
            raise ValueError("The archive holds no images.")
        raise ValueError(
            f"The archive holds images of {len(kinds)} kinds, such as {kinds[0]} and "
            f"{kinds[1]}; expected one."
        )

    def spec_of(self, i: int) -> ImageSpec:
        """Describe an image, without reading it."""
        return self._run(range(len(self))[i]).spec

    @property
    def metadata(self) -> dict[str, Any]:
        """What the writer wanted to say about the images."""
        return self.header.metadata

    @property
    def names(self) -> Names:
        """A name for each image, read when asked for; empty if there are none."""
        return self._names

    @property
    def _has_names(self) -> bool:
        places = self.places
        return any(
            isinstance(p.contents, Files) and p.contents.n_images for p in places
        )

    @property
    def codec(self) -> Codec:
        """The codec, read when it is first needed.

        Raises
        ------
        BitstreamError
            If the model in the archive is damaged.

        ValueError
            If the archive holds none, and none was given.
        """
        with self._codec_lock:
            if self._codec is None:
                self._codec = stored_codec(self.read_model, self.header)
            return self._codec

    @property
    def needs_codec(self) -> bool:
        """Whether there are images that a codec has to decode."""
        places = self.places
        return any(isinstance(place.contents, Images) for place in places)

    @property
    def places(self) -> list[Place]:
        """Where the chunks are that are present, and what they hold."""
        return self._index.places

    def read_model(self) -> bytes:
        """Return the model file that is in the archive, unchecked."""
        return self._file.read(
            self._model_begin, self._chunks_begin - self._model_begin
        )

    def account(self) -> Account:
        """Return what was taken in, and what was left out.

        Raises
        ------
        BitstreamError
            If it is damaged.
        """
        account = Account()
        for position, place in enumerate(self.places):
            if isinstance(place.contents, Accounted):
                account += self._chunks.account(position)
        return account

    def info(self) -> ArchiveInfo:
        """Return what the archive is, and the bytes of its parts.

        Neither the model nor the images are read.
        """
        parts = Parts(
            header=self._model_begin,
            model=self._chunks_begin - self._model_begin,
            index=max(0, self._file.size - self._index.end),
        )
        for place in self.places:
            parts.add(place.contents.kind, place.end - place.begin)
        header = self.header
        return ArchiveInfo(
            n_images=len(self),
            n_files=self._file_table.n_files,
            n_chunks=len(self._chunks),
            kinds=self.kinds,
            model_class=header.model_class,
            model_hash=header.model_hash,
            model_size=header.model_size,
            model_inside=header.model_inside,
            created_by=header.created_by,
            parts=parts,
            metadata=header.metadata,
        )

    def __len__(self) -> int:
        return self._table.n_images

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self._image(self._names.find(key)).copy()
        try:
            i = operator.index(key)
        except TypeError:
            return self._gather(self._selected(key))
        if not -len(self) <= i < len(self):
            raise IndexError(f"There is no image {i}: the archive has {len(self)}.")
        return self._image(i % len(self)).copy()

    def _selected(self, key: Any) -> np.ndarray:
        """Return the numbers that a key selects, none of which is missing."""
        if isinstance(key, slice) and len(range(len(self))[key]) > self._table.n_there:
            raise self._index_error or BitstreamError("Some images are lost.")
        return selected_numbers(key, len(self))

    def _gather(self, selected: np.ndarray) -> Any:
        """Return images by their numbers, decoding each chunk once."""
        runs = self._table.runs_of(selected)
        if (runs < 0).any():
            # This fails before memory is allocated for them.
            self._run(int(selected[runs < 0][0]))
        specs = {self._table.runs[run].spec for run in np.unique(runs).tolist()}
        if not len(selected):
            return _room(0, specs or set(self.kinds))
        images: Any = None
        order = np.argsort(runs, kind="stable")
        firsts = np.flatnonzero(np.diff(runs[order], prepend=-1))
        for places in np.split(order, firsts)[1:]:
            run = self._table.runs[runs[places[0]]]
            of_run = self._of_run(run, selected[places])
            if images is None:
                # Now it is known that there are such images.
                images = _room(len(selected), specs)
            if len(specs) == 1:
                images[places] = of_run
            else:
                for place, image in zip(places.tolist(), of_run, strict=True):
                    images[place] = image
        return images

    def _of_run(self, run: Run, numbers: np.ndarray) -> Any:
        """Return images of a run by their numbers."""
        if isinstance(self.places[run.chunk].contents, Images):
            images = self._recent.get(run.chunk, self._decode)
            return images[run.offset + numbers - run.start]
        return [self._image(number).copy() for number in numbers.tolist()]

    def __iter__(self) -> Iterator[np.ndarray]:
        for i in range(len(self)):
            yield self._image(i).copy()

    def chunks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Iterate over the coded images, one chunk at a time, in the order of the file.

        Yields
        ------
        numbers : ndarray of int of shape (n,)
            Numbers of the images of the chunk.

        images : ndarray of shape (n, height, width[, channels])
            The images.
        """
        for position, place in enumerate(self.places):
            if isinstance(place.contents, Images):
                yield numbers_of(place), self._decode(position)

    def salvage(self) -> Iterator[Salvaged]:
        """Iterate over the images, skipping what is lost.

        Yields
        ------
        Salvaged
            The images of a chunk or of a kept file, or why there are none. A damaged
            chunk costs only its own images; consecutive images that no chunk has are
            one piece.

        Raises
        ------
        BitstreamError, ValueError
            If there is no model: then no image can be restored.
        """
        # Loaded first: yielding an error for each chunk would not help.
        if self.needs_codec:
            _ = self.codec
        for position, place in enumerate(self.places):
            numbers, images, error = numbers_of(place), None, None
            if not len(numbers):
                continue
            try:
                images = self._of_chunk(position)
            except BitstreamError as caught:
                error = _told(caught)
            yield Salvaged(numbers, images, error)
        for numbers, lost in self._missing():
            yield Salvaged(numbers, None, lost)

    def _missing(self) -> Iterator[tuple[np.ndarray, BitstreamError]]:
        """Yield the numbers of images that no chunk has."""
        # A false claim can miss any number of them, and take no more memory than that.
        room = max(2**20, 64 * self._file.size)
        for missing in self._table.missing():
            listed = missing[:room]
            room -= len(listed)
            yield np.arange(listed.start, listed.stop), _missing(missing)

    def _of_chunk(self, position: int) -> Any:
        """Return the images of a chunk, or of the kept file that it begins."""
        place = self.places[position]
        if isinstance(place.contents, Images):
            return self._decode(position)
        return [self._image(i).copy() for i in numbers_of(place).tolist()]

    def verify(
        self,
        *,
        decode: bool = True,
        files: bool = False,
        progress: Callable[[int], object] | None = None,
    ) -> Verification:
        """Check all of the archive, without raising for what is damaged.

        Parameters
        ----------
        decode : bool, default=True
            Whether to decode the images too, if there is a model. False checks only
            checksums, which is faster, and finds all damage done after writing.

        files : bool, default=False
            Whether to make all files again that come back byte for byte, and compare
            their SHA-256 with that of the original ones.

        progress : callable, default=None
            Called after each chunk with the number of images checked so far.

        Returns
        -------
        Verification
            What is wrong; its ``ok`` says whether all is well.
        """
        model_error: Exception | None = None
        if self.needs_codec or self.header.model_size:
            try:
                _ = self.codec
            except ValueError as error:
                # That is a BitstreamError too, or a model that was not given.
                model_error = error
        damages, n_checked = [], 0
        for position, place in enumerate(self.places):
            numbers = numbers_of(place)
            try:
                self._check(position, decode=decode and model_error is None)
            except BitstreamError as error:
                lost = self._lost_with(place)
                damages.append(Damage(place.number, lost, _told(error)))
            n_checked += len(numbers)
            if progress is not None and len(numbers):
                progress(n_checked)
        damages += [Damage(None, *missing) for missing in self._missing()]
        found = Verification(
            len(self), len(self._chunks), self._index_error, model_error, damages
        )
        if files and not found.damages and model_error is None:
            found.files_apart.extend(self._files_apart())
        return found

    def _lost_with(self, place: Place) -> np.ndarray:
        """Return the numbers of the images that cannot be read without a chunk."""
        contents = place.contents
        if not isinstance(contents, Kept):
            return numbers_of(place)
        for other in self.places:
            first = other.contents
            if isinstance(first, Kept) and first.file == contents.file and first.specs:
                return numbers_of(other)
        return numbers_of(place)

    def _check(self, position: int, *, decode: bool) -> None:
        contents = self.places[position].contents
        if isinstance(contents, Images) and decode:
            self._decode(position)
        elif isinstance(contents, Files):
            for entry in self._chunks.entries(position):
                if entry.way in (SAME_PIXELS, SAME_BYTES):
                    unwrap(entry.wrapper)
        elif isinstance(contents, Accounted):
            self._chunks.account(position)
        else:
            self._chunks.read(position)
            if decode:
                for number in numbers_of(self.places[position]).tolist():
                    self._image(number)

    def _files_apart(self) -> Iterator[str]:
        """Yield the names of files that do not come back as they were."""
        for file in self.files():
            entry, _ = self._file_table.of_file(file.number)
            if not entry.has_digest:
                continue
            sha256 = hashlib.sha256()
            try:
                for piece in self.read_file(file):
                    sha256.update(piece)
            except BitstreamError:
                yield file.name
                continue
            if sha256.digest()[:DIGEST_SIZE] != entry.digest:
                yield file.name

    def files(self) -> Iterator[ArchivedFile]:
        """Iterate over the files that can be made again, in the order of their numbers.

        Yields
        ------
        ArchivedFile
            What it is called, and which images it holds.

        Raises
        ------
        BitstreamError
            If what is said of them is damaged.
        """
        for contents, entries in self._file_table.parts():
            first = contents.first_image
            for number, entry in enumerate(entries, contents.start):
                images = range(first, first + entry.n_images)
                first = images.stop
                if entry.way in (SAME_PIXELS, SAME_BYTES, KEPT):
                    yield ArchivedFile(number, entry.name, images, entry.has_digest)

    def read_file(self, file: ArchivedFile) -> Iterator[bytes]:
        """Make a file again, piece by piece.

        Raises
        ------
        BitstreamError
            If it, or one of its images, is damaged.
        """
        entry, _ = self._file_table.of_file(file.number)
        if entry.way == KEPT:
            yield from self._file_table.pieces(file.number)
            return
        wrapper = unwrap(entry.wrapper)
        try:
            yield from wrapper.rebuild(self._image(i) for i in file.images)
        except (ValueError, TypeError, IndexError, OverflowError) as error:
            raise BitstreamError(
                f"File {file.number} cannot be made again: {error}"
            ) from error

    def _run(self, number: int) -> Run:
        run = self._table.find(number)
        if run is None:
            raise self._index_error or _missing(range(number, number + 1))
        return run

    def _image(self, number: int) -> np.ndarray:
        """Return an image, which must not be changed."""
        run = self._run(number)
        contents = self.places[run.chunk].contents
        place = run.offset + number - run.start
        if isinstance(contents, Kept):
            self._file.check_open()
            image = self._kept.read(
                contents.file,
                self._file_table.pieces(contents.file),
                [spec for spec, _ in contents.specs],
                place,
            )
            if image.shape != run.spec.shape or image.dtype != run.spec.dtype:
                raise BitstreamError(f"Image {number} is not {run.spec}.")
            return image
        self._file.check_open()
        return self._recent.get(run.chunk, self._decode)[place]

    def _decode(self, position: int) -> np.ndarray:
        """Read and decode a chunk of images."""
        codec, place = self.codec, self.places[position]
        contents = place.contents
        assert isinstance(contents, Images)
        data, spec = self._chunks.read(position), contents.spec
        with locating(place):
            if not codec.takes(spec):
                raise BitstreamError(f"the model does not take images of {spec}")
            rows = codec.decode_chunk(data, contents.n_images, spec)
        return rows.reshape(contents.n_images, *spec.shape)


def _room(n_images: int, specs: set[ImageSpec]) -> Any:
    """Return an array for images of one kind, or a list for others."""
    if len(specs) != 1:
        return [None] * n_images
    (spec,) = specs
    return np.empty((n_images, *spec.shape), spec.dtype)


def _missing(images: range) -> BitstreamError:
    named = f"Image {images.start}"
    if len(images) > 1:
        named = f"Images {images.start} to {images.stop - 1}"
    return BitstreamError(f"{named}: no chunk has them, so it was lost.")


def _told(error: BitstreamError) -> BitstreamError:
    """Return an error that says the same, without the chunks that its frames hold."""
    return BitstreamError(str(error))


def _reopen(path: str, model: Any, salvage: bool) -> Archive:
    return open_archive(path, model, salvage=salvage)
