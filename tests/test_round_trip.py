"""Whatever is in a folder comes back from an archive, or is named."""

import os
import tempfile
from pathlib import Path

import numpy as np
from cli_checks import run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_files import files_of_all_formats, numbers, pillow_bytes
from numpy.testing import assert_array_equal
from PIL import Image

from sklearn_dae.cli import main
from sklearn_dae.cli._messages import printable
from sklearn_dae.images.readers import open_file

FOLDERS = ["", "", "a/", "a/b c/", "ä/", "A/"]
STEMS = ["x", "X", "image 1", "nul", "é", "e\u0301", "日本", "new\nline", "\x1b[31m"]


def turned(rng, format):  # noqa: A002
    """Return a picture that is to be turned when it is shown."""
    exif = Image.Exif()
    exif[0x0112] = int(rng.integers(1, 9))
    height, width = rng.integers(1, 40, 2)
    pixels = numbers(rng, height, width, *([3] if rng.random() < 0.5 else []))
    return pillow_bytes(pixels, format, exif=exif)


def junk(rng):
    """Return files that are no images."""
    whole = pillow_bytes(numbers(rng, 7, 9), "PNG")
    return {
        "cut.png": whole[: rng.integers(1, len(whole))],
        "changed.png": whole[:60] + bytes([whole[60] ^ 1]) + whole[61:],
        "notes.txt": b"no image",
        "script.png": b"%!PS-Adobe",
        "empty.tif": b"",
        ".hidden.png": whole,
        "several.npz": b"PK\x03\x04 is not enough",
    }


def fill(folder, rng):
    """Write a folder of random files; return what was written, by its name."""
    formats = list(files_of_all_formats(rng).items())
    chosen = [formats[i] for i in rng.permutation(len(formats))[:8]]
    written = {}
    for name, (data, _) in chosen:
        stem = STEMS[rng.integers(len(STEMS))]
        place = FOLDERS[rng.integers(len(FOLDERS))]
        written[f"{place}{stem}{len(written)}{Path(name).suffix}"] = data
    for format in ("PNG", "JPEG"):  # noqa: A001
        written[f"turned{len(written)}.{format.lower()}"] = turned(rng, format)
    for name, data in junk(rng).items():
        if rng.random() < 0.5:
            written[FOLDERS[rng.integers(len(FOLDERS))] + name] = data
    for name, data in written.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    if rng.random() < 0.5:
        (folder / "link.png").symlink_to("turned8.png")
        os.mkfifo(folder / "pipe.png")
    return written


def assert_same(before, after):
    """Assert that a file is as it was, or shows the same in its own format."""
    if before.read_bytes() == after.read_bytes():
        return
    old, new = open_file(before), open_file(after)
    assert old.format == new.format in ("PNG", "TIFF", "IDX", "NPZ[images]")
    assert old.specs == new.specs
    look, shown = old.appearance_of(0), new.appearance_of(0)
    assert (look.orientation, look.transparent) == (
        shown.orientation,
        shown.transparent,
    )
    assert (look.palette is None) == (shown.palette is None)
    if look.palette is not None:
        assert_array_equal(look.palette, shown.palette)
    for i in range(len(old)):
        assert_array_equal(old.read(i), new.read(i))


def names_in(warnings, names):
    """Return the names that warnings mention."""
    return {name for name in names if printable(name) in warnings}


@given(st.integers(0, 2**32 - 1))
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_everything_in_a_folder_comes_back_or_is_named(capsys, seed):
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as temporary:
        here = Path(temporary)
        before, archive, after = here / "in", here / "x.dae", here / "out"
        before.mkdir()
        written = fill(before, rng)
        n_special = 2 if (before / "pipe.png").exists() else 0
        keeps = [["--keep-others"], []][rng.integers(2)]
        capsys.readouterr()
        arguments = ["compress", str(before), "-o", str(archive), "--effort", "1"]
        status = main(arguments + keeps)
        warnings = capsys.readouterr().err
        run("verify", "--files", archive)
        run("decompress", archive, "-o", after)
        renamed = dict(
            part.split(" as ")
            for line in capsys.readouterr().err.splitlines()
            for part in line.partition("under other names: ")[2].split(", ")
            if part
        )
        found = {path for path in after.rglob("*") if path.is_file()}
        restored = {}
        for name in written:
            path = after / renamed.get(printable(name), name)
            if path in found:
                restored[name] = path
        assert len(set(restored.values())) == len(found)
        for name, path in restored.items():
            assert_same(before / name, path)
        lost = set(written) - set(restored)
        assert names_in(warnings, lost) == lost
        assert status == (3 if lost or n_special else 0)
        if n_special:
            assert {"link.png", "pipe.png"} == names_in(
                warnings, ["link.png", "pipe.png"]
            )
        if keeps:
            assert not lost
