"""The bytes of a model file: a readable tree and arrays <-> one byte string.

In: a tree of JSON types, and arrays. Out: a signature, lengths, the tree and a table of
the arrays as JSON, shortened, the arrays, and a SHA-256 of all of it. Nothing here
knows what a model is. docs/models.md describes every field, with an example.

A reader trusts nothing. It checks the lengths, the checksum, that the JSON is what a
writer makes, and that the arrays fill the rest, and allocates memory last.
"""

import hashlib
import json
import math
from typing import Any, Literal, NamedTuple

import numpy as np

from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.models._phrases import lengthen, shorten

#: Its first byte is not text, and its line ends do not survive a transfer as text.
SIGNATURE = b"\x89DAEM\r\n\x1a\n"

FORMAT_VERSION = 1

#: Signature, version of the format (1 byte), length of file (8) and of JSON (4).
PREAMBLE_SIZE = len(SIGNATURE) + 1 + 8 + 4

DIGEST_SIZE = 32

#: Longest JSON: Python's objects take many times the memory of the text.
MAX_HEADER_SIZE = 2**24

#: Kinds of numbers in arrays; the byte order is little-endian on all machines.
DTYPES = frozenset(
    "|b1 |i1 |u1 <i2 <u2 <i4 <u4 <i8 <u8 <f2 <f4 <f8".split()  # noqa: SIM905
)

#: An array may have at most this many dimensions, and numbers.
_MAX_DIMENSIONS, _MAX_NUMBERS = 8, 2**48


def dtype_name(dtype: np.dtype) -> str:
    """Name a dtype, regardless of its byte order.

    Raises
    ------
    TypeError
        If model files cannot hold such numbers.
    """
    name = dtype.newbyteorder("<").str
    if name not in DTYPES:
        raise TypeError(
            f"Numbers of dtype {dtype} cannot be stored; convert to float64 or int64."
        )
    return name


def native_dtype(name: Any) -> np.dtype:
    """Return the dtype of a name, in this machine's byte order."""
    if not isinstance(name, str) or name not in DTYPES:
        raise BitstreamError(f"A dtype of the model file is none of {sorted(DTYPES)}.")
    return np.dtype(name).newbyteorder("=")


def pack(tree: Any, arrays: list[np.ndarray]) -> bytes:
    """Write a tree and arrays; equal ones give equal bytes."""
    entries, blobs = [], []
    for array in arrays:
        name, order = dtype_name(array.dtype), _order(array)
        blobs.append(array.astype(name, copy=False).tobytes(order))
        entries.append({"dtype": name, "order": order, "shape": list(array.shape)})
    header = _canonical({"arrays": entries, "model": tree})
    if len(header) <= MAX_HEADER_SIZE:
        header = shorten(header)
    else:
        raise ValueError(
            f"All of the model but its arrays takes {len(header)} bytes, at most "
            f"{MAX_HEADER_SIZE} can be stored: are there names for very many features?"
        )
    size = PREAMBLE_SIZE + len(header) + sum(map(len, blobs)) + DIGEST_SIZE
    preamble = (
        SIGNATURE
        + FORMAT_VERSION.to_bytes(1, "little")
        + size.to_bytes(8, "little")
        + len(header).to_bytes(4, "little")
    )
    content = b"".join([preamble, header, *blobs])
    return content + hashlib.sha256(content).digest()


def unpack(data: bytes) -> tuple[Any, list[np.ndarray]]:
    """Read what `pack` wrote; the arrays are copies."""
    size, header_size = read_preamble(data[:PREAMBLE_SIZE])
    if len(data) != size:
        raise BitstreamError(
            f"The model file has {len(data)} bytes, expected {size}: it is cut off or "
            "damaged; get it from its source again."
        )
    view = memoryview(data)
    content, digest = view[:-DIGEST_SIZE], view[-DIGEST_SIZE:]
    if hashlib.sha256(content).digest() != digest:
        raise BitstreamError(
            "The model file is damaged: its checksum is wrong; get it from its source "
            "again."
        )
    at = PREAMBLE_SIZE + header_size
    tree, entries = _read_header(bytes(content[PREAMBLE_SIZE:at]))
    n_bytes = sum(entry.n_bytes for entry in entries)
    if n_bytes != len(content) - at:
        raise BitstreamError(
            f"The arrays of the model file claim {n_bytes} bytes, it has "
            f"{len(content) - at}."
        )
    arrays = []
    for entry in entries:
        arrays.append(entry.read(content[at : at + entry.n_bytes]))
        at += entry.n_bytes
    return tree, arrays


