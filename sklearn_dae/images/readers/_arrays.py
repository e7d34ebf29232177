"""Arrays of images: .npy, .npz, IDX."""

import math
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sklearn_dae.images._idx import read_idx
from sklearn_dae.images._image_file import ImageFile, Options, Unreadable
from sklearn_dae.images._spec import ImageSpec
from sklearn_dae.images._wrapper import Kept, Raw, Wrapper

#: Most channels of an image in an array.
_MOST_CHANNELS = 4


def as_images(
    array: np.ndarray, image_shape: tuple[int, ...] | None = None
) -> np.ndarray:
    """View an array as images: of shape (n, height, width) or (n, height, width, c).

    Parameters
    ----------
    array : ndarray
        Images, or rows of their numbers.

    image_shape : tuple of (height, width[, channels]), default=None
        What a row is. None takes rows of a square number of values as square images.

    Raises
    ------
    ValueError
        If the array is neither, or rows may be anything.
    """
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise ValueError(
            f"an array of {array.dtype}; expected integers or real numbers of at most "
            "64 bits: convert it, such as by array.astype(np.float64)"
        )
    if 0 in array.shape[1:] or array.ndim == 0:
        raise ValueError(f"an array of shape {array.shape} has no pixels")
    if image_shape is not None:
        if math.prod(array.shape[1:]) != math.prod(image_shape):
            raise ValueError(
                f"an array of shape {array.shape}, but image_shape is {image_shape}"
            )
        return array.reshape(len(array), *image_shape)
    if array.ndim == 2:
        side = math.isqrt(array.shape[1])
        if side * side != array.shape[1]:
            raise ValueError(
                f"an array of shape {array.shape}, whose rows may be lines of one "
                "picture, or pictures: give their size, image_shape=(height, width), "
                "or save an array of shape (n_images, height, width)"
            )
        return array.reshape(-1, side, side)
    if array.ndim == 3 or (array.ndim == 4 and array.shape[3] <= _MOST_CHANNELS):
        return array
    raise ValueError(
        f"an array of shape {array.shape}; expected (n_images, height, width), "
        "(n_images, height, width, channels) with up to four channels, or (n_images, "
        "n_values)"
    )


def array_file(
    path: Path,
    format: str,  # noqa: A002
    array: np.ndarray,
    options: Options,
    wrapper: Wrapper | None = None,
    names: Sequence[str] = (),
) -> ImageFile:
    """Describe a file that holds an array of images."""
    try:
        images = as_images(array, options.image_shape)
    except ValueError as error:
        raise Unreadable("not images", str(error)) from error
    spec = ImageSpec.of_shape(images.shape[1:], images.dtype)

    def read(number: int) -> np.ndarray:
        return images[number].astype(spec.dtype, copy=False)

    def wrap() -> Wrapper:
        return Kept(path.read_bytes()) if wrapper is None else wrapper

    specs = [spec] * len(images)
    return ImageFile(path, format, specs, read, wrap, array=images, names=names)


def open_npy(path: Path, options: Options) -> ImageFile:
    """Open a .npy file; it is mapped to memory, not read."""
    with path.open("rb") as file:
        try:
            # A file that holds objects could run code.
            array: Any = np.lib.format.open_memmap(path, mode="r")
        except ValueError as error:
            raise _unreadable(error) from error
        size, end = file.seek(0, os.SEEK_END), array.offset + array.nbytes
        if end < size:
            raise Unreadable(
                "goes on after its array",
                f"{size - end} bytes follow the first array of the file: save each to "
                "a file of its own, or all to one .npz file",
            )
        file.seek(0)
        before = file.read(array.offset)
    by_columns = array.flags.f_contiguous and not array.flags.c_contiguous
    raw = Raw(before, b"", array.dtype.str, by_columns=by_columns)
    # Rows that are viewed as images lie in order only if they do as rows.
    wrapper = raw if not by_columns or array.ndim > 2 else None
    return array_file(path, "NPY", array, options, wrapper)


def open_npz(path: Path, options: Options) -> ImageFile:
    """Open a .npz file: its only array, that of a given key, or ``images``."""
    with path.open("rb") as file, _loaded(file) as arrays:
        keys, key = list(arrays.files), options.key
        if key is None and len(keys) == 1:
            (key,) = keys
        if key is None and set(keys) == {"images", "names"}:
            key = "images"
        if key not in keys:
            raise Unreadable(
                "several arrays",
                f"it holds the arrays {', '.join(keys) or 'none'}; name one of them, "
                f"got key={options.key!r}",
            )
        try:
            array = arrays[key]
        except ValueError as error:
            raise _unreadable(error) from error
        has_names = key == "images" and "names" in keys
        names = arrays["names"].tolist() if has_names else ()
    if has_names and len(names) != len(array):
        raise Unreadable(
            "damaged", f"it has {len(array)} images, but {len(names)} names"
        )
    return array_file(path, f"NPZ[{key}]", array, options, names=names)


def _loaded(file: BinaryIO) -> Any:
    return np.load(file, allow_pickle=False)


def _unreadable(error: Exception) -> Unreadable:
    """Say whether a file is damaged, or holds what it should not."""
    is_sound = "object" in str(error).lower()
    return Unreadable("not images" if is_sound else "damaged", str(error))


def array_names(path: str | os.PathLike[str]) -> list[str]:
    """Return the names of the arrays in a .npz file; none for any other file."""
    with open(path, "rb") as file:
        if not zipfile.is_zipfile(file):
            return []
        file.seek(0)
        with _loaded(file) as arrays:
            return list(arrays.files)


def open_idx(path: Path, options: Options) -> ImageFile:
    """Open an IDX file, gzipped or not."""
    return array_file(path, "IDX", read_idx(path), options)
