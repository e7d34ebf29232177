"""Rounded layers of a decoder <-> bytes.

In: whole numbers. Out: few bytes. What a unit adds to an image is a picture itself, so
the rows of the last layer are pictures, in which neighbours are alike: they are coded
as pictures are, by the generic network of pixels. In other layers nothing is known of a
weight but how large those of its row are.

Bytes of a layer: the exponents of its rows, each less the one before it, zigzag and
LEB128; then the exponents of its columns, and its symbols. Pictures: the smallest
number, the range, and a stream. Others: a number that is taken off, the widths of the
rows, and a stream.
"""

from collections.abc import Sequence

import numpy as np

from sklearn_dae._bytes import ByteReader, frame, leb128, zigzag
from sklearn_dae.entropy._generic import generic_model
from sklearn_dae.entropy._planes import Stack
from sklearn_dae.entropy._row_bytes import decode_rows, encode_rows, widths_of
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.quantizers._weights import (
    LEAST_EXPONENT,
    MOST_EXPONENT,
    MOST_SYMBOL,
    RoundedLayer,
)

#: Height, width and channels of a picture.
Shape = tuple[int, int, int]


def pack_layer(layer: RoundedLayer, picture: Shape | None) -> bytes:
    """Write a layer.

    Parameters
    ----------
    layer : RoundedLayer
        The layer.

    picture : tuple of (height, width, channels) or None
        What each row of it is, if it is a picture.
    """
    return b"".join(
        [
            zigzag(np.diff(layer.row_exponents, prepend=0)),
            _pack(layer.column_exponents[np.newaxis], picture),
            _pack(layer.symbols, picture),
        ]
    )


def read_layer(
    reader: ByteReader, shape: tuple[int, int], picture: Shape | None
) -> RoundedLayer:
    """Read what `pack_layer` wrote, of the given shape of parameters.

    Raises
    ------
    BitstreamError
        If it is none.
    """
    n_rows, n_columns = shape
    farthest = MOST_EXPONENT - LEAST_EXPONENT + 1
    row_exponents = np.cumsum(reader.zigzag(n_rows, farthest))
    (column_exponents,) = _read(reader, (1, n_columns), picture)
    for exponents in (row_exponents, column_exponents):
        if not LEAST_EXPONENT <= exponents.min() <= exponents.max() <= MOST_EXPONENT:
            raise BitstreamError("Exponents of a decoder's weights are out of range.")
    symbols = _read(reader, shape, picture)
    return RoundedLayer(symbols, row_exponents, column_exponents)


def _pack(numbers: np.ndarray, picture: Shape | None) -> bytes:
    """Write whole numbers."""
    return _pack_rows(numbers) if picture is None else _pack_pictures(numbers, picture)


def _read(
    reader: ByteReader, shape: tuple[int, int], picture: Shape | None
) -> np.ndarray:
    """Read whole numbers: int32 of a shape."""
    if picture is None:
        return _read_rows(reader, shape)
    return _read_pictures(reader, shape, picture)


def _pack_rows(numbers: np.ndarray) -> bytes:
    middle = int(np.rint(np.median(numbers)))
    numbers = numbers - middle
    widths = widths_of(numbers)
    stream = encode_rows([numbers], [widths], 2 * MOST_SYMBOL)
    return leb128(middle + MOST_SYMBOL) + widths.tobytes() + frame(stream)


def _read_rows(reader: ByteReader, shape: tuple[int, int]) -> np.ndarray:
    middle = reader.leb128() - MOST_SYMBOL
    widths = np.frombuffer(reader.take(shape[0]), np.uint8)
    stream = reader.frame("A layer of a decoder")
    (numbers,) = decode_rows(stream, [shape], [widths], 2 * MOST_SYMBOL)
    if abs(middle) > MOST_SYMBOL or np.abs(numbers + middle).max() > MOST_SYMBOL:
        raise BitstreamError("Weights of a decoder are out of range.")
    return numbers + middle


def _pack_pictures(numbers: np.ndarray, picture: Shape) -> bytes:
    low, high = int(numbers.min()), int(numbers.max())
    planes = _planes(numbers - low, picture)
    limits = _limits(planes.shape, high - low)
    (coded,) = generic_model(picture[2]).encode([planes], limits)
    return leb128(low + MOST_SYMBOL) + leb128(high - low) + frame(coded.data)


def _read_pictures(
    reader: ByteReader, shape: tuple[int, int], picture: Shape
) -> np.ndarray:
    low, span = reader.leb128() - MOST_SYMBOL, reader.leb128()
    if low > MOST_SYMBOL or span > 2 * MOST_SYMBOL:
        raise BitstreamError(f"Weights of a decoder go from {low} to {low + span}.")
    data = reader.frame("A layer of a decoder")
    height, width, channels = picture
    stack = Stack(shape[0], height, width, channels)
    limits = _limits((shape[0], channels), span)
    (planes,) = generic_model(channels).decode([data], [stack], limits)
    return np.moveaxis(planes, 1, 3).reshape(shape).astype(np.int32) + low


def _planes(numbers: np.ndarray, picture: Shape) -> np.ndarray:
    images = numbers.reshape(len(numbers), *picture)
    return np.ascontiguousarray(np.moveaxis(images, 3, 1), np.int32)


def _limits(shape: Sequence[int], span: int) -> tuple[np.ndarray, np.ndarray]:
    low = np.zeros(shape[:2], np.int64)
    return low, low + span
