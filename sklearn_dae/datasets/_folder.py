"""A folder of image files: all of its images at once, or a block at a time."""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_dae.datasets._image_set import ImageSet

#: Pillow modes that have a sensible conversion to grey.
_COLOUR_MODES = ("RGB", "RGBA", "P", "LA", "CMYK", "YCbCr")

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")


class ImageFolder:
    """The PNG, JPEG, TIFF and BMP files of a folder, read when they are asked for.

    They are in the order of their names. Hidden files and files with other suffixes are
    skipped, and subfolders are not entered.

    Parameters
    ----------
    folder : str or path-like
        The folder.

    grey : bool, default=False
        Whether to convert colour images to grey instead of refusing them.

    Attributes
    ----------
    shape : tuple of (height, width)
        Size of the first image in pixels, and so of all of them.

    source : str
        The folder.

    names : list of str
        Names of the files.

    Raises
    ------
    OSError
        If the folder cannot be read.

    ValueError
        If there is no image, or the first one cannot be read or is not 8-bit grey.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from sklearn_dae.datasets import ImageFolder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("a.png", "b.png", "c.png"):
    ...         Image.new("L", (4, 2)).save(f"{folder}/{name}")
    ...     images = ImageFolder(folder)
    ...     len(images), images.shape, [block.names for block in images.blocks(2)]
    (3, (2, 4), [['a.png', 'b.png'], ['c.png']])

    ``write_archive(path, images.blocks(1000), codec)`` needs memory for a thousand
    images, however many there are.
    """

    def __init__(self, folder: str | os.PathLike[str], *, grey: bool = False) -> None:
        self._folder, self._grey = Path(folder), grey
        self.source = str(folder)
        self.names = sorted(
            file.name
            for file in self._folder.iterdir()
            if file.suffix.lower() in IMAGE_SUFFIXES
            and not file.name.startswith(".")
            and not file.is_dir()
        )
        if not self.names:
            raise ValueError(
                f"{folder} holds no image: expected files ending in "
                f"{', '.join(IMAGE_SUFFIXES)}."
            )
        height, width = self._read(self.names[0]).shape
        self.shape = height, width

    def __len__(self) -> int:
        return len(self.names)

    def blocks(self, n_images: int) -> Iterator[ImageSet]:
        """Read the images, ``n_images`` at a time; the last block may have fewer.

        Raises
        ------
        ValueError
            If one cannot be read, is not 8-bit grey, or differs in size from the
            first; the message names the file.
        """
        for start in range(0, len(self), n_images):
            names = self.names[start : start + n_images]
            images = np.empty((len(names), *self.shape), np.uint8)
            for image, name in zip(images, names, strict=True):
                image[:] = self._read_alike(name)
            yield ImageSet(
                images.reshape(len(names), -1), self.shape, self.source, names
            )

    def load(self) -> ImageSet:
        """Read all images; errors are the same as those of `blocks`."""
        return next(self.blocks(len(self)))

    def _read(self, name: str) -> np.ndarray:
        return _read_image(self._folder / name, self._grey)

    def _read_alike(self, name: str) -> np.ndarray:
        pixels = self._read(name)
        if pixels.shape != self.shape:
            raise ValueError(
                f"{self._folder / name} is {_size(pixels.shape)} pixels, but "
                f"{self._folder / self.names[0]} is {_size(self.shape)}; all images "
                "must have the same size."
            )
        return pixels


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


def _size(shape: tuple[int, ...]) -> str:
    height, width = shape
    return f"{width} x {height}"
