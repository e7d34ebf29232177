"""Where results go: files, folders and standard output, each whole or not at all."""

import errno
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sklearn_dae._atomic import atomic_writer
from sklearn_dae.cli._messages import naming


def check_file(path: str, force: bool) -> None:
    """Find out before the long work whether a file can be written.

    Raises
    ------
    OSError
        If it exists and may not be replaced, or its folder is missing or read-only.

    ValueError
        If it is standard output, and that is a terminal.
    """
    if path == "-":
        if sys.stdout.isatty():
            raise ValueError(
                "-o - would write bytes to the terminal; redirect it to a file or a "
                "pipe, or name a file."
            )
        return
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "This is a folder; name a file", path)
    if target.exists() and not force:
        raise FileExistsError(
            errno.EEXIST, "There is such a file; --force replaces it", path
        )
    _check_folder(target.parent)


def check_folder(path: str, force: bool) -> None:
    """Find out whether a folder can be made, or be filled.

    Raises
    ------
    OSError
        If it is a file, or holds something and may not be changed.
    """
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(
            errno.EEXIST, "This is a file; name a folder, or a .npy or .npz file", path
        )
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise FileExistsError(
            errno.ENOTEMPTY,
            "The folder is not empty; --force replaces files of the same names and "
            "leaves others",
            path,
        )
    _check_folder(folder.absolute().parent)


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, "There is no folder", str(folder))
    if not os.access(folder, os.W_OK):
        raise PermissionError(
            errno.EACCES, "The folder cannot be written to", str(folder)
        )


@contextmanager
def file_output(path: str, force: bool) -> Iterator[BinaryIO]:
    """Open a file that can be read while it is written, and is there when it is whole.

    Standard output gets nothing before that either.
    """
    with naming(path):
        if path != "-":
            with atomic_writer(path, overwrite=force) as file:
                yield file
            return
        with tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()


@contextmanager
def folder_output(path: str) -> Iterator[Path]:
    """Make a folder whose files get their place when all of them are written.

    Yields
    ------
    Path
        A temporary folder. Its files come into the folder at the path, which becomes
        this one where it did not exist or was empty.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".sklearn-dae-{secrets.token_hex(8)}.tmp")
    with naming(path):
        try:
            temporary.mkdir()
            yield temporary
            _move_files(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _move_files(source: Path, target: Path) -> None:
    if target.is_dir() and not any(target.iterdir()):
        target.rmdir()
    if not target.exists():
        source.rename(target)
        return
    # Nothing is moved unless all of it can be, and no link of the target is followed.
    files = [path for path in source.rglob("*") if not path.is_dir()]
    for file in files:
        place = target / file.relative_to(source)
        if place.is_dir() and not place.is_symlink():
            raise IsADirectoryError(errno.EISDIR, "A folder is in the way", str(place))
        for folder in place.relative_to(target).parents[:-1]:
            above = target / folder
            if above.is_symlink() or (above.exists() and not above.is_dir()):
                raise NotADirectoryError(
                    errno.ENOTDIR, "A file or link is in the way", str(above)
                )
    for file in files:
        place = target / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, place)
