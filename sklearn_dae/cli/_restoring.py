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
from sklearn_dae.cli._messages import image_size
from sklearn_dae.datasets._idx import idx_header


def batches(archive: Archive, numbers: np.ndarray) -> Iterator[np.ndarray]:
    """Split numbers of images to as many as a chunk has."""
    size = archive.info().chunk_size
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


def check_png(archive: Archive) -> None:
    """Raise ValueError if images cannot be PNG files."""
    if archive.dtype != np.uint8 or len(archive.image_shape) != 2:
        raise ValueError(
            f"The images are {archive.dtype} of {image_size(archive.image_shape)}, "
            "but PNG files are written of uint8 images of two dimensions; write an "
            "array: -o FILE.npy."
        )


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
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            "Writing PNG files needs Pillow: pip install 'sklearn-dae[full]'; or write "
            "an array: -o FILE.npy."
        ) from error
    names, width = FileNames(".png"), len(str(max(0, len(archive) - 1)))
    n_done = 0
    for batch in batches(archive, numbers):
        for number, image in zip(batch.tolist(), archive[batch], strict=True):
            name = archive.names[number] if archive.names else f"{number:0{width}}"
            Image.fromarray(image).save(folder / names.new(name), "PNG")
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
