"""Images, archives and models, from paths or from standard input."""

import argparse
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
from sklearn_dae.cli._messages import listed, printable, warn
from sklearn_dae.codecs import Codec
from sklearn_dae.images import Account, ImageSet, read_images
from sklearn_dae.models import load_model
from sklearn_dae.models._format import SIGNATURE as MODEL_SIGNATURE

#: Exit status where some files were left out that nobody wanted to be.
LEFT_OUT = 3


def shown_images(arguments: argparse.Namespace) -> ImageSet:
    """Find images, as they are shown; warn of what is left out, with its name."""
    images = images_of(arguments).as_shown()
    tell_of_left_out(images.account)
    return images


def images_of(arguments: argparse.Namespace) -> ImageSet:
    """Find the images at a path, or in a .npy file on standard input, as stored.

    Parameters
    ----------
    arguments : Namespace
        The options of `add_images`.

    Raises
    ------
    OSError, ValueError
        If they cannot be read; the message says what to do.
    """
    shape = None if arguments.image_shape is None else tuple(arguments.image_shape)
    if arguments.images != "-":
        return read_images(
            arguments.images,
            grey=arguments.grey,
            key=arguments.key,
            image_shape=shape,
            max_pixels=arguments.max_pixels,
        )
    if arguments.key is not None:
        raise ValueError("--key is for .npz files; standard input is a .npy file.")
    try:
        array = _map_array(sys.stdin.buffer)
    except (ValueError, EOFError) as error:
        raise ValueError(
            f"Standard input cannot be read as a .npy file of numbers: {error}"
        ) from error
    images = ImageSet.from_array(array, "standard input", image_shape=shape)
    return images.to_grey() if arguments.grey else images


def tell_of_left_out(account: Account) -> None:
    """Warn of each reason for which files were left out, with their names."""
    for reason, files in account.left_out.items():
        details = [
            printable(f"{name} ({detail})" if detail else name)
            for name, detail in files.items()
        ]
        warn(f"left out, {reason}: {listed(details)}")


def status_of(account: Account, arguments: argparse.Namespace) -> int:
    """Return the exit status: whether anything was left out that should not be."""
    return LEFT_OUT if account.n_left_out and not arguments.skip_unreadable else 0


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
