"""The commands train, compress, decompress and inspect."""

import gzip
import json
import os
import re
import struct
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from cli_checks import IMAGES, QUICK, decoded, fails, pngs, run, save_pngs
from hypothesis import given
from hypothesis import strategies as st
from image_files import palette_bytes
from numpy.testing import assert_array_equal
from PIL import Image, ImageOps
from sklearn.decomposition import PCA

from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.archive import open_archive, write_archive
from sklearn_dae.cli import main
from sklearn_dae.cli._file_names import FileNames
from sklearn_dae.cli._only import chosen
from sklearn_dae.cli._progress import counting
from sklearn_dae.cli._summary import break_even
from sklearn_dae.codecs import HuffmanCodec, TransformCodec
from sklearn_dae.images import ImageSet, read_images
from sklearn_dae.images._idx import read_idx
from sklearn_dae.models import load_model, save_model

# Images in, images out.


#: Folders of images of several kinds.
KINDS = {
    "grey": IMAGES,
    "16 bits": IMAGES.astype(np.uint16) * 257 + 5,
    "colour": np.stack([IMAGES, IMAGES[::-1], 255 - IMAGES], axis=-1),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("option", ["", "--lossless", "--effort 1 --jobs 2"])
def test_every_pixel_comes_back_unless_loss_is_asked_for(here, kind, option, capsys):
    save_pngs("source", KINDS[kind])
    run("compress", "source", "-o", "x.dae", *option.split())
    output, errors = capsys.readouterr()
    assert errors == ""
    assert "Read back: exact" in output
    run("decompress", "x.dae", "-o", "restored")
    restored = pngs("restored")
    assert list(restored) == [f"{i:02}.png" for i in range(40)]
    assert_array_equal(np.stack(list(restored.values())), KINDS[kind])
    assert sorted(os.listdir()) == ["images", "restored", "source", "x.dae", "x.npy"]


@pytest.mark.parametrize("option", ["--random-state 3", "--max-abs-error 0"])
def test_options_that_ask_for_no_loss_bring_none(here, option, capsys):
    run("compress", "x.npy", "-o", "x.dae", *option.split())
    assert "Read back: exact" in capsys.readouterr().out
    run("decompress", "x.dae", "-o", "y.npy")
    assert_array_equal(np.load("y.npy"), IMAGES)
    assert np.load("y.npy").dtype == np.uint8


@pytest.mark.parametrize(
    "option",
    [
        "--n-components 3",
        "--psnr 20 --n-components 3",
        "--hidden-layer-sizes 8",
        "--max-iter 2",
    ],
)
def test_each_option_of_a_network_asks_for_one(here, option, capsys):
    run("compress", "x.npy", "-o", "x.dae", *option.split())
    assert "Read back: exact" not in capsys.readouterr().out
    with open_archive("x.dae") as archive:
        assert isinstance(archive.codec, TransformCodec)


@pytest.mark.parametrize("kind", ["grey", "colour"])
def test_no_pixel_is_farther_off_than_was_asked(here, kind, capsys):
    save_pngs("source", KINDS[kind])
    run("compress", "source", "-o", "x.dae", "--max-abs-error", "3")
    assert re.search("no pixel off by more than [123]$", capsys.readouterr().out, re.M)
    run("decompress", "x.dae", "-o", "restored")
    error = np.stack(list(pngs("restored").values())).astype(int) - KINDS[kind]
    assert 0 < np.abs(error).max() <= 3


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ("--lossless --psnr 20", "--lossless loses nothing, but --psnr allows losses"),
        ("--lossless --n-components 3 --max-iter 2", "--n-components, --max-iter ask"),
        ("--max-abs-error 3 --bits-per-image 9", "--max-abs-error bounds all errors"),
        ("--effort 2 --max-iter 2", "--effort is for what takes the fewest bytes"),
        ("--codec PCA --max-iter 2", "--codec is for what takes the fewest bytes"),
        ("--effort 5", "invalid choice"),
        ("--lossless --max-abs-error 3", "not allowed with"),
        ("--psnr 20 --bits-per-image 9", "not allowed with"),
    ],
)
def test_options_that_contradict_each_other_are_refused(here, options, part, capsys):
    arguments = ["compress", "x.npy", "-o", "x.dae", *options.split()]
    assert part in fails(capsys, *arguments, status=2)


