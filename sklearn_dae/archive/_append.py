"""More images into an archive that is there already."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sklearn_dae._atomic import atomic_writer
from sklearn_dae.archive._chunk_writer import ArchiveWriter
from sklearn_dae.archive._contents import Contents, Files
from sklearn_dae.archive._reader import Archive, open_archive
from sklearn_dae.archive._report import ArchiveInfo
from sklearn_dae.codecs._base import warn_of_images_apart

try:
    import fcntl
except ImportError:  # Windows does not let an open file be replaced.
    fcntl = None  # type: ignore[assignment]


def append_to_archive(
    path: str | os.PathLike[str],
    images: Any,
    *,
    names: Iterable[str] | None = None,
    image_shape: tuple[int, ...] | None = None,
    files: bool | str = False,
    others: Sequence[tuple[str, Path]] = (),
    model: Any = None,
    chunk_size: int | None = None,
    progress: Callable[[int], object] | None = None,
    check: Callable[[Archive], object] | None = None,
) -> ArchiveInfo:
    """Add images to an archive, coded by the model that it has.

    The archive is replaced by a longer one once all of that is written, or stays as it
    was. A second process that appends at the same time is refused. Reading it takes no
    other packages than before: JPEG files that are kept become JPEG XL only if it takes
    imagecodecs already.

    Parameters
    ----------
    path : str or path-like
        The archive.

    images : array, ImageSet or iterable
        Images, as `write_archive` takes them. They have names if those in the archive
        have.

    names, image_shape, files, others, chunk_size, progress
        As for `write_archive`.

    model : codec, str, path-like or bytes, default=None
        As for `open_archive`.

    check : callable, default=None
        Called with the longer archive before it takes the place of the old one, which
        stays if this raises.

    Returns
    -------
    ArchiveInfo
        What the archive is now.

    Raises
    ------
    BlockingIOError
        If another process is appending to it.

    BitstreamError
        If it is damaged.

    ValueError, TypeError, OSError
        As from `write_archive`.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_dae.archive import append_to_archive, open_archive, write_archive
    >>> from sklearn_dae.codecs import HuffmanCodec
    >>> from sklearn_dae.datasets import load_digits
    >>> digits = load_digits()
    >>> codec = HuffmanCodec().fit(digits.data)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     info = write_archive(f"{folder}/digits.dae", digits[:1000], codec)
    ...     info = append_to_archive(f"{folder}/digits.dae", digits[1000:])
    ...     with open_archive(f"{folder}/digits.dae") as archive:
    ...         len(archive), archive.verify().ok
    (1797, True)
    """
    path = os.path.realpath(path)
    with _locked(path), open_archive(path, model) as archive:
        before = archive.info()
        places = _places(archive)
        codec = archive.codec if before.model_class else None
        with open(path, "rb") as old, atomic_writer(path, overwrite=True) as file:
            _copy(old, file, before.parts.total - before.parts.index)
            writer = ArchiveWriter(
                file,
                codec,
                chunk_size,
                progress,
                jpeg_xl="imagecodecs" in archive.packages,
            )
            writer.resume(places, before)
            writer.add(images, names, image_shape, files=files)
            writer.keep_others(others)
            if before.n_images and writer.n_images > before.n_images:
                _check_names(archive, writer.places[len(places) :])
            info = writer.finish(archive.header)
            if check is not None:
                file.seek(0)
                with open_archive(file, model) as longer:
                    check(longer)
    if info.images_apart:
        warn_of_images_apart(list(info.images_apart), info.n_images)
    return info


def _places(archive: Archive) -> list[tuple[int, Contents]]:
    return [(place.end - place.begin, place.contents) for place in archive.places]


def _check_names(archive: Archive, new: Sequence[tuple[int, Contents]]) -> None:
    """Raise ValueError if only the old images have names, or only the new ones."""
    are_named = any(isinstance(part, Files) and part.n_images for _, part in new)
    if are_named != bool(archive.names):
        raise ValueError(
            "The images of the archive have names, and the new ones have none: pass "
            "names for them."
            if archive.names
            else "The images of the archive have no names, and the new ones do: leave "
            "the names away, such as by images[:].data."
        )


def _copy(source: Any, target: Any, n_bytes: int) -> None:
    """Copy the beginning of a file."""
    shutil.copyfileobj(source, target)
    target.truncate(n_bytes)
    target.seek(n_bytes)


@contextmanager
def _locked(path: str) -> Iterator[None]:
    """Keep other processes from appending to a file."""
    with open(path, "rb") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                error.filename = path
                error.strerror = "Another process is adding images to it"
                raise
            if not os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                raise BlockingIOError(
                    f"{path} was replaced by another process; try again."
                )
        yield
