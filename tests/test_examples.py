"""The examples run as they stand, write their pictures and print sensible numbers."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sklearn_dae

ROOT = Path(sklearn_dae.__file__).parent.parent
EXAMPLES = ROOT / "examples"

#: What takes too long for the tests, so `.ci/run` does it.
SLOW = {
    "plot_classifier_features.py": "fits four autoencoders",
    "plot_compare_solvers.py": "fits by each of the solvers",
    "plot_grid_search.py": "fits a dozen autoencoders",
}

#: For the others: arguments that make them short, and their pictures.
FAST = {
    "plot_compress_digits.py": (["--output", "pictures"], ["compress_digits"]),
    "plot_huffman_jpeg_autoencoder.py": ([], ["huffman_jpeg_autoencoder"]),
    "plot_paper_experiment.py": (
        ["--max-iter", "20"],
        [
            "paper_1_images",
            "paper_2_filters",
            "paper_3_pretraining",
            "paper_4_fine_tuning",
            "paper_5_reconstructions",
        ],
    ),
    "plot_pca_or_autoencoder.py": (
        ["--n-components", "2", "4"],
        ["pca_or_autoencoder_error", "pca_or_autoencoder_plane"],
    ),
    "plot_xrays.py": (["--data", "nowhere.npz"], []),
}


def run(name, folder, *arguments):
    """Run an example as a user does, with warnings as errors; return what it prints."""
    command = [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments]
    environment = os.environ | {
        "MPLBACKEND": "agg",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout + result.stderr


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Run each example once, two at a time, as each has one thread."""
    folders = {name: tmp_path_factory.mktemp(name.removesuffix(".py")) for name in FAST}
    for name, (arguments, _) in FAST.items():
        if "--output" in arguments:
            (folders[name] / "pictures").mkdir()
    with ThreadPoolExecutor(2) as pool:
        done = {
            name: pool.submit(run, name, folders[name], *arguments)
            for name, (arguments, _) in FAST.items()
        }
        yield lambda name: (folders[name], done[name].result())
        pool.shutdown(cancel_futures=True)


def numbers(text, line):
    """Numbers of the first line that matches a pattern."""
    found = re.search(f"^{line}.*$", text, re.MULTILINE)
    assert found, f"no line {line!r} in {text}"
    return [float(number) for number in re.findall(r"\d+\.\d+", found[0])]


@pytest.mark.parametrize(
    "name",
    [
        *FAST,
        *(
            pytest.param(name, marks=pytest.mark.skip(f"{reason}: takes a minute"))
            for name, reason in SLOW.items()
        ),
    ],
)
def test_example_writes_its_pictures_where_it_is_run(name, outcomes):
    folder, _ = outcomes(name)
    arguments, pictures = FAST[name]
    if "--output" in arguments:
        assert [path.name for path in folder.iterdir()] == ["pictures"]
        folder /= "pictures"
    assert sorted(path.stem for path in folder.iterdir()) == pictures
    for path in folder.iterdir():
        with Image.open(path) as picture:
            shades = np.asarray(picture.convert("L"))
        assert min(shades.shape) >= 90
        assert len(np.unique(shades)) > 16


def test_every_example_is_listed_here_and_in_the_documents():
    names = {path.name for path in EXAMPLES.glob("*.py")}
    assert names == {*SLOW, *FAST}
    page = (ROOT / "docs" / "examples.md").read_text()
    for name in names:
        assert f"python examples/{name}" in page


def test_autoencoder_beats_pca_in_the_examples(outcomes):
    _, text = outcomes("plot_compress_digits.py")
    (deep,), (linear,) = numbers(text, "autoencoder"), numbers(text, "PCA")
    assert deep < 0.5 * linear
    _, text = outcomes("plot_pca_or_autoencoder.py")
    for n_values in (2, 4):
        linear, deep = numbers(text, f" *{n_values} values: PCA")
        assert deep < 0.6 * linear


def test_fine_tuning_lowers_the_error_and_thresholds_raise_it(outcomes):
    _, text = outcomes("plot_paper_experiment.py")
    _, unrolled = numbers(text, "unrolled")
    training, held_out = numbers(text, "fine-tuned")
    (thresholded,) = numbers(text, "thresholded")
    assert training < held_out < unrolled < thresholded


def test_huffman_is_exact_and_the_autoencoder_is_best_at_few_bytes(outcomes):
    _, text = outcomes("plot_huffman_jpeg_autoencoder.py")
    assert re.search(r"^Huffman .* inf dB", text, re.MULTILINE)

    def quality(name, most_bytes):
        """Best quality that a codec has for no more bytes an image."""
        lines = re.findall(rf"^{name} +(\S+) bytes an image, +(\S+) dB", text, re.M)
        return max(float(psnr) for rate, psnr in lines if float(rate) <= most_bytes)

    deep, linear, jpeg = (quality(name, 8.5) for name in ("autoencoder", "PCA", "JPEG"))
    assert deep > linear + 1
    assert linear > jpeg + 5


def test_without_xrays_the_example_says_where_they_are(outcomes):
    _, text = outcomes("plot_xrays.py")
    assert "There is no nowhere.npz" in text
    assert "medmnist.com" in text
