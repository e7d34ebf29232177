"""What an archive holds -> files: a folder of files, or one array.

In: an archive, and the numbers of images. Out: what is written of them, a chunk being
in memory at a time.
"""

import gzip
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sklearn_dae.archive import Archive, ArchivedFile
from sklearn_dae.archive._contents import images_of_chunk
from sklearn_dae.cli._file_names import FileNames
from sklearn_dae.images import ImageSpec
from sklearn_dae.images._idx import idx_header
from sklearn_dae.images._png import Png


def batches(archive: Archive, numbers: np.ndarray) -> Iterator[np.ndarray]:
    """Split numbers of images, of one kind, to as many as a chunk has."""
    size = images_of_chunk(archive.spec) if len(numbers) else 1
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


def png_of(spec: ImageSpec) -> Png:
    """Return what stands around the pixels of the PNG file of an image.

    Raises
    ------
    ValueError
        If images cannot be PNG files.
    """
    try:
        return Png.plain(spec)
    except ValueError as error:
        raise ValueError(
            f"The images cannot be PNG files: {error}; write an array: -o FILE.npy."
        ) from error


def check_idx(archive: Archive) -> None:
    """Raise ValueError if images cannot be an IDX file."""
    if archive.spec.dtype != np.uint8:
        raise ValueError(
            f"The images are {archive.spec.dtype}, but IDX files are written of uint8 "
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
    """

    def __init__(self, folder: Path, archive: Archive, progress: Any) -> None:
        self._folder, self._archive, self._progress = folder, archive, progress
        self.names = FileNames()
        self._n_done = 0

    def write(self, numbers: np.ndarray, files: list[ArchivedFile]) -> None:
        """Write files, and the images of some numbers that are in none of them."""
        in_files: set[int] = set()
        for file in files:
            path = self._place(self.names.new(file.name))
            with path.open("wb") as target:
                for piece in self._archive.read_file(file):
                    target.write(piece)
            in_files.update(file.images)
            self._tell(len(file.images))
        width = len(str(max(0, len(self._archive) - 1)))
        names = self._archive.names
        for number in numbers.tolist():
            if number in in_files:
                continue
            name = names[number] if names else f"{number:0{width}}"
            image = self._archive[number]
            png = png_of(self._archive.spec_of(number))
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
    spec = archive.spec
    shape = (len(numbers), *spec.shape)
    header = np.lib.format.header_data_from_array_1_0(np.empty(0, spec.dtype))
    np.lib.format.write_array_header_1_0(file, {**header, "shape": shape})
    _write_pixels(file, archive, numbers, progress)


def write_idx(file: Any, archive: Archive, numbers: np.ndarray, progress: Any) -> None:
    """Write an IDX file of all images."""
    file.write(idx_header((len(numbers), *archive.spec.shape)))
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
    for batch in batches(archive, numbers):
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
