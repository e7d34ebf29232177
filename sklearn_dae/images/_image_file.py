"""A file that was opened: what is in it, read when asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_dae.images._spec import ImageSpec
from sklearn_dae.images._wrapper import Wrapper

#: Most pixels of an image by default. A small file may claim any number of them.
MAX_PIXELS = 2**28


class Unreadable(ValueError):
    """A file cannot be read as an image.

    Parameters
    ----------
    reason : str
        In a word or two, the same for all files of the kind: "damaged".

    detail : str, default=""
        What is wrong with this one.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


#: The tag by which EXIF and TIFF say how an image is turned.
ORIENTATION_TAG = 0x0112


def orientation_of(value: Any) -> int:
    """Return how an image is turned, 1 to 8: 1, upright, if nothing is known."""
    return int(value) if value in range(1, 9) else 1


@dataclass(frozen=True)
class Options:
    """What a reader must be told, as a file does not say it.

    Parameters
    ----------
    max_pixels : int
        Most pixels of an image; a larger one is refused.

    image_shape : tuple of (height, width[, channels]), default=None
        What the rows of an array are.

    key : str, default=None
        Which of several arrays to take.
    """

    max_pixels: int = MAX_PIXELS
    image_shape: tuple[int, ...] | None = None
    key: str | None = None

    def check_size(self, n_pixels: int) -> None:
        """Refuse an image that is too large, before its pixels take memory.

        Raises
        ------
        Unreadable
            If it is.
        """
        if n_pixels > self.max_pixels:
            raise Unreadable(
                "too large",
                f"it claims {n_pixels:,} pixels, more than {self.max_pixels:,}: pass "
                "max_pixels=... if it is to be trusted",
            )


@dataclass(frozen=True, eq=False)
class ImageFile:
    """A file with images in it.

    Parameters
    ----------
    path : Path
        Where it is.

    format : str
        What it is, such as "PNG".

    specs : sequence of ImageSpec
        Each of its images.

    read : callable
        ``read(i)`` returns the pixels of an image.

    wrap : callable
        ``wrap()`` returns how the file is made again from its pixels.

    palette : ndarray of uint8 of shape (n_colours, 3 or 4), default=None
        The colours, where pixels are numbers of colours; there is nothing between two
        of them.

    transparent : tuple of int, default=None
        The colour, a number for each channel, whose pixels are transparent.

    orientation : int, default=1
        How images are to be turned when they are shown, as EXIF says it.

    array : ndarray of shape (n, height, width[, channels]), default=None
        All images at once, where a file holds them so; it may be memory-mapped.

    names : sequence of str, default=()
        A name for each image, if the file has them.
    """

    path: Path
    format: str
    specs: Sequence[ImageSpec]
    read: Callable[[int], np.ndarray]
    wrap: Callable[[], Wrapper]
    palette: np.ndarray | None = None
    transparent: tuple[int, ...] | None = None
    orientation: int = 1
    array: np.ndarray | None = None
    names: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.specs)
