"""Every set of real images through an archive and back, by the commands.

Each set is compressed without loss, decompressed, and compared with what it was: files
by their SHA-256; where that differs, as for PNG files, whose pixels are packed anew,
pixels, sizes, depths, palettes and what else Pillow reads of them. Each step is a
process of its own; its largest memory is printed. Ends with 1 if anything is missing.

    SKLEARN_DAE_DATA=... python -m benchmarks.round_trip
    SKLEARN_DAE_DATA=... python -m benchmarks.round_trip fingerprints ct_head
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from sklearn_dae.images import read_images

#: What is compressed of each set, and how, where that is not the folder.
SOURCES = {
    "mnist": ("mnist/train-images-idx3-ubyte.gz",),
    "xray": ("xray/chest_xray_28.npz", "--key", "train"),
}

#: In one process, of which the memory can be told.
_ALONE = "--jobs", "1"

#: Runs a command, and prints the largest memory that it took, in kilobytes.
_MEASURED = (
    "import resource, sys; from sklearn_dae.cli import main"
    "; status = main(sys.argv[1:])"
    "; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    "; sys.exit(status)"
)


def command(*arguments: str) -> tuple[int, str, str]:
    """Run a command; return its exit status, its output, and what it took."""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *arguments], capture_output=True, text=True
    )
    *errors, kilobytes = done.stderr.strip().splitlines()
    taken = f"{time.perf_counter() - begin:.1f} s, {int(kilobytes) / 1000:.0f} MB"
    return done.returncode, "\n".join([done.stdout.rstrip(), *errors]), taken


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def picture(path: Path) -> tuple[object, ...]:
    """Return what Pillow reads of a picture."""
    with Image.open(path) as image:
        info = {k: v for k, v in image.info.items() if k != "interlace"}
        pixels = np.asarray(image)
        return image.mode, image.size, image.getpalette(), info, pixels.tobytes()


def compare_files(before: Path, after: Path) -> str:
    """Compare the files of two folders; say how many came back, and how."""
    names = [path.relative_to(before) for path in before.rglob("*") if path.is_file()]
    n_same = n_pixels = 0
    for name in names:
        if not (after / name).is_file():
            return f"LOST: {name}"
        if digest(before / name) == digest(after / name):
            n_same += 1
        elif picture(before / name) == picture(after / name):
            n_pixels += 1
        else:
            return f"CHANGED: {name}"
    others = sum(path.is_file() for path in after.rglob("*")) - len(names)
    if others:
        return f"ADDED: {others} files"
    said = f"{n_same} of {len(names)} files with the same SHA-256"
    return said + (f", {n_pixels} with the same pixels" if n_pixels else "")


def compare_arrays(before: Path, after: Path, key: str | None) -> str:
    """Compare the images of two array files."""
    old, new = read_images(before, key=key).stack(), np.load(after)
    is_same = old.shape == new.shape and old.dtype == new.dtype
    if not is_same or not np.array_equal(old, new):
        return "CHANGED"
    return f"an equal array of shape {new.shape}, {new.dtype}"


def round_trip(data: Path, name: str, folder: Path) -> bool:
    """Take a set there and back; print a transcript, and return whether all is well."""
    source, *options = SOURCES.get(name, (name,))
    archive = folder / f"{name}.dae"
    is_folder = (data / source).is_dir()
    restored = folder / (f"{name}.restored" if is_folder else f"{name}.npy")
    status = 0
    steps = [
        ("compress", str(data / source), *options, *_ALONE, "-o", str(archive)),
        ("decompress", str(archive), *_ALONE, "-o", str(restored)),
        ("verify", "--files", *_ALONE, str(archive)),
    ]
    for step in steps:
        code, said, taken = command(*step)
        shown = " ".join(step).replace(f"{data}/", "").replace(f"{folder}/", "")
        print(f"$ sklearn-dae {shown}    # {taken}")
        print(said.replace(f"{data}/", "").replace(f"{folder}/", ""))
        status = status or code
    if is_folder:
        result = compare_files(data / source, restored)
    else:
        key = options[options.index("--key") + 1] if "--key" in options else None
        result = compare_arrays(data / source, restored, key)
    print(f"=> {name}: {result}; exit status {status}\n", flush=True)
    return not status and (result[0].isdigit() or result.startswith("an equal"))


def main() -> None:
    parser = argparse.ArgumentParser(description="Round trips of real sets")
    parser.add_argument("sets", nargs="*", help="folders of the data (default: all)")
    data = Path(os.environ["SKLEARN_DAE_DATA"])
    names = parser.parse_args().sets
    names = names or sorted(path.name for path in data.iterdir() if path.is_dir())
    with tempfile.TemporaryDirectory() as folder:
        results = [round_trip(data, name, Path(folder)) for name in names]
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
