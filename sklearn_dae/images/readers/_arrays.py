"""Arrays of images: .npy and IDX."""

import gzip
import math
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from scipy.sparse import issparse

from sklearn_dae.images._idx import GZIP, LONGEST_HEADER, idx_layout, read_idx
from sklearn_dae.images._image_file import (
    ImageFile,
    Options,
    Reader,
    Unreadable,
    same_specs,
)
from sklearn_dae.images._raw import Layout, Raw
from sklearn_dae.images._spec import ImageSpec
from sklearn_dae.images._wrapper import are_same
from sklearn_dae.images._zipped import Gzipped

#: Axes of an array of images that has one for each of their sides.
LEAST_AXES = 3

#: Most channels of an image in an array.
_MOST_CHANNELS = 4


def shape_of_images(
    shape: tuple[int, ...], dtype: np.dtype, image_shape: tuple[int, ...] | None = None
) -> tuple[int, ...]:
    """Say how an array is viewed as images: (n, height, width[, channels]).

    Parameters
    ----------
    shape : tuple of int
        Of an array of images, or of rows of their numbers.

    dtype : dtype
        Kind of its numbers.

    image_shape : tuple of (height, width[, channels]), default=None
        What a row is. None takes rows of a square number of values as square images.

    Raises
    ------
    ValueError
        If the array is neither, or rows may be anything.
    """
    if dtype.kind == "O":
        raise ValueError(
            f"an array of Python objects of shape {shape}; expected numbers: join "
            "images of one shape by np.stack(list(array)), or make numbers of objects "
            "by array.astype(np.float64)"
        )
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise ValueError(
            f"an array of {dtype}; expected integers or real numbers of at most "
            "64 bits: convert it, such as by array.astype(np.float64)"
        )
    if not shape or 0 in shape[1:]:
        raise ValueError(f"an array of shape {shape} has no pixels")
    if image_shape is not None:
        if math.prod(shape[1:]) != math.prod(image_shape):
            raise ValueError(
                f"an array of shape {shape}, but image_shape is {image_shape}"
            )
        return (shape[0], *image_shape)
    if len(shape) == 2:
        side = math.isqrt(shape[1])
        if side * side != shape[1]:
            raise ValueError(
                f"an array of shape {shape}, whose rows may be lines of one "
                "picture, or pictures: give their size, image_shape=(height, width), "
                "or save an array of shape (n_images, height, width)"
            )
        return shape[0], side, side
    if len(shape) == 3 or (len(shape) == 4 and shape[3] <= _MOST_CHANNELS):
        return shape
    raise ValueError(
        f"an array of shape {shape}; expected (n_images, height, width), "
        "(n_images, height, width, channels) with up to four channels, or (n_images, "
        "n_values)"
    )


def dense(array: Any) -> np.ndarray:
    """Take whatever is like an array as one, without a copy where it is one.

    Raises
    ------
    ValueError
        If it holds its numbers in another way, or not all of them.
    """
    if issparse(array):
        raise ValueError(
            f"a {type(array).__name__}, which is sparse; expected all numbers of "
            "images: pass array.toarray()"
        )
    if np.ma.isMaskedArray(array) and np.ma.is_masked(array):
        raise ValueError(
            "a masked array, of which some numbers are missing: pass array.filled(0), "
            "or another number in their place"
        )
    try:
        return np.asarray(array)
    except ValueError as error:
        # NumPy says so of lists whose items have several shapes.
        raise ValueError(
            f"a {type(array).__name__} that is no array ({error}): pass images of one "
            "shape at a time"
        ) from error


def as_images(
    array: np.ndarray, image_shape: tuple[int, ...] | None = None
) -> np.ndarray:
    """View an array as images: see `shape_of_images`."""
    return array.reshape(shape_of_images(array.shape, array.dtype, image_shape))


class HeldReader(Reader):
    """Reads the images of an array that is in memory."""

    __slots__ = ("_images",)

    def __init__(self, images: np.ndarray) -> None:
        self._images = images

    def read(self, file: ImageFile, number: int) -> np.ndarray:
        """Return an image."""
        return self._images[number].astype(file.specs[number].dtype, copy=False)

    def array(self, file: ImageFile) -> np.ndarray:
        """Return all images."""
        return self._images


class GzippedReader(HeldReader):
    """Holds the images of a gzipped IDX file."""

    __slots__ = ()

    def wrappers(self, file: ImageFile) -> Iterator[Gzipped]:
        """Take what stands before the pixels."""
        with gzip.open(file.location) as content:
            n_axes = content.read(4)[3]
            content.seek(0)
            raw = Raw(Layout(self._images.dtype.str), content.read(4 + 4 * n_axes))
            content.seek(0)
            is_same = are_same(raw.rebuild(file.images()), content)
        if is_same:
            yield Gzipped(raw)


