"""An archive -> its images and files, from anywhere in it.

In: a file that `write_archive` wrote, possibly damaged since. Out: images, by number or
name, one after another, or as many as can be salvaged; and the files that they came
from. Only the chunks that are asked for are read, and everything read is checked.
"""

import operator
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np

from sklearn_dae.archive import _verification
from sklearn_dae.archive._contents import Accounted, Files, Images, Kept
from sklearn_dae.archive._file import SourceFile
from sklearn_dae.archive._files import NAMED
from sklearn_dae.archive._header import Header
from sklearn_dae.archive._index import Place
from sklearn_dae.archive._names import Names
from sklearn_dae.archive._report import (
    ArchivedFile,
    ArchiveInfo,
    Parts,
    Salvaged,
    Verification,
)
from sklearn_dae.archive._selection import selected_numbers
from sklearn_dae.archive._store import Store
from sklearn_dae.archive._table import numbers_of
from sklearn_dae.codecs import Codec
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import Account, ImageSpec


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

    ``len(archive)`` is their number; ``archive[i]`` is one of them, of shape (height,
    width) or (height, width, channels), and so is ``archive["name"]``. A slice, an
    array of integers or a mask selects several: as one array if they are of one kind,
    otherwise as a list. Only the chunks that are asked for are read, and the last ones
    are kept decoded. Several threads may read at once. An archive that was opened by
    path can be pickled; unpickling opens the path again.

    Reading raises `BitstreamError` where the file is damaged, ValueError where the
    model is missing or the archive is closed, and ImportError where it takes a package
    that is not installed.

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
        self._given, self._salvage = model, salvage
        self._store = Store(file, model, salvage)
        has_names = any(
            isinstance(place.contents, Files) and place.contents.n_images
            for place in self.places
        )
        n_names = len(self) if has_names else 0
        self._names = Names(n_names, self._store.file_table)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading, and close the file if it was opened by path."""
        self._store.close()

    def __reduce__(self) -> Any:
        path = self._store.file.path
        if path is None:
            raise TypeError(
                "Only an archive that was opened by its path can be pickled: another "
                "process cannot read the file that this one reads."
            )
        return _reopen, (path, self._given, self._salvage)

    def __repr__(self) -> str:
        kinds = list(self.kinds)
        of = f" of {kinds[0]}" if len(kinds) == 1 else f" of {len(kinds)} kinds"
        return f"<Archive of {len(self)} images{of if kinds else ''}>"

    # What is in it.

    def __len__(self) -> int:
        return self._store.table.n_images

    @property
    def kinds(self) -> dict[ImageSpec, int]:
        """How many images there are of each kind."""
        return self._store.table.specs()

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

    def numbers(self) -> np.ndarray:
        """Return the numbers of the images that are there, in ascending order."""
        return self._store.table.numbers()

    def spec_of(self, i: int) -> ImageSpec:
        """Describe an image, without reading it."""
        return self._store.run(range(len(self))[i]).spec

    @property
    def names(self) -> Names:
        """A name for each image, read when asked for; empty if there are none."""
        return self._names

    @property
    def metadata(self) -> dict[str, Any]:
        """What the writer wanted to say about the images."""
        return self.header.metadata

    @property
    def header(self) -> Header:
        """What stands at the beginning of the file."""
        return self._store.header

    @property
    def places(self) -> list[Place]:
        """Where the chunks are that are present, and what they hold."""
        return self._store.places

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
        return self._store.codec

    @property
    def needs_codec(self) -> bool:
        """Whether there are images that a codec has to decode."""
        return self._store.needs_codec

    @property
    def packages(self) -> tuple[str, ...]:
        """Packages beside those of this one that it takes to read everything.

        Raises
        ------
        BitstreamError, ValueError
            As from `codec`, if it is needed.
        """
        needed = set(self.codec.packages) if self.needs_codec else set()
        for place in self.places:
            if isinstance(place.contents, Kept):
                needed.update(place.contents.packages)
        return tuple(sorted(needed))

    def read_model(self) -> bytes:
        """Return the model file that is in the archive, unchecked."""
        return self._store.read_model()

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
                account += self._store.chunks.account(position)
        return account

    def info(self) -> ArchiveInfo:
        """Return what the archive is, and the bytes of its parts.

        Neither the model nor the images are read.
        """
        store = self._store
        parts = Parts(
            header=store.model_begin,
            model=store.chunks_begin - store.model_begin,
            index=max(0, store.file.size - store.chunks_end),
        )
        for place in self.places:
            parts.add(place.contents.kind, place.end - place.begin)
        return ArchiveInfo.of(
            self.header,
            n_images=len(self),
            n_files=store.file_table.n_files,
            n_chunks=len(self.places),
            kinds=self.kinds,
            parts=parts,
        )

    # Images.

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self._store.image(self._names.find(key)).copy()
        try:
            i = operator.index(key)
        except TypeError:
            return self._gather(self._selected(key))
        if not -len(self) <= i < len(self):
            raise IndexError(f"There is no image {i}: the archive has {len(self)}.")
        return self._store.image(i % len(self)).copy()

    def _selected(self, key: Any) -> np.ndarray:
        """Return the numbers that a key selects, none of which is missing."""
        n_there = self._store.table.n_there
        if isinstance(key, slice) and len(range(len(self))[key]) > n_there:
            raise self._store.index_error or BitstreamError("Some images are lost.")
        return selected_numbers(key, len(self))

    def _gather(self, selected: np.ndarray) -> Any:
        """Return images by their numbers, decoding each chunk once."""
        runs = self._store.table.runs_of(selected)
        if (runs < 0).any():
            # This fails before memory is allocated for them.
            self._store.run(int(selected[runs < 0][0]))
        specs = {self._store.table.runs[run].spec for run in np.unique(runs).tolist()}
        if not len(selected):
            return _room(0, specs or set(self.kinds))
        images: Any = None
        order = np.argsort(runs, kind="stable")
        firsts = np.flatnonzero(np.diff(runs[order], prepend=-1))
        for places in np.split(order, firsts)[1:]:
            run = self._store.table.runs[runs[places[0]]]
            of_run = self._store.images_of_run(run, selected[places])
            if images is None:
                # Now it is known that there are such images.
                images = _room(len(selected), specs)
            if len(specs) == 1:
                images[places] = of_run
            else:
                for place, image in zip(places.tolist(), of_run, strict=True):
                    images[place] = image
        return images

    def __iter__(self) -> Iterator[np.ndarray]:
        for i in range(len(self)):
            yield self._store.image(i).copy()

    def chunks(self, first: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Iterate over the coded images, one chunk at a time, in the order of the file.

        Parameters
        ----------
        first : int, default=0
            Chunks that begin with an image before this one are left out.

        Yields
        ------
        numbers : ndarray of int of shape (n,)
            Numbers of the images of the chunk.

        images : ndarray of shape (n, height, width[, channels])
            The images.
        """
        for position, place in enumerate(self.places):
            contents = place.contents
            if isinstance(contents, Images) and contents.runs[0][0] >= first:
                yield numbers_of(place), self._store.decode(position)

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
        return _verification.salvage(self._store)

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
        return _verification.verify(
            self._store, decode=decode, files=files, progress=progress
        )

    # Files.

    def files(self, *, salvage: bool = False) -> Iterator[ArchivedFile]:
        """Iterate over the files that can be made again, in the order of their numbers.

        Parameters
        ----------
        salvage : bool, default=False
            Whether to leave out those of which what is said is damaged, and to make up
            names for files that are kept as they are where their own are lost.

        Yields
        ------
        ArchivedFile
            What it is called, and which images it holds.

        Raises
        ------
        BitstreamError
            If what is said of them is damaged.
        """
        table = self._store.file_table
        for contents, entries in table.parts(salvage=salvage):
            first = contents.first_image
            for number, entry in enumerate(entries, contents.start):
                images = range(first, first + entry.n_images)
                first = images.stop
                if entry.way != NAMED:
                    yield ArchivedFile(number, entry.name, images, entry.has_digest)
        for kept in table.nameless() if salvage else ():
            images = range(kept.first_image, kept.first_image + kept.n_images)
            yield ArchivedFile(kept.file, f"file {kept.file}", images, True)

    def read_file(self, file: ArchivedFile) -> Iterator[bytes]:
        """Make a file again, piece by piece.

        Raises
        ------
        BitstreamError
            If it, or one of its images, is damaged.

        ImportError
            If it is kept as JPEG XL, and imagecodecs is not installed.
        """
        return self._store.file_pieces(file.number)


def _room(n_images: int, specs: set[ImageSpec]) -> Any:
    """Return an array for images of one kind, or a list for others."""
    if len(specs) != 1:
        return [None] * n_images
    (spec,) = specs
    return np.empty((n_images, *spec.shape), spec.dtype)


def _reopen(path: str, model: Any, salvage: bool) -> Archive:
    return open_archive(path, model, salvage=salvage)
