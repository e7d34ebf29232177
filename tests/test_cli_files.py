"""The commands give files back, keep others, and add to archives."""

import hashlib
import json
import os
import re
import sys
from pathlib import Path

import numpy as np
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
from PIL import Image

from sklearn_dae.archive import Verification, open_archive
from sklearn_dae.archive._contents import Files, Images, Kept
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
    which = ["photo.jpg", "scans/1.dcm", "0", "stack.tif[1]"]
    run("decompress", "x.dae", "-o", "some", "--only", *which)
    # An image of a file that holds several comes by itself.
    expected = ["array.npy[0].npy", "photo.jpg", "scans/1.dcm", "stack.tif[1].png"]
    assert sorted(digests("some")) == expected
    run("decompress", "x.dae", "-o", "whole", "--only", "array.npy")
    assert digests("whole") == {"array.npy": digests("mixed")["array.npy"]}
    run("decompress", "x.dae", "-o", "some.npy", "--only", "array.npy")
    assert_array_equal(np.load("some.npy"), np.load("mixed/array.npy"))
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
    run("compress", "first", "-o", "x.dae")
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
    assert everything() == before


def test_images_that_the_model_does_not_take_are_not_added(here, capsys):
    run("compress", "images", "-o", "x.dae", "--psnr", "20", *QUICK)
    save_pngs("turned", IMAGES.transpose(0, 2, 1)[:, :4])
    capsys.readouterr()
    errors = fails(capsys, "compress", "turned", "-o", "x.dae", "--append")
    assert "fitted on images of shape (8, 6)" in errors


def test_what_is_lossy_comes_back_as_png_files(here, capsys):
    run("compress", "images", "-o", "x.dae", "--psnr", "20", *QUICK)
    with open_archive("x.dae") as archive:
        assert not list(archive.files())
    run("decompress", "x.dae", "-o", "out")
    assert list(pngs("out")) == [f"{i:02}.png" for i in range(40)]


def test_a_file_that_changes_meanwhile_leaves_no_archive(mixed, monkeypatch, capsys):
    from sklearn_dae.cli import _compress as compress

    fit = compress._fitted_codec

    def change(*arguments):
        data = Path("mixed/small.pgm").read_bytes()
        Path("mixed/small.pgm").write_bytes(data[:-3] + b"abc")
        return fit(*arguments)

    monkeypatch.setattr(compress, "_fitted_codec", change)
    run("compress", "mixed", "-o", "x.dae", "--lossless")
    monkeypatch.setattr(
        compress,
        "_fitted_codec",
        lambda *arguments: (Path("mixed/photo.jpg").unlink(), fit(*arguments))[1],
    )
    run("compress", "mixed", "-o", "y.dae", "--lossless", status=1)
    assert "photo.jpg" in capsys.readouterr().err
    assert not Path("y.dae").exists()


