"""Rows stored without loss, for images that a model does not fit.

In: rows of any numbers, and which of them stand apart from the rest of their chunk.
Out: how many there are, the distance of each from the one before, and their bytes,
packed by LZMA; a zero if there are none.
"""

import lzma
import math

import numpy as np

from sklearn_dae._bytes import ByteReader, leb128
from sklearn_dae.exceptions import BitstreamError

#: Settings for packing: they are not in the bytes, so they must never change.
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 2**22}]

#: No stream is shorter than its content by more than this factor; LZMA reaches 7,000.
_LARGEST_RATIO = 2**13


def pack_apart(X: np.ndarray, apart: np.ndarray) -> bytes:
    """Pack the rows that a mask selects, and where they belong."""
    places = np.flatnonzero(apart)
    written = leb128(len(places))
    if not len(places):
        return written
    gaps = np.diff(places, prepend=-1) - 1
    packed = _pack(X[places])
    head = b"".join(leb128(int(gap)) for gap in gaps)
    return written + head + leb128(len(packed)) + packed


def _read_places(reader: ByteReader, n_rows: int) -> np.ndarray:
    """Read which of the rows of a chunk stand apart."""
    n_apart = reader.leb128()
    if n_apart > min(n_rows, reader.n_left):
        raise BitstreamError(f"{n_apart} of {n_rows} images are said to stand apart.")
    place, places = -1, []
    for _ in range(n_apart):
        place += reader.leb128() + 1
        places.append(place)
    if place >= n_rows:
        raise BitstreamError(f"Image {place} of {n_rows} is said to stand apart.")
    return np.array(places, np.int64)


def unpack_apart(
    reader: ByteReader, shape: tuple[int, int], dtype: np.dtype
) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of rows in a chunk of the given shape, and the rows."""
    places = _read_places(reader, shape[0])
    if not len(places):
        return places, np.empty((0, shape[1]), dtype)
    packed = reader.take(reader.leb128())
    return places, _unpack(packed, (len(places), shape[1]), dtype)


def _pack(rows: np.ndarray) -> bytes:
    """Pack rows; their shape and dtype are not in the bytes."""
    little_endian = rows.astype(rows.dtype.newbyteorder("<"), copy=False)
    return lzma.compress(little_endian.tobytes(), lzma.FORMAT_RAW, filters=_FILTERS)


def _unpack(data: bytes, shape: tuple[int, int], dtype: np.dtype) -> np.ndarray:
    """Unpack rows.

    Raises
    ------
    BitstreamError
        If the bytes are damaged, or hold more or less than such an array.
    """
    size = math.prod(shape) * dtype.itemsize
    if size > _LARGEST_RATIO * len(data):
        raise BitstreamError(f"{len(data)} bytes cannot hold {shape[0]} stored images.")
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
    try:
        content = decompressor.decompress(data, max_length=size + 1)
    except (lzma.LZMAError, EOFError) as error:
        raise BitstreamError(f"Stored images cannot be unpacked: {error}.") from error
    if len(content) != size or decompressor.unused_data:
        raise BitstreamError(
            f"Stored images take {size} bytes when unpacked, got {len(content)}, and "
            f"{len(decompressor.unused_data)} packed ones too many."
        )
    rows = np.frombuffer(content, dtype.newbyteorder("<")).astype(dtype)
    return rows.reshape(shape)
