"""The codec of an archive: from the archive itself, or from what the user has.

In: what the header says about the model, and its bytes or a model. Out: the codec, once
it is certain to be the one that the images were coded with.
"""

import os
from collections.abc import Callable
from typing import Any

from sklearn_dae.archive._header import Header
from sklearn_dae.codecs import Codec
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.models._files import model_from_bytes, model_hash, model_to_bytes


def given_codec(model: Any, header: Header) -> Codec:
    """Return the codec that the user gave: an estimator, a path or bytes.

    Raises
    ------
    ValueError
        If it is not the one that the images were coded with.
    """
    if isinstance(model, str | os.PathLike):
        with open(model, "rb") as file:
            data = file.read()
    elif isinstance(model, bytes | bytearray | memoryview):
        data = bytes(model)
    else:
        data = model_to_bytes(model)
    if not model_hash(data).startswith(header.model_hash):
        raise ValueError(
            f"The model has SHA-256 {model_hash(data)}, but the images were coded with "
            f"{header.model_hash} ({header.model_class}); pass the model that they "
            "were written with."
        )
    if isinstance(model, Codec):
        return model
    return _codec(model_from_bytes(data))


def stored_codec(read: Callable[[], bytes], header: Header) -> Codec:
    """Return the codec that is stored in the archive.

    Raises
    ------
    ValueError
        If the archive holds none.

    BitstreamError
        If it is damaged.
    """
    if not header.model_class:
        raise ValueError("The archive holds no model, as no image in it needs one.")
    if not header.model_inside:
        raise ValueError(
            f"The archive holds no model, only the SHA-256 of one: {header.model_hash} "
            f"({header.model_class}), and none (no SHA-256) was given. Pass it: "
            "open_archive(file, model=...), an estimator, the path of a model file, or "
            "its bytes."
        )
    advice = "if you have it elsewhere, pass it: open_archive(file, model=...)"
    try:
        data = read()
    except BitstreamError as error:
        raise BitstreamError(
            f"The model of the archive is cut off: {error}; {advice}."
        ) from error
    if not model_hash(data).startswith(header.model_hash):
        raise BitstreamError(
            f"The model of the archive is damaged: its SHA-256 is {model_hash(data)}, "
            f"expected {header.model_hash}; {advice}."
        )
    return _codec(model_from_bytes(data))


def _codec(model: Any) -> Codec:
    if not isinstance(model, Codec):
        raise BitstreamError(
            f"The model of the archive is a {type(model).__name__}, which is no codec."
        )
    return model