def test_summary_counts_real_bytes(here, trained, capsys):
    run("compress", "images", "-o", "x.dae", "--model", trained)
    output = capsys.readouterr().out
    rows = {
        re.split(r"  +", line)[0]: float(line.split()[-3].replace(",", ""))
        for line in output.splitlines()
        if re.search(r"\d\.\d\d$", line)
    }
    size, model = Path("x.dae").stat().st_size, trained.stat().st_size
    assert rows["archive with the model"] == size
    assert rows["archive without the model"] == size - model
    assert rows["pixels"] == IMAGES.size
    on_disk = sum(path.stat().st_size for path in Path("images").iterdir())
    assert rows["read from disk"] == on_disk
    error = np.square(decoded("x.dae").astype(float) - IMAGES).mean()
    assert f"Read back: {10 * np.log10(255**2 / error):.2f} dB" in output
    assert f"The model ({model:,} bytes) pays" in output


@pytest.mark.parametrize(
    ("codec", "cls"),
    [("AVIF", "PillowCodec"), ("jpeg xl", "JpegXLCodec"), ("pca", "TransformCodec")],
)
def test_what_takes_the_fewest_bytes_at_a_quality_can_be_named(
    here, codec, cls, capsys
):
    run("compress", "x.npy", "-o", "x.dae", "--psnr", 28, "--codec", codec)
    output = capsys.readouterr().out
    assert float(re.search(r"Read back: ([\d.]+) dB", output)[1]) >= 28
    with open_archive("x.dae") as archive:
        assert type(archive.codec).__name__ == cls
        needed = archive.codec.packages
    run("inspect", "x.dae")
    said = re.search(r"^needs +(.*)$", capsys.readouterr().out, re.MULTILINE)[1]
    assert said == (needed[0] if needed else "no other package")
    assert (
        needed
        == {
            "PillowCodec": ("Pillow",),
            "JpegXLCodec": ("imagecodecs",),
            "TransformCodec": (),
        }[cls]
    )


def test_the_smallest_of_all_is_taken_and_others_are_told_of(here, capsys):
    sizes = {}
    for codec in ("auto", "own"):
        run("compress", "x.npy", "-o", f"{codec}.dae", "--psnr", 25, "--codec", codec)
        output = capsys.readouterr().out
        assert float(re.search(r"Read back: ([\d.]+) dB", output)[1]) >= 25
        assert re.search(r"Fewest bytes of \d+ ways to store the pixels:", output)
        sizes[codec] = Path(f"{codec}.dae").stat().st_size
    assert sizes["auto"] <= sizes["own"]
    with open_archive("own.dae") as archive:
        assert archive.codec.packages == ()
    message = fails(capsys, "compress", "x.npy", "-o", "z.dae", "--codec", "zip")
    assert "take some of JPEG XL" in message
    assert "PixelCodec" in message


@pytest.mark.parametrize(
    ("fixed", "coded", "otherwise"), [(1000, 10, 60), (999, 7.5, 8), (0, 1, 2)]
)
def test_break_even_is_the_first_number_of_images_that_pays(fixed, coded, otherwise):
    n = break_even(fixed, coded, otherwise)
    assert fixed + n * coded <= n * otherwise
    assert n == 0 or fixed + (n - 1) * coded > (n - 1) * otherwise


def test_more_quality_takes_more_bytes(here, trained, capsys):
    sizes = []
    for psnr in (22, 28):
        wish = "--psnr", psnr, "--worst-psnr", 5
        run("compress", "x.npy", "-o", "x.dae", *wish, "--force", *QUICK)
        with open_archive("x.dae") as archive:
            sizes.append(archive.info().parts.images)
            error = np.square(archive[:].astype(float) - IMAGES).mean()
        assert 10 * np.log10(255**2 / error) >= psnr - 0.1
    assert sizes[0] < sizes[1]
    capsys.readouterr()
    assert "--psnr is 90" in fails(
        capsys, "compress", "x.npy", "-o", "y.dae", "--psnr", 90, *QUICK
    )


def test_rate_is_kept(here, capsys):
    run("compress", "x.npy", "-o", "x.dae", "--bits-per-image", 6.5, *QUICK)
    with open_archive("x.dae") as archive:
        assert archive.codec.bits_per_sample_ <= 6.5