def read_preamble(data: bytes) -> tuple[int, int]:
    """Return the lengths of the file and of its JSON, given its first bytes."""
    if data[: len(SIGNATURE)] != SIGNATURE:
        if data.startswith(SIGNATURE[:5]):
            raise BitstreamError(
                "The model file was changed by a transfer as text, or cut off; "
                "transfer it as binary."
            )
        raise BitstreamError("This is not a model file: its signature is missing.")
    if len(data) < PREAMBLE_SIZE:
        raise BitstreamError(f"The model file ends after {len(data)} bytes.")
    version, numbers = data[len(SIGNATURE)], data[len(SIGNATURE) + 1 :]
    if version != FORMAT_VERSION:
        raise BitstreamError(
            f"The model file has version {version} of the format, this sklearn-dae "
            f"reads version {FORMAT_VERSION}: upgrade sklearn-dae."
        )
    size = int.from_bytes(numbers[:8], "little")
    header_size = int.from_bytes(numbers[8:12], "little")
    if header_size > min(MAX_HEADER_SIZE, size - PREAMBLE_SIZE - DIGEST_SIZE):
        raise BitstreamError(
            f"The model file claims a header of {header_size} bytes in a file of "
            f"{size}: it is damaged."
        )
    return size, header_size


class _Entry(NamedTuple):
    """An entry in the table of arrays."""

    dtype: np.dtype
    order: Any
    shape: list[int]

    @classmethod
    def parse(cls, entry: Any) -> "_Entry":
        if not isinstance(entry, dict) or set(entry) != {"dtype", "order", "shape"}:
            raise BitstreamError("The model file has a line that describes no array.")
        shape, order = entry["shape"], entry["order"]
        if not isinstance(shape, list) or len(shape) > _MAX_DIMENSIONS:
            raise BitstreamError("An array of the model file has no shape.")
        whole = all(type(n) is int and n >= 0 for n in shape)
        if not whole or math.prod(max(n, 1) for n in shape) > _MAX_NUMBERS:
            raise BitstreamError("An array of the model file has an impossible shape.")
        if order not in ("C", "F"):
            raise BitstreamError("The order of an array is neither C nor F.")
        return cls(native_dtype(entry["dtype"]), order, shape)

    @property
    def n_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def read(self, data: memoryview) -> np.ndarray:
        stored = np.frombuffer(data, self.dtype.newbyteorder("<"))
        return stored.reshape(self.shape, order=self.order).astype(self.dtype)


def _read_header(header: bytes) -> tuple[Any, list[_Entry]]:
    header = lengthen(header, MAX_HEADER_SIZE)
    try:
        content = json.loads(header.decode())
        # A writer makes nothing else: no duplicate key, no number that JSON lacks.
        as_expected = _canonical(content) == header
    except (ValueError, RecursionError) as error:
        raise BitstreamError(
            f"The header of the model file is no JSON: {error}."
        ) from None
    if not as_expected:
        raise BitstreamError("The header of the model file is not in its only form.")
    if not isinstance(content, dict) or set(content) != {"arrays", "model"}:
        raise BitstreamError("The header of the model file has no arrays and no model.")
    if not isinstance(content["arrays"], list):
        raise BitstreamError("The header of the model file has no table of arrays.")
    return content["model"], [_Entry.parse(entry) for entry in content["arrays"]]


def _canonical(content: Any) -> bytes:
    return json.dumps(
        content, allow_nan=False, sort_keys=True, separators=(",", ":")
    ).encode()


def _order(array: np.ndarray) -> Literal["C", "F"]:
    """Memory order of an array, on which the last bits of a product may depend."""
    turned = array.ndim == 2 and abs(array.strides[0]) < abs(array.strides[1])
    return "F" if turned and not array.flags.c_contiguous else "C"
