"""The command: what it prints and writes, and how it fails."""

import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from sklearn_dae import DeepAutoencoderCompressor, _demo
from sklearn_dae.cli import main
from sklearn_dae.codecs import SmallestCodec


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def images(rng):
    """Thirty similar grey images of 6 x 5 pixels."""
    faint = rng.uniform(0, 1, (30, 1, 1)) * np.linspace(50, 200, 30).reshape(6, 5)
    return (faint + rng.uniform(0, 20, (30, 6, 5))).astype(np.uint8)


@pytest.fixture
def no_training(monkeypatch):
    """Fail when anything is trained."""

    def fail(self, X, y=None):
        pytest.fail("the error was found only after training had begun")

    monkeypatch.setattr(DeepAutoencoderCompressor, "fit", fail)


def save_folder(folder, images):
    folder.mkdir()
    for index, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{index:02}.png")


def table_of(output):
    """The rows of the printed table, by method."""
    lines = output.split("\n")
    rule = next(at for at, line in enumerate(lines) if re.fullmatch("-{20,}", line))
    assert {len(line) for line in lines[rule - 1 : lines.index("", rule)]} == {
        len(lines[rule])
    }
    rows = [re.split(r"\s{2,}", line) for line in lines[rule + 1 :]]
    return {method: cells for method, *cells in rows[: rows.index([""])]}


def run_quickly(*arguments):
    return main(["demo", "--max-iter", "2", *map(str, arguments)])


def assert_one_line_of_error(capsys, *parts):
    output, errors = capsys.readouterr()
    assert errors.startswith("sklearn-dae: error: ")
    assert errors.count("\n") == 1
    for part in parts:
        assert str(part) in errors
    return output


@pytest.fixture
def few_candidates(monkeypatch):
    """Let the demo look for the smallest file among two codecs only."""
    few = partial(SmallestCodec, candidates=["PCA", "JPEG"])
    monkeypatch.setattr(_demo, "SmallestCodec", few)


def test_demo_on_digits_prints_the_table_and_writes_the_picture(
    in_folder, few_candidates, capsys
):
    assert main(["demo", "--max-iter", "5", "--n-components", "4"]) == 0
    output, errors = capsys.readouterr()
    assert errors == ""
    assert "1,437 images to learn from, 360 held out, 8 x 8 pixels" in output
    table = table_of(output)
    assert list(table) == ["autoencoder 4", "PCA 4", "Huffman"]
    for method in ("autoencoder 4", "PCA 4"):
        assert table[method][:3] == ["4", "128", "2.00"]
        # The mean image, with no code at all, has an error of 4.7.
        assert 1 < float(table[method][4]) < 4
    assert table["Huffman"][0] == "64"
    assert table["Huffman"][3:] == ["0.000", "0.000", "exact"]
    _, totals = output.split("Files of all 1,797 images at 20 dB")
    names = re.findall(r"^  (\S.*?)  +[\d,]+ bytes$", totals, re.MULTILINE)
    assert names == ["PCA", "JPEG, side by side"]
    assert [path.name for path in in_folder.iterdir()] == ["sklearn-dae-demo.png"]
    with Image.open("sklearn-dae-demo.png") as picture:
        picture.load()
        assert picture.format == "PNG"
        assert picture.width > 1000
        assert len(np.unique(np.asarray(picture.convert("L")))) > 16
    Path("other").touch()
    assert Path("sklearn-dae-demo.png").stat().st_mode == Path("other").stat().st_mode


def test_several_code_sizes_are_compared(in_folder, images, capsys):
    np.save("x.npy", images)
    assert run_quickly("--data", "x.npy", "--n-components", 5, 2) == 0
    table = table_of(capsys.readouterr().out)
    methods = ["autoencoder 5", "PCA 5", "autoencoder 2", "PCA 2", "Huffman"]
    assert list(table) == methods
    assert [row[0] for row in table.values()] == ["5", "5", "2", "2", "30"]


