"""Files -> images: one file a family of formats.

In: a path. Out: an `ImageFile`, which reads pixels when asked for, and knows how the
file is made again from them. What a file is, its first bytes say, never its name. One
more format is a function that opens it, and a line in `_READERS`.
"""

import os
import re
import stat
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from sklearn_dae.images._image_file import (
    ImageFile,
    Options,
    Unreadable,
    naming_damage,
)
from sklearn_dae.images._png import SIGNATURE
from sklearn_dae.images.readers._arrays import open_idx, open_npy
from sklearn_dae.images.readers._dicom import open_dicom
from sklearn_dae.images.readers._npz import open_npz
from sklearn_dae.images.readers._pillow import open_pillow, open_png
from sklearn_dae.images.readers._pnm import open_pnm
from sklearn_dae.images.readers._tiff import open_tiff

#: What a file begins with, and what opens it.
_READERS: tuple[tuple[bytes, Callable[[Path, Options], ImageFile]], ...] = (
    (re.escape(SIGNATURE), open_png),
    (rb"\xff\xd8\xff", partial(open_pillow, format="JPEG")),
    (rb"RIFF....WEBP", partial(open_pillow, format="WEBP")),
    (rb"GIF8[79]a", partial(open_pillow, format="GIF")),
    (rb"BM....\0\0\0\0", partial(open_pillow, format="BMP")),
    (rb"P[1-6][\s#]", open_pnm),
    (rb"II\*\0|MM\0\*|II\+\0|MM\0\+", open_tiff),
    (rb".{128}DICM", open_dicom),
    (rb"\x93NUMPY", open_npy),
    (rb"PK\x03\x04|PK\x05\x06", open_npz),
    (rb"\x1f\x8b|\0\0[\x08\x09\x0b-\x0e][\x01-\x08]", open_idx),
)

#: Bytes by which files are known.
_HEAD_SIZE = 132


def open_file(path: Path, options: Options | None = None) -> ImageFile:
    """Open a file of any format.

    Raises
    ------
    Unreadable
        If it is none of them, empty, damaged, or without an image.

    OSError
        If it cannot be opened.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("no regular file", "it cannot be read more than once")
        head = file.read(_HEAD_SIZE)
    if not head:
        raise Unreadable("empty")
    for begin, open_as in _READERS:
        if re.match(begin, head, re.DOTALL):
            with naming_damage():
                opened = replace(
                    open_as(path, options or Options()), size=status.st_size
                )
                # An array of no image is one that somebody made.
                if not len(opened) and opened.array is None:
                    raise Unreadable("no image", f"{opened.format} without images")
            return opened
    raise Unreadable("unknown format", f"it begins with {head[:8].hex(' ')}")


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a FIFO is opened without waiting for somebody to write to it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
