"""Images -> an archive, one chunk at a time.

In: images from anywhere, and a fitted codec. Out: a file, or what goes into a pipe.
Memory holds one chunk, eight bytes for each chunk before it, and a number for each
image that the codec keeps apart.
"""

import os
from array import array
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from sklearn_dae._atomic import atomic_writer
from sklearn_dae._validation import check_choice, check_integer
from sklearn_dae.archive._container import (
    FORMAT_VERSION,
    pack_chunk,
    pack_header,
    pack_index,
)
from sklearn_dae.archive._header import (
    Header,
    most_images_of_chunk,
    package_version,
)
from sklearn_dae.archive._names import pack_names
from sklearn_dae.archive._report import ArchiveInfo
from sklearn_dae.archive._stream import ImageStream
from sklearn_dae.codecs import Codec
from sklearn_dae.codecs._base import warn_of_rows_apart
from sklearn_dae.models._files import model_hash, model_to_bytes

#: Numbers in a chunk by default: 668 images of 28 x 28 pixels. Reading any of them
#: takes ten milliseconds, half of it for rANS. Half as many would take half that time,
#: and a percent more bytes, where an image has ten.
_CHUNK_NUMBERS = 2**19


def write_archive(
    path: Any,
    images: Any,
    codec: Codec,
    *,
    names: Iterable[str] | None = None,
    shape: tuple[int, ...] | None = None,
    model: str = "inside",
    chunk_size: int | None = None,
    metadata: dict[str, Any] | None = None,
    overwrite: bool = False,
    progress: Callable[[int], object] | None = None,
) -> ArchiveInfo:
    """Compress images into one file.

    Memory use does not grow with the number of images, but for eight bytes per chunk
    and a number for each image kept apart. The file appears at the path
    once all of it is written, or not at all, whatever happens on the way.

    Parameters
    ----------
    path : str, path-like or binary file
        Where to write. A file is written from its current position on, and need not be
        seekable: a pipe will do.

    images : array, ImageSet or iterable
        Images as an array of shape (n, height, width) or (n, n_features), in memory or
        memory-mapped, or an ImageSet, or an iterable of such batches or of single
        images. All must have the same shape and dtype.

    codec : Codec
        A fitted codec that `save_model` can save, such as `TransformCodec`.

    names : iterable of str, default=None
        A name for each image. None uses those of an ImageSet.

    shape : tuple of int, default=None
        Shape in which images come back; None means that in which they went in.

    model : {"inside", "reference"}, default="inside"
        Whether the codec is stored in the archive, or only its SHA-256: the archive can
        then be read only together with the model file.

    chunk_size : int, default=None
        Images coded together, all of which are decoded to get one of them. None means
        that of the codec, or else as many as have half a million pixels. A chunk
        never has more than 65,536 images, or a million pixels in more than one image.

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
        If it cannot be written.

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
    >>> info.chunk_bytes < info.pixel_bytes / 2.6
    True
    >>> np.array_equal(last, digits.data[-1].reshape(8, 8))
    True
    """
    check_choice("model", model, ("inside", "reference"))
    if not isinstance(codec, Codec):
        raise TypeError(
            f"codec == {codec!r} is no codec; wrap a transformer: TransformCodec(...)."
        )
    model_bytes = model_to_bytes(codec)
    size = _chunk_size(chunk_size, codec)
    with _opened(path, overwrite) as file:
        stream = ImageStream(
            images, codec.n_features_in_, codec.dtype_, shape=shape, names=names
        )
        header = Header(
            shape=stream.shape,
            dtype=stream.dtype,
            chunk_size=size,
            has_names=stream.has_names,
            model_class=type(codec).__name__,
            model_hash=model_hash(model_bytes),
            model_size=len(model_bytes),
            model_inside=model == "inside",
            created_by=package_version(),
            metadata={} if metadata is None else metadata,
        )
        info = _write(file, stream, codec, header, model_bytes, progress)
    if info.images_apart:
        warn_of_rows_apart(list(info.images_apart), info.n_images)
    return info


def _write(
    file: Any,
    stream: ImageStream,
    codec: Codec,
    header: Header,
    model: bytes,
    progress: Callable[[int], object] | None,
) -> ArchiveInfo:
    beginning = pack_header(header.to_bytes())
    _write_all(file, beginning)
    position = len(beginning)
    if header.model_inside:
        _write_all(file, model)
        position += len(model)
    first_chunk = position
    offsets, apart = array("Q"), array("Q")
    n_images = 0
    for rows, names in stream.chunks(header.chunk_size):
        packed_names = pack_names(names) if header.has_names else b""
        coded = codec.encode_chunk(rows)
        chunk = pack_chunk(len(offsets), len(rows), packed_names, coded.data)
        _write_all(file, chunk)
        offsets.append(position)
        position += len(chunk)
        apart.extend((n_images + coded.apart).tolist())
        n_images += len(rows)
        if progress is not None:
            progress(n_images)
    end = pack_index(offsets, n_images, position)
    _write_all(file, end)
    file.flush()
    info = describe(header, n_images, len(beginning), position - first_chunk, len(end))
    return replace(info, images_apart=tuple(apart))


def describe(
    header: Header,
    n_images: int,
    header_bytes: int,
    chunk_bytes: int,
    index_bytes: int,
    format_version: int = FORMAT_VERSION,
) -> ArchiveInfo:
    """Describe an archive by its header and the sizes of its parts."""
    return ArchiveInfo(
        n_images=n_images,
        n_chunks=header.n_chunks(n_images),
        chunk_size=header.chunk_size,
        shape=header.shape,
        dtype=header.dtype,
        has_names=header.has_names,
        model_class=header.model_class,
        model_hash=header.model_hash,
        model_size=header.model_size,
        model_inside=header.model_inside,
        format_version=format_version,
        created_by=header.created_by,
        header_bytes=header_bytes,
        chunk_bytes=chunk_bytes,
        index_bytes=index_bytes,
        metadata=header.metadata,
    )


def _chunk_size(wanted: int | None, codec: Codec) -> int:
    most = most_images_of_chunk(codec.n_features_in_)
    if wanted is not None:
        check_integer("chunk_size", wanted, 1, most)
        return int(wanted)
    by_default = default_chunk_size(codec.n_features_in_)
    return min(codec.chunk_size or by_default, most)


def default_chunk_size(n_features: int) -> int:
    """Return how many images of so many numbers are coded together by default."""
    return max(1, _CHUNK_NUMBERS // n_features)


def _opened(path: Any, overwrite: bool) -> AbstractContextManager[Any]:
    if hasattr(path, "write"):
        return nullcontext(path)
    return atomic_writer(os.fspath(path), overwrite=overwrite)


def _write_all(file: Any, data: bytes) -> None:
    """Write all data, to unbuffered files too, which may take only a part of it."""
    rest = memoryview(data)
    while rest:
        n_written = file.write(rest)
        # Most files take all of it, and some do not say so.
        rest = rest[len(rest) if n_written is None else n_written :]
