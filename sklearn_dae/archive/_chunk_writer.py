"""Images, files and their names -> chunks, one after another.

In: images from anywhere, a codec, and files. Out: the chunks and the index of an
archive. Memory holds the images of a chunk, a few bytes for each chunk before it, and a
number for each image that the codec keeps apart.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_dae._validation import check_choice
from sklearn_dae.archive._container import pack_chunk, pack_footer, pack_header
from sklearn_dae.archive._contents import (
    MOST_IMAGES_OF_BYTE,
    Accounted,
    Contents,
    Files,
    Images,
    Kept,
    runs_of,
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
from sklearn_dae.archive._header import Header
from sklearn_dae.archive._index import pack_index
from sklearn_dae.archive._intake import (
    Batch,
    NameSource,
    Waiting,
    batches_of_set,
    sets_of,
)
from sklearn_dae.archive._kept import can_stand_alone
from sklearn_dae.archive._packing import MOST_BYTES, pack_file
from sklearn_dae.archive._report import ArchiveInfo, Parts
from sklearn_dae.codecs import Codec
from sklearn_dae.codecs._chunk import images_of_chunk
from sklearn_dae.codecs._images import check_image_shape
from sklearn_dae.images import Account, ImageSet, ImageSpec
from sklearn_dae.images._image_file import ImageFile

#: Bytes of names and surroundings of files that are packed together.
_MOST_FILE_BYTES = 2**23

#: How all files are kept, also those that could be made again from their pixels.
AS_THEY_ARE = "as they are"

#: Bytes of a piece of a file that is kept as it is.
_PIECE_SIZE = 2**23


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

    jpeg_xl : bool, default=True
        Whether JPEG files may be kept as JPEG XL.

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
        *,
        jpeg_xl: bool = True,
    ) -> None:
        self._file, self._codec, self._jpeg_xl = file, codec, jpeg_xl
        self._chunk_size, self._progress = chunk_size, progress
        self.places: list[tuple[int, Contents]] = []
        self.parts = Parts()
        self.n_images = self.n_files = 0
        self._n_written = 0
        self._waiting: list[Batch] = []
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
        files: bool | str = False,
    ) -> None:
        """Write images, in any form that `write_archive` takes."""
        check_image_shape(image_shape)
        check_choice("files", files, (False, True, AS_THEY_ARE))
        source, waiting = NameSource(names), Waiting(self._size_of)
        if isinstance(images, ImageSet):
            self._add_set(images, source, files=files)
            if images.account.n_files:
                self._account(images.account)
        elif files:
            raise ValueError(f"{files=} needs an ImageSet: other images have none.")
        else:
            for part in sets_of(images, self._codec, image_shape):
                self._check(part, self.n_images)
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
        self._flush_images()

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
        return ArchiveInfo.of(
            header,
            n_images=self.n_images,
            n_files=self.n_files,
            n_chunks=len(self.places),
            kinds=self._specs,
            parts=self.parts,
            images_apart=tuple(sorted(self._apart)),
        )

    def _add_set(
        self, images: ImageSet, source: NameSource, *, files: bool | str
    ) -> None:
        coded = np.ones(len(images), bool)
        first = self.n_images
        if files:
            if source.is_given:
                raise ValueError(f"{files=} takes the names of the files: no names.")
            if not images.file_names:
                raise ValueError(f"{files=}: {images!r} is in no files.")
            if not images.is_whole:
                raise ValueError(
                    f"{files=}: {images!r} holds some images of its files only."
                )
            add = self._keep_with_images if files == AS_THEY_ARE else self._add_file
            at = 0
            for name, file in zip(images.file_names, images.files, strict=True):
                is_coded = add(name, file)
                coded[at : at + len(file)] = is_coded
                at += len(file)
        else:
            for block in images.blocks(MOST_FILES):
                self._name(source.of(block, self.n_images))
                self.n_images += len(block)
        if coded.any():
            self._check(images[np.flatnonzero(coded)], first)
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
        """Keep a file; return whether its images are to be coded nevertheless."""
        is_alone = can_stand_alone(file)
        self._keep(name, file.path, file.specs if is_alone else ())
        if not is_alone:
            self._enter(Entry(name, len(file), NAMED))
            self.n_images += len(file)
        return not is_alone

    def _keep(self, name: str, path: Path, specs: Sequence[ImageSpec]) -> None:
        """Keep a file as it is."""
        sha256, n_read = hashlib.sha256(), 0
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if len(specs) > MOST_IMAGES_OF_BYTE * min(size, _PIECE_SIZE):
                raise ValueError(
                    f"{path} holds {len(specs)} images in {size} bytes, which is more "
                    "than can be kept as a file: store its images only."
                )
            whole = Kept(self.n_files, 0, size, self.n_images, runs_of(specs))
            for kept, piece, data in self._pieces(whole, file):
                self._chunk(kept, data)
                sha256.update(piece)
                n_read += len(piece)
        if n_read != size:
            raise OSError(f"{path} changed while it was read; try again.")
        digest = sha256.digest()[:DIGEST_SIZE]
        self._enter(Entry(name, len(specs), KEPT, digest=digest))
        self.n_images += len(specs)
        for spec, n in whole.specs:
            self._count(spec, n)
        if specs:
            self._tell()

    def _pieces(self, whole: Kept, file: Any) -> Iterator[tuple[Kept, bytes, bytes]]:
        """Yield what pieces of a file are, the pieces, and what is stored of them."""
        if whole.size <= MOST_BYTES:
            content = file.read(MOST_BYTES + 1)
            packing, data = pack_file(content, whole.n_pixels, jpeg_xl=self._jpeg_xl)
            if packing and whole.n_images <= MOST_IMAGES_OF_BYTE * len(data):
                yield replace(whole, packing=packing), content, data
                return
            file.seek(0)
        piece, kept = file.read(_PIECE_SIZE), whole
        while piece or not kept.begin:
            yield kept, piece, piece
            begin = kept.begin + max(len(piece), 1)
            piece, kept = file.read(_PIECE_SIZE), replace(kept, begin=begin, specs=())

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

    def _check(self, images: ImageSet, first: int) -> None:
        """Raise ValueError, naming an image, if some cannot be coded."""
        names = images.names
        for spec, places in images.groups().items():
            if self._codec is None:
                raise ValueError(
                    "There are images to be coded, but no codec: pass one, or, if this "
                    "archive was written without, store them in one of their own."
                )
            if not self._codec.takes(spec):
                place = int(places[0])
                named = repr(names[place]) if len(names) else f"Image {first + place}"
                codec = type(self._codec).__name__
                shape = self._codec.image_shape_ or (1, self._codec.n_features_in_)
                raise ValueError(
                    f"{named} is {spec}, but {codec} was fitted on images of shape "
                    f"{shape} and {self._codec.dtype_}: store it in an archive of its "
                    "own."
                )

    def _images(self, batch: Batch) -> None:
        """Code images, as soon as there are enough that it is worthwhile."""
        assert self._codec is not None, "images were not checked"
        self._waiting.append(batch)
        n_numbers = sum(waiting.rows.size for waiting in self._waiting)
        if n_numbers + batch.rows.size > self._codec.numbers_at_once:
            self._flush_images()

    def _flush_images(self) -> None:
        if not self._waiting:
            return
        assert self._codec is not None, "images were not checked"
        batches, self._waiting = self._waiting, []
        coded = self._codec.encode_chunks([(b.rows, b.spec) for b in batches])
        for batch, chunk in zip(batches, coded, strict=True):
            self._chunk(Images.of(batch.spec, batch.numbers), chunk.data)
            self._apart += batch.numbers[chunk.apart].tolist()
            self._count(batch.spec, len(batch.numbers))
        self._tell()

    def _count(self, spec: ImageSpec, n: int) -> None:
        self._specs[spec] = self._specs.get(spec, 0) + n
        self._n_written += n

    def _tell(self) -> None:
        if self._progress is not None:
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
