"""``sklearn-dae verify``: whether an archive or a model is intact."""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from sklearn_dae.archive import Archive, Verification, open_archive
from sklearn_dae.cli._input import binary_input, is_model_file
from sklearn_dae.cli._messages import counted, printable, told
from sklearn_dae.cli._options import UsageError, add_jobs, add_model
from sklearn_dae.cli._progress import counting
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.models import model_from_bytes


def add_command(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser(
        "verify",
        help="whether an archive is intact, and which images are damaged",
        description="Check every byte of an archive or a model file, and decode all "
        "images. Exits with 0 if the file is intact, with 1 if it is damaged, and then "
        "names the damaged images.",
    )
    parser.set_defaults(run=_run)
    parser.add_argument(
        "file",
        metavar="FILE",
        help="an archive or a model file, or - for an archive on standard input",
    )
    parser.add_argument(
        "--files",
        action="store_true",
        help="make all files again that come back byte for byte, and compare their "
        "SHA-256 with that of the original ones",
    )
    add_jobs(parser)
    add_model(
        parser,
        "the model file of an archive that does not hold it; without it, checksums are "
        "checked, and images are not decoded",
    )


def _run(arguments: argparse.Namespace) -> int:
    path, model = arguments.file, arguments.model
    with binary_input(path) as file:
        if is_model_file(file):
            return _verify_model(path, file.read())
        source = file if path == "-" else path
        with open_archive(source, model, salvage=True) as archive:
            return _verify_archive(
                path, archive, has_model=model is not None, files=arguments.files
            )


def _verify_archive(
    path: str, archive: Archive, *, has_model: bool, files: bool
) -> int:
    decodes = has_model or archive.info().model_inside
    if files and not decodes:
        raise UsageError("--files needs the model, which is not inside: --model MODEL.")
    with counting("checking", len(archive)) as progress:
        found = archive.verify(decode=decodes, files=files, progress=progress)
    if not decodes:
        # A model that is elsewhere is no damage.
        found = replace(found, model_error=None)
    print(
        f"{path}: {counted(found.n_images, 'image')} in "
        f"{counted(found.n_chunks, 'chunk')}: {'intact' if found.ok else 'damaged'}"
    )
    if not decodes:
        print("Checksums only: with --model MODEL, images are decoded too")
    for line in damage_lines(archive, found):
        print(line)
    if files and found.ok:
        n_exact = sum(file.is_exact for file in archive.files())
        print(f"{counted(n_exact, 'file')} byte for byte as before")
    return 0 if found.ok else 1


def _verify_model(path: str, data: bytes) -> int:
    try:
        model = model_from_bytes(data)
    except BitstreamError as error:
        raise BitstreamError(f"{path}: {error}") from error
    print(f"{path}: {type(model).__name__}: intact")
    return 0


def damage_lines(archive: Archive, found: Verification) -> Iterator[str]:
    """Say what is damaged: a line for each chunk, and the names of its images."""
    for error in (found.index_error, found.model_error):
        if error is not None:
            yield told(error)
    for damage in found.damages:
        yield told(damage.error)
        yield from (f"  {name}" for name in _names(archive, damage.images))
    for name in found.files_apart:
        yield f"{printable(name)} would come back otherwise than it was"
    if found.n_lost:
        yield f"{counted(found.n_lost, 'image')} lost"
    if found.index_error is not None:
        yield "Images after these are lost too, if there were any"


def _names(archive: Archive, images: np.ndarray) -> Iterator[str]:
    """Yield the names of lost images, which may be intact."""
    if not archive.names:
        return
    try:
        for number in images.tolist():
            yield printable(archive.names[number])
    except BitstreamError:
        return
