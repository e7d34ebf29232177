"""Images in files that are kept as they are, through the readers of images."""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Lock

import numpy as np

from sklearn_dae.archive._contents import runs_of
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec
from sklearn_dae.images._image_file import ImageFile, Options, Unreadable
from sklearn_dae.images.readers import open_file


def open_again(path: Path, runs: Sequence[tuple[ImageSpec, int]]) -> ImageFile:
    """Open a file of which it is known what its images are.

    Parameters
    ----------
    path : Path
        Where it is.

    runs : sequence of (ImageSpec, n)
        So many images of a kind, and then of another.

    Raises
    ------
    Unreadable, OSError
        If it cannot be opened.
    """
    shapes = {spec.shape for spec, _ in runs}
    image_shape = shapes.pop() if len(shapes) == 1 else None
    max_pixels = sum(spec.n_pixels * n for spec, n in runs)
    return open_file(path, Options(max_pixels, image_shape))


def can_stand_alone(file: ImageFile) -> bool:
    """Whether images of a file can be read from it by whoever has nothing else.

    That is not so where nobody could tell from the file what was taken of it: one array
    of several, or images turned to grey.
    """
    try:
        again = open_again(file.path, runs_of(file.specs))
    except Unreadable:
        return False
    return type(again.reader) is type(file.reader) and again.specs == file.specs


def is_coded(file: ImageFile) -> bool:
    """Whether a codec has to store the images of a file that is to be made again."""
    return file.wrap() is not None or not can_stand_alone(file)


class KeptImages:
    """Reads images of kept files; the last file stays on the disk meanwhile."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._number = -1
        self._file: ImageFile | None = None

    def read(
        self,
        number: int,
        pieces: Iterable[bytes],
        runs: Sequence[tuple[ImageSpec, int]],
        place: int,
    ) -> np.ndarray:
        """Return an image of a file.

        Parameters
        ----------
        number : int
            The number of the file.

        pieces : iterable of bytes
            The file; it is asked for only if another one was read before.

        runs : sequence of (ImageSpec, n)
            What its images are.

        place : int
            Which of its images.

        Raises
        ------
        BitstreamError
            If it cannot be read.
        """
        with self._lock:
            try:
                if self._file is None or self._number != number:
                    self._open(number, pieces, runs)
                assert self._file is not None
                return self._file.read(place)
            except (Unreadable, IndexError) as error:
                raise BitstreamError(
                    f"Image {place} of the kept file {number} cannot be read: {error}"
                ) from error

    def _open(
        self,
        number: int,
        pieces: Iterable[bytes],
        runs: Sequence[tuple[ImageSpec, int]],
    ) -> None:
        self.close()
        self._folder = tempfile.TemporaryDirectory(prefix="sklearn-dae-")
        path = Path(self._folder.name, "file")
        with path.open("wb") as file:
            for piece in pieces:
                file.write(piece)
        self._file, self._number = open_again(path, runs), number

    def close(self) -> None:
        """Remove the file from the disk."""
        self._file = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
