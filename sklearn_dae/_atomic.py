"""Files that exist as a whole or not at all.

In: a path, and what is written to it. Out: a file of that name once all of it is on
disk, or none, whatever happens on the way.
"""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_writer(
    path: str | os.PathLike[str], *, overwrite: bool = False
) -> Iterator[BinaryIO]:
    """Open a binary file that gets its name only once all of it is written.

    Until then it is a temporary file in the same folder, which is removed if the
    ``with`` block ends in an exception, Ctrl-C included. The file can be read, and its
    position changed, while it is open.

    Parameters
    ----------
    path : str or path-like
        The final name. A symbolic link remains one, and points to the new file.

    overwrite : bool, default=False
        Whether such a file may be replaced. The new one takes over its permissions.

    Yields
    ------
    file : binary file
        What is written to it is in ``path`` after the block.

    Raises
    ------
    FileExistsError
        If the file exists and may not be replaced; checked before the block and again
        after it.

    OSError
        If the folder is missing or cannot be written to, ``path`` is a folder or a
        device, or the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_dae._atomic import atomic_writer
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_writer(Path(folder, "numbers")) as file:
    ...         n_written = file.write(bytes(3))
    ...         there = Path(folder, "numbers").exists()
    ...     there, Path(folder, "numbers").stat().st_size
    (False, 3)
    """
    target = Path(os.path.realpath(path))
    _check_target(target, overwrite)
    temporary = target.with_name(f".sklearn-dae-{secrets.token_hex(8)}.tmp")
    try:
        # "x" creates a file of our own, with the usual permissions of new files.
        with _naming(target, temporary), open(temporary, "x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if overwrite and target.exists():
            shutil.copymode(target, temporary)
        _give_name(temporary, target, overwrite)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _check_target(target: Path, overwrite: bool) -> None:
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "There is no folder", str(target.parent))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "This is a folder", str(target))
    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, "This is not a regular file", str(target))
    if target.exists() and not overwrite:
        raise _exists(target)


def _exists(target: Path) -> FileExistsError:
    return FileExistsError(
        errno.EEXIST, "There is such a file; overwrite=True replaces it", str(target)
    )


@contextmanager
def _naming(target: Path, temporary: Path) -> Iterator[None]:
    """Make errors name the file that the caller knows of."""
    try:
        yield
    except OSError as error:
        if error.filename == str(temporary):
            error.filename = str(target)
        raise


def _give_name(temporary: Path, target: Path, overwrite: bool) -> None:
    if overwrite:
        os.replace(temporary, target)
        return
    # A rename would replace a file that somebody made in the meantime; a link does not.
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise _exists(target) from None
    except OSError:
        # Some file systems have no links: this is as close as one can get.
        if target.exists():
            raise _exists(target) from None
        os.replace(temporary, target)
    else:
        temporary.unlink()


def _sync_folder(folder: Path) -> None:
    """Flush the new name to disk too, where the system can do that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
