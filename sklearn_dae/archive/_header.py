"""The header of an archive: what decodes its images, and what is said of them, as JSON.

In: what a writer knows before the first image. Out: one line of text, shortened, and
back. Keys that a reader does not know are ignored.
"""

import json
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from sklearn_dae.archive._container import MAX_HEADER_SIZE
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.models._phrases import lengthen, shorten

#: Hexadecimal digits of the SHA-256 that are kept of a model that is inside.
DIGITS_INSIDE = 16


@dataclass(frozen=True)
class Header:
    """What is known before the first image.

    Parameters
    ----------
    model_class, model_hash : str
        Class of the codec, and SHA-256 of its model file; of a model that is inside,
        only as much as tells whether another one is the same.

    model_size : int
        Size of the model file in bytes.

    model_inside : bool
        Whether the model file follows the header.

    created_by : str
        What wrote the archive.

    metadata : dict
        What the user wants to say about the images.
    """

    model_class: str
    model_hash: str
    model_size: int
    model_inside: bool
    created_by: str
    metadata: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Write the header as it is before it is shortened.

        Raises
        ------
        TypeError, ValueError
            If the metadata are not valid JSON or too long.
        """
        _check_metadata(self.metadata)
        model = {
            "class": self.model_class,
            "inside": self.model_inside,
            "sha256": self.model_hash,
            "size": self.model_size,
        }
        content = {
            "created_by": self.created_by,
            "metadata": self.metadata,
            "model": model if self.model_class else None,
        }
        data = _to_json(content)
        if len(data) > MAX_HEADER_SIZE:
            raise ValueError(
                f"metadata makes a header of {len(data)} bytes, at most "
                f"{MAX_HEADER_SIZE} can be stored."
            )
        return data

    def to_bytes(self) -> bytes:
        """Write the header; for errors see `to_json`."""
        return shorten(self.to_json())

    @classmethod
    def from_bytes(cls, data: bytes) -> "Header":
        """Read a header, trusting nothing in it.

        Raises
        ------
        BitstreamError
            If it is not a header.
        """
        try:
            content = json.loads(lengthen(data, MAX_HEADER_SIZE).decode())
        except (ValueError, RecursionError) as error:
            raise BitstreamError(f"The header is no JSON: {error}.") from None
        if not isinstance(content, dict) or "model" not in content:
            raise BitstreamError("The header says nothing of a model.")
        model = content["model"]
        if model is None:
            model = {"class": "", "sha256": "", "size": 0, "inside": True}
        if not isinstance(model, dict):
            raise BitstreamError("The header says nothing of a model.")
        header = cls(
            model_class=_take(model, "class", str),
            model_hash=_take(model, "sha256", str),
            model_size=_take(model, "size", int),
            model_inside=_take(model, "inside", bool),
            created_by=_take(content, "created_by", str),
            metadata=_take(content, "metadata", dict),
        )
        if header.model_class and len(header.model_hash) < DIGITS_INSIDE:
            raise BitstreamError("The header claims a SHA-256 that is too short.")
        if header.model_size < 0:
            raise BitstreamError("The header claims a model of less than no bytes.")
        return header


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
