"""Names in an archive -> names of files, whoever wrote the archive.

In: any strings, with slashes between folders. Out: different paths below one folder,
none of which leads out of it, hides a file, is the folder of another, or is longer than
file systems allow.
"""

import os
import re

#: What separates drives or folders elsewhere, what no file name may hold somewhere, and
#: surrogates, which stand for bytes that were no text.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|\ud800-\udfff]')

#: Most bytes of a name, with room for a number and a suffix in the 255 that there are,
#: and most folders below each other.
_MOST_BYTES, _MOST_FOLDERS = 200, 16

#: Endings that give way to the new one.
_SUFFIXES = {
    ".png",
    ".jpg",
    ".jpeg",
    ".tif",
    ".tiff",
    ".bmp",
    ".webp",
    ".gif",
    ".pgm",
    ".ppm",
    ".pbm",
    ".dcm",
}

#: Names of devices on Windows.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


class FileNames:
    """Gives each image a path of its own.

    Parameters
    ----------
    suffix : str
        How names are to end; it replaces that of another image format.

    Examples
    --------
    >>> from sklearn_dae.cli._file_names import FileNames
    >>> names = FileNames(".png")
    >>> [names.new(name) for name in ("a.jpg", "a.png", "../a.png", "b/c.gif")]
    ['a.png', 'a-2.png', '_/a.png', 'b/c.png']
    """

    def __init__(self, suffix: str) -> None:
        self._suffix = suffix
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._places: dict[str, str] = {}
        self._numbers: dict[str, int] = {}

    def new(self, name: str) -> str:
        """Return a path for an image of that name, with slashes between folders."""
        *folders, last = [part for part in name.split("/") if part] or [""]
        if len(folders) > _MOST_FOLDERS:
            folders[_MOST_FOLDERS - 1 :] = ["_".join(folders[_MOST_FOLDERS - 1 :])]
        above = ""
        for folder in folders:
            wanted = above + _safe(folder)
            if wanted not in self._places:
                self._places[wanted] = self._different(wanted, "", self._files)
                self._folders.add(self._places[wanted].casefold())
            above = f"{self._places[wanted]}/"
        stem, ending = os.path.splitext(last)
        if ending.lower() not in _SUFFIXES:
            stem = last
        stem = above + _safe(stem)
        path = self._different(stem, self._suffix, self._files, self._folders)
        self._files.add(path.casefold())
        return path

    def _different(self, stem: str, suffix: str, *taken: set[str]) -> str:
        """Number a path until it is in none of some sets."""
        path = stem + suffix
        # Some file systems do not tell upper from lower case.
        key = path.casefold()
        while any(path.casefold() in paths for paths in taken):
            # A million images may have the same name: numbers are not tried again.
            number = self._numbers[key] = self._numbers.get(key, 1) + 1
            path = f"{stem}-{number}{suffix}"
        return path


def _safe(name: str) -> str:
    name = _FORBIDDEN.sub("_", name).lstrip(".").rstrip(". ")
    name = name.encode()[:_MOST_BYTES].decode("utf-8", "ignore")
    return f"_{name}" if not name or _DEVICES.fullmatch(name) else name
