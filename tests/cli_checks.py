"""Images, and what is done with them, for the tests of the commands."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sklearn_dae.archive import open_archive
from sklearn_dae.cli import main
from sklearn_dae.images.readers import open_file

#: A network that is trained in no time.
QUICK = ["--max-iter", "2", "--hidden-layer-sizes", "8", "--n-components", "3"]


def similar_images(n, seed=0):
    """Grey images of 8 x 6 pixels: a slope, brighter or darker, and some noise."""
    rng = np.random.default_rng(seed)
    brightness = rng.uniform(0.2, 1, (n, 1, 1))
    slope = np.linspace(50, 200, 48).reshape(8, 6)
    return (brightness * slope + rng.uniform(0, 9, (n, 8, 6))).astype(np.uint8)


IMAGES = similar_images(40)


def save_pngs(folder, images, names=None):
    Path(folder).mkdir(parents=True)
    for index, image in enumerate(images):
        name = names[index] if names else f"{index:02}.png"
        Image.fromarray(image).save(Path(folder, name))


def run(*arguments, status=0):
    assert main([str(argument) for argument in arguments]) == status


def fails(capsys, *arguments, status=1):
    """Run a command that fails; return its line on stderr."""
    before = everything()
    if status == 2:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        assert caught.value.code == 2
    else:
        run(*arguments, status=status)
    output, errors = capsys.readouterr()
    assert output == ""
    assert everything() == before
    assert "sklearn-dae" in errors
    assert "error: " in errors
    if status == 1:
        assert errors.startswith("sklearn-dae: error: ")
        assert errors.count("\n") == 1
    return errors


def everything():
    """All files here, with their content: hidden and temporary ones too."""
    return {
        path: path.read_bytes() if path.is_file() else None
        for path in Path().rglob("*")
    }


def pngs(folder):
    paths = sorted(Path(folder).rglob("*.png"))
    return {
        path.relative_to(folder).as_posix(): open_file(path).read(0) for path in paths
    }


def decoded(path, model=None):
    with open_archive(path, model) as archive:
        return archive[:]


def command(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "sklearn_dae", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )
