"""Files are whole or not there, and none is replaced unasked."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from cli_checks import IMAGES, QUICK, command, everything, fails, run
from full_disk import files_of_at_most
from PIL import Image

from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.archive import open_archive, write_archive
from sklearn_dae.cli._signals import Terminated, raising_terminated
from sklearn_dae.codecs import HuffmanCodec
from sklearn_dae.models import load_model, save_model

posix_signals = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "x.npy", "-o", "old"],
        ["compress", "x.npy", "-o", "old"],
        ["decompress", "x.dae", "-o", "old"],
        ["decompress", "x.dae", "-o", "old.npy"],
        ["decompress", "x.dae", "-o", "old.npz"],
        ["decompress", "x.dae", "-o", "images"],
    ],
    ids=" ".join,
)
def test_nothing_is_replaced_without_being_asked(
    archive, monkeypatch, capsys, arguments
):
    def fit(self, X, y=None):
        pytest.fail("the error was found only after training had begun")

    monkeypatch.setattr(DeepAutoencoderCompressor, "fit", fit)
    for name in ("old", "old.npy", "old.npz"):
        Path(name).write_text("precious")
    errors = fails(capsys, *arguments)
    assert arguments[-1] in errors
    assert "--force" in errors or "name a folder" in errors


def test_force_replaces_files(archive, capsys):
    Path("old.npy").write_text("old")
    run("decompress", "x.dae", "-o", "old.npy", "--force")
    assert len(np.load("old.npy")) == 40
    run("compress", "x.npy", "-o", "x.dae", "--force", *QUICK)
    with open_archive("x.dae") as replaced:
        assert not replaced.names
    run("train", "x.npy", "-o", "old.npy", "--force", *QUICK)
    load_model("old.npy")


def test_force_leaves_other_files_of_a_folder(archive, capsys):
    Path("out").mkdir()
    Path("out", "05.png").write_text("old")
    Path("out", "letter.txt").write_text("precious")
    run("decompress", "x.dae", "-o", "out", "--force")
    assert Path("out", "letter.txt").read_text() == "precious"
    assert np.asarray(Image.open("out/05.png")).shape == (8, 6)
    assert len(os.listdir("out")) == 41


def test_empty_folder_is_filled(archive, capsys):
    Path("out").mkdir()
    run("decompress", "x.dae", "-o", "out")
    assert len(os.listdir("out")) == 40


@pytest.mark.parametrize(
    ("output", "part"),
    [
        ("absent/x", "no folder"),
        ("x.png", "expected a folder"),
        ("absent/x.npy", "no folder"),
    ],
)
def test_places_that_cannot_be_written_to(archive, output, part, capsys):
    assert part in fails(capsys, "decompress", "x.dae", "-o", output)


@pytest.mark.parametrize(
    "arguments",
    [
        ["compress", "../x.npy", "-o", "y.dae", *QUICK],
        ["train", "../x.npy", "-o", "y.daem", *QUICK],
        ["decompress", "../x.dae", "-o", "out"],
        ["decompress", "../x.dae", "-o", "out.npy"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_read_only_folder(archive, arguments, monkeypatch, capsys):
    Path("locked").mkdir()
    if os.geteuid():
        os.chmod("locked", 0o500)
    else:
        # No folder is read-only to root.
        monkeypatch.setattr("os.access", lambda path, mode: False)
    monkeypatch.chdir("locked")
    assert "cannot be written to" in fails(capsys, *arguments)


@pytest.mark.parametrize("output", ["out.npy", "out", "y.dae"])
def test_full_disk_leaves_nothing(archive, output, capsys):
    if output == "y.dae":
        arguments = ["compress", "x.npy", "-o", output, *QUICK]
    else:
        arguments = ["decompress", "x.dae", "-o", output]
    with files_of_at_most(50 if output == "out" else 500):
        errors = fails(capsys, *arguments)
    assert output in errors
    assert "File too large" in errors


def test_interruption_leaves_nothing(here):
    np.save("many.npy", np.repeat(IMAGES, 200, axis=0))
    before = everything()
    arguments = ["compress", "many.npy", "-o", "y.dae", "--max-iter", "1000000"]
    # A line of a training that goes on tells that it has begun.
    code = (
        "import sys; from sklearn_dae import DeepAutoencoderCompressor as D; "
        "fit = D.fit; "
        "D.fit = lambda s, X: (print('begun', file=sys.stderr, flush=True), "
        "fit(s, X))[1]; "
        "from sklearn_dae.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr.readline() == "begun\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        try:
            output, errors = process.communicate(timeout=60)
        finally:
            process.kill()  # had it not heeded the signal
    assert process.returncode == 130
    assert output == ""
    assert errors == "sklearn-dae: interrupted\n"
    assert everything() == before


def temporary_files():
    return list(Path().glob(".sklearn-dae-*"))


@pytest.fixture(scope="module")
def many(trained, tmp_path_factory):
    """So many images that it takes a while to write them: x.npy and x.dae."""
    folder = tmp_path_factory.mktemp("many")
    images = np.repeat(IMAGES, 500, axis=0)
    np.save(folder / "x.npy", images)
    write_archive(folder / "x.dae", images, load_model(trained), chunk_size=50)
    return folder


@posix_signals
@pytest.mark.parametrize(
    ("output", "name"),
    [
        ("folder", "SIGTERM"),
        ("old.npy", "SIGTERM"),
        ("old.dae", "SIGTERM"),
        ("old.dae", "SIGHUP"),
        ("old.dae", "SIGINT"),
    ],
)
def test_signals_leave_nothing_half_written(here, trained, many, output, name):
    if output != "folder":
        Path(output).write_text("precious")
    before = everything()
    arguments = ["decompress", many / "x.dae"]
    if output == "old.dae":
        arguments = ["compress", many / "x.npy", "--model", trained]
    with command(*arguments, "-o", output, "--force") as process:
        while not temporary_files() and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(signal.Signals[name])
        printed, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.Signals[name], errors.decode()
    assert printed == b""
    assert everything() == before


@posix_signals
def test_a_signal_is_handled_while_a_command_runs_only(archive, capsys):
    def ignore(number, frame):
        pass

    for handler in (signal.SIG_DFL, signal.SIG_IGN, ignore):
        before = signal.signal(signal.SIGTERM, handler)
        try:
            run("inspect", "x.dae")
            assert signal.getsignal(signal.SIGTERM) == handler
        finally:
            signal.signal(signal.SIGTERM, before)
    # Threads other than the main one cannot handle signals.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(run, "inspect", "x.dae").result()


@pytest.fixture
def hangup_ends_a_process():
    """SIGHUP as it is where pytest is not run by nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@posix_signals
