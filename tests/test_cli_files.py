"""The commands give files back, keep others, and add to archives."""

import hashlib
from pathlib import Path

import pytest
from cli_checks import IMAGES, QUICK, decoded, everything, fails, pngs, run, save_pngs
from image_files import (
    dicom_bytes,
    npy_bytes,
    numbers,
    pillow_bytes,
    pnm_bytes,
    tiff_bytes,
)
from numpy.testing import assert_array_equal

from sklearn_dae.archive import open_archive
from sklearn_dae.cli import main


@pytest.fixture
def mixed(tmp_path, monkeypatch, rng):
    """A folder of files of several kinds, and what is in each."""
    monkeypatch.chdir(tmp_path)
    deep = numbers(rng, 20, 30, bits=12)
    files = {
        "scans/1.dcm": dicom_bytes(deep, bits=12),
        "scans/2.dcm": dicom_bytes(deep[::-1].copy(), bits=12),
        "scans/packed.dcm": dicom_bytes(deep, packed=True),
        "photo.jpg": pillow_bytes(numbers(rng, 16, 24, 3), "JPEG"),
        "small.pgm": pnm_bytes(numbers(rng, 5, 6), 255),
        "stack.tif": tiff_bytes(numbers(rng, 3, 9, 8), photometric="minisblack"),
        "array.npy": npy_bytes(rng.normal(size=(4, 5, 6))),
        "grey.png": pillow_bytes(numbers(rng, 16, 24), "PNG", dpi=(300, 300)),
    }
    for name, data in files.items():
        path = Path("mixed", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return files


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).digest()
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


def test_a_folder_of_many_kinds_comes_back(mixed, capsys):
    run("compress", "mixed", "-o", "x.dae", "--lossless")
    output = capsys.readouterr().out
    assert output.startswith("x.dae: 13 images of 7 kinds: 4 of 6 x 5 pixels, grey, ")
    assert "Taken in: 8 files, 13 images" in output
    assert "Read back: exact" in output
    assert "may identify patients" in output
    assert "Nobody" not in output
    run("verify", "x.dae", "--files")
    assert "7 files byte for byte as before" in capsys.readouterr().out
    run("decompress", "x.dae", "-o", "out")
    assert "out: 8 files, 13 images of 7 kinds" in capsys.readouterr().out
    before, after = digests("mixed"), digests("out")
    png = "grey.png"
    assert_array_equal(*(pngs(folder)[png] for folder in ("mixed", "out")))
    del before[png], after[png]
    assert before == after
    run("inspect", "x.dae")
    text = capsys.readouterr().out
    assert "Nobody" not in text
    assert "taken in" in text


def test_some_of_the_files(mixed, capsys):
    run("compress", "mixed", "-o", "x.dae", "--lossless")
    run("decompress", "x.dae", "-o", "some", "--only", "photo.jpg", "scans/1.dcm", "0")
    assert sorted(digests("some")) == ["array.npy", "photo.jpg", "scans/1.dcm"]
    capsys.readouterr()
    assert "7 kinds" in fails(capsys, "decompress", "x.dae", "-o", "y.npy")


def test_nothing_to_code(mixed, capsys):
    Path("one").mkdir()
    Path("one/photo.jpg").write_bytes(mixed["photo.jpg"])
    run("compress", "one", "-o", "x.dae", "--lossless")
    assert Path("x.dae").stat().st_size < len(mixed["photo.jpg"]) + 500
    with open_archive("x.dae") as archive:
        assert not archive.needs_codec
        assert archive[0].shape == (16, 24, 3)
    run("decompress", "x.dae", "-o", "out")
    assert digests("one") == digests("out")


def test_other_files_are_kept_if_that_is_wanted(mixed, capsys):
    Path("mixed/notes.txt").write_text("no image")
    Path("mixed/.hidden").write_text("hidden")
    arguments = ["compress", "mixed", "-o", "x.dae", "--lossless"]
    assert main(arguments) == 3
    assert "left out, unknown format: notes.txt" in capsys.readouterr().err
    run(*arguments, "--force", "--keep-others")
    output, errors = capsys.readouterr()
    assert errors == ""
    assert "left out" not in output
    run("decompress", "x.dae", "-o", "out")
    assert "under other names: .hidden as hidden" in capsys.readouterr().err
    assert Path("out/notes.txt").read_text() == "no image"
    assert Path("out/hidden").read_text() == "hidden"


def test_a_dicom_file_without_pixels_belongs_to_the_others(mixed, capsys):
    whole = mixed["scans/1.dcm"]
    import pydicom

    data_set = pydicom.dcmread("mixed/scans/1.dcm")
    del data_set.PixelData
    data_set.save_as("mixed/DICOMDIR")
    run("compress", "mixed", "-o", "x.dae", "--lossless")
    run("decompress", "x.dae", "-o", "out")
    assert digests("mixed")["DICOMDIR"] == digests("out")["DICOMDIR"]
    assert Path("out/scans/1.dcm").read_bytes() == whole


def test_images_are_added(mixed, capsys):
    save_pngs("first", IMAGES[:10])
    save_pngs("second", IMAGES[10:15], [f"new{i}.png" for i in range(5)])
    run("compress", "first", "-o", "x.dae", "--lossless", *QUICK)
    size = Path("x.dae").stat().st_size
    run("compress", "second", "-o", "x.dae", "--append")
    assert "x.dae: 15 images" in capsys.readouterr().out
    assert size < Path("x.dae").stat().st_size < size + 2000
    assert_array_equal(decoded("x.dae"), IMAGES[:15])
    run("decompress", "x.dae", "-o", "out")
    assert len(pngs("out")) == 15
    capsys.readouterr()
    before = everything()
    assert "--append" in fails(
        capsys, "compress", "second", "-o", "x.dae", "--append", "--force", status=2
    )
    assert "fitted on images of 48" in fails(
        capsys, "compress", "mixed", "-o", "x.dae", "--append"
    )
    assert everything() == before


def test_what_is_lossy_comes_back_as_png_files(here, capsys):
    run("compress", "images", "-o", "x.dae", "--psnr", "20", *QUICK)
    with open_archive("x.dae") as archive:
        assert not list(archive.files())
    run("decompress", "x.dae", "-o", "out")
    assert list(pngs("out")) == [f"{i:02}.png" for i in range(40)]


def test_a_file_that_changes_meanwhile_leaves_no_archive(mixed, monkeypatch, capsys):
    from sklearn_dae.cli import _compress as compress

    fit = compress.smallest_codec

    def change(images):
        data = Path("mixed/small.pgm").read_bytes()
        Path("mixed/small.pgm").write_bytes(data[:-3] + b"abc")
        return fit(images)

    monkeypatch.setattr(compress, "smallest_codec", change)
    run("compress", "mixed", "-o", "x.dae", "--lossless")
    monkeypatch.setattr(
        compress,
        "smallest_codec",
        lambda images: (Path("mixed/photo.jpg").unlink(), fit(images))[1],
    )
    run("compress", "mixed", "-o", "y.dae", "--lossless", status=1)
    assert "photo.jpg" in capsys.readouterr().err
    assert not Path("y.dae").exists()