@pytest.mark.parametrize("kind", ["npy", "npz", "idx", "idx.gz", "tif", "bmp", "jpg"])
def test_images_of_every_kind_are_read(here, trained, kind, capsys):
    idx = struct.pack(">4B3I", 0, 0, 8, 3, *IMAGES.shape) + IMAGES.tobytes()
    source, extra = f"source.{kind}", []
    if kind == "npy":
        np.save(source, IMAGES)
    elif kind == "npz":
        np.savez(source, a=IMAGES, b=np.zeros(3))
        extra = ["--key", "a"]
    elif kind.startswith("idx"):
        Path(source).write_bytes(gzip.compress(idx) if "gz" in kind else idx)
    else:
        save_pngs(source, IMAGES, [f"{i:02}.{kind}" for i in range(40)])
    run("compress", source, "-o", "x.dae", "--model", trained, *extra)
    loaded = read_images(source, key="a" if extra else None).data.reshape(-1, 8, 6)
    assert np.abs(decoded("x.dae").astype(int) - loaded).mean() < 12
    run("decompress", "x.dae", "-o", "out")
    expected = [f"{i:02}.png" for i in range(40)]
    assert list(pngs("out")) == expected
    capsys.readouterr()


def test_colour_is_refused_or_turned_to_grey(here, trained, capsys):
    save_pngs("colour", np.stack([IMAGES] * 3, axis=-1))
    arguments = ["compress", "colour", "-o", "x.dae", "--model", trained]
    assert "--grey" in fails(capsys, *arguments)
    run(*arguments, "--grey")
    assert np.abs(decoded("x.dae").astype(int) - IMAGES).mean() < 12


def test_colours_and_deep_pixels_come_back_as_png_files(here, rng):
    colours = np.stack([IMAGES, IMAGES[::-1], 255 - IMAGES], axis=-1)
    save_pngs("colour/a", colours[:20])
    save_pngs("colour/b", colours[20:])
    run("compress", "colour", "-o", "x.dae", "--psnr", "20", *QUICK)
    run("decompress", "x.dae", "-o", "restored")
    restored = pngs("restored")
    assert list(restored) == [f"{'ab'[i // 20]}/{i % 20:02}.png" for i in range(40)]
    error = np.stack(list(restored.values())).astype(int) - colours
    assert np.abs(error).mean() < 30
    deep = IMAGES.astype(np.uint16) * 257
    np.save("deep.npy", deep)
    write_archive("deep.dae", deep, HuffmanCodec().fit(deep.reshape(40, -1)))
    run("decompress", "deep.dae", "-o", "deep")
    assert_array_equal(np.stack(list(pngs("deep").values())), deep)


def test_folders_are_merged_but_links_are_not_followed(here, capsys):
    save_pngs("nested/sub", IMAGES)
    run("compress", "nested", "-o", "x.dae")
    Path("out/sub").mkdir(parents=True)
    Path("out/sub/mine.txt").write_text("mine")
    capsys.readouterr()
    fails(capsys, "decompress", "x.dae", "-o", "out")
    run("decompress", "x.dae", "-o", "out", "--force")
    assert Path("out/sub/mine.txt").read_text() == "mine"
    assert len(pngs("out")) == 40
    Path("elsewhere").mkdir()
    Path("linked").mkdir()
    os.symlink(here / "elsewhere", "linked/sub")
    capsys.readouterr()
    errors = fails(capsys, "decompress", "x.dae", "-o", "linked", "--force")
    assert "link is in the way" in errors
    assert list(Path("elsewhere").iterdir()) == []


