"""Fixtures shared by the tests of the commands."""

import numpy as np
import pytest
from cli_checks import IMAGES, QUICK, run, save_pngs


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A model file."""
    folder = tmp_path_factory.mktemp("model")
    np.save(folder / "x.npy", IMAGES)
    model = folder / "slopes.daem"
    run("train", folder / "x.npy", "-o", model, *QUICK)
    return model


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with the images as x.npy and in a folder of PNG files."""
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", IMAGES)
    save_pngs("images", IMAGES)
    return tmp_path


@pytest.fixture
def archive(here, trained, capsys):
    """An archive of the images with their names, in four chunks, as x.dae."""
    run("compress", "images", "-o", "x.dae", "--model", trained, "--chunk-size", 10)
    capsys.readouterr()
    return here / "x.dae"
