"""The IDX format, in which MNIST is published.

A file is a magic number (two zero bytes, a code for the element type, the number
of dimensions), the size of each dimension as a big-endian 32-bit integer, and the
elements, last dimension fastest. It may be gzipped.
"""

import gzip
import hashlib
import math
import os
import zlib
from pathlib import Path

import numpy as np

#: What gzipped files begin with.
GZIP = b"\x1f\x8b"

#: Bytes of the longest header.
LONGEST_HEADER = 4 + 4 * 255

_DTYPES: dict[int, np.dtype] = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}


def read_idx(path: str | os.PathLike[str], *, md5: str | None = None) -> np.ndarray:
    """Read the read-only array of an IDX file, gzipped or not.

    A ValueError says what is wrong with it, such as a different checksum of the
    unzipped file from ``md5``, which is hexadecimal.
    """
    content = Path(path).read_bytes()
    if content[:2] == GZIP:
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise ValueError(
                f"{path} is a damaged or truncated gzip file ({error}); "
                "get a new copy of it."
            ) from error
    dtype, shape, start = idx_layout(content, len(content), path)
    check_md5(content, md5, str(path))
    return np.frombuffer(content, dtype, offset=start).reshape(shape)


def idx_layout(
    head: bytes, size: int, path: str | os.PathLike[str]
) -> tuple[np.dtype, tuple[int, ...], int]:
    """Read how the array of an IDX file stands in it.

    Parameters
    ----------
    head : bytes
        The beginning of the file: `LONGEST_HEADER` bytes of it, or more.

    size : int
        Bytes of the unzipped file.

    path : path-like
        What to call it.

    Returns
    -------
    dtype, shape, start : dtype, tuple of int, int
        The elements, and at which byte the first one begins.

    Raises
    ------
    ValueError
        If the file is none, or has another size.
    """
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _DTYPES:
        raise ValueError(
            f"{path} is not an IDX file: it starts with {head[:4].hex(' ')!r}."
        )
    dtype, n_dimensions = _DTYPES[head[2]], head[3]
    start = 4 + 4 * n_dimensions
    if size < start:
        raise ValueError(f"{path} is truncated within its header; get a new copy.")
    sizes = [int.from_bytes(head[at : at + 4], "big") for at in range(4, start, 4)]
    expected = start + math.prod(sizes) * dtype.itemsize
    if size != expected:
        kind = "truncated" if size < expected else "too long"
        raise ValueError(
            f"{path} is {kind}: an IDX file of shape {tuple(sizes)} has {expected} "
            f"bytes, this one {size}; get a new copy."
        )
    return dtype, tuple(sizes), start


def idx_header(shape: tuple[int, ...]) -> bytes:
    """Return what precedes an array of bytes of the given shape in an IDX file."""
    sizes = b"".join(size.to_bytes(4, "big") for size in shape)
    return bytes([0, 0, 0x08, len(shape)]) + sizes


def check_md5(content: bytes, expected: str | None, source: str) -> None:
    """Raise ValueError unless the content has the expected checksum, if any."""
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if expected is not None and found != expected:
        raise ValueError(
            f"{source} has the MD5 checksum {found}, expected {expected}: it is "
            "damaged or another file; get a new copy."
        )
