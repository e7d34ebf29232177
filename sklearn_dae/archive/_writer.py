"""Images -> an archive, one chunk at a time.

In: images from anywhere, and a fitted codec. Out: a file, or what goes into a pipe.
Memory holds the images of a chunk, a few bytes for each chunk before it, and a number
for each image that the codec keeps apart.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_dae._atomic import atomic_writer
from sklearn_dae._validation import check_choice, check_integer
from sklearn_dae.archive._container import pack_chunk, pack_footer, pack_header
from sklearn_dae.archive._contents import (
    MAX_CHUNK_IMAGES,
    MOST_IMAGES_OF_BYTE,
    Accounted,
    Contents,
    Files,
    Images,
    Kept,
    most_images_of_chunk,
)
from sklearn_dae.archive._files import (
    DIGEST_SIZE,
    KEPT,
    MOST_FILES,
    NAMED,
    SAME_BYTES,
    SAME_PIXELS,
    Entry,
    pack_account,
    pack_entries,
    squeeze,
)
from sklearn_dae.archive._header import Header, package_version
from sklearn_dae.archive._index import pack_index
from sklearn_dae.archive._intake import (
    Batch,
    NameSource,
    Waiting,
    batches_of_set,
    sets_of,
)
from sklearn_dae.archive._kept import open_again
from sklearn_dae.archive._report import ArchiveInfo, Parts
from sklearn_dae.codecs import Codec
from sklearn_dae.codecs._base import warn_of_images_apart
from sklearn_dae.codecs._images import check_image_shape
from sklearn_dae.images import Account, ImageSet, ImageSpec
from sklearn_dae.images._image_file import ImageFile, Unreadable
from sklearn_dae.models._files import model_hash, model_to_bytes

#: Numbers in a chunk by default: 668 images of 28 x 28 pixels. Reading any of them
#: takes ten milliseconds, half of it for rANS. Half as many would take half that time,
#: and a percent more bytes, where an image has ten.
_CHUNK_NUMBERS = 2**19

#: Bytes of names and surroundings of files that are packed together.
_MOST_FILE_BYTES = 2**23

#: Bytes of a piece of a file that is kept as it is.
_PIECE_SIZE = 2**23


def write_archive(
    path: Any,
    images: Any,
    codec: Codec | None,
    *,
    names: Iterable[str] | None = None,
    image_shape: tuple[int, ...] | None = None,
    files: bool = False,
    others: Sequence[tuple[str, Path]] = (),
    model: str = "inside",
    chunk_size: int | None = None,
    metadata: dict[str, Any] | None = None,
    overwrite: bool = False,
    progress: Callable[[int], object] | None = None,
) -> ArchiveInfo:
    """Compress images into one file.

    Memory use does not grow with the number of images, but for a few bytes per chunk
    and a number for each image kept apart. The file appears at the path once all of it
    is written, or not at all, whatever happens on the way.

    Parameters
    ----------
    path : str, path-like or binary file
        Where to write. A file is written from its current position on, and need not be
        seekable: a pipe will do.

    images : array, ImageSet or iterable
        Images as an array of shape (n, height, width[, channels]) or (n, n_features),
        in memory or memory-mapped; an ImageSet; or an iterable of single images, of
        such arrays, or of ImageSets. They may differ in size and dtype as far as the
        codec takes them.

    codec : Codec or None
        A fitted codec that `save_model` can save, such as `TransformCodec`. None will
        do if there are no images but in files that are kept as they are.

    names : iterable of str, default=None
        A name for each image. None uses those of an ImageSet.

    image_shape : tuple of (height, width[, channels]), default=None
        What a row is. None takes that of the codec's training images or, where it does
        not know it, squares, or a line of numbers if the codec was fitted on such rows.

    files : bool, default=False
        Whether the files of an ImageSet are stored so that they can be made again: what
        stands around their pixels, or, where pixels do not restore a file, all of it as
        it is. The codec should lose nothing then.

    others : sequence of (name, path), default=()
        Files without images, to be kept as they are.

    model : {"inside", "reference"}, default="inside"
        Whether the codec is stored in the archive, or only its SHA-256: the archive can
        then be read only together with the model file.

    chunk_size : int, default=None
        Images coded together, all of which are decoded to get one of them. None means
        that of the codec, or else as many as have half a million numbers. A chunk
        never has more than 65,536 images, or a million numbers in more than one image.

    metadata : dict, default=None
        Anything that JSON can hold, to be read back with the archive.

    overwrite : bool, default=False
        Whether an existing file may be replaced.

    progress : callable, default=None
        Called after each chunk with the number of images written so far.

    Returns
    -------
    ArchiveInfo
        Number of images, bytes of each part, and the numbers of the images that are
        unlike the training images and are therefore stored without loss.

    Warns
    -----
    OutOfDomainWarning
        If there are such images; once, after everything is written.

    Raises
    ------
    FileExistsError
        If the file exists and may not be replaced.

    OSError
        If it cannot be written, or a file cannot be read, or changes meanwhile.

    ValueError, TypeError
        If images, names or metadata are not as described, or the codec cannot code them
        or cannot be stored.

    See Also
    --------
    open_archive : The inverse.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn_dae.archive import open_archive, write_archive
    >>> from sklearn_dae.codecs import HuffmanCodec
    >>> from sklearn_dae.datasets import load_digits
    >>> digits = load_digits()
    >>> codec = HuffmanCodec().fit(digits.data)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     info = write_archive(f"{folder}/digits.dae", digits, codec)
    ...     with open_archive(f"{folder}/digits.dae") as archive:
    ...         last = archive[-1]
    >>> info.n_images, info.pixel_bytes
    (1797, 115008)
    >>> info.parts.images < info.pixel_bytes / 2.6
    True
    >>> np.array_equal(last, digits.data[-1].reshape(8, 8))
    True
    """
    check_choice("model", model, ("inside", "reference"))
    if codec is not None and not isinstance(codec, Codec):
        raise TypeError(
            f"codec == {codec!r} is no codec; wrap a transformer: TransformCodec(...)."
        )
    if codec is not None:
        check_is_fitted(codec)
    model_bytes = b"" if codec is None else model_to_bytes(codec)
    if chunk_size is not None:
        check_integer("chunk_size", chunk_size, 1, MAX_CHUNK_IMAGES)
    with _opened(path, overwrite) as file:
        header = Header(
            model_class="" if codec is None else type(codec).__name__,
            model_hash=model_hash(model_bytes) if model_bytes else "",
            model_size=len(model_bytes),
            model_inside=model == "inside",
            created_by=package_version(),
            metadata={} if metadata is None else metadata,
        )
        writer = ArchiveWriter(file, codec, chunk_size, progress)
        writer.begin(header, model_bytes)
        writer.add(images, names, image_shape, files=files)
        writer.keep_others(others)
        info = writer.finish(header)
    if info.images_apart:
        warn_of_images_apart(list(info.images_apart), info.n_images)
    return info


class ArchiveWriter:
    """Writes chunk after chunk.

    Parameters
    ----------
    file : binary file
        Where to write; only its ``write`` and ``flush`` are used.

    codec : Codec or None
        What codes images.

    chunk_size : int, default=None
        Images of a chunk.

    progress : callable, default=None
        Called with the number of images written so far.

    Attributes
    ----------
    parts : Parts
        Bytes of each part.

    n_images, n_files : int
        How many have been begun.
    """

    def __init__(
        self,
        file: Any,
        codec: Codec | None,
        chunk_size: int | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> None:
        self._file, self._codec = file, codec
        self._chunk_size, self._progress = chunk_size, progress
        self.places: list[tuple[int, Contents]] = []
        self.parts = Parts()
        self.n_images = self.n_files = 0
        self._n_written = 0
        self._apart: list[int] = []
        self._specs: dict[ImageSpec, int] = {}
        self._entries: list[Entry] = []
        self._entry_bytes = 0
        self._first_image = 0

    def begin(self, header: Header, model: bytes) -> None:
        """Write what comes before the chunks."""
        beginning = pack_header(header.to_bytes())
        self._write(beginning)
        self.parts.header = len(beginning)
        if header.model_inside:
            self._write(model)
            self.parts.model = len(model)

    def resume(self, places: Sequence[tuple[int, Contents]], info: ArchiveInfo) -> None:
        """Go on after the chunks of an archive that has been written already."""
        self.places, self.parts = list(places), info.parts
        self.n_images = self._n_written = self._first_image = info.n_images
        self.n_files, self._specs = info.n_files, dict(info.kinds)

    def add(
        self,
        images: Any,
        names: Iterable[str] | None = None,
        image_shape: tuple[int, ...] | None = None,
        *,
        files: bool = False,
    ) -> None:
        """Write images, in any form that `write_archive` takes."""
        check_image_shape(image_shape)
        source, waiting = NameSource(names), Waiting(self._size_of)
        if isinstance(images, ImageSet):
            self._add_set(images, source, files=files)
            if images.account.n_files:
                self._account(images.account)
        elif files:
            raise ValueError("files=True needs an ImageSet: other images have none.")
        else:
            for part in sets_of(images, self._codec, image_shape):
                self._check(part)
                self._name(source.of(part, self.n_images))
                numbers = np.arange(self.n_images, self.n_images + len(part))
                self.n_images += len(part)
                for spec, places in part.groups().items():
                    rows = part[places].data
                    batch = Batch(spec, numbers[places], rows)
                    for full in waiting.add(batch):
                        self._images(full)
            for rest in waiting.rest():
                self._images(rest)
        source.finish(self.n_images)
        self._flush_entries()

    def keep_others(self, others: Iterable[tuple[str, Path]]) -> None:
        """Keep files without images."""
        for name, path in others:
            self._keep(name, path, ())
        self._flush_entries()

    def finish(self, header: Header) -> ArchiveInfo:
        """Write the index, and tell what was written."""
        index = pack_index(self.places)
        self.parts.index = 0
        end = pack_footer(index, self.parts.total)
        self._write(end)
        self._file.flush()
        self.parts.index = len(end)
        return ArchiveInfo(
            n_images=self.n_images,
            n_files=self.n_files,
            n_chunks=len(self.places),
            kinds=self._specs,
            model_class=header.model_class,
            model_hash=header.model_hash,
            model_size=header.model_size,
            model_inside=header.model_inside,
            created_by=header.created_by,
            parts=self.parts,
            metadata=header.metadata,
            images_apart=tuple(sorted(self._apart)),
        )

    def _add_set(self, images: ImageSet, source: NameSource, *, files: bool) -> None:
        coded = np.ones(len(images), bool)
        first = self.n_images
        if files:
            if source.is_given:
                raise ValueError("files=True takes the names of the files: no names.")
            if not images.is_whole:
                raise ValueError(
                    f"files=True: {images!r} holds some images of its files only."
                )
            at = 0
            names = images.file_names or [file.path.name for file in images.files]
            for name, file in zip(names, images.files, strict=True):
                is_coded = self._add_file(name, file)
                coded[at : at + len(file)] = is_coded
                at += len(file)
        else:
            for block in images.blocks(MOST_FILES):
                self._name(source.of(block, self.n_images))
                self.n_images += len(block)
        # Before the images: if the end of the file is lost, their names are known.
        self._flush_entries()
        for batch in batches_of_set(images, coded, self._size_of):
            self._images(batch._replace(numbers=batch.numbers + first))

    def _add_file(self, name: str, file: ImageFile) -> bool:
        """Store what makes a file again; return whether its images are to be coded."""
        wrapper = file.wrap()
        if wrapper is None:
            return self._keep_with_images(name, file)
        digest = b""
        if wrapper.is_exact:
            with open(file.path, "rb") as content:
                digest = hashlib.file_digest(content, "sha256").digest()[:DIGEST_SIZE]
        way = SAME_BYTES if wrapper.is_exact else SAME_PIXELS
        self._enter(Entry(name, len(file), way, wrapper.to_bytes(), digest))
        self.n_images += len(file)
        return True

    def _keep_with_images(self, name: str, file: ImageFile) -> bool:
        """Keep a file; return whether its images are to be coded nevertheless.

        That is so where nobody could tell from the file what was taken of it: one array
        of several, or images turned to grey.
        """
        try:
            again = open_again(file.path, file.specs)
            is_alone = type(again.reader) is type(file.reader)
            is_alone &= again.specs == file.specs
        except Unreadable:
            is_alone = False
        self._keep(name, file.path, file.specs if is_alone else ())
        if not is_alone:
            self._enter(Entry(name, len(file), NAMED))
            self.n_images += len(file)
        return not is_alone

    def _keep(self, name: str, path: Path, specs: Sequence[ImageSpec]) -> None:
        """Keep a file as it is, piece by piece."""
        number, first_image = self.n_files, self.n_images
        sha256, begin, runs = hashlib.sha256(), 0, _runs(specs)
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if len(specs) > MOST_IMAGES_OF_BYTE * min(size, _PIECE_SIZE):
                raise ValueError(
                    f"{path} holds {len(specs)} images in {size} bytes, which is more "
                    "than can be kept as a file: store its images only."
                )
            piece = file.read(_PIECE_SIZE)
            while piece or not begin:
                self._chunk(Kept(number, begin, size, first_image, runs), piece)
                sha256.update(piece)
                begin, runs = begin + max(len(piece), 1), ()
                piece = file.read(_PIECE_SIZE)
        if begin != max(size, 1):
            raise OSError(f"{path} changed while it was read; try again.")
        digest = sha256.digest()[:DIGEST_SIZE]
        self._enter(Entry(name, len(specs), KEPT, digest=digest))
        self.n_images += len(specs)
        for spec, n in _runs(specs):
            self._count(spec, n)

    def _name(self, names: Iterable[str]) -> None:
        """Store names of images."""
        for name in names:
            self._enter(Entry(name, 1, NAMED))

    def _enter(self, entry: Entry) -> None:
        self._entry_bytes += entry.size
        self._entries.append(entry)
        self.n_files += 1
        if len(self._entries) == MOST_FILES or self._entry_bytes > _MOST_FILE_BYTES:
            self._flush_entries()

    def _flush_entries(self) -> None:
        if not self._entries:
            return
        size, data = pack_entries(self._entries)
        n_images = sum(entry.n_images for entry in self._entries)
        start = self.n_files - len(self._entries)
        contents = Files(start, self.n_files, self._first_image, n_images, size)
        self._chunk(contents, data)
        self._first_image += n_images
        self._entries, self._entry_bytes = [], 0

    def _account(self, account: Account) -> None:
        for content in pack_account(account):
            self._chunk(Accounted(len(content)), squeeze(content))

    def _size_of(self, spec: ImageSpec) -> int:
        """Return how many images of a kind go together."""
        of_codec = None if self._codec is None else self._codec.chunk_size
        return images_of_chunk(spec, self._chunk_size or of_codec)

    def _check(self, images: ImageSet) -> None:
        """Raise ValueError, naming an image, if some cannot be coded."""
        for spec, places in images.groups().items():
            if self._codec is None:
                raise ValueError("There are images to be coded, but codec is None.")
            if not self._codec.takes(spec):
                raise ValueError(
                    f"Image {self.n_images + int(places[0])} is {spec}, which "
                    f"{self._codec} does not take."
                )

    def _images(self, batch: Batch) -> None:
        if self._codec is None:
            raise ValueError("There are images to be coded, but codec is None.")
        coded = self._codec.encode_chunk(batch.rows, batch.spec)
        self._chunk(Images.of(batch.spec, batch.numbers), coded.data)
        self._apart += batch.numbers[coded.apart].tolist()
        self._count(batch.spec, len(batch.numbers))

    def _count(self, spec: ImageSpec, n: int) -> None:
        self._specs[spec] = self._specs.get(spec, 0) + n
        self._n_written += n
        if self._progress is not None and n:
            self._progress(self._n_written)

    def _chunk(self, contents: Contents, data: bytes) -> None:
        chunk = pack_chunk(contents.kind, len(self.places), contents.to_bytes(), data)
        self._write(chunk)
        self.places.append((len(chunk), contents))
        self.parts.add(contents.kind, len(chunk))

    def _write(self, data: bytes) -> None:
        """Write all data, to unbuffered files too, which may take only a part of it."""
        rest = memoryview(data)
        while rest:
            n_written = self._file.write(rest)
            # Most files take all of it, and some do not say so.
            rest = rest[len(rest) if n_written is None else n_written :]


def _runs(specs: Sequence[ImageSpec]) -> tuple[tuple[ImageSpec, int], ...]:
    """Count equal kinds that follow each other."""
    runs: list[tuple[ImageSpec, int]] = []
    for spec in specs:
        if runs and runs[-1][0] == spec:
            runs[-1] = spec, runs[-1][1] + 1
        else:
            runs.append((spec, 1))
    return tuple(runs)


def images_of_chunk(spec: ImageSpec, wanted: int | None = None) -> int:
    """Return how many images of a kind are coded together."""
    by_default = max(1, _CHUNK_NUMBERS // spec.n_numbers)
    return min(wanted or by_default, most_images_of_chunk(spec.n_numbers))


def _opened(path: Any, overwrite: bool) -> AbstractContextManager[Any]:
    if hasattr(path, "write"):
        return nullcontext(path)
    return atomic_writer(os.fspath(path), overwrite=overwrite)
