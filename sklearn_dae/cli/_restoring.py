"""What an archive holds -> files: a folder of files, or one array.

In: an archive, and the numbers of images. Out: what is written of them, a chunk being
in memory at a time.
"""

import gzip
import io
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sklearn_dae.archive import Archive, ArchivedFile
from sklearn_dae.cli._file_names import FileNames
from sklearn_dae.codecs._chunk import images_of_chunk
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec
from sklearn_dae.images._idx import idx_header
from sklearn_dae.images._png import Png


def batches(spec: ImageSpec, numbers: np.ndarray) -> Iterator[np.ndarray]:
    """Split numbers of images of a kind to as many as a chunk has."""
    size = images_of_chunk(spec)
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


def check_idx(spec: ImageSpec) -> None:
    """Raise ValueError if images cannot be an IDX file."""
    if spec.dtype != np.uint8:
        raise ValueError(
            f"The images are {spec.dtype}, but IDX files are written of uint8 "
            "images; write another array: -o FILE.npy."
        )


class FolderWriter:
    """Writes files, and images that are in none, to a folder.

    Parameters
    ----------
    folder : Path
        Where to write.

    archive : Archive
        What to write.

    progress : callable or None
        Called with the number of images written so far.

    Attributes
    ----------
    names : FileNames
        The names of files.

    lost : list of str
        Names of the files that could not be made again.

    arrays : list of str
        Paths of images that PNG files cannot hold, written as .npy files.
    """

    def __init__(self, folder: Path, archive: Archive, progress: Any) -> None:
        self._folder, self._archive, self._progress = folder, archive, progress
        self.names = FileNames()
        self.lost: list[str] = []
        self.arrays: list[str] = []
        self._n_done = 0

    def write_files(self, files: list[ArchivedFile], *, salvage: bool) -> set[int]:
        """Write files; return the numbers of the images in them.

        Raises
        ------
        BitstreamError
            If one is damaged, and this is not to salvage others.
        """
        written: set[int] = set()
        for file in files:
            path = self._place(self.names.new(file.name))
            try:
                with path.open("wb") as target:
                    for piece in self._archive.read_file(file):
                        target.write(piece)
            except BitstreamError:
                if not salvage:
                    raise
                path.unlink()
                self.lost.append(file.name)
                continue
            written.update(file.images)
            self._tell(len(file.images))
        return written

    def write_images(self, numbers: np.ndarray) -> None:
        """Write a file for each image: PNG, or .npy where PNG cannot hold it."""
        names = self._archive.names
        width = len(str(max(0, len(self._archive) - 1)))
        for number in numbers.tolist():
            # A lost name is no reason to lose the image.
            name = f"{number:0{width}}"
            with suppress(BitstreamError):
                name = names[number] if names else name
            image = self._archive[number]
            try:
                png = Png.plain(self._archive.spec_of(number))
            except ValueError:
                path = self._place(self.names.new(name, ".npy"))
                np.save(path, image)
                self.arrays.append(path.name)
            else:
                path = self._place(self.names.new(name, ".png"))
                path.write_bytes(b"".join(png.rebuild([image])))
            self._tell(1)

    def _place(self, name: str) -> Path:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _tell(self, n_images: int) -> None:
        self._n_done += n_images
        if self._progress is not None:
            self._progress(self._n_done)


def write_npy(
    file: Any, archive: Archive, numbers: np.ndarray, progress: Any = None
) -> None:
    """Write a .npy file of all images to a file that need not be seekable."""
    spec = archive.spec_of(int(numbers[0]))
    shape = (len(numbers), *spec.shape)
    header = np.lib.format.header_data_from_array_1_0(np.empty(0, spec.dtype))
    np.lib.format.write_array_header_1_0(file, {**header, "shape": shape})
    _write_pixels(file, archive, numbers, progress)


def write_idx(file: Any, archive: Archive, numbers: np.ndarray, progress: Any) -> None:
    """Write an IDX file of all images."""
    file.write(idx_header((len(numbers), *archive.spec_of(int(numbers[0])).shape)))
    _write_pixels(file, archive, numbers, progress)


def write_gzipped_idx(
    file: BinaryIO, archive: Archive, numbers: np.ndarray, progress: Any
) -> None:
    """Write an IDX file of all images, gzipped; the same images make the same bytes."""
    with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as zipped:
        write_idx(zipped, archive, numbers, progress)


def _write_pixels(
    file: Any, archive: Archive, numbers: np.ndarray, progress: Any
) -> None:
    n_done = 0
    for batch in batches(archive.spec_of(int(numbers[0])), numbers):
        file.write(np.ascontiguousarray(archive[batch]).data)
        n_done += len(batch)
        if progress is not None:
            progress(n_done)


def write_npz(
    file: BinaryIO, archive: Archive, numbers: np.ndarray, progress: Any
) -> None:
    """Write a .npz file of the images, and of their names where they have any."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
        with zipped.open("images.npy", "w", force_zip64=True) as member:
            write_npy(member, archive, numbers, progress)
        if archive.names:
            names = np.array([archive.names[i] for i in numbers.tolist()], np.str_)
            content = io.BytesIO()
            np.lib.format.write_array(content, names, allow_pickle=False)
            zipped.writestr("names.npy", content.getvalue())
