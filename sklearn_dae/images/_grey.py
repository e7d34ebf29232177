"""Colour -> grey."""

from dataclasses import replace

import numpy as np

from sklearn_dae.images._image_file import ImageFile
from sklearn_dae.images._spec import ImageSpec

#: Weights of red, green and blue in units of 2**-16, of ITU-R BT.601, as Pillow has
#: them.
_WEIGHTS = np.array([19595, 38470, 7471], np.uint64)


def grey_file(file: ImageFile) -> ImageFile:
    """Return a file whose images are grey, converted when they are read."""
    if file.palette is None and all(spec.channels == 1 for spec in file.specs):
        return file

    def read(number: int) -> np.ndarray:
        pixels = file.read(number)
        if file.palette is not None:
            pixels = file.palette[np.minimum(pixels, len(file.palette) - 1)]
        return to_grey(pixels)

    specs = list(map(_grey_spec, file.specs))
    return replace(file, specs=specs, read=read, palette=None, array=None)


def to_grey(pixels: np.ndarray) -> np.ndarray:
    """Convert pixels of shape (height, width, channels); white shines through.

    Parameters
    ----------
    pixels : ndarray of unsigned integers of shape (height, width, channels)
        Grey or red, green and blue, and perhaps how opaque each pixel is.

    Returns
    -------
    ndarray of shape (height, width)
        Of the same dtype.
    """
    if pixels.ndim == 2:
        return pixels
    highest = np.uint64(np.iinfo(pixels.dtype).max)
    numbers = pixels.astype(np.uint64)
    if pixels.shape[2] >= 3:
        grey = (numbers[..., :3] @ _WEIGHTS + np.uint64(2**15)) >> np.uint64(16)
    else:
        grey = numbers[..., 0]
    if pixels.shape[2] in (2, 4):
        opacity = numbers[..., -1]
        mixed = grey * opacity + highest * (highest - opacity)
        grey = (mixed + highest // np.uint64(2)) // highest
    return grey.astype(pixels.dtype)


def _grey_spec(spec: ImageSpec) -> ImageSpec:
    if spec.channels > 1 and spec.dtype.kind != "u":
        raise ValueError(
            f"Images of {spec} cannot be turned to grey: expected colours of 8 or 16 "
            "bits."
        )
    return replace(spec, channels=1)