@pytest.mark.parametrize("name", ["folder", "x.npy", "x.npz", "split.npz"])
def test_data_may_be_a_folder_or_an_array_file(in_folder, images, name, capsys):
    n_training, n_held_out = (26, 4) if name == "split.npz" else (24, 6)
    if name == "folder":
        save_folder(in_folder / name, images)
    elif name == "x.npy":
        np.save(name, images)
    elif name == "x.npz":
        np.savez(name, images)
    else:
        np.savez(name, train=images[:26], test=images[26:], labels=np.zeros(30))
    assert run_quickly("--data", name, "--output", "out.png") == 0
    output, errors = capsys.readouterr()
    assert errors == ""
    counts = f"{n_training} images to learn from, {n_held_out} held out, 5 x 6 pixels"
    assert counts in output
    # A quarter of 30 pixels, rounded down.
    assert list(table_of(output)) == ["autoencoder 7", "PCA 7", "Huffman"]
    with Image.open("out.png") as picture:
        picture.load()


@pytest.mark.parametrize(
    ("dtype", "high"), [(np.uint8, 255), (np.int16, 3000), (bool, 1), (np.float64, 1)]
)
def test_pixels_of_every_kind_make_a_table(in_folder, rng, dtype, high, capsys):
    pixels = rng.uniform(0, high, (20, 16))
    pixels[0, 0] = high
    np.save("x.npy", pixels if dtype is np.float64 else np.rint(pixels).astype(dtype))
    assert run_quickly("--data", "x.npy") == 0
    table = table_of(capsys.readouterr().out)
    assert ("Huffman" in table) == (dtype is not np.float64)


def test_colour_images_are_turned_to_grey_on_demand(in_folder, images, capsys):
    save_folder(in_folder / "colour", np.stack([images] * 3, axis=-1))
    assert run_quickly("--data", "colour") == 1
    assert_one_line_of_error(capsys, "RGB, uint8; expected shades of grey", "--grey")
    assert run_quickly("--data", "colour", "--grey") == 0


def test_same_seed_same_output(in_folder, images, capsys):
    np.save("x.npy", images)
    tables = []
    for seed in (1, 1, 2):
        assert run_quickly("--data", "x.npy", "--random-state", seed) == 0
        tables.append(table_of(capsys.readouterr().out))
    assert tables[0] == tables[1]
    assert tables[0]["autoencoder 7"] != tables[2]["autoencoder 7"]
    assert tables[0]["PCA 7"] == tables[2]["PCA 7"]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--data", "nowhere"], ["nowhere"]),
        (["--data", "nowhere.npz"], ["nowhere.npz"]),
        (["--data", "empty"], ["empty holds no image"]),
        (["--data", "few.npy"], ["few.npy holds 4 images; at least 5"]),
        (["--data", "uneven.npz"], ["uneven.npz", "6 x 5 pixels", "5 x 6 pixels"]),
        (["--data", "broken.npz"], ["broken.npz"]),
        (["--data", "misnamed.npz", "--n-components", "99"], []),
        (["--data", "mnist"], ["train-images-idx3-ubyte", "SKLEARN_DAE_DATA"]),
        (["--data", "constant.npy"], ["constant.npy"]),
        (["--output", "absent/out.png"], ["absent", "no folder"]),
        (["--output", "empty"], ["empty is a folder"]),
        (["--output", "out.xyz"], ["xyz"]),
        (["--n-components", "0"], ["n_components"]),
        (["--n-components", "65"], ["n_components=65", "n_features=64"]),
        (["--n-components", "8", "65"], ["n_components=65", "n_features=64"]),
        (["--hidden-layer-sizes", "9", "0"], ["hidden_layer_sizes", "[9, 0]"]),
        (["--hidden-layer-sizes", "1000000"], ["--hidden-layer-sizes"]),
        (["--max-iter", "-1"], ["max_iter"]),
    ],
    ids=" ".join,
)
def test_what_cannot_work_is_said_before_training(
    in_folder, images, no_training, monkeypatch, capsys, arguments, parts
):
    monkeypatch.setenv("SKLEARN_DAE_DATA", str(in_folder / "empty"))
    Path("empty").mkdir()
    np.save("few.npy", images[:4])
    np.save("constant.npy", np.full_like(images, 7))
    np.savez("uneven.npz", train=images, test=images.transpose(0, 2, 1))
    np.savez("x.npz", train=images, test=images)
    Path("broken.npz").write_bytes(Path("x.npz").read_bytes()[:500])
    np.save("x.npy", images)
    Path("x.npy").rename("misnamed.npz")
    before = sorted(in_folder.iterdir())
    assert main(["demo", *arguments]) == 1
    assert_one_line_of_error(capsys, *parts)
    assert sorted(in_folder.iterdir()) == before


