"""An archive -> its images, from anywhere in it.

In: a file that `write_archive` wrote, possibly damaged since. Out: images, by number,
one after another, or as many as can be salvaged. Only the chunks that are asked for are
read, and everything read is checked.
"""

import operator
from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Any, Self

import numpy as np

from sklearn_dae._scaling import cast
from sklearn_dae.archive._chunks import Chunks
from sklearn_dae.archive._codec_source import given_codec, stored_codec
from sklearn_dae.archive._container import PREAMBLE_SIZE, check_header, header_size
from sklearn_dae.archive._file import SourceFile
from sklearn_dae.archive._header import Header
from sklearn_dae.archive._index import Index, find_chunks, read_index
from sklearn_dae.archive._names import Names
from sklearn_dae.archive._report import ArchiveInfo, Damage, Salvaged, Verification
from sklearn_dae.archive._selection import selected_numbers
from sklearn_dae.archive._writer import describe
from sklearn_dae.codecs import Codec
from sklearn_dae.exceptions import BitstreamError


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


class Archive:
    """The images of a file, as `open_archive` returns them.

    ``len(archive)`` is their number, ``archive[i]`` one of them; a slice, an array of
    integers or a mask selects several, as one array. Only the chunks that are asked for
    are read, and the last one is kept decoded. Iteration has one chunk in memory at a
    time. Several threads may read at once. An archive that was opened by path can be
    pickled; unpickling opens the path again.

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
    <Archive of 1797 images of shape (8, 8), uint8, in 18 chunks>
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
        self._header = Header.from_bytes(header)
        self._model_begin = PREAMBLE_SIZE + size
        model_inside = self._header.model_size if self._header.model_inside else 0
        self._chunks_begin = self._model_begin + model_inside
        self._codec = None if model is None else given_codec(model, self._header)
        self._codec_lock = Lock()
        self._index, self._index_error = self._open_index()
        self._chunks = Chunks(file, self._header, self._index)
        self._decoded: tuple[int, np.ndarray] | None = None
        self._names: Sequence[str] = ()
        if self._header.has_names:
            self._names = Names(
                len(self), self._header.chunk_size, self._chunks.read_names
            )

    def _open_index(self) -> tuple[Index, BitstreamError | None]:
        try:
            return read_index(self._file, self._chunks_begin, self._header), None
        except BitstreamError as error:
            lost = BitstreamError(f"The end of the archive is lost: {error}.")
            if self._salvage:
                index = find_chunks(self._file, self._chunks_begin, self._header)
                return index, lost
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
        self._decoded = None

    def __reduce__(self) -> Any:
        if self._file.path is None:
            raise TypeError(
                "Only an archive that was opened by its path can be pickled: another "
                "process cannot read the file that this one reads."
            )
        return _reopen, (self._file.path, self._given, self._salvage)

    def __repr__(self) -> str:
        return (
            f"<Archive of {len(self)} images of shape {self.image_shape}, "
            f"{self.dtype}, in {self._n_chunks} chunks>"
        )

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of an image."""
        return self._header.shape

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array of all images: their number, and that of an image."""
        return (len(self), *self._header.shape)

    @property
    def dtype(self) -> np.dtype:
        """Dtype of the images."""
        return self._header.dtype

    @property
    def metadata(self) -> dict[str, Any]:
        """What the writer wanted to say about the images."""
        return self._header.metadata

    @property
    def names(self) -> Sequence[str]:
        """A name for each image, read when asked for; empty if there are none."""
        return self._names

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
                self._codec = stored_codec(self.read_model, self._header)
            return self._codec

    def read_model(self) -> bytes:
        """Return the model file that is in the archive, unchecked."""
        return self._file.read(
            self._model_begin, self._chunks_begin - self._model_begin
        )

    def info(self) -> ArchiveInfo:
        """Return what the archive is, and the bytes of its parts.

        Neither the model nor the images are read.
        """
        return describe(
            self._header,
            len(self),
            header_bytes=self._model_begin,
            chunk_bytes=max(0, self._index.end - self._chunks_begin),
            index_bytes=max(0, self._file.size - self._index.end),
        )

    def __len__(self) -> int:
        return self._index.n_images

    def __getitem__(self, key: Any) -> np.ndarray:
        try:
            i = operator.index(key)
        except TypeError:
            self._refuse_what_is_lost(key)
            return self._gather(selected_numbers(key, len(self)))
        if not -len(self) <= i < len(self):
            raise IndexError(f"There is no image {i}: the archive has {len(self)}.")
        number, place = divmod(i % len(self), self._header.chunk_size)
        return self._images(number)[place].copy()

    def _refuse_what_is_lost(self, key: Any) -> None:
        """Raise if a slice selects more images than there can be."""
        if isinstance(key, slice):
            n_selected = len(range(len(self))[key])
            if n_selected > len(self._index) * self._header.chunk_size:
                raise self._index_error or BitstreamError("Some images are lost.")

    def _gather(self, selected: np.ndarray) -> np.ndarray:
        """Return images by their numbers, decoding each chunk once."""
        size = self._header.chunk_size
        numbers = selected // size
        order = np.argsort(numbers, kind="stable")
        firsts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
        # This fails before memory is allocated for them.
        for number in numbers[order[firsts]].tolist():
            self._chunks.place(number)
        images = np.empty((len(selected), *self.image_shape), self.dtype)
        for places in np.split(order, firsts)[1:]:
            number = int(numbers[places[0]])
            images[places] = self._images(number)[selected[places] - number * size]
        return images

    def __iter__(self) -> Iterator[np.ndarray]:
        for _, images in self.chunks():
            yield from images

    def chunks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Iterate over the images, one chunk at a time.

        Yields
        ------
        start : int
            Number of the first image of the chunk.

        images : ndarray of shape (n, *image_shape)
            The images of the chunk.
        """
        for number in range(self._n_chunks):
            yield number * self._header.chunk_size, self._decode(number)

    def salvage(self) -> Iterator[Salvaged]:
        """Iterate over the images, skipping what is lost.

        Yields
        ------
        Salvaged
            The images of a chunk, or why there are none. A damaged chunk costs only its
            own images; consecutive missing chunks are one piece.

        Raises
        ------
        BitstreamError, ValueError
            If there is no model: then no image can be restored.
        """
        # Loaded first: yielding an error for each chunk would not help.
        _ = self.codec
        for numbers, images in self._pieces():
            pixels, names, error = None, [], None
            try:
                pixels = self._decode(numbers.start)
            except BitstreamError as caught:
                error = _told(caught)
            if self._header.has_names:
                # Names may be intact where images are not.
                try:
                    names = self._chunks.read_names(numbers.start)
                except BitstreamError as caught:
                    error = error or _told(caught)
            yield Salvaged(images.start, images.stop, pixels, names, error)

    def verify(
        self,
        *,
        decode: bool = True,
        progress: Callable[[int], object] | None = None,
    ) -> Verification:
        """Check all of the archive, without raising for what is damaged.

        Parameters
        ----------
        decode : bool, default=True
            Whether to decode the images too, if there is a model. False checks only
            checksums, which is faster, and finds all damage done after writing.

        progress : callable, default=None
            Called after each chunk with the number of images checked so far.

        Returns
        -------
        Verification
            What is wrong; its ``ok`` says whether all is well.
        """
        model_error: Exception | None = None
        try:
            _ = self.codec
        except ValueError as error:
            # That is a BitstreamError too, or a model that was not given.
            model_error = error
        read = self._decode if decode and model_error is None else self._chunks.read
        damages = []
        for numbers, images in self._pieces():
            try:
                read(numbers.start)
            except BitstreamError as error:
                damages.append(Damage(numbers, images, _told(error)))
            if progress is not None:
                progress(images.stop)
        return Verification(
            len(self), self._n_chunks, self._index_error, model_error, damages
        )

    @property
    def _n_chunks(self) -> int:
        return self._header.n_chunks(len(self))

    def _pieces(self) -> Iterator[tuple[range, range]]:
        """Yield the chunks that are present, and each gap between them as one piece.

        Each piece is a range of chunks and a range of images.
        """
        size, before = self._header.chunk_size, 0
        for number in self._index.numbers.tolist():
            if before < number:
                yield range(before, number), range(before * size, number * size)
            yield range(number, number + 1), self._chunks.images_of(number)
            before = number + 1

    def _images(self, number: int) -> np.ndarray:
        """Return the images of a chunk, which must not be changed."""
        # One name for both, so that no other thread can come between them.
        decoded = self._decoded
        if decoded is None or decoded[0] != number:
            decoded = number, self._decode(number)
            self._decoded = decoded
        return decoded[1]

    def _decode(self, number: int) -> np.ndarray:
        """Read and decode a chunk."""
        codec = self.codec
        data = self._chunks.read(number)
        n_images = len(self._chunks.images_of(number))
        with self._chunks.locating(number):
            rows = cast(codec.decode_chunk(data, n_images), self.dtype)
        return rows.reshape(n_images, *self.image_shape)


def _told(error: BitstreamError) -> BitstreamError:
    """Return an error that says the same, without the chunks that its frames hold."""
    return BitstreamError(str(error))


def _reopen(path: str, model: Any, salvage: bool) -> Archive:
    return open_archive(path, model, salvage=salvage)
