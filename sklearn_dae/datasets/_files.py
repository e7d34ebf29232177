"""A user's own images: a folder of image files, or an array file."""

import os
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_dae.datasets._idx import read_idx
from sklearn_dae.datasets._image_set import ImageSet

#: What NumPy may raise when a file is not what it says it is.
_DAMAGE = (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error)

#: Modes of Pillow that have a sensible conversion to grey.
_COLOUR_MODES = ("RGB", "RGBA", "P", "LA", "CMYK", "YCbCr")

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")


def load_images(
    path: str | os.PathLike[str], *, grey: bool = False, key: str | None = None
) -> ImageSet:
    """Load the images at a path, whatever it is.

    Parameters
    ----------
    path : str or path-like
        A folder of image files, a ``.npy`` or ``.npz`` file, or an IDX file.

    grey : bool, default=False
        Whether colour images are turned to grey instead of refused.

    key : str, default=None
        Which array of a ``.npz`` file that holds several.

    Returns
    -------
    ImageSet
        The images.

    Raises
    ------
    OSError
        If there is no such path, or it cannot be read.

    ValueError
        If it holds no images, images of different sizes or of another kind.
    """
    path = Path(path)
    if key is not None and not (path.is_file() and is_archive(path)):
        raise ValueError(f"{path} is no .npz file, so it has no array {key!r}.")
    if path.is_dir():
        return load_image_folder(path, grey=grey)
    if path.suffix.lower() in (".npy", ".npz"):
        return load_array(path, key=key)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise ValueError(
            f"{path} is a single image; expected a folder of images of the same size, "
            "or an array file."
        )
    return ImageSet.from_array(read_idx(path), str(path))


def load_array(path: str | os.PathLike[str], *, key: str | None = None) -> ImageSet:
    """Load images from a ``.npy`` or ``.npz`` file.

    Parameters
    ----------
    path : str or path-like
        The file. A ``.npy`` file is memory-mapped, not read at once.

    key : str, default=None
        Which array of a ``.npz`` file that holds several.

    Returns
    -------
    ImageSet
        The images.

    Raises
    ------
    OSError
        If the file cannot be read.

    ValueError
        If it is not such a file, lacks the key, or the array holds no images.
    """
    path = Path(path)
    if not is_archive(path):
        try:
            array: np.ndarray = np.lib.format.open_memmap(path, mode="r")
        except _DAMAGE as error:
            raise ValueError(
                f"{path} cannot be read as an array of numbers: {error}"
            ) from error
        return ImageSet.from_array(array, str(path))
    with np.load(path, allow_pickle=False) as arrays:
        if key is None and len(arrays.files) == 1:
            (key,) = arrays.files
        if key not in arrays.files:
            raise ValueError(
                f"{path} holds the arrays {', '.join(arrays.files) or 'none'}; "
                f"name one of them, got key={key!r}."
            )
        try:
            array = arrays[key]
        except _DAMAGE as error:
            raise ValueError(
                f"{path} cannot be read: array {key!r}: {error}"
            ) from error
    return ImageSet.from_array(array, f"{path}[{key}]")


def array_names(path: str | os.PathLike[str]) -> list[str]:
    """Names of the arrays in an ``.npz`` file; none for any other file."""
    if not is_archive(path):
        return []
    with np.load(path, allow_pickle=False) as arrays:
        return list(arrays.files)


def is_archive(path: str | os.PathLike[str]) -> bool:
    """Whether the file at the path is a whole ``.npz`` file."""
    with open(path, "rb") as file:
        return zipfile.is_zipfile(file)


def load_image_folder(
    folder: str | os.PathLike[str], *, grey: bool = False
) -> ImageSet:
    """Load the PNG, JPEG, TIFF and BMP files of a folder, in the order of names.

    Hidden files and files with other suffixes are passed over, folders within are not
    entered.

    Parameters
    ----------
    folder : str or path-like
        The folder.

    grey : bool, default=False
        Whether colour images are turned to grey instead of refused.

    Returns
    -------
    ImageSet
        8-bit images, with the names of their files.

    Raises
    ------
    OSError
        If the folder cannot be read.

    ValueError
        If there is no image, one cannot be read, is not 8-bit grey, or has
        another size than the first; the message names the file.
    """
    folder = Path(folder)
    files = sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in IMAGE_SUFFIXES
        and not file.name.startswith(".")
        and not file.is_dir()
    )
    if not files:
        raise ValueError(
            f"{folder} holds no image: expected files ending in "
            f"{', '.join(IMAGE_SUFFIXES)}."
        )
    images: np.ndarray | None = None
    for index, file in enumerate(files):
        pixels = _read_image(file, grey)
        if images is None:
            images = np.empty((len(files), *pixels.shape), np.uint8)
        if pixels.shape != images.shape[1:]:
            raise ValueError(
                f"{file} is {_size(pixels)} pixels, but {files[0]} is "
                f"{_size(images[0])}; all images must have the same size."
            )
        images[index] = pixels
    assert images is not None
    return ImageSet(
        images.reshape(len(files), -1),
        images.shape[1:],
        str(folder),
        [file.name for file in files],
    )


def _read_image(file: Path, grey: bool) -> np.ndarray:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            "Reading image files needs Pillow: pip install 'sklearn-dae[full]'."
        ) from error
    try:
        with warnings.catch_warnings(), Image.open(file) as image:
            # Pillow warns of files that it reads only in part.
            warnings.simplefilter("error")
            return np.asarray(_to_grey(image, file, grey))
    except (OSError, SyntaxError, Warning, Image.DecompressionBombError) as error:
        raise ValueError(f"{file} cannot be read as an image: {error}") from error


def _to_grey(image: Any, file: Path, grey: bool) -> Any:
    if getattr(image, "n_frames", 1) > 1:
        raise ValueError(f"{file} holds {image.n_frames} images; expected one.")
    if image.mode == "L":
        return image
    if image.mode == "1":
        return image.convert("L")
    is_colour = image.mode in _COLOUR_MODES
    if is_colour and grey:
        # A palette may have transparent colours, which only RGBA can hold.
        return image.convert("RGBA" if image.mode == "P" else "RGB").convert("L")
    remedy = ", or ask for colour to be turned to grey (grey=True, --grey)"
    raise ValueError(
        f"{file} has mode {image.mode}, expected 8-bit grey; convert it"
        f"{remedy if is_colour else ''}."
    )


def _size(pixels: np.ndarray) -> str:
    height, width = pixels.shape
    return f"{width} x {height}"
