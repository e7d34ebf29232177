"""What the commands make of damaged files, and of files of another kind."""

from pathlib import Path

import numpy as np
import pytest
from cli_checks import decoded, fails, pngs, run

from sklearn_dae.archive import open_archive


def damage_chunk(path, number):
    """Change a byte in the middle of a chunk; the first has the names."""
    with open_archive(path, salvage=True) as archive:
        place = archive.places[number]
    data = bytearray(Path(path).read_bytes())
    data[(place.begin + 50 + place.end) // 2] ^= 1
    Path(path).write_bytes(data)


def test_verify_of_what_is_intact(archive, trained, capsys):
    run("verify", "x.dae")
    assert capsys.readouterr().out == "x.dae: 40 images in 6 chunks: intact\n"
    run("verify", trained)
    assert "TransformCodec: intact" in capsys.readouterr().out


def test_damage_is_named_and_the_rest_is_saved(archive, capsys):
    whole = decoded("x.dae")
    damage_chunk("x.dae", 3)
    run("verify", "x.dae", status=1)
    output, errors = capsys.readouterr()
    lines = output.splitlines()
    assert errors == ""
    assert lines[0] == "x.dae: 40 images in 6 chunks: damaged"
    assert lines[1].startswith("Chunk 3 (10 images, 20 to 29; ")
    assert lines[2:12] == [f"  {i}.png" for i in range(20, 30)]
    assert lines[12:] == ["10 images lost"]
    assert "Chunk 3" in fails(capsys, "decompress", "x.dae", "-o", "out")

    run("decompress", "x.dae", "-o", "out", "--salvage", status=1)
    output, errors = capsys.readouterr()
    assert output == "out: 30 images of 6 x 8 pixels, grey, uint8\n"
    assert errors.splitlines() == lines[1:]
    intact = [*range(20), *range(30, 40)]
    restored = pngs("out")
    assert list(restored) == [f"{i:02}.png" for i in intact]
    np.testing.assert_array_equal(list(restored.values()), whole[intact])
    salvage = ["--salvage", "--only", "18:32", "5"]
    run("decompress", "x.dae", "-o", "out.npy", *salvage, status=1)
    chosen = [18, 19, 30, 31, 5]
    np.testing.assert_array_equal(np.load("out.npy"), whole[chosen])


def test_what_was_cut_off(archive, capsys):
    data = archive.read_bytes()
    whole = decoded("x.dae")
    with open_archive("x.dae") as opened:
        begin = opened.places[4].begin
    archive.write_bytes(data[: begin + 40])
    run("verify", "x.dae", status=1)
    assert "Images after these are lost too" in capsys.readouterr().out
    errors = fails(capsys, "decompress", "x.dae", "-o", "out.npy")
    assert "decompress --salvage" in errors
    assert "open_archive" not in errors
    run("decompress", "x.dae", "-o", "out.npy", "--salvage", status=1)
    np.testing.assert_array_equal(np.load("out.npy"), whole[:30])


def test_salvage_of_what_is_intact_is_no_failure(archive, capsys):
    run("decompress", "x.dae", "-o", "out.npy", "--salvage")
    assert capsys.readouterr().err == ""
    assert len(np.load("out.npy")) == 40


def test_nothing_that_can_be_saved(archive, capsys):
    for number in range(1, 5):
        damage_chunk("x.dae", number)
    run("decompress", "x.dae", "-o", "out", "--salvage", status=1)
    assert "nothing can be saved" in capsys.readouterr().err
    assert not Path("out").exists()


def test_damaged_model_can_be_replaced(archive, trained, capsys):
    data = bytearray(archive.read_bytes())
    data[data.index(b"DAEM") + 300] ^= 1
    archive.write_bytes(data)
    run("verify", "x.dae", status=1)
    assert "model of the archive is damaged" in capsys.readouterr().out
    assert "--model FILE" in fails(capsys, "decompress", "x.dae", "-o", "out.npy")
    run("decompress", "x.dae", "-o", "out.npy", "--model", trained)
    assert len(np.load("out.npy")) == 40
    # Where chunks and the end are lost too, the rest can still be saved.
    damage_chunk("x.dae", 2)
    archive.write_bytes(archive.read_bytes()[:-1])
    capsys.readouterr()
    salvage = ["decompress", "x.dae", "--salvage", "-o"]
    assert "--model FILE" in fails(capsys, *salvage, "some.npy")
    run(*salvage, "some.npy", "--model", trained, status=1)
    np.testing.assert_array_equal(
        np.load("some.npy"), np.delete(np.load("out.npy"), np.arange(10, 20), axis=0)
    )


@pytest.mark.parametrize("name", ["decompress", "inspect", "verify"])
def test_files_that_are_no_archives(here, name, capsys):
    extra = ["-o", "out.npy"] if name == "decompress" else []
    assert "x.npy" in fails(capsys, name, "x.npy", *extra)
    assert "nowhere.dae" in fails(capsys, name, "nowhere.dae", *extra)
    Path("empty.dae").touch()
    assert "empty.dae" in fails(capsys, name, "empty.dae", *extra)
