"""``sklearn-dae decompress``: an archive to images."""

import argparse
import re
import sys
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
from sklearn_dae.cli._only import chosen_numbers
from sklearn_dae.cli._options import add_model
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
    png_of,
    write_gzipped_idx,
    write_idx,
    write_npy,
    write_npz,
)
from sklearn_dae.cli._verify import damage_lines
from sklearn_dae.exceptions import BitstreamError

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
        numbers = np.arange(len(archive))
        if found is not None:
            numbers = np.setdiff1d(numbers, found.lost)
        if arguments.only:
            numbers = chosen_numbers(arguments.only, archive, numbers)
        files: list[ArchivedFile] = []
        if kind == "folder":
            files = _files(archive, numbers, found, everything=not arguments.only)
            _check_pngs(archive, numbers, files)
        else:
            _check_array(archive, kind)
        if len(numbers) or files or found is None or found.ok:
            _restore(archive, numbers, files, kind, output, arguments.force)
        else:
            warn("nothing can be saved, so nothing is written.")
        say = partial(print, file=sys.stderr if output == "-" else sys.stdout)
        restored = counted(len(numbers), "image")
        if files:
            restored = f"{counted(len(files), 'file')}, {restored}"
        say(f"{output}: {restored} of {described(archive.kinds)}")
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


def _files(
    archive: Archive,
    numbers: np.ndarray,
    found: Verification | None,
    *,
    everything: bool,
) -> list[ArchivedFile]:
    """Return the files to write: those of some images, or all that can be read."""
    wanted = set(numbers.tolist())
    lost = set() if found is None else set(found.lost.tolist())
    files = []
    try:
        for file in archive.files():
            is_wanted = any(number in wanted for number in file.images)
            if (is_wanted or everything) and not lost.intersection(file.images):
                files.append(file)
    except BitstreamError:
        if found is None:
            raise
    return files


def _check_pngs(
    archive: Archive, numbers: np.ndarray, files: list[ArchivedFile]
) -> None:
    """Raise ValueError if an image that is in no file cannot be a PNG file."""
    in_files = {number for file in files for number in file.images}
    for spec in {archive.spec_of(n) for n in numbers.tolist() if n not in in_files}:
        png_of(spec)


def _check_array(archive: Archive, kind: str) -> None:
    """Raise ValueError if the images cannot be an array."""
    if len(archive.kinds) != 1:
        raise ValueError(
            f"An array holds images of one kind, but the archive holds "
            f"{described(archive.kinds)}: write a folder, -o FOLDER."
        )
    if kind.startswith("idx"):
        check_idx(archive)


def _restore(
    archive: Archive,
    numbers: np.ndarray,
    files: list[ArchivedFile],
    kind: str,
    output: str,
    force: bool,
) -> None:
    with counting("decompressing", len(numbers)) as progress:
        if kind == "folder":
            with folder_output(output) as folder:
                writer = FolderWriter(folder, archive, progress)
                writer.write(numbers, files)
            changed = [
                f"{printable(name)} as {printable(path)}"
                for name, path in writer.names.changed.items()
            ]
            if changed:
                warn(f"written under other names: {listed(changed)}")
        elif output == "-":
            with naming(output):
                write_npy(sys.stdout.buffer, archive, numbers, progress)
                sys.stdout.buffer.flush()
        else:
            with file_output(output, force) as file:
                _WRITERS[kind](file, archive, numbers, progress)
