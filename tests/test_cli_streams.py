"""Standard input and standard output as files."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_checks import IMAGES, command, decoded, fails, run

from sklearn_dae.archive import write_archive
from sklearn_dae.models import load_model


def test_streams(here, trained):
    compress = ["compress", "-", "-o", "-", "--model", trained]
    with (
        open("x.npy", "rb") as file,
        command(*compress, stdin=file) as process,
    ):
        data, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert errors.decode().startswith("40 images of 6 x 8 pixels, grey, uint8\n")
    with command("decompress", "-", "-o", "-", stdin=subprocess.PIPE) as process:
        output, errors = process.communicate(data, timeout=60)
    assert process.returncode == 0
    assert errors.decode() == "-: 40 images of 6 x 8 pixels, grey, uint8\n"
    np.testing.assert_array_equal(
        np.load(io.BytesIO(output)), decoded(io.BytesIO(data))
    )


def stdin_of(monkeypatch, data):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_standard_input_is_a_file_like_any_other(archive, trained, monkeypatch, capsys):
    data = archive.read_bytes()
    for name in ("inspect", "verify"):
        stdin_of(monkeypatch, data)
        run(name, "-")
        assert "40" in capsys.readouterr().out
    stdin_of(monkeypatch, trained.read_bytes())
    run("inspect", "-")
    assert "TransformCodec" in capsys.readouterr().out
    stdin_of(monkeypatch, data[:30])
    assert "cut off" in fails(capsys, "decompress", "-", "-o", "out.npy")
    stdin_of(monkeypatch, b"no array")
    assert ".npy" in fails(capsys, "compress", "-", "-o", "y.dae", "--model", trained)


def test_bytes_do_not_go_to_a_terminal(archive, monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "terminal" in fails(capsys, "decompress", "x.dae", "-o", "-")
    assert "terminal" in fails(capsys, "compress", "x.npy", "-o", "-")


def test_reader_that_goes_away_is_not_told(here, trained):
    large = np.repeat(IMAGES, 2000, axis=0)
    write_archive("x.dae", large, load_model(trained))
    with command("decompress", "x.dae", "-o", "-") as process:
        process.stdout.read(100)
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(timeout=60) == 1
    assert errors == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_standard_output_is_an_error(archive):
    with open("/dev/full", "wb") as full:
        process = subprocess.run(
            [sys.executable, "-m", "sklearn_dae", "decompress", "x.dae", "-o", "-"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert process.returncode == 1
    first = process.stderr.splitlines()[0]
    assert first.startswith("sklearn-dae: error: standard output: No space left")