@dataclass(frozen=True, slots=True)
class MappedReader(Reader):
    """Reads the images of an array that stands in a file as it is.

    Parameters
    ----------
    begin : int
        Where it begins, in bytes.

    shape : tuple of int
        Its shape in the file.

    images_shape : tuple of int
        Its shape as images: (n, height, width[, channels]).

    layout : Layout
        How its numbers are stored.
    """

    begin: int
    shape: tuple[int, ...]
    images_shape: tuple[int, ...]
    layout: Layout

    def read(self, file: ImageFile, number: int) -> np.ndarray:
        """Return an image; the file is not mapped, so that it may become shorter."""
        spec = file.specs[number]
        if self.layout.by_columns:
            return np.array(self.array(file)[number], spec.dtype)
        size = self.layout.size(spec)
        return self.layout.cut(
            read_bytes(file.location, self.begin + number * size, size), spec
        )

    def array(self, file: ImageFile) -> np.ndarray:
        """Map all images to memory."""
        if 0 in self.shape:
            return np.empty(self.images_shape, self.layout.dtype)
        order: Literal["C", "F"] = "F" if self.layout.by_columns else "C"
        array: np.ndarray = np.memmap(
            file.location, self.layout.dtype, "r", self.begin, self.shape, order
        )
        return array.reshape(self.images_shape)

    def wrappers(self, file: ImageFile) -> Iterator[Raw | None]:
        """Take what stands before the pixels."""
        # Rows that are viewed as images lie in order only if they do as rows.
        if not self.layout.by_columns or len(self.shape) >= LEAST_AXES:
            size = math.prod(self.shape) * np.dtype(self.layout.dtype).itemsize
            yield Raw.around(file.location, self.layout, [(self.begin, size)])


def read_bytes(path: str, begin: int, size: int) -> bytes:
    """Read some bytes of a file.

    Raises
    ------
    Unreadable
        If it is too short.
    """
    with open(path, "rb") as file:
        file.seek(begin)
        data = file.read(size)
    if len(data) < size:
        raise Unreadable(
            "damaged", f"{size} bytes of pixels expected, {len(data)} are left"
        )
    return data


def described(
    path: Path,
    format: str,  # noqa: A002
    shape: tuple[int, ...],
    dtype: np.dtype,
    reader: Reader,
    names: Sequence[str] = (),
) -> ImageFile:
    """Describe a file of images that have such a shape as one array."""
    specs = same_specs(ImageSpec.of_shape(shape[1:], dtype), shape[0])
    return ImageFile(os.fspath(path), format, specs, reader, names=names)


def array_file(images: np.ndarray, names: Sequence[str] = ()) -> ImageFile:
    """Describe images in memory as if they were a file."""
    specs = same_specs(ImageSpec.of_shape(images.shape[1:], images.dtype), len(images))
    return ImageFile("", "array", specs, HeldReader(images), names=names)


def checked_shape(
    shape: tuple[int, ...], dtype: np.dtype, options: Options
) -> tuple[int, ...]:
    """Say how an array is viewed as images; raises `Unreadable` if it has none."""
    try:
        return shape_of_images(shape, dtype, options.image_shape)
    except ValueError as error:
        raise Unreadable("not images", str(error)) from error


def open_npy(path: Path, options: Options) -> ImageFile:
    """Open a .npy file; it is mapped to memory, not read."""
    try:
        # A file that holds objects could run code.
        array: Any = np.lib.format.open_memmap(path, mode="r")
    except ValueError as error:
        raise as_unreadable(error) from error
    begin, size = array.offset, path.stat().st_size
    if begin + array.nbytes < size:
        raise Unreadable(
            "goes on after its array",
            f"{size - begin - array.nbytes} bytes follow the first array of the file: "
            "save each to a file of its own, or all to one .npz file",
        )
    by_columns = array.flags.f_contiguous and not array.flags.c_contiguous
    layout = Layout(array.dtype.str, by_columns=by_columns)
    shape = checked_shape(array.shape, array.dtype, options)
    reader = MappedReader(begin, array.shape, shape, layout)
    return described(path, "NPY", shape, array.dtype, reader)


def loaded(file: BinaryIO) -> Any:
    """Open a .npz file, but no objects in it: they could run code."""
    return np.load(file, allow_pickle=False)


def as_unreadable(error: Exception) -> Unreadable:
    """Say whether a file is damaged, or holds what it should not."""
    is_sound = "object" in str(error).lower()
    return Unreadable("not images" if is_sound else "damaged", str(error))


def array_names(path: str | os.PathLike[str]) -> list[str]:
    """Return the names of the arrays in a .npz file; none for any other file."""
    with open(path, "rb") as file:
        if not zipfile.is_zipfile(file):
            return []
        file.seek(0)
        with loaded(file) as arrays:
            return list(arrays.files)


def open_idx(path: Path, options: Options) -> ImageFile:
    """Open an IDX file, gzipped or not; one that is not is mapped to memory."""
    with path.open("rb") as file:
        head, size = file.read(LONGEST_HEADER), os.fstat(file.fileno()).st_size
    if head.startswith(GZIP):
        array = read_idx(path)
        shape = checked_shape(array.shape, array.dtype, options)
        reader: Reader = GzippedReader(array.reshape(shape))
        return described(path, "IDX", shape, array.dtype, reader)
    dtype, stored, begin = idx_layout(head, size, path)
    shape = checked_shape(stored, dtype, options)
    reader = MappedReader(begin, stored, shape, Layout(dtype.str))
    return described(path, "IDX", shape, dtype, reader)
