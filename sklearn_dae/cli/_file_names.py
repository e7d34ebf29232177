"""Names in an archive -> names of files, whoever wrote the archive.

In: any strings, with slashes between folders. Out: different paths below one folder,
none of which leads out of it, hides a file, is the folder of another, or is longer than
file systems allow; different also where a file system does not tell capitals, or ways
to compose a letter.
"""

import os
import re

from sklearn_dae.archive._names import folded

#: What separates drives or folders elsewhere, what no file name may hold somewhere, and
#: surrogates that do not even stand for a byte.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|\ud800-\udc7f\udd00-\udfff]')

#: Most bytes of a name, with room for a number and a suffix in the 255 that there are,
#: and most folders below each other.
_MOST_BYTES, _MOST_FOLDERS = 240, 16

#: Longest ending that is kept of a name that is shortened.
_LONGEST_ENDING = 12

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
    """Gives each file a path of its own.

    Attributes
    ----------
    changed : list of (name, path)
        The paths that are not the names they were made for.

    Examples
    --------
    >>> from sklearn_dae.cli._file_names import FileNames
    >>> names = FileNames()
    >>> [names.new(name, ".png") for name in ("a.jpg", "a.png", "../a.png", "b/c.gif")]
    ['a.png', 'a-2.png', '_/a.png', 'b/c.png']
    >>> names.new("b/c.gif"), names.new("../d.gif"), names.changed
    ('b/c.gif', '_/d.gif', [('../d.gif', '_/d.gif')])
    """

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._places: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self.changed: list[tuple[str, str]] = []

    def new(self, name: str, suffix: str | None = None) -> str:
        """Return a path for a file of that name, with slashes between folders.

        Parameters
        ----------
        name : str
            Its name.

        suffix : str, default=None
            How the path is to end; it replaces that of another image format.
        """
        *folders, last = [part for part in name.split("/") if part] or [""]
        if len(folders) > _MOST_FOLDERS:
            folders[_MOST_FOLDERS - 1 :] = ["_".join(folders[_MOST_FOLDERS - 1 :])]
        above = ""
        for folder in folders:
            wanted = above + _safe(folder)
            if wanted not in self._places:
                self._places[wanted] = self._different(wanted, "", self._files)
                self._folders.add(folded(self._places[wanted]))
            above = f"{self._places[wanted]}/"
        stem, ending = os.path.splitext(last)
        if suffix is not None:
            stem = stem if ending.lower() in _SUFFIXES else last
            ending = suffix
        elif len(ending) > _LONGEST_ENDING:
            stem, ending = last, ""
        ending = _FORBIDDEN.sub("_", ending).rstrip(". ")
        stem = _safe(stem, len(ending))
        path = self._different(above + stem, ending, self._files, self._folders)
        self._files.add(folded(path))
        if suffix is None and path != name:
            self.changed.append((name, path))
        return path

    def _different(self, stem: str, suffix: str, *taken: set[str]) -> str:
        """Number a path until it is in none of some sets."""
        path = stem + suffix
        key = folded(path)
        while any(folded(path) in paths for paths in taken):
            # A million images may have the same name: numbers are not tried again.
            number = self._numbers[key] = self._numbers.get(key, 1) + 1
            path = f"{stem}-{number}{suffix}"
        return path


def _safe(name: str, n_left: int = 0) -> str:
    """Return a name of few enough bytes, with room for ``n_left`` more."""
    name = _FORBIDDEN.sub("_", name).lstrip(".")
    name = name if n_left else name.rstrip(". ")
    data, most = name.encode("utf-8", "surrogateescape"), _MOST_BYTES - n_left
    if len(data) > most:
        name = data[:most].decode("utf-8", "ignore")
    if os.name != "posix":
        # Bytes that are no text are names on some systems only.
        name = name.encode("utf-8", "replace").decode()
    return f"_{name}" if not name or _DEVICES.fullmatch(name) else name
