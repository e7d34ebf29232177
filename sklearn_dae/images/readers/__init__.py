"""Files -> images: one file a family of formats.

In: a path. Out: an `ImageFile`, which reads pixels when asked for, and knows how the
file is made again from them. What a file is, its first bytes say, never its name. One
more format is a function that opens it, and a line in `_READERS`.
"""

import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial, wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from sklearn_dae.images._image_file import ImageFile, Options, Unreadable
from sklearn_dae.images._png import SIGNATURE
from sklearn_dae.images.readers._arrays import open_idx, open_npy, open_npz
from sklearn_dae.images.readers._dicom import open_dicom
from sklearn_dae.images.readers._pillow import open_bmp, open_kept, open_png
from sklearn_dae.images.readers._pnm import open_pnm
from sklearn_dae.images.readers._tiff import open_tiff

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

#: What a file begins with, and what opens it.
_READERS: tuple[tuple[bytes, Callable[[Path, Options], ImageFile]], ...] = (
    (re.escape(SIGNATURE), open_png),
    (rb"\xff\xd8\xff", partial(open_kept, format="JPEG")),
    (rb"RIFF....WEBP", partial(open_kept, format="WEBP")),
    (rb"GIF8[79]a", partial(open_kept, format="GIF")),
    (rb"BM....\0\0\0\0", open_bmp),
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
        If it is none of them, empty, or damaged.

    OSError
        If it cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_SIZE)
    if not head:
        raise Unreadable("empty")
    for begin, open_as in _READERS:
        if re.match(begin, head, re.DOTALL):
            opened = _naming_damage(open_as)(path, options or Options())
            read, wrap = _naming_damage(opened.read), _naming_damage(opened.wrap)
            return replace(opened, read=read, wrap=wrap)
    raise Unreadable("unknown format", f"it begins with {head[:8].hex(' ')}")


def _naming_damage(
    function: Callable[Arguments, Result],
) -> Callable[Arguments, Result]:
    """Let a function raise `Unreadable` for damage, whatever its library raises."""

    @wraps(function)
    def called(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            with warnings.catch_warnings():
                # Libraries warn of files that they read only in part.
                warnings.simplefilter("error")
                return function(*args, **kwargs)
        except (Unreadable, MemoryError):
            raise
        except Exception as error:
            # Those of the system have numbers: that is no damage.
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise Unreadable("damaged", str(error) or type(error).__name__) from error

    return called
