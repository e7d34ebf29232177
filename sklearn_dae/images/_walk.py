"""A folder -> its files, and what else is in it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: What may be in a folder that is neither a file nor a folder.
_KINDS = {
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


class Found(NamedTuple):
    """Something in a folder.

    Parameters
    ----------
    name : str
        Its path from the folder on, with a slash between names.

    path : Path
        Where it is.

    size : int
        Its bytes.

    reason : str
        Why it is not to be opened; empty for files that are.
    """

    name: str
    path: Path
    size: int
    reason: str = ""


def walk(folder: Path) -> Iterator[Found]:
    """Yield all files of a folder and its subfolders, in the order of their names.

    Hidden files, and what is neither a file nor a folder, such as links, come with the
    reason why they should not be opened: none of these is followed or read. A hidden
    subfolder, and one that may not be entered, is told as one.

    Raises
    ------
    OSError
        If the folder itself cannot be read.
    """
    yield from _walk(folder, "")


def _walk(folder: Path, above: str) -> Iterator[Found]:
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    for entry in found:
        name, path = above + entry.name, Path(entry.path)
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError as error:
            yield Found(name, path, 0, error.strerror or "unreadable")
            continue
        kind = stat.S_IFMT(status.st_mode)
        if entry.name.startswith("."):
            yield Found(name, path, status.st_size, "hidden")
        elif kind == stat.S_IFDIR:
            try:
                yield from _walk(path, f"{name}/")
            except PermissionError:
                yield Found(f"{name}/", path, 0, "no permission")
        elif kind == stat.S_IFREG:
            yield Found(name, path, status.st_size)
        else:
            yield Found(name, path, 0, _KINDS.get(kind, "no file"))
