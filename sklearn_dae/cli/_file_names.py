"""Names in an archive -> names of files, whoever wrote the archive.

In: any strings. Out: different names in one folder, none of which leads out of it,
hides a file, or is longer than file systems allow.
"""

import os
import re

#: What separates folders or drives, what no file name may hold somewhere, and
#: surrogates, which stand for bytes that were no text.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\ud800-\udfff]')

#: Most bytes of a name, with room for a number and a suffix in the 255 that there are.
_MOST_BYTES = 200

#: Endings that give way to the new one.
_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")

#: Names of devices on Windows.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


class FileNames:
    """Gives each image a file name of its own.

    Parameters
    ----------
    suffix : str
        How names are to end; it replaces that of another image format.

    Examples
    --------
    >>> from sklearn_dae.cli._file_names import FileNames
    >>> names = FileNames(".png")
    >>> [names.new(name) for name in ("a.jpg", "a.png", "../a.png", "b")]
    ['a.png', 'a-2.png', '_a.png', 'b.png']
    """

    def __init__(self, suffix: str) -> None:
        self._suffix = suffix
        self._taken: set[str] = set()

    def new(self, name: str) -> str:
        """Return a file name for an image of that name."""
        stem = _safe_stem(name)
        candidate, number = stem + self._suffix, 1
        # Some file systems do not tell upper from lower case.
        while candidate.casefold() in self._taken:
            number += 1
            candidate = f"{stem}-{number}{self._suffix}"
        self._taken.add(candidate.casefold())
        return candidate


def _safe_stem(name: str) -> str:
    stem, ending = os.path.splitext(name)
    if ending.lower() not in _SUFFIXES:
        stem = name
    stem = _FORBIDDEN.sub("_", stem).lstrip(".").rstrip(". ")
    stem = stem.encode()[:_MOST_BYTES].decode("utf-8", "ignore")
    if not stem or _DEVICES.fullmatch(stem):
        stem = f"_{stem}"
    return stem
