"""Whatever is at a path -> images."""

import os
from pathlib import Path

from sklearn_dae.images._account import Account
from sklearn_dae.images._image_file import MAX_PIXELS, ImageFile, Options, Unreadable
from sklearn_dae.images._image_set import ImageSet
from sklearn_dae.images._walk import Found, walk
from sklearn_dae.images.readers import open_file


def read_images(
    path: str | os.PathLike[str],
    *,
    grey: bool = False,
    key: str | None = None,
    image_shape: tuple[int, ...] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> ImageSet:
    """Find the images at a path.

    Parameters
    ----------
    path : str or path-like
        A folder, with all its subfolders, or a file: PNG, JPEG, WebP, GIF, BMP, PGM or
        PPM, TIFF, DICOM, ``.npy``, ``.npz`` or IDX. What a file is, its content says,
        not its name.

    grey : bool, default=False
        Whether to turn colours to grey.

    key : str, default=None
        Name of the array to take from a ``.npz`` file that holds several.

    image_shape : tuple of (height, width[, channels]), default=None
        What a row of an array file is; needed for arrays of two dimensions, unless the
        length of their rows is a square number.

    max_pixels : int, default=268435456
        Most pixels of an image. A file that claims more is refused before they take
        memory.

    Returns
    -------
    ImageSet
        The images, in the order of their names. Each file of a folder has been read
        once, so that damage is known; pixels are not kept, but read again when they
        are asked for. What was left out, and why, is in its ``account``.

    Raises
    ------
    OSError
        If there is no such path, or it cannot be read.

    ValueError
        If the file cannot be read as images, or nothing in the folder can.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn_dae.images import read_images
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/images.npz", a=np.zeros((5, 2, 3), np.uint8))
    ...     read_images(f"{folder}/images.npz").image_shape
    (2, 3)
    """
    images = _read(Path(path), Options(max_pixels, image_shape, key))
    return images.to_grey() if grey else images


def _read(path: Path, options: Options) -> ImageSet:
    source, key = str(path), options.key
    file = None
    if not path.is_dir():
        try:
            file = _open_checked(path, options)
        except Unreadable as error:
            raise ValueError(
                f"{source} cannot be read as images: {error.what}."
            ) from error
    if key is not None and not (file and file.format.startswith("NPZ")):
        raise ValueError(f"{source} is no .npz file, so it has no array {key!r}.")
    if file is None:
        return _read_folder(path, source, options)
    account = Account(1, len(file), file.size)
    # Thousands of images of one array need no thousands of names.
    are_named = file.array is None
    names = (path.name,)
    return ImageSet([file], source, names, account, images_are_named=are_named)


def _read_folder(folder: Path, source: str, options: Options) -> ImageSet:
    files, names, others = [], [], []
    left_out: dict[str, dict[str, str]] = {}
    for found in walk(folder):
        opened = _opened(found, options)
        if isinstance(opened, ImageFile):
            files.append(opened)
            names.append(found.name)
            continue
        reason, detail = opened
        left_out.setdefault(reason, {})[found.told_as or found.name] = detail
        if found.is_file and os.access(found.path, os.R_OK):
            others.append((found.name, found.path))
    n_bytes = sum(file.size for file in files)
    account = Account(len(files), sum(map(len, files)), n_bytes, left_out)
    if not files:
        first = next((d for named in left_out.values() for d in named.values()), "")
        raise ValueError(
            f"{source} holds no image that can be read ({account}"
            f"{f': {first}' if first else ''}); expected PNG, "
            "JPEG, WebP, GIF, BMP, PGM, PPM, TIFF or DICOM files, or arrays of images."
        )
    return ImageSet(files, source, names, account, others)


def _opened(found: Found, options: Options) -> ImageFile | tuple[str, str]:
    """Open a file, or say why not: the reason, and a detail."""
    if found.reason:
        return found.reason, ""
    try:
        return _open_checked(found.path, options)
    except Unreadable as error:
        return error.reason, error.detail
    except PermissionError:
        return "no permission", ""
    except OSError as error:
        return "unreadable", error.strerror or str(error)
    except MemoryError:
        return "too large", "there is not enough memory for it"


def _open_checked(path: Path, options: Options) -> ImageFile:
    """Open a file, and read all its pixels once: damage is known before any work."""
    file = open_file(path, options)
    if file.array is None:
        for _ in file.images():
            pass
    return file