def damage(place):
    """Change a byte in the middle of what a chunk holds."""
    data = bytearray(Path("x.dae").read_bytes())
    data[(place.begin + place.end) // 2 + 20] ^= 1
    Path("x.dae").write_bytes(data)


@pytest.mark.parametrize("kind", [Files, Kept, Images])
def test_what_is_intact_is_saved(mixed, kind, capsys):
    """Whatever chunk is damaged, only what is in it is lost."""
    Path("mixed/notes.txt").write_text("no image, but a few words")
    run("compress", "mixed", "-o", "x.dae", "--lossless", "--keep-others")
    with open_archive("x.dae") as archive:
        places = [p for p in archive.places if isinstance(p.contents, kind)]
        whole = [image.copy() for image in archive]
        names = list(archive.names)
    damage(places[-1 if kind is Kept else 0])
    capsys.readouterr()
    run("verify", "x.dae", status=1)
    if kind is Kept:
        assert "'notes.txt'" in capsys.readouterr().out
    run("decompress", "x.dae", "-o", "out", "--salvage", status=1)
    errors = capsys.readouterr().err
    after, before = digests("out"), digests("mixed")
    if kind is Files:
        # Names are lost, but no image, and no file that was kept as it is.
        for name in ("photo.jpg", "scans/packed.dcm"):
            assert before[name] in after.values()
        n_coded = sum("photo" not in name and "packed" not in name for name in names)
        pixels = [p for p in Path("out").iterdir() if p.suffix in (".npy", ".png")]
        assert len(pixels) == n_coded == len(whole) - 2
        return
    lost = {name for name in before if before[name] != after.get(name)} - {"grey.png"}
    assert lost
    for name in lost:
        assert name in errors
    assert lost <= (
        {"notes.txt"} if kind is Kept else set(names) | {"stack.tif", "array.npy"}
    )


def test_appending_reads_back_before_it_replaces(mixed, monkeypatch, capsys):
    save_pngs("first", IMAGES[:10])
    run("compress", "first", "-o", "x.dae", "--lossless")
    before = Path("x.dae").read_bytes()
    capsys.readouterr()
    monkeypatch.setattr("sklearn_dae.archive.Archive.verify", broken)
    assert "changed meanwhile" in fails(
        capsys, "compress", "first", "-o", "x.dae", "--append"
    )
    assert Path("x.dae").read_bytes() == before


def broken(self, **_):
    return Verification(10, 1, files_apart=["00.png"])


def test_what_append_cannot_add(mixed, capsys):
    Path("photos").mkdir()
    Path("photos/photo.jpg").write_bytes(mixed["photo.jpg"])
    run("compress", "photos", "-o", "x.dae", "--lossless")
    save_pngs("more", IMAGES[:3])
    capsys.readouterr()
    errors = fails(capsys, "compress", "more", "-o", "x.dae", "--append")
    assert "one of their own" in errors
    run("compress", "photos", "-o", "x.dae", "--append")
    with open_archive("x.dae") as archive:
        assert len(archive) == 2


def test_the_archive_is_not_kept_in_itself(mixed, capsys):
    arguments = ["compress", "mixed", "-o", "mixed/x.dae", "--lossless"]
    run(*arguments, "--keep-others")
    size = Path("mixed/x.dae").stat().st_size
    assert main([*arguments, "--keep-others", "--force"]) == 3
    assert "x.dae" in capsys.readouterr().err
    assert Path("mixed/x.dae").stat().st_size < size + 200


def test_hidden_folders_are_kept_whole(mixed, capsys):
    Path("mixed/.git/objects").mkdir(parents=True)
    Path("mixed/.git/objects/aa").write_text("object")
    run("compress", "mixed", "-o", "x.dae", "--lossless", "--keep-others")
    assert capsys.readouterr().err == ""
    run("decompress", "x.dae", "-o", "out")
    assert ".git/objects/aa as git/objects/aa" in capsys.readouterr().err


def test_names_are_printed_harmlessly(mixed, capsys):
    os.rename("mixed/grey.png", "mixed/a\nb\x1b[31m.png")
    run("compress", "mixed", "-o", "x.dae", "--lossless")
    capsys.readouterr()
    run("inspect", "x.dae", "--names")
    run("inspect", "x.dae")
    output = capsys.readouterr().out
    assert "a\\nb\\x1b[31m.png" in output
    assert "\x1b" not in output


def test_animations_are_kept_and_read(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    frames = [Image.fromarray(numbers(rng, 9, 8)) for _ in range(4)]
    Path("in").mkdir()
    frames[0].save("in/a.gif", save_all=True, append_images=frames[1:])
    run("compress", "in", "-o", "x.dae", "--lossless")
    with open_archive("x.dae") as archive:
        assert len(archive) == 4
        assert not archive.needs_codec
        assert archive["a.gif[3]"].shape[:2] == (9, 8)
    run("decompress", "x.dae", "-o", "out")
    assert digests("in") == digests("out")


def test_images_too_large_for_a_network_are_refused_at_once(here, capsys):
    np.save("large.npy", np.zeros((2, 2500, 2500), np.uint8))
    errors = fails(capsys, "compress", "large.npy", "-o", "x.dae", "--max-iter", 2)
    assert "parameters, more than 30,000,000" in errors
    assert "--lossless" in errors
    run("compress", "large.npy", "-o", "x.dae", "--effort", 1)
    # A network is one of several that are tried here, and of no use.
    names = "--codec", "autoencoder", "JPEG"
    run("compress", "large.npy", "-o", "y.dae", "--psnr", 20, *names)


def test_images_apart_are_named_when_they_are_added(here, trained, rng, capsys):
    run("compress", "images", "-o", "x.dae", "--model", trained)
    noise = rng.integers(256, size=(2, 8, 6), dtype=np.uint8)
    names = [f"{letter}.png" for letter in "abcde"]
    save_pngs("more", np.concatenate([IMAGES[:3], noise]), names)
    capsys.readouterr()
    run("compress", "more", "-o", "x.dae", "--append")
    errors = capsys.readouterr().err
    assert "2 of 5 images are unlike those" in errors
    assert "d.png, e.png" in errors


def photo(rng, **options):
    """Return a JPEG file of 48 x 64 pixels, of which JPEG XL makes a smaller one."""
    y, x = np.mgrid[:48, :64]
    pixels = np.stack([3 * y, 2 * x, x + y], axis=2) + rng.integers(0, 90, (48, 64, 3))
    return pillow_bytes(pixels.astype(np.uint8), "JPEG", quality=98, **options)


@pytest.fixture
def photos(tmp_path, monkeypatch, rng):
    """A folder of JPEG files, one of which is to be shown turned."""
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    for i in range(3):
        Path("photos", f"{i}.jpg").write_bytes(photo(rng))
    Path("photos/turned.jpg").write_bytes(photo(rng, exif=exif))
    return sum(path.stat().st_size for path in Path("photos").iterdir())


def needs(capsys, path):
    capsys.readouterr()
    run("inspect", path, "--json")
    return json.loads(capsys.readouterr().out)["needs"]


def test_jpeg_files_take_fewer_bytes_and_need_imagecodecs(photos, capsys):
    run("compress", "photos", "-o", "x.dae")
    assert Path("x.dae").stat().st_size < 0.95 * photos
    assert needs(capsys, "x.dae") == "imagecodecs"
    run("verify", "x.dae", "--files")
    assert "4 files byte for byte as before" in capsys.readouterr().out
    run("decompress", "x.dae", "-o", "out")
    assert digests("photos") == digests("out")


def test_what_needs_no_other_package_keeps_jpeg_files_as_they_are(photos, capsys):
    run("compress", "photos", "-o", "x.dae", "--codec", "own")
    assert needs(capsys, "x.dae") == "no other package"
    run("compress", "photos", "-o", "x.dae", "--append")
    assert needs(capsys, "x.dae") == "no other package"
    run("decompress", "x.dae", "-o", "out", "--only", "0:4")
    assert digests("photos") == digests("out")


def test_without_imagecodecs_the_command_says_what_is_missing(
    photos, monkeypatch, capsys
):
    run("compress", "photos", "-o", "x.dae")
    capsys.readouterr()
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    for command in (["decompress", "x.dae", "-o", "out"], ["verify", "x.dae"]):
        errors = fails(capsys, *command)
        assert "'0.jpg' is kept as JPEG XL" in errors
        assert "pip install 'sklearn-dae[full]'" in errors


AS_THEY_ARE, BRIEF = "files as they are", ["--effort", 1]


@pytest.mark.parametrize("codec", ["auto", "own"])
def test_files_are_kept_where_what_is_lost_saves_no_bytes(photos, codec, capsys):
    run("compress", "photos", "-o", "x.dae", "--psnr", 60, "--codec", codec, *BRIEF)
    output = capsys.readouterr().out
    name = AS_THEY_ARE + (", JPEG in JPEG XL" if codec == "auto" else "")
    first = output.split("ways to store the pixels:\n")[1].splitlines()[0]
    assert re.fullmatch(rf"  {name} +[\d,]+ +1\.00", first)
    assert "Read back: exact" in output
    expected = "imagecodecs" if codec == "auto" else "no other package"
    assert needs(capsys, "x.dae") == expected
    run("decompress", "x.dae", "-o", "out")
    assert digests("photos") == digests("out")
    kept = Path("x.dae").stat().st_size
    run(
        "compress",
        "photos",
        "-o",
        "y.dae",
        "--psnr",
        60,
        "--codec",
        "PixelCodec",
        *BRIEF,
    )
    assert AS_THEY_ARE not in capsys.readouterr().out
    assert kept < Path("y.dae").stat().st_size


@pytest.mark.parametrize(
    "options",
    [["--psnr", 20, *BRIEF], ["--psnr", 60, "--grey", *BRIEF]],
)
def test_files_are_not_kept_where_that_is_not_asked_for(photos, options, capsys):
    # They take more bytes; grey is not what is in them.
    Path("photos/turned.jpg").unlink()
    run("compress", "photos", "-o", "x.dae", *options)
    with open_archive("x.dae") as archive:
        assert not list(archive.files())
        assert archive.needs_codec


def test_headers_of_patients_are_not_kept_where_something_may_be_lost(
    tmp_path, monkeypatch, rng
):
    monkeypatch.chdir(tmp_path)
    Path("one").mkdir()
    Path("one/scan.dcm").write_bytes(dicom_bytes(numbers(rng, 48, 64), packed=True))
    run("compress", "one", "-o", "x.dae", "--psnr", 90, *BRIEF)
    with open_archive("x.dae") as archive:
        assert not list(archive.files())
    assert b"Nobody" not in Path("x.dae").read_bytes()
