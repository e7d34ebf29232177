"""Images -> an archive: a file that is there as a whole or not at all."""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from sklearn.utils.validation import check_is_fitted

from sklearn_dae._atomic import atomic_writer
from sklearn_dae._validation import check_choice, check_integer
from sklearn_dae.archive._chunk_writer import ArchiveWriter
from sklearn_dae.archive._header import DIGITS_INSIDE, Header, package_version
from sklearn_dae.archive._report import ArchiveInfo
from sklearn_dae.codecs import Codec
from sklearn_dae.codecs._base import warn_of_images_apart
from sklearn_dae.codecs._chunk import MAX_CHUNK_IMAGES
from sklearn_dae.models._files import model_hash, model_to_bytes


def write_archive(
    path: Any,
    images: Any,
    codec: Codec | None,
    *,
    names: Iterable[str] | None = None,
    image_shape: tuple[int, ...] | None = None,
    files: bool | str = False,
    jpeg_xl: bool = True,
    others: Sequence[tuple[str, Path]] = (),
    model: str = "inside",
    chunk_size: int | None = None,
    metadata: dict[str, Any] | None = None,
    overwrite: bool = False,
    progress: Callable[[int], object] | None = None,
) -> ArchiveInfo:
    """Compress images into one file.

    Memory use does not grow with the number of images, but for a few bytes per chunk
    and a number for each image kept apart. The file appears at the path once all of it
    is written, or not at all, whatever happens on the way.

    Parameters
    ----------
    path : str, path-like or binary file
        Where to write. A file is written from its current position on, and need not be
        seekable: a pipe will do.

    images : array, ImageSet or iterable
        Images as an array of shape (n, height, width[, channels]) or (n, n_features),
        in memory or memory-mapped; an ImageSet; or an iterable of single images, of
        such arrays, or of ImageSets. They may differ in size and dtype as far as the
        codec takes them.

    codec : Codec or None
        A fitted codec that `save_model` can save, such as `TransformCodec`. None will
        do if there are no images but in files that are kept as they are.

    names : iterable of str, default=None
        A name for each image. None uses those of an ImageSet.

    image_shape : tuple of (height, width[, channels]), default=None
        What a row is. None takes that of the codec's training images or, where it does
        not know it, squares, or a line of numbers if the codec was fitted on such rows.

    files : bool or "as they are", default=False
        Whether the files of an ImageSet are stored so that they can be made again: what
        stands around their pixels, or, where pixels do not restore a file, all of it as
        it is. The codec should lose nothing then. "as they are" keeps all of them.

    jpeg_xl : bool, default=True
        Whether JPEG files that are kept may be stored as JPEG XL, which takes a fifth
        fewer bytes: they come back byte for byte, but only where imagecodecs is
        installed. Where it is not installed now, they are stored as they are.

    others : sequence of (name, path), default=()
        Files without images, to be kept as they are.

    model : {"inside", "reference"}, default="inside"
        Whether the codec is stored in the archive, or only its SHA-256: the archive can
        then be read only together with the model file.

    chunk_size : int, default=None
        Images coded together, all of which are decoded to get one of them. None means
        that of the codec, or else as many as have half a million numbers. A chunk
        never has more than 65,536 images, or a million numbers in more than one image.

    metadata : dict, default=None
        Anything that JSON can hold, to be read back with the archive.

    overwrite : bool, default=False
        Whether an existing file may be replaced.

    progress : callable, default=None
        Called after each chunk with the number of images written so far.

    Returns
    -------
    ArchiveInfo
        Number of images, bytes of each part, and the numbers of the images that are
        unlike the training images and are therefore stored without loss.

    Warns
    -----
    OutOfDomainWarning
        If there are such images; once, after everything is written.

    Raises
    ------
    FileExistsError
        If the file exists and may not be replaced.

    OSError
        If it cannot be written, or a file cannot be read, or changes meanwhile.

    ValueError, TypeError
        If images, names or metadata are not as described, or the codec cannot code them
        or cannot be stored.

    See Also
    --------
    open_archive : The inverse.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn_dae.archive import open_archive, write_archive
    >>> from sklearn_dae.codecs import HuffmanCodec
    >>> from sklearn_dae.datasets import load_digits
    >>> digits = load_digits()
    >>> codec = HuffmanCodec().fit(digits.data)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     info = write_archive(f"{folder}/digits.dae", digits, codec)
    ...     with open_archive(f"{folder}/digits.dae") as archive:
    ...         last = archive[-1]
    >>> info.n_images, info.pixel_bytes
    (1797, 115008)
    >>> info.parts.images < info.pixel_bytes / 2.6
    True
    >>> np.array_equal(last, digits.data[-1].reshape(8, 8))
    True
    """
    check_choice("model", model, ("inside", "reference"))
    if codec is not None and not isinstance(codec, Codec):
        raise TypeError(
            f"codec == {codec!r} is no codec; wrap a transformer: TransformCodec(...)."
        )
    if codec is not None:
        check_is_fitted(codec)
    model_bytes = b"" if codec is None else model_to_bytes(codec)
    if chunk_size is not None:
        check_integer("chunk_size", chunk_size, 1, MAX_CHUNK_IMAGES)
    with _opened(path, overwrite) as file:
        digest = model_hash(model_bytes) if model_bytes else ""
        header = Header(
            model_class="" if codec is None else type(codec).__name__,
            model_hash=digest[:DIGITS_INSIDE] if model == "inside" else digest,
            model_size=len(model_bytes),
            model_inside=model == "inside",
            created_by=package_version(),
            metadata={} if metadata is None else metadata,
        )
        writer = ArchiveWriter(file, codec, chunk_size, progress, jpeg_xl=jpeg_xl)
        writer.begin(header, model_bytes)
        writer.add(images, names, image_shape, files=files)
        writer.keep_others(others)
        info = writer.finish(header)
    if info.images_apart:
        warn_of_images_apart(list(info.images_apart), info.n_images)
    return info


def _opened(path: Any, overwrite: bool) -> AbstractContextManager[Any]:
    if hasattr(path, "write"):
        return nullcontext(path)
    return atomic_writer(os.fspath(path), overwrite=overwrite)