@pytest.mark.usefixtures("hangup_ends_a_process")
def test_a_second_signal_does_not_interrupt_the_clearing_up():
    steps = []

    def command():
        try:
            signal.raise_signal(signal.SIGHUP)
        finally:
            signal.raise_signal(signal.SIGTERM)
            with suppress(OSError):
                try:
                    raise OSError
                finally:
                    signal.raise_signal(signal.SIGTERM)
                    steps.append("cleared up")

    with raising_terminated(), pytest.raises(Terminated) as raised:
        command()
    assert raised.value.status == 128 + signal.SIGHUP
    assert steps == ["cleared up"]


@posix_signals
def test_a_signal_whose_exception_was_dropped_can_be_sent_again(monkeypatch):
    class Finalized:
        def __del__(self):
            signal.raise_signal(signal.SIGTERM)

    dropped = []
    monkeypatch.setattr(sys, "unraisablehook", dropped.append)
    with raising_terminated():
        Finalized()
        assert len(dropped) == 1
        with pytest.raises(Terminated):
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    ("output", "broken"),
    [
        ("out", "sklearn_dae.cli._restoring.Archive.__getitem__"),
        ("out.npy", "sklearn_dae.cli._restoring.Archive.__getitem__"),
        ("out.npz", "sklearn_dae.cli._restoring.Archive.__getitem__"),
    ],
)
def test_interruption_of_decompressing_leaves_nothing(
    archive, output, broken, monkeypatch, capsys
):
    def interrupt(self, key):
        raise KeyboardInterrupt

    monkeypatch.setattr(broken, interrupt)
    before = everything()
    run("decompress", "x.dae", "-o", output, status=130)
    assert capsys.readouterr().err == "sklearn-dae: interrupted\n"
    assert everything() == before


def test_archive_that_breaks_its_promise_is_not_written(here, monkeypatch, capsys):
    decode = HuffmanCodec._decode_chunk
    monkeypatch.setattr(
        HuffmanCodec, "_decode_chunk", lambda *a: decode(*a) ^ np.uint8(1)
    )
    save_model(HuffmanCodec().fit(IMAGES.reshape(40, -1)), "h.daem")
    arguments = ["compress", "x.npy", "-o", "x.dae", "--model", "h.daem"]
    assert "would not come back as it was" in fails(capsys, *arguments)
