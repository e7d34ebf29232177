"""``sklearn-dae decompress``: an archive to images."""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_dae.archive import Archive, ArchivedFile, Verification
from sklearn_dae.cli._input import archive_input
from sklearn_dae.cli._messages import (
    counted,
    described,
    listed,
    naming,
    printable,
    warn,
)
from sklearn_dae.cli._only import chosen
from sklearn_dae.cli._options import add_jobs, add_model
from sklearn_dae.cli._output import (
    check_file,
    check_folder,
    file_output,
    folder_output,
)
from sklearn_dae.cli._progress import counting
from sklearn_dae.cli._restoring import (
    FolderWriter,
    check_idx,
    write_gzipped_idx,
    write_idx,
    write_npy,
    write_npz,
)
from sklearn_dae.cli._verify import damage_lines
from sklearn_dae.images import ImageSpec

#: Endings of files that this command does not write: whoever names one means no folder.
_NOT_A_FOLDER = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dae", ".gz"}

#: Names of IDX files, as of MNIST's: images.idx, t10k-images-idx3-ubyte.gz.
_IDX = re.compile(r".*[.-]idx(\d-ubyte)?(\.gz)?", re.IGNORECASE)

#: What writes a file of an array, by the kind of output.
_WRITERS = {
    "npy": write_npy,
    "npz": write_npz,
    "idx": write_idx,
    "idx.gz": write_gzipped_idx,
}


def add_command(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser(
        "decompress",
        help="an archive to a folder of files, or to an array",
        description="Restore what is in an archive: the files that the images came "
        "from, if it was compressed without loss, or else PNG files. Nothing is "
        "written outside of the folder, whatever names the archive holds.",
    )
    parser.set_defaults(run=_run)
    parser.add_argument(
        "archive", metavar="FILE.dae", help="the archive, or - for standard input"
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="OUTPUT",
        help="a .npy, .npz, .idx or .idx.gz file, - for a .npy file on standard "
        "output, or else a folder, for files with the names that they had",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace what is there already; of a folder, files of the same names only",
    )
    add_jobs(parser)
    add_model(parser, "the model file, where it is not in the archive or is damaged")
    parser.add_argument(
        "--only",
        nargs="+",
        action="extend",
        metavar="WHICH",
        help="only these images: a number (0 is the first, -1 the last), a slice "
        "(10:20; --only=-5: for the last five) or a name",
    )
    parser.add_argument(
        "--salvage",
        action="store_true",
        help="restore what is intact of a damaged archive, tell what is lost, and exit "
        "with 1 if anything is",
    )


def _run(arguments: argparse.Namespace) -> int:
    output = arguments.output
    kind = _kind_of(output)
    (check_folder if kind == "folder" else check_file)(output, arguments.force)
    salvage = arguments.salvage
    with archive_input(arguments.archive, arguments.model, salvage=salvage) as archive:
        if archive.needs_codec:
            _ = archive.codec  # Where there is none, nothing is begun.
        found = _verify(archive) if arguments.salvage else None
        wanted = _wanted(archive, found, arguments.only)
        if kind != "folder":
            _check_array(archive, kind, wanted.numbers)
        if wanted or found is None or found.ok:
            _restore(archive, wanted, kind, arguments)
        else:
            warn("nothing can be saved, so nothing is written.")
        say = partial(print, file=sys.stderr if output == "-" else sys.stdout)
        restored = counted(len(wanted.numbers), "image")
        if wanted.files and kind == "folder":
            restored = f"{counted(len(wanted.files), 'file')}, {restored}"
        kinds = _kinds(archive, wanted.numbers)
        say(f"{output}: {restored}" + (f" of {described(kinds)}" if kinds else ""))
        if found is None or found.ok:
            return 0
        for line in damage_lines(archive, found):
            print(line, file=sys.stderr)
        return 1


def _kind_of(output: str) -> str:
    suffix = Path(output).suffix.lower()
    if output == "-" or suffix == ".npy":
        return "npy"
    if suffix == ".npz":
        return "npz"
    if _IDX.fullmatch(Path(output).name) and not Path(output).is_dir():
        return "idx.gz" if suffix == ".gz" else "idx"
    if suffix in _NOT_A_FOLDER and not Path(output).is_dir():
        raise ValueError(
            f"-o {output}: expected a folder for PNG files, a .npy, .npz or .idx "
            "file, or -."
        )
    return "folder"


def _verify(archive: Archive) -> Verification:
    with counting("checking", len(archive)) as progress:
        return archive.verify(progress=progress)


@dataclass(frozen=True)
class _Wanted:
    """What is to be restored: numbers of images, and files."""

    numbers: np.ndarray
    files: list[ArchivedFile]

    def __bool__(self) -> bool:
        return bool(len(self.numbers) or self.files)


def _wanted(
    archive: Archive, found: Verification | None, only: Sequence[str] | None
) -> _Wanted:
    """Return what is asked for and can be read."""
    numbers, named = np.arange(len(archive)), None
    if found is not None:
        numbers = np.setdiff1d(archive.numbers(), found.lost)
    if only:
        numbers, named = chosen(only, archive, numbers)
    there = set(numbers.tolist())
    files = []
    for file in archive.files(salvage=found is not None):
        is_whole = there.issuperset(file.images)
        is_named = named is None or file.number in named
        # A file is written if all of it is wanted, and else images by themselves.
        if is_whole and (is_named or len(file.images)):
            files.append(file)
    return _Wanted(numbers, files)


def _kinds(archive: Archive, numbers: np.ndarray) -> Mapping[ImageSpec, int]:
    """Return how many of some images there are of each kind."""
    if len(numbers) == len(archive):
        return archive.kinds
    return Counter(archive.spec_of(number) for number in numbers.tolist())


def _check_array(archive: Archive, kind: str, numbers: np.ndarray) -> None:
    """Raise ValueError if images cannot be an array."""
    kinds = _kinds(archive, numbers)
    if not kinds:
        raise ValueError("There is no image for an array: write a folder, -o FOLDER.")
    if len(kinds) > 1:
        raise ValueError(
            f"An array holds images of one kind, but these are of {described(kinds)}: "
            "write a folder, -o FOLDER, or choose images, --only."
        )
    if kind.startswith("idx"):
        check_idx(next(iter(kinds)))


def _restore(
    archive: Archive, wanted: _Wanted, kind: str, arguments: argparse.Namespace
) -> None:
    output, numbers = arguments.output, wanted.numbers
    with counting("decompressing", len(numbers)) as progress:
        if kind == "folder":
            with folder_output(output) as folder:
                writer = FolderWriter(folder, archive, progress)
                written = writer.write_files(wanted.files, salvage=arguments.salvage)
                alone = [n for n in numbers.tolist() if n not in written]
                writer.write_images(np.array(alone, np.int64))
            _tell(writer)
        elif output == "-":
            with naming(output):
                write_npy(sys.stdout.buffer, archive, numbers, progress)
                sys.stdout.buffer.flush()
        else:
            with file_output(output, arguments.force) as file:
                _WRITERS[kind](file, archive, numbers, progress)


def _tell(writer: FolderWriter) -> None:
    """Warn of what was written otherwise than one would think, or not at all."""
    changed = [
        f"{printable(name)} as {printable(path)}" for name, path in writer.names.changed
    ]
    if changed:
        warn(f"written under other names: {listed(changed)}")
    if writer.arrays:
        names = listed(list(map(printable, writer.arrays)))
        warn(f"PNG files cannot hold these images, so they are arrays: {names}")
    if writer.lost:
        warn(f"files that are lost: {listed(list(map(printable, writer.lost)))}")