def test_what_is_shown_before_is_shown_after(here, rng):
    """Palettes, transparent colours, and how an image is turned."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Path("shown").mkdir()
    for i, image in enumerate(IMAGES[:4]):
        Image.fromarray(image).save(f"shown/turned{i}.png", exif=exif)
    for i, image in enumerate(IMAGES[:4]):
        Path(f"see-through{i}").mkdir()
        path = f"see-through{i}/x.png"
        Image.fromarray(image).save(path, transparency=int(image[0, 0]))
        Path(f"palette{i}").mkdir()
        Path(f"palette{i}/x.png").write_bytes(palette_bytes(rng, "PNG"))
    for folder in ("shown", "see-through0", "palette0"):
        run("compress", folder, "-o", f"{folder}.dae", "--lossless")
        run("decompress", f"{folder}.dae", "-o", f"{folder}-out")
        for path in Path(folder).iterdir():
            with (
                Image.open(path) as before,
                Image.open(Path(f"{folder}-out") / path.name) as after,
            ):
                shown = [
                    ImageOps.exif_transpose(image).convert("RGBA")
                    for image in (before, after)
                ]
                assert_array_equal(*map(np.asarray, shown))
                assert (before.mode, before.size) == (after.mode, after.size)


def test_what_is_left_out_is_named_and_told_by_the_exit_status(here, capsys):
    Path("images/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    Path("images/new\nline.txt").write_text("text")
    arguments = ["compress", "images", "-o", "x.dae"]
    assert main(arguments) == 3
    errors = capsys.readouterr().err
    assert "warning: left out, damaged: broken.png" in errors
    assert r"left out, unknown format: new\nline.txt" in errors
    run(*arguments, "--force", "--skip-unreadable")
    assert len(decoded("x.dae")) == 40


def test_names_that_a_terminal_cannot_show_do_no_harm(here, capsysbinary):
    os.rename("images/00.png", b"images/r\xe9s.png")
    run("compress", "images", "-o", "x.dae")
    run("inspect", "x.dae", "--names")
    assert b"r\\udce9s.png" in capsysbinary.readouterr().out


def peak_memory(arguments, stdin=None):
    """Return the bytes that a command has in memory at most, but for mapped files."""
    code = (
        "import re, sys, tracemalloc; from sklearn_dae.cli import main\n"
        "if sys.argv.pop(1) == 'trace': tracemalloc.start()\n"
        "status = main(sys.argv[1:])\n"
        "peak = re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())\n"
        "print(tracemalloc.get_traced_memory()[1] or 1024 * int(peak[1]))\n"
        "sys.exit(status)"
    )
    kind = "resident" if stdin is None else "trace"
    output = subprocess.run(
        [sys.executable, "-c", code, kind, *map(str, arguments)],
        stdin=stdin,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout
    return int(output.splitlines()[-1])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("source", ["folder", "stdin"])
def test_memory_does_not_grow_with_the_number_of_images(tmp_path, source, rng):
    images = rng.poisson(3, (50, 100, 100)).astype(np.uint8)
    model = tmp_path / "m.daem"
    # Traced, the packed weights of a decoder would take half a minute to read.
    codec = TransformCodec(PCA(2)) if source == "folder" else HuffmanCodec()
    save_model(codec.fit(images.reshape(50, -1)), model)
    peaks = []
    for n in (450, 1650):
        path = tmp_path / str(n)
        arguments = [path, "-o", tmp_path / f"{n}.dae", "--model", model]
        if source == "folder":
            save_pngs(path, images[np.arange(n) % 50], [f"{i}.bmp" for i in range(n)])
            peaks.append(peak_memory(["compress", *arguments]))
        else:
            np.save(path.with_suffix(".npy"), images[np.arange(n) % 50])
            with open(path.with_suffix(".npy"), "rb") as stdin:
                peaks.append(peak_memory(["compress", "-", *arguments[1:]], stdin))
        assert len(decoded(tmp_path / f"{n}.dae")) == n
    # The images take 12 megabytes more.
    assert peaks[1] < peaks[0] + 5e6


@pytest.mark.parametrize("dtype", ["float64", "int16"])
def test_other_numbers_go_to_arrays(here, dtype, capsys):
    np.save("other.npy", IMAGES.astype(dtype))
    run("compress", "other.npy", "-o", "x.dae", *QUICK)
    capsys.readouterr()
    run("decompress", "x.dae", "-o", "out")
    assert "PNG files cannot hold" in capsys.readouterr().err
    run("decompress", "x.dae", "-o", "out.npy")
    assert_array_equal(np.load("out/07.npy"), np.load("out.npy")[7])
    assert np.load("out.npy").dtype == dtype
    assert np.load("out.npy").shape == IMAGES.shape


@pytest.mark.parametrize("dtype", ["float64", "int16", "uint16", "bool", "colour"])
def test_whatever_numbers_come_back_exactly(here, dtype, capsys):
    if dtype == "colour":
        images = np.stack([IMAGES, 255 - IMAGES, IMAGES // 2], axis=-1)
    else:
        images = IMAGES > 99 if dtype == "bool" else IMAGES.astype(dtype) * 99
    np.save("other.npy", images)
    run("compress", "other.npy", "-o", "x.dae", "--lossless")
    assert "Read back: exact" in capsys.readouterr().out
    run("decompress", "x.dae", "-o", "out.npy")
    assert_array_equal(np.load("out.npy"), images)
    assert np.load("out.npy").dtype == images.dtype


def test_large_images_are_stored_exactly_without_a_network(here, rng, capsys):
    large = rng.integers(0, 9, (3, 100, 90)).cumsum(axis=1).astype(np.uint8)
    save_pngs("large", large)
    run("compress", "large", "-o", "x.dae", "--lossless")
    assert "Read back: exact" in capsys.readouterr().out
    assert os.path.getsize("x.dae") < 0.7 * large.size
    run("decompress", "x.dae", "-o", "out")
    assert_array_equal(np.stack(list(pngs("out").values())), large)


@pytest.mark.parametrize(
    "output", ["out.idx", "out.IDX", "t10k-images-idx3-ubyte", "out.idx3-ubyte.gz"]
)
def test_idx_files_are_written_as_they_are_read(archive, output, capsys):
    run("decompress", "x.dae", "-o", output, "--only", "3:30")
    content = Path(output).read_bytes()
    if output.endswith(".gz"):
        content = gzip.decompress(content)
    assert content[:16] == struct.pack(">4B3I", 0, 0, 8, 3, 27, 8, 6)
    np.testing.assert_array_equal(read_idx(output), decoded("x.dae")[3:30])
    before = Path(output).read_bytes()
    capsys.readouterr()
    assert "--force" in fails(capsys, "decompress", "x.dae", "-o", output)
    run("decompress", "x.dae", "-o", output, "--only", "3:30", "--force")
    assert Path(output).read_bytes() == before


def test_array_of_names_stands_beside_the_images(archive):
    run("decompress", "x.dae", "-o", "out.npz")
    with np.load("out.npz") as arrays:
        assert arrays["names"].tolist() == [f"{i:02}.png" for i in range(40)]
        np.testing.assert_array_equal(arrays["images"], decoded("x.dae"))


def test_one_image_is_enough(here, capsys):
    np.save("one.npy", IMAGES[:1])
    run("compress", "images/00.png", "-o", "y.dae", *QUICK)
    run("compress", "one.npy", "-o", "x.dae", *QUICK)
    assert "x.dae: 1 image of 6 x 8 pixels" in capsys.readouterr().out
    run("decompress", "x.dae", "-o", "out")
    assert list(pngs("out")) == ["0.png"]


def test_default_network_is_small_beside_the_images(here, capsys):
    np.save("more.npy", np.repeat(IMAGES, 10, axis=0))
    run("compress", "more.npy", "-o", "x.dae", "--max-iter", 1)
    with open_archive("x.dae") as archive:
        assert archive.info().parts.model < 10 * IMAGES.size / 8
    run("train", "x.npy", "-o", "x.daem", "--max-iter", 0)
    assert load_model("x.daem").decoder_.layout.widths == (12, 48)


def test_each_image_is_as_good_as_was_asked(here, capsys):
    images = np.concatenate([IMAGES, 255 - IMAGES[:1]])
    np.save("odd.npy", images)
    wish = "--psnr", 24, "--worst-psnr", 23
    run("compress", "odd.npy", "-o", "x.dae", *wish, "--effort", 1)
    with open_archive("x.dae") as archive:
        errors = np.square(archive[:].astype(float) - images).mean(axis=(1, 2))
    assert 10 * np.log10(255**2 / errors.max()) >= 23
    capsys.readouterr()
    assert "--worst-psnr says" in fails(
        capsys, "compress", "odd.npy", "-o", "y.dae", "--worst-psnr", 23, status=2
    )


def test_errors_are_relative_to_the_peak_that_is_given(here, capsys):
    def told(*options):
        run("compress", "x.npy", "-o", "x.dae", "--force", "--effort", 1, *options)
        return float(re.search("Read back: ([0-9.]+) dB", capsys.readouterr().out)[1])

    # 4,095 instead of 255 are 24 dB more for the same error.
    assert 24 <= told("--psnr", 24) < 34
    assert 48 <= told("--psnr", 48, "--peak", 4095) < 58
    with open_archive("x.dae") as archive:
        assert archive.metadata == {"peak": 4095.0}


def test_everything_counts_as_bits_of_an_image(here, capsys):
    run("compress", "x.npy", "-o", "x.dae", "--bits-per-image", 200, "--effort", 1)
    with open_archive("x.dae") as archive:
        parts = archive.info().parts
    assert parts.images + parts.model <= 200 * len(IMAGES) / 8
    capsys.readouterr()
    message = fails(
        capsys, "compress", "x.npy", "-o", "y.dae", "--bits-per-image", 1, "--effort", 1
    )
    assert "--bits-per-image is 1, but an image takes" in message


# Models.


def test_train_says_what_it_made(here, capsys):
    run("train", "x.npy", "-o", "x.daem", "--psnr", 22, *QUICK)
    output, errors = capsys.readouterr()
    assert errors == ""
    codec = load_model("x.daem")
    assert "learned from 40 images of 6 x 8 pixels" in output
    assert f"-{codec.decoder_.layout}: " in output
    assert f"{codec.psnr_:.2f} dB, {codec.bits_per_sample_ / 8:.1f} bytes" in output
    assert f"{Path('x.daem').stat().st_size:,} bytes) pays" in output


def test_train_tells_that_there_is_nothing_to_learn(here, capsys):
    noise = np.random.default_rng(0).normal(128, 20, (60, 8, 6)).astype(np.uint8)
    np.save("noise.npy", noise)
    run("train", "noise.npy", "-o", "x.daem", "--max-iter", 12, "--n-components", 3)
    assert "Network 48-3-48: left as PCA" in capsys.readouterr().out
    assert load_model("x.daem").decoder_.layout.widths == (48,)


def test_same_seed_same_file(here, capsys):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        run("train", "x.npy", "-o", name, "--random-state", seed, *QUICK)
    assert Path("a").read_bytes() == Path("b").read_bytes() != Path("c").read_bytes()


def test_model_may_be_elsewhere(here, trained, capsys):
    run("compress", "x.npy", "-o", "x.dae", "--model", trained, "--model-reference")
    assert "archive with the model, elsewhere" in capsys.readouterr().out
    assert Path("x.dae").stat().st_size < trained.stat().st_size
    errors = fails(capsys, "decompress", "x.dae", "-o", "out.npy")
    assert "--model FILE" in errors
    assert "open_archive" not in errors
    save_model(HuffmanCodec().fit(IMAGES.reshape(40, -1)), "other.daem")
    wrong = ["--model", "other.daem"]
    assert "SHA-256" in fails(capsys, "decompress", "x.dae", "-o", "out.npy", *wrong)
    run("decompress", "x.dae", "-o", "out.npy", "--model", trained)
    assert np.load("out.npy").shape == IMAGES.shape
    capsys.readouterr()
    run("verify", "x.dae")
    assert "Checksums only" in capsys.readouterr().out
    run("verify", "x.dae", "--model", trained)
    assert "Checksums only" not in capsys.readouterr().out


def test_images_unlike_the_others_are_named_and_kept_exactly(here, trained, capsys):
    odd = np.random.default_rng(1).integers(0, 256, (2, 8, 6), dtype=np.uint8)
    images = np.concatenate([IMAGES[:9], odd[:1], IMAGES[9:20], odd[1:]])
    save_pngs("mixed", images, [f"image-{i:02}.png" for i in range(22)])
    mixed = ["compress", "mixed", "--model", trained, "--chunk-size", 5]
    run(*mixed, "-o", "x.dae")
    output, errors = capsys.readouterr()
    assert errors.startswith("sklearn-dae: warning: 2 of 22 images are unlike")
    assert "image-09.png, image-21.png." in errors
    assert errors.count("\n") == 1
    assert "22 images" in output
    np.testing.assert_array_equal(decoded("x.dae")[[9, 21]], odd)


def test_training_and_a_model_exclude_each_other(here, trained, capsys):
    errors = fails(
        capsys,
        *["compress", "x.npy", "-o", "x.dae", "--model", trained],
        *["--psnr", 20, "--max-iter", 3],
        status=2,
    )
    assert "--psnr, --max-iter say how to make a model" in errors
    errors = fails(
        capsys, "compress", "x.npy", "-o", "x.dae", "--model-reference", status=2
    )
    assert "--model-reference needs --model" in errors


def test_model_must_be_a_codec(here, capsys):
    network = DeepAutoencoderCompressor(2, hidden_layer_sizes=(), max_iter=1)
    save_model(network.fit(IMAGES.reshape(40, -1)), "network.daem")
    arguments = ["compress", "x.npy", "-o", "x.dae", "--model", "network.daem"]
    assert "DeepAutoencoderCompressor" in fails(capsys, *arguments)


# A part of the images.


def test_some_images_of_an_archive(archive, capsys):
    whole = decoded("x.dae")
    only = ["--only", "3", "-1", "10:14", "12.png", "--only=-3:"]
    run("decompress", "x.dae", "-o", "some.npy", *only)
    chosen = [3, 39, 10, 11, 12, 13, 37, 38]
    np.testing.assert_array_equal(np.load("some.npy"), whole[chosen])
    run("decompress", "x.dae", "-o", "some", *only)
    assert list(pngs("some")) == [f"{i:02}.png" for i in sorted(chosen)]


@pytest.mark.parametrize(
    ("which", "part"),
    [("40", "0 to 39"), ("-41", "0 to 39"), ("no.png", "--names"), ("1:9:0", "step")],
)
def test_images_that_are_not_there(archive, which, part, capsys):
    arguments = ["decompress", "x.dae", "-o", "out", f"--only={which}"]
    assert part in fails(capsys, *arguments)


class _Names(list):
    """What `chosen` needs of an archive."""

    @property
    def names(self):
        return self


_ENDS = st.one_of(st.just(""), st.integers(-12, 12).map(str))


@given(st.integers(1, 9), _ENDS, _ENDS, st.sampled_from(["", ":1", ":-1", ":3", ":-2"]))
def test_slices_are_those_of_python(n, start, stop, step):
    wanted = slice(*(int(part) if part else None for part in (start, stop, step[1:])))
    numbers, _ = chosen([f"{start}:{stop}{step}"], _Names("a" * n), np.arange(n))
    assert numbers.tolist() == list(range(n))[wanted]


# Names of files.


@given(st.lists(st.text(st.characters(codec=None), max_size=300), max_size=8))
def test_any_names_make_safe_and_different_file_names(names):
    taken = FileNames()
    made = [
        taken.new(name, suffix) for name in names for suffix in (".png", None, ".png")
    ]
    same = {unicodedata.normalize("NFC", name).casefold() for name in made}
    assert len(same) == 3 * len(names)
    assert all(name.endswith(".png") for name in made[::3])
    for name in made:
        assert os.path.normpath(name) == name
        for part in name.split("/"):
            assert not part.startswith(".")
            assert not set(part) & set('\\:\0\n*?"<>|')
            assert 0 < len(os.fsencode(part)) <= 255
    # No file is the folder of another.
    folders = {str(above) for name in made for above in Path(name).parents}
    assert not folders & set(made)


def test_names_that_lead_out_of_the_folder_stay_in_it(
    here, trained, monkeypatch, capsys
):
    inner = here / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    names = ["../a.jpg", "/etc/b.png", "..", "a.png", "A.PNG", "c/d.tif", "C:\\e", ""]
    names += [".hidden.png", "x" * 400, "é\udcff.png", "con.png"]
    images = ImageSet.from_array(IMAGES[:12], "here", names=names)
    write_archive("x.dae", images, load_model(trained))
    before = {p for p in here.rglob("*") if inner / "out" not in p.parents}
    run("decompress", "x.dae", "-o", "out")
    after = {p for p in here.rglob("*") if inner / "out" not in p.parents}
    assert after - before == {inner / "out"}
    expected = ["_/a.png", "etc/b.png", "_.png", "a.png", "A-2.png", "c/d.png"]
    expected += ["C__e.png", "_-2.png", "hidden.png", "x" * 236 + ".png"]
    expected += ["é\udcff.png"]
    expected += ["_con.png"]
    assert sorted(pngs("out")) == sorted(expected)


# What an archive holds.


def test_inspect_says_what_there_is(archive, trained, capsys):
    run("inspect", "x.dae", "--json")
    content = json.loads(capsys.readouterr().out)
    assert content["images"] == 40
    assert content["kinds"] == {"6 x 8 pixels, grey, uint8": 40}
    assert content["bytes"] == archive.stat().st_size
    assert content["bytes_of_model"] == trained.stat().st_size
    assert content["model"]["network"] == "3-8-48 with a linear path"
    run("inspect", "x.dae")
    text = capsys.readouterr().out
    assert re.search(r"^images +40$", text, re.MULTILINE)
    assert re.search(r"^ +6 x 8 pixels, grey, uint8 +40$", text, re.MULTILINE)
    run("inspect", "x.dae", "--names")
    assert capsys.readouterr().out.split() == [f"{i:02}.png" for i in range(40)]


def test_inspect_of_a_model(here, trained, capsys):
    run("inspect", trained, "--json")
    content = json.loads(capsys.readouterr().out)
    assert content["kind"] == "model"
    assert content["model_class"] == "TransformCodec"
    assert content["model"]["dtype"] == "uint8"
    assert content["model"]["psnr_in_training"] > 20
    assert content["model"]["lossless"] is False
    save_model(HuffmanCodec().fit(IMAGES), "huffman.daem")
    run("inspect", "huffman.daem", "--json")
    assert json.loads(capsys.readouterr().out)["model"]["lossless"] is True


def test_inspect_does_not_need_the_model(here, trained, capsys):
    run("compress", "x.npy", "-o", "x.dae", "--model", trained, "--model-reference")
    capsys.readouterr()
    run("inspect", "x.dae", "--json")
    content = json.loads(capsys.readouterr().out)
    assert content["model_inside"] is False
    assert "model" not in content


# Usage.


@pytest.mark.parametrize(
    "arguments",
    [
        ["compress", "x.npy"],
        ["compress", "x.npy", "-o", "y", "--psnr", "-3"],
        ["compress", "x.npy", "-o", "y", "--psnr", "nan"],
        ["compress", "x.npy", "-o", "y", "--n-components", "0"],
        ["compress", "x.npy", "-o", "y", "--model-inside", "--model-reference"],
        ["train", "x.npy", "-o", "-"],
        ["train", "x.npy", "-o", "y", "--lossless"],
        ["decompress", "x.dae"],
        ["inspect"],
        ["verify", "--salvage"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(here, arguments, capsys):
    fails(capsys, *arguments, status=2)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["absent"], ["absent"]),
        (["empty"], ["empty holds no image"]),
        (["x.npy", "--key", "a"], ["no .npz file", "'a'"]),
        (["two.npz"], ["a, b", "--key NAME"]),
        (["nan.npy"], ["nan.npy holds NaN"]),
        (["uneven"], ["2 kinds", "6 x 8 pixels", "8 x 6 pixels", "folder of its own"]),
        (["x.npy", "--n-components", "99"], ["--n-components is 99", "48 pixels"]),
        (["x.npy", "--hidden-layer-sizes", "1000000"], ["--hidden-layer-sizes"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_what_cannot_work_is_said_before_training(
    here, arguments, parts, monkeypatch, capsys
):
    def fit(self, X, y=None):
        pytest.fail("the error was found only after training had begun")

    monkeypatch.setattr(DeepAutoencoderCompressor, "fit", fit)
    Path("empty").mkdir()
    np.savez("two.npz", a=IMAGES, b=IMAGES)
    np.save("nan.npy", np.full((20, 4), np.nan))
    save_pngs("uneven", [IMAGES[0], IMAGES[0].T])
    for command in (["compress", "--max-iter", "9"], ["train"]):
        errors = fails(capsys, *command, *arguments, "-o", "y")
        for part in parts:
            assert part in errors


def test_version_and_help(capsys):
    for arguments in (["--version"], ["--help"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0
    output = capsys.readouterr().out
    assert re.match(r"sklearn-dae \d+\.\d+", output)
    commands = ("train", "compress", "decompress", "inspect", "verify", "demo")
    for name in commands:
        assert re.search(rf"^    {name}\b", output, re.MULTILINE)
        with pytest.raises(SystemExit) as caught:
            main([name, "--help"])
        assert caught.value.code == 0
        assert "--" in capsys.readouterr().out


def test_progress_is_shown_to_people_only(archive, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    run("decompress", "x.dae", "-o", "out")
    errors = capsys.readouterr().err
    assert "decompressing 1 of 40 images" in errors
    assert errors.endswith("\r\x1b[K")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    run("decompress", "x.dae", "-o", "out2")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("total", [None, 0, 3])
def test_progress_of_nothing_is_shown(total, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with counting("reading", total) as show:
        show(0)
    assert "reading 0" in capsys.readouterr().err


def test_training_shows_its_progress_on_stderr(here, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    run("train", "x.npy", "-o", "y.daem", *QUICK)
    output, errors = capsys.readouterr()
    assert output.startswith("y.daem: learned from 40 images")
    assert "DeepAutoencoderCompressor" in errors
    assert "DeepAutoencoderCompressor" not in output


def test_exact_is_said_only_of_what_is_equal(here, capsys):
    tiny = IMAGES * 1e-300
    np.save("tiny.npy", tiny)
    run("compress", "tiny.npy", "-o", "x.dae", *QUICK)
    output, errors = capsys.readouterr()
    assert "exact" not in output
    assert "dB, no pixel off by more than" in output
    assert errors == ""


@pytest.mark.parametrize("outlier", [1e30, -1e30, np.linspace(0, 1e30, 48)])
def test_an_image_that_decides_the_range_of_all_is_named(here, outlier, capsys):
    images = IMAGES / np.float32(255)
    images[7] = np.reshape(outlier, (8, 6) if np.ndim(outlier) else ())
    np.save("outlier.npy", images)
    run("compress", "outlier.npy", "-o", "x.dae", *QUICK)
    assert "image 7 makes the range of all images more than" in capsys.readouterr().err


def test_numbers_that_cannot_be_stored_are_refused_before_any_work(here, capsys):
    np.save("long.npy", IMAGES.astype(np.longdouble))
    assert "at most 64 bits" in fails(capsys, "compress", "long.npy", "-o", "x.dae")
    with pytest.raises(ValueError, match=r"at most 64 bits.*astype\(np.float64\)"):
        HuffmanCodec().fit(IMAGES.reshape(40, -1).astype(np.longdouble))
