"""The header of an archive: what its images are and what decodes them, as JSON.

In: what a writer knows before the first image. Out: one line of text, and back. Keys
that a reader does not know are ignored.
"""

import json
import math
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from sklearn_dae.archive._container import MAX_HEADER_SIZE
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.models._format import dtype_name, native_dtype

#: Largest number of images in a chunk.
MAX_CHUNK_IMAGES = 65536

#: Largest number of values in a chunk, unless it is a single image: a false claim can
#: take no more memory than that.
MAX_CHUNK_NUMBERS = 2**20

#: An image may have at most this many dimensions, and numbers.
_MAX_DIMENSIONS, _MAX_NUMBERS = 8, 2**31


@dataclass(frozen=True)
class Header:
    """What is known before the first image.

    Parameters
    ----------
    shape : tuple of int
        Shape of an image.

    dtype : dtype
        Dtype of the images, as they went in and come back.

    chunk_size : int
        Images in a chunk; the last chunk may have fewer.

    has_names : bool
        Whether each image has a name.

    model_class, model_hash : str
        Class of the codec, and SHA-256 of its model file.

    model_size : int
        Size of the model file in bytes.

    model_inside : bool
        Whether the model file follows the header.

    created_by : str
        What wrote the archive.

    metadata : dict
        What the user wants to say about the images.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    chunk_size: int
    has_names: bool
    model_class: str
    model_hash: str
    model_size: int
    model_inside: bool
    created_by: str
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def n_features(self) -> int:
        """Number of values in an image."""
        return math.prod(self.shape)

    def n_chunks(self, n_images: int) -> int:
        """Return how many chunks hold ``n_images`` images."""
        return -(-n_images // self.chunk_size)

    def images_of(self, number: int, n_images: int) -> range:
        """Return the numbers of the images of a chunk, of ``n_images`` in all."""
        start = number * self.chunk_size
        return range(start, min(start + self.chunk_size, n_images))

    def to_bytes(self) -> bytes:
        """Write the header.

        Raises
        ------
        TypeError, ValueError
            If the metadata are not valid JSON or too long, or the shape is invalid.
        """
        _check_metadata(self.metadata)
        content = {
            "chunk_size": self.chunk_size,
            "created_by": self.created_by,
            "dtype": dtype_name(self.dtype),
            "metadata": self.metadata,
            "model": {
                "class": self.model_class,
                "inside": self.model_inside,
                "sha256": self.model_hash,
                "size": self.model_size,
            },
            "names": self.has_names,
            "shape": list(self.shape),
        }
        data = _to_json(content)
        if len(data) > MAX_HEADER_SIZE:
            raise ValueError(
                f"metadata makes a header of {len(data)} bytes, at most "
                f"{MAX_HEADER_SIZE} can be stored."
            )
        # What is written can be read, whatever shape the caller thinks of.
        Header.from_bytes(data)
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> "Header":
        """Read a header, trusting nothing in it.

        Raises
        ------
        BitstreamError
            If it is not a header.
        """
        try:
            content = json.loads(data.decode())
        except (ValueError, RecursionError) as error:
            raise BitstreamError(f"The header is no JSON: {error}.") from None
        if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
            raise BitstreamError("The header says nothing of a model.")
        model = content["model"]
        header = cls(
            shape=_shape(content.get("shape")),
            dtype=native_dtype(content.get("dtype")),
            chunk_size=_take(content, "chunk_size", int),
            has_names=_take(content, "names", bool),
            model_class=_take(model, "class", str),
            model_hash=_take(model, "sha256", str),
            model_size=_take(model, "size", int),
            model_inside=_take(model, "inside", bool),
            created_by=_take(content, "created_by", str),
            metadata=_take(content, "metadata", dict),
        )
        most = most_images_of_chunk(header.n_features)
        if not 1 <= header.chunk_size <= most:
            raise BitstreamError(
                f"The header claims chunks of {header.chunk_size} images of shape "
                f"{header.shape}, expected 1 to {most}."
            )
        if header.model_size < 0:
            raise BitstreamError("The header claims a model of less than no bytes.")
        return header


def most_images_of_chunk(n_features: int) -> int:
    """Return how many images of ``n_features`` values a chunk may hold."""
    return max(1, min(MAX_CHUNK_IMAGES, MAX_CHUNK_NUMBERS // n_features))


def package_version() -> str:
    """Name this package and its version."""
    try:
        return f"sklearn-dae {version('sklearn-dae')}"
    except PackageNotFoundError:
        return "sklearn-dae, not installed"


def _take(content: dict[str, Any], key: str, kind: type) -> Any:
    value = content.get(key)
    # A bool is an int to isinstance, but not to JSON.
    if type(value) is not kind:
        raise BitstreamError(f"The header has no {key!r} of type {kind.__name__}.")
    return value


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= _MAX_DIMENSIONS:
        raise BitstreamError("The header has no shape of an image.")
    whole = all(type(n) is int and 1 <= n <= _MAX_NUMBERS for n in value)
    if not whole or math.prod(value) > _MAX_NUMBERS:
        raise BitstreamError("The header has an impossible shape of an image.")
    return tuple(value)


def _check_metadata(metadata: dict[str, Any]) -> None:
    try:
        same = json.loads(_to_json(metadata)) == metadata
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"metadata cannot be written as JSON: {error}") from None
    if not same or not isinstance(metadata, dict):
        raise TypeError(
            "metadata would not come back from JSON as it is; pass a dict with keys "
            "that are strings, of numbers, strings, lists and dicts (no tuples)."
        )


def _to_json(content: Any) -> bytes:
    return json.dumps(
        content, allow_nan=False, sort_keys=True, separators=(",", ":")
    ).encode()
