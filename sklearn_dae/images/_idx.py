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
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise ValueError(
                f"{path} is a damaged or truncated gzip file ({error}); "
                "get a new copy of it."
            ) from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _DTYPES:
        raise ValueError(
            f"{path} is not an IDX file: it starts with {content[:4].hex(' ')!r}."
        )
    dtype, n_dimensions = _DTYPES[content[2]], content[3]
    start = 4 + 4 * n_dimensions
    if len(content) < start:
        raise ValueError(f"{path} is truncated within its header; get a new copy.")
    shape = [int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4)]
    expected = start + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        kind = "truncated" if len(content) < expected else "too long"
        raise ValueError(
            f"{path} is {kind}: an IDX file of shape {tuple(shape)} has {expected} "
            f"bytes, this one {len(content)}; get a new copy."
        )
    check_md5(content, md5, str(path))
    return np.frombuffer(content, dtype, offset=start).reshape(shape)


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
