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
        Its path from the folder on, with a slash between names, as the file system has
        it: bytes that are no text are surrogates, as `os.fsdecode` makes them.

    path : Path
        Where it is.

    size : int
        Its bytes.

    reason : str, default=""
        Why it is not to be opened; empty for files that are.

    is_file : bool, default=True
        Whether it is a regular file.

    told_as : str, default=""
        The hidden folder that it is in, which is told in its place.
    """

    name: str
    path: Path
    size: int
    reason: str = ""
    is_file: bool = True
    told_as: str = ""


def walk(folder: Path) -> Iterator[Found]:
    """Yield all files of a folder and its subfolders, in the order of their names.

    Hidden files, what is in hidden subfolders, and what is neither a file nor a folder,
    such as links, come with the reason why they should not be opened: none of these is
    followed or read. A subfolder that may not be entered is told as one.

    Raises
    ------
    OSError
        If the folder itself cannot be read.
    """
    # Folders may be nested deeper than functions can be.
    waiting = [_entries(folder, "", "")]
    while waiting:
        try:
            entry, above, hidden = next(waiting[-1])
        except StopIteration:
            waiting.pop()
            continue
        found = _found(entry, above, hidden)
        if found.reason != _FOLDER:
            yield found
            continue
        if found.told_as:
            yield found._replace(reason="hidden", is_file=False)
        try:
            waiting.append(_entries(found.path, f"{found.name}/", found.told_as))
        except OSError as error:
            yield found._replace(name=f"{found.name}/", reason=_reason(error))


#: What `_found` says of folders.
_FOLDER = "folder"


def _entries(
    folder: Path, above: str, hidden: str
) -> Iterator[tuple[os.DirEntry[str], str, str]]:
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    return ((entry, above, hidden) for entry in found)


def _found(entry: os.DirEntry[str], above: str, hidden: str) -> Found:
    name, path = above + entry.name, Path(entry.path)
    if not hidden and entry.name.startswith("."):
        hidden = name
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as error:
        return Found(name, path, 0, _reason(error), is_file=False, told_as=hidden)
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFDIR:
        return Found(name, path, 0, _FOLDER, is_file=False, told_as=hidden)
    is_file, size = kind == stat.S_IFREG, status.st_size
    reason = "" if is_file else _KINDS.get(kind, "no file")
    return Found(
        name, path, size, "hidden" if hidden else reason, is_file, told_as=hidden
    )


def _reason(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "no permission"
    return error.strerror or "unreadable"
