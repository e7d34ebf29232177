"""Images of an archive -> files: a folder of PNGs, or one array.

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

from sklearn_dae.archive import Archive
from sklearn_dae.cli._file_names import FileNames
from sklearn_dae.images import ImageSpec
from sklearn_dae.images._idx import idx_header
from sklearn_dae.images._png import Png


def batches(archive: Archive, numbers: np.ndarray) -> Iterator[np.ndarray]:
    """Split numbers of images to as many as a chunk has."""
    size = archive.info().chunk_size
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


def png_of(archive: Archive) -> Png:
    """Return what stands around the pixels of the PNG file of an image.

    Raises
    ------
    ValueError
        If images cannot be PNG files.
    """
    try:
        return Png.plain(ImageSpec.of_shape(archive.image_shape, archive.dtype))
    except ValueError as error:
        raise ValueError(
            f"The images cannot be PNG files: {error}; write an array: -o FILE.npy."
        ) from error


def check_idx(archive: Archive) -> None:
    """Raise ValueError if images cannot be an IDX file."""
    if archive.dtype != np.uint8:
        raise ValueError(
            f"The images are {archive.dtype}, but IDX files are written of uint8 "
            "images; write another array: -o FILE.npy."
        )


def write_pngs(
    folder: Path, archive: Archive, numbers: np.ndarray, progress: Any
) -> None:
    """Write a PNG file for each image, with its name where it has one."""
    png = png_of(archive)
    names, width = FileNames(".png"), len(str(max(0, len(archive) - 1)))
    n_done = 0
    for batch in batches(archive, numbers):
        for number, image in zip(batch.tolist(), archive[batch], strict=True):
            name = archive.names[number] if archive.names else f"{number:0{width}}"
            path = folder / names.new(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png.rebuild([image]))
        n_done += len(batch)
        if progress is not None:
            progress(n_done)


def write_npy(
    file: Any, archive: Archive, numbers: np.ndarray, progress: Any = None
) -> None:
    """Write a .npy file of all images to a file that need not be seekable."""
    shape = (len(numbers), *archive.image_shape)
    header = np.lib.format.header_data_from_array_1_0(np.empty(0, archive.dtype))
    np.lib.format.write_array_header_1_0(file, {**header, "shape": shape})
    _write_pixels(file, archive, numbers, progress)


def write_idx(file: Any, archive: Archive, numbers: np.ndarray, progress: Any) -> None:
    """Write an IDX file of all images."""
    file.write(idx_header((len(numbers), *archive.image_shape)))
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
