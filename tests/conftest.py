"""Fixtures shared by the tests."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from cli_checks import IMAGES, QUICK, run, save_pngs
from sklearn.model_selection import train_test_split

from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.datasets import load_digits
from sklearn_dae.entropy import _pixel_training

# Started in the background, or by nohup, pytest ignores these signals, and so would the
# commands that tests send them to. What is handled here is not ignored there.
for name, handler in (
    ("SIGINT", signal.default_int_handler),
    ("SIGHUP", lambda *_: None),
):
    number = getattr(signal, name, None)
    if number is not None and signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def few_samples():
    """Let networks of pixels be trained on few samples, where images are small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_pixel_training, "_N_DRAWN", 2**13)
        patch.setattr(_pixel_training, "_N_FITTED", 2**14)
        yield


@pytest.fixture(scope="session")
def digits():
    """Rows of digits, uint8 from 0 to 16."""
    return load_digits().data


@pytest.fixture(scope="session")
def few_digits(digits):
    """As many rows of digits as make two blocks of rows."""
    return digits[:700]


@pytest.fixture(scope="session")
def digits_split(digits):
    """Training and held-out rows of digits."""
    return train_test_split(digits, test_size=0.2, random_state=0)


@pytest.fixture(scope="session")
def split(digits):
    """Training and held-out digits as bytes from 0 to 240, in random order."""
    order = np.random.default_rng(0).permutation(len(digits))
    images = (digits * 15).astype(np.uint8)
    return images[order[:1400]], images[order[1400:]]


@pytest.fixture(scope="session")
def fitted(digits):
    """A compressor fitted quickly on digits. Tests must not change it."""
    settings = {"hidden_layer_sizes": (100, 50), "max_iter": 15, "random_state": 0}
    return DeepAutoencoderCompressor(8, **settings).fit(digits)


@pytest.fixture(scope="session")
def data_folder():
    """Folder with the real data sets, named by SKLEARN_DAE_DATA."""
    folder = os.environ.get("SKLEARN_DAE_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("SKLEARN_DAE_DATA names no folder with MNIST's IDX files")
    return Path(folder)


@pytest.fixture
def rng():
    """A source of random numbers."""
    return np.random.default_rng(0)


# What the tests of the commands work with.


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