def test_damaged_picture_file_is_named(in_folder, images, capsys):
    save_folder(in_folder / "images", images)
    (in_folder / "images" / "07.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert run_quickly("--data", "images") == 3
    assert "left out, damaged: 07.png" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["enlarge"], [], ["demo", "--maximum", "3"]])
def test_wrong_usage_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: sklearn-dae" in capsys.readouterr().err


def test_interruption_exits_with_130(in_folder, monkeypatch, capsys):
    def interrupt(self, X, y=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(DeepAutoencoderCompressor, "fit", interrupt)
    assert run_quickly() == 130
    assert capsys.readouterr().err == "sklearn-dae: interrupted\n"
    assert list(in_folder.iterdir()) == []


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_picture_that_cannot_be_saved_leaves_the_old_one(
    in_folder, images, monkeypatch, capsys, error
):
    def fail_halfway(self, file, **kwargs):
        Path(file).write_bytes(b"half a picture")
        raise error

    monkeypatch.setattr(Figure, "savefig", fail_halfway)
    np.save("x.npy", images)
    Path("out.png").write_bytes(b"the old picture")
    status = run_quickly("--data", "x.npy", "--output", "out.png")
    output, errors = capsys.readouterr()
    if isinstance(error, OSError):
        assert (status, errors) == (1, "sklearn-dae: error: disk full\n")
    else:
        assert status == 130
    assert "Huffman" in table_of(output)
    assert "Picture" not in output
    assert sorted(path.name for path in in_folder.iterdir()) == ["out.png", "x.npy"]
    assert Path("out.png").read_bytes() == b"the old picture"


def test_without_matplotlib_there_is_a_table_and_advice(
    in_folder, images, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    np.save("x.npy", images)
    assert run_quickly("--data", "x.npy", "--output", "out.png") == 0
    output, errors = capsys.readouterr()
    assert errors == ""
    assert "pip install 'sklearn-dae[full]'" in output
    assert "Huffman" in table_of(output)
    assert not Path("out.png").exists()


def test_without_pillow_image_files_are_refused_with_advice(
    in_folder, images, monkeypatch, capsys
):
    save_folder(in_folder / "images", images)
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert run_quickly("--data", "images") == 1
    assert_one_line_of_error(capsys, "pip install 'sklearn-dae[full]'")


def test_module_runs_as_a_command():
    command = [sys.executable, "-m", "sklearn_dae", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: sklearn-dae")
    assert "demo" in done.stdout
    assert done.stderr == ""


@pytest.mark.skipif(shutil.which("head") is None, reason="needs the command head")
def test_reader_that_goes_away_ends_the_command_quietly(in_folder, images):
    np.save("x.npy", images)
    arguments = ["demo", "--data", "x.npy", "--max-iter", "2"]
    with (
        subprocess.Popen(
            [sys.executable, "-m", "sklearn_dae", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as command,
        subprocess.Popen(
            ["head", "-1"], stdin=command.stdout, stdout=subprocess.PIPE, text=True
        ) as head,
    ):
        command.stdout.close()
        first_line = head.communicate(timeout=60)[0]
        errors = command.stderr.read()
    assert first_line.startswith("x.npy: 24 images to learn from")
    assert errors == ""
    assert command.returncode == 1
