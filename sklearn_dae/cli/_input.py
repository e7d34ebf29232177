"""Images, archives and models, from paths or from standard input."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from sklearn_dae.archive import Archive, open_archive
from sklearn_dae.cli._summary import Images
from sklearn_dae.codecs import Codec
from sklearn_dae.datasets import ImageFolder, ImageSet, load_images
from sklearn_dae.models import load_model
from sklearn_dae.models._format import SIGNATURE as MODEL_SIGNATURE


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
    try:
        array = _map_array(sys.stdin.buffer)
    except (ValueError, EOFError) as error:
        raise ValueError(
            f"Standard input cannot be read as a .npy file of numbers: {error}"
        ) from error
    return ImageSet.from_array(array, "standard input")


def open_images(path: str, *, key: str | None = None, grey: bool = False) -> Images:
    """Open images to be gone through a block at a time, which need not be in memory.

    Errors are those of `read_images`; those of single files of a folder come later.
    """
    if key is None and os.path.isdir(path):
        return ImageFolder(path, grey=grey)
    return read_images(path, key=key, grey=grey)


def _map_array(stream: BinaryIO) -> np.ndarray:
    """Copy a .npy file to the disk, and map it to memory; it goes with the array."""
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(stream, copy)
        copy.seek(0)
        version = np.lib.format.read_magic(copy)
        if version == (1, 0):
            header = np.lib.format.read_array_header_1_0(copy)
        else:
            header = np.lib.format.read_array_header_2_0(copy)
        shape, is_fortran, dtype = header
        if dtype.hasobject:
            raise ValueError("it holds Python objects.")
        order: Literal["C", "F"] = "F" if is_fortran else "C"
        return np.memmap(copy, dtype, "r", copy.tell(), shape, order)


def bytes_on_disk(path: str, images: Images) -> int | None:
    """Return the size of what images were read from, where it is on disk."""
    if path == "-":
        return None
    if not images.names:
        return os.path.getsize(path)
    return sum(os.path.getsize(os.path.join(path, name)) for name in images.names)


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
