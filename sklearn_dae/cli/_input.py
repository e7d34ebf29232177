"""Images, archives and models, from paths or from standard input."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

import numpy as np

from sklearn_dae.archive import Archive, load_model, open_archive
from sklearn_dae.archive._format import SIGNATURE as MODEL_SIGNATURE
from sklearn_dae.codecs import Codec
from sklearn_dae.datasets import ImageSet, load_images


def read_images(path: str, *, key: str | None = None, grey: bool = False) -> ImageSet:
    """Load images from a path, or from a .npy file on standard input.

    Raises
    ------
    OSError, ValueError, ImportError
        If they cannot be read; the message says what to do.
    """
    if path != "-":
        return load_images(path, grey=grey, key=key)
    if key is not None:
        raise ValueError("--key is for .npz files; standard input is a .npy file.")
    # With no more than `read`, NumPy does not ask where in a file it stands.
    stream = SimpleNamespace(read=sys.stdin.buffer.read)
    try:
        array = np.lib.format.read_array(stream, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(
            f"Standard input cannot be read as a .npy file of numbers: {error}"
        ) from error
    return ImageSet.from_array(array, "standard input")


def bytes_on_disk(path: str, images: ImageSet) -> int | None:
    """Return the size of what images were read from, where it is on disk."""
    if path == "-":
        return None
    files = [Path(path, name) for name in images.names] or [Path(path)]
    return sum(file.stat().st_size for file in files)


def read_codec(path: Path) -> Codec:
    """Load a codec from a model file."""
    model = load_model(path)
    if not isinstance(model, Codec):
        raise ValueError(
            f"{path} holds a {type(model).__name__}, which turns no images to bytes; "
            "expected a codec, such as 'sklearn-dae train' writes."
        )
    return model


@contextmanager
def binary_input(path: str) -> Iterator[BinaryIO]:
    """Open a file to be read from anywhere; standard input is copied to the disk."""
    if path != "-":
        with open(path, "rb") as file:
            yield file
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.seek(0)
        yield copy


@contextmanager
def archive_input(
    path: str, model: Path | None = None, *, salvage: bool = False
) -> Iterator[Archive]:
    """Open an archive, by its path or on standard input."""
    source = None if model is None else os.fspath(model)
    if path != "-":
        with open_archive(path, source, salvage=salvage) as archive:
            yield archive
        return
    with (
        binary_input(path) as file,
        open_archive(file, source, salvage=salvage) as archive,
    ):
        yield archive


def is_model_file(file: BinaryIO) -> bool:
    """Whether a file begins as a model file does."""
    beginning = file.read(len(MODEL_SIGNATURE))
    file.seek(0)
    return beginning == MODEL_SIGNATURE
