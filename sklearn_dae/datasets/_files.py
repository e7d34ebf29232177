"""A user's own images: whatever is at a path."""

import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from sklearn_dae.datasets._folder import IMAGE_SUFFIXES, ImageFolder
from sklearn_dae.datasets._idx import read_idx
from sklearn_dae.datasets._image_set import ImageSet

#: What NumPy may raise when a file is not what it claims to be.
_DAMAGE = (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error)


def load_images(
    path: str | os.PathLike[str], *, grey: bool = False, key: str | None = None
) -> ImageSet:
    """Load the images at a path, whatever kind of file or folder it is.

    Parameters
    ----------
    path : str or path-like
        A folder of image files, a ``.npy`` or ``.npz`` file, or an IDX file.

    grey : bool, default=False
        Whether to convert colour images to grey instead of refusing them.

    key : str, default=None
        Name of the array to load from a ``.npz`` file that holds several.

    Returns
    -------
    ImageSet
        The images. Those of a ``.npy`` file are memory-mapped, not read in full.

    Raises
    ------
    OSError
        If there is no such path, or it cannot be read.

    ValueError
        If it holds no images, images of different sizes or of an unsupported kind.

    See Also
    --------
    ImageFolder : The images of a folder, not all in memory.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn_dae.datasets import load_images
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/images.npz", a=np.zeros((5, 2, 3), np.uint8))
    ...     load_images(f"{folder}/images.npz", key="a").shape
    (2, 3)
    """
    path = Path(path)
    if key is not None and not (path.is_file() and is_archive(path)):
        raise ValueError(f"{path} is no .npz file, so it has no array {key!r}.")
    if path.is_dir():
        return ImageFolder(path, grey=grey).load()
    if path.suffix.lower() in (".npy", ".npz"):
        return load_array(path, key=key)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise ValueError(
            f"{path} is a single image; expected a folder of images of the same size, "
            "or an array file."
        )
    return ImageSet.from_array(read_idx(path), str(path))


def load_array(path: str | os.PathLike[str], *, key: str | None = None) -> ImageSet:
    """Load images from a ``.npy`` or ``.npz`` file, as `load_images` does."""
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
    """Whether the file at the path is a complete ``.npz`` file."""
    with open(path, "rb") as file:
        return zipfile.is_zipfile(file)
