"""The commands train, compress, decompress, inspect and verify."""

import gzip
import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.decomposition import PCA

from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.archive import load_model, open_archive, save_model, write_archive
from sklearn_dae.cli import main
from sklearn_dae.cli._file_names import FileNames
from sklearn_dae.cli._only import chosen_numbers
from sklearn_dae.cli._signals import Terminated, raising_terminated
from sklearn_dae.cli._summary import break_even
from sklearn_dae.codecs import HuffmanCodec, TransformCodec
from sklearn_dae.datasets import ImageSet, load_images, read_idx

posix_signals = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

#: A network that is trained in no time.
QUICK = ["--max-iter", "2", "--hidden-layer-sizes", "8", "--n-components", "3"]


def similar_images(n, seed=0):
    """Grey images of 8 x 6 pixels: a slope, brighter or darker, and some noise."""
    rng = np.random.default_rng(seed)
    brightness = rng.uniform(0.2, 1, (n, 1, 1))
    slope = np.linspace(50, 200, 48).reshape(8, 6)
    return (brightness * slope + rng.uniform(0, 9, (n, 8, 6))).astype(np.uint8)


IMAGES = similar_images(40)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model file."""
    folder = tmp_path_factory.mktemp("model")
    np.save(folder / "x.npy", IMAGES)
    model = folder / "slopes.daem"
    assert main(["train", str(folder / "x.npy"), "-o", str(model), *QUICK]) == 0
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


def save_pngs(folder, images, names=None):
    Path(folder).mkdir()
    for index, image in enumerate(images):
        name = names[index] if names else f"{index:02}.png"
        Image.fromarray(image).save(Path(folder, name))


def run(*arguments, status=0):
    assert main([str(argument) for argument in arguments]) == status


def fails(capsys, *arguments, status=1):
    """Run a command that fails; return its line on stderr."""
    before = everything()
    if status == 2:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        assert caught.value.code == 2
    else:
        run(*arguments, status=status)
    output, errors = capsys.readouterr()
    assert output == ""
    assert everything() == before
    assert "sklearn-dae" in errors
    assert "error: " in errors
    if status == 1:
        assert errors.startswith("sklearn-dae: error: ")
        assert errors.count("\n") == 1
    return errors


def everything():
    """All files here, with their content: hidden and temporary ones too."""
    return {
        path: path.read_bytes() if path.is_file() else None
        for path in Path().rglob("*")
    }


def pngs(folder):
    return {p.name: np.asarray(Image.open(p)) for p in sorted(Path(folder).iterdir())}


def decoded(path, model=None):
    with open_archive(path, model) as archive:
        return archive[:]


def command(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "sklearn_dae", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def damage_chunk(path, number):
    """Change a byte in the middle of a chunk."""
    data = bytearray(Path(path).read_bytes())
    begin = -1
    for _ in range(number + 1):
        begin = data.index(b"\xdaCHK", begin + 1)
    n_names, _, n_bytes = struct.unpack_from("<III", data, begin + 12)
    data[begin + 32 + n_names + n_bytes // 2] ^= 1
    Path(path).write_bytes(data)


# Images in, images out.


def test_folder_of_pngs_goes_through_an_archive_and_back(here, capsys):
    run("compress", "images", "-o", "x.dae", "--max-abs-error", "3", *QUICK)
    output, errors = capsys.readouterr()
    assert errors == ""
    assert output.startswith("x.dae: 40 images of 6 x 8 pixels, uint8\n")
    run("decompress", "x.dae", "-o", "restored")
    restored = pngs("restored")
    assert list(restored) == [f"{i:02}.png" for i in range(40)]
    error = np.stack(list(restored.values())).astype(int) - IMAGES
    assert 0 < np.abs(error).max() <= 3
    assert sorted(os.listdir()) == ["images", "restored", "x.dae", "x.npy"]


def test_without_loss_every_pixel_comes_back(here, capsys):
    run("compress", "x.npy", "-o", "x.dae", "--lossless", *QUICK)
    assert "Read back: exact" in capsys.readouterr().out
    run("decompress", "x.dae", "-o", "y.npy")
    np.testing.assert_array_equal(np.load("y.npy"), IMAGES)
    assert np.load("y.npy").dtype == np.uint8


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
    assert "LZMA stores these images in fewer bytes" in output


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
        run("compress", "x.npy", "-o", "x.dae", "--psnr", psnr, "--force", *QUICK)
        with open_archive("x.dae") as archive:
            sizes.append(archive.info().chunk_bytes)
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
    loaded = load_images(source, key="a" if extra else None).data.reshape(-1, 8, 6)
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
    save_model(TransformCodec(PCA(2)).fit(images.reshape(50, -1)), model)
    peaks = []
    for n in (450, 2450):
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
    # The images take 20 megabytes more.
    assert peaks[1] < peaks[0] + 6e6


@pytest.mark.parametrize("dtype", ["float64", "int16", "bool", "uint16"])
def test_other_numbers_go_to_arrays_only(here, dtype, capsys):
    images = IMAGES > 99 if dtype == "bool" else IMAGES.astype(dtype)
    np.save("other.npy", images)
    run("compress", "other.npy", "-o", "x.dae", *QUICK)
    capsys.readouterr()
    errors = fails(capsys, "decompress", "x.dae", "-o", "out")
    assert dtype in errors
    assert "-o FILE.npy" in errors
    run("decompress", "x.dae", "-o", "out.npy")
    assert np.load("out.npy").dtype == dtype
    assert np.load("out.npy").shape == IMAGES.shape
    capsys.readouterr()
    errors = fails(capsys, "compress", "other.npy", "-o", "y.dae", "--lossless", *QUICK)
    assert f"{dtype} numbers, but --lossless" in errors


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
    run("compress", "one.npy", "-o", "x.dae", *QUICK)
    assert "x.dae: 1 image of 6 x 8 pixels" in capsys.readouterr().out
    run("decompress", "x.dae", "-o", "out")
    assert list(pngs("out")) == ["0.png"]


def test_default_network_is_small_beside_the_images(here, capsys):
    np.save("more.npy", np.repeat(IMAGES, 10, axis=0))
    run("compress", "more.npy", "-o", "x.dae", "--max-iter", 1)
    with open_archive("x.dae") as archive:
        n_parameters = archive.codec.transformer_.layout_.n_parameters
    assert 0.1 < 4 * n_parameters / (10 * IMAGES.size) <= 0.25
    run("train", "x.npy", "-o", "x.daem", "--max-iter", 0)
    assert load_model("x.daem").transformer_.layout_.widths[0] == 400


# Models.


def test_train_says_what_it_made(here, capsys):
    run("train", "x.npy", "-o", "x.daem", "--psnr", 22, *QUICK)
    output, errors = capsys.readouterr()
    assert errors == ""
    codec = load_model("x.daem")
    assert "learned from 40 images of 6 x 8 pixels" in output
    assert str(codec.transformer_.layout_) in output
    assert f"{codec.psnr_:.2f} dB, {codec.bits_per_sample_ / 8:.1f} bytes" in output
    assert f"{Path('x.daem').stat().st_size:,} bytes) pays" in output


def test_train_tells_that_there_is_nothing_to_learn(here, capsys):
    noise = np.random.default_rng(0).normal(128, 20, (60, 8, 6)).astype(np.uint8)
    np.save("noise.npy", noise)
    run("train", "noise.npy", "-o", "x.daem", "--max-iter", 12, "--n-components", 3)
    assert "Network 48-3-48: left as PCA" in capsys.readouterr().out
    assert load_model("x.daem").transformer_.n_iter_ == 0


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
    assert "--max-iter, --psnr say how to train" in errors
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
    """What `chosen_numbers` needs of an archive."""

    @property
    def names(self):
        return self


_ENDS = st.one_of(st.just(""), st.integers(-12, 12).map(str))


@given(st.integers(1, 9), _ENDS, _ENDS, st.sampled_from(["", ":1", ":-1", ":3", ":-2"]))
def test_slices_are_those_of_python(n, start, stop, step):
    wanted = slice(*(int(part) if part else None for part in (start, stop, step[1:])))
    numbers = chosen_numbers([f"{start}:{stop}{step}"], _Names("a" * n), np.arange(n))
    assert numbers.tolist() == list(range(n))[wanted]


# Names of files.


@given(st.lists(st.text(st.characters(codec=None), max_size=300), max_size=8))
def test_any_names_make_safe_and_different_file_names(names):
    taken = FileNames(".png")
    made = [taken.new(name) for name in names]
    assert len({name.casefold() for name in made}) == len(names)
    for name in made:
        assert os.path.basename(name) == name
        assert not name.startswith(".")
        assert not set(name) & set('/\\:\0\n*?"<>|')
        assert len(os.fsencode(name)) <= 255
        assert name.endswith(".png")


def test_names_that_lead_out_of_the_folder_stay_in_it(here, trained, capsys):
    names = ["../a.jpg", "/etc/b.png", "..", "a.png", "A.PNG", "c/d.tif", "C:\\e", ""]
    names += [".hidden.png", "x" * 400, "é\udcff.png", "con.png"]
    images = ImageSet(IMAGES[:12].reshape(12, -1), (8, 6), "here", names)
    write_archive("x.dae", images, load_model(trained))
    before = {p for p in here.parent.rglob("*") if here / "out" not in p.parents}
    run("decompress", "x.dae", "-o", "out")
    after = {p for p in here.parent.rglob("*") if here / "out" not in p.parents}
    assert after - before == {here / "out"}
    expected = ["_a.png", "_etc_b.png", "_.png", "a.png", "A-2.png", "c_d.png"]
    expected += ["C__e.png", "_-2.png", "hidden.png", "x" * 200 + ".png", "é_.png"]
    expected += ["_con.png"]
    assert sorted(os.listdir("out")) == sorted(expected)


# Damage.


def test_verify_of_what_is_intact(archive, trained, capsys):
    run("verify", "x.dae")
    assert capsys.readouterr().out == "x.dae: 40 images in 4 chunks: intact\n"
    run("verify", trained)
    assert "TransformCodec: intact" in capsys.readouterr().out


def test_damage_is_named_and_the_rest_is_saved(archive, capsys):
    whole = decoded("x.dae")
    damage_chunk("x.dae", 2)
    run("verify", "x.dae", status=1)
    output, errors = capsys.readouterr()
    lines = output.splitlines()
    assert errors == ""
    assert lines[0] == "x.dae: 40 images in 4 chunks: damaged"
    assert lines[1].startswith("Chunk 2 (images 20 to 29, ")
    assert lines[2:12] == [f"  {i}.png" for i in range(20, 30)]
    assert lines[12:] == ["10 images lost"]
    assert "Chunk 2" in fails(capsys, "decompress", "x.dae", "-o", "out")

    run("decompress", "x.dae", "-o", "out", "--salvage", status=1)
    output, errors = capsys.readouterr()
    assert output == "out: 30 images of 6 x 8 pixels, uint8\n"
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
    archive.write_bytes(data[: data.rindex(b"\xdaCHK") + 40])
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
    for number in range(4):
        damage_chunk("x.dae", number)
    run("decompress", "x.dae", "-o", "out", "--salvage", status=1)
    assert "nothing can be saved" in capsys.readouterr().err
    assert not Path("out").exists()


def test_damaged_model_can_be_replaced(archive, trained, capsys):
    data = bytearray(archive.read_bytes())
    data[data.index(b"DAEM") + 3000] ^= 1
    archive.write_bytes(data)
    run("verify", "x.dae", status=1)
    assert "model of the archive is damaged" in capsys.readouterr().out
    assert "--model FILE" in fails(capsys, "decompress", "x.dae", "-o", "out.npy")
    run("decompress", "x.dae", "-o", "out.npy", "--model", trained)
    assert len(np.load("out.npy")) == 40
    # Where chunks and the end are lost too, the rest can still be saved.
    damage_chunk("x.dae", 1)
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


# What an archive holds.


def test_inspect_says_what_there_is(archive, trained, capsys):
    run("inspect", "x.dae", "--json")
    content = json.loads(capsys.readouterr().out)
    assert content["images"] == 40
    assert content["shape"] == [8, 6]
    assert content["bytes"] == archive.stat().st_size
    assert content["bytes_of_model"] == trained.stat().st_size
    assert content["model"]["network"].startswith("48-8-3-8-48")
    run("inspect", "x.dae")
    text = capsys.readouterr().out
    assert re.search(r"^images +40$", text, re.MULTILINE)
    assert re.search(r"^shape +8 x 6$", text, re.MULTILINE)
    run("inspect", "x.dae", "--names")
    assert capsys.readouterr().out.split() == [f"{i:02}.png" for i in range(40)]


def test_inspect_of_a_model(trained, capsys):
    run("inspect", trained, "--json")
    content = json.loads(capsys.readouterr().out)
    assert content["kind"] == "model"
    assert content["model_class"] == "TransformCodec"
    assert content["model"]["dtype"] == "uint8"
    assert content["model"]["psnr_in_training"] > 20


def test_inspect_does_not_need_the_model(here, trained, capsys):
    run("compress", "x.npy", "-o", "x.dae", "--model", trained, "--model-reference")
    capsys.readouterr()
    run("inspect", "x.dae", "--json")
    content = json.loads(capsys.readouterr().out)
    assert content["model_inside"] is False
    assert "model" not in content


# Standard input and output.


def test_streams(here, trained):
    compress = ["compress", "-", "-o", "-", "--model", trained]
    with (
        open("x.npy", "rb") as file,
        command(*compress, stdin=file) as process,
    ):
        data, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert errors.decode().startswith("40 images of 6 x 8 pixels, uint8\n")
    with command("decompress", "-", "-o", "-", stdin=subprocess.PIPE) as process:
        output, errors = process.communicate(data, timeout=60)
    assert process.returncode == 0
    assert errors.decode() == "-: 40 images of 6 x 8 pixels, uint8\n"
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
    stdin_of(monkeypatch, data[:100])
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


# Files are whole or not there, and none is replaced.


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


@contextmanager
def files_of_at_most(n_bytes):
    """Let files grow no further, as on a full disk."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("output", ["out.npy", "out", "y.dae"])
def test_full_disk_leaves_nothing(archive, output, capsys):
    if output == "y.dae":
        arguments = ["compress", "x.npy", "-o", output, *QUICK]
    else:
        arguments = ["decompress", "x.dae", "-o", output]
    with files_of_at_most(50 if output == "out" else 1500):
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
    decode = HuffmanCodec.decode_chunk
    monkeypatch.setattr(
        HuffmanCodec, "decode_chunk", lambda *a: decode(*a) ^ np.uint8(1)
    )
    monkeypatch.setattr("sklearn_dae.cli._compress._promised_error", lambda codec: 0)
    save_model(HuffmanCodec().fit(IMAGES.reshape(40, -1)), "h.daem")
    arguments = ["compress", "x.npy", "-o", "x.dae", "--model", "h.daem"]
    assert "off by 1, at most 0" in fails(capsys, *arguments)


# Usage.


@pytest.mark.parametrize(
    "arguments",
    [
        ["compress", "x.npy"],
        ["compress", "x.npy", "-o", "y", "--psnr", "20", "--lossless"],
        ["compress", "x.npy", "-o", "y", "--psnr", "-3"],
        ["compress", "x.npy", "-o", "y", "--psnr", "nan"],
        ["compress", "x.npy", "-o", "y", "--n-components", "0"],
        ["compress", "x.npy", "-o", "y", "--model-inside", "--model-reference"],
        ["train", "x.npy", "-o", "-"],
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
        (["images/00.png"], ["single image", "folder"]),
        (["x.npy", "--key", "a"], ["no .npz file", "'a'"]),
        (["two.npz"], ["a, b", "--key NAME"]),
        (["nan.npy"], ["nan.npy holds NaN"]),
        (["uneven"], ["all images must have the same size"]),
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
    for command_name in ("compress", "train"):
        errors = fails(capsys, command_name, *arguments, "-o", "y")
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
    run("decompress", "x.dae", "-o", "out.npy")
    errors = capsys.readouterr().err
    assert "decompressing 10 of 40 images" in errors
    assert errors.endswith("\r\x1b[K")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    run("decompress", "x.dae", "-o", "out2.npy")
    assert capsys.readouterr().err == ""


def test_training_shows_its_progress_on_stderr(here, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    run("train", "x.npy", "-o", "y.daem", *QUICK)
    output, errors = capsys.readouterr()
    assert output.startswith("y.daem: learned from 40 images")
    assert "DeepAutoencoderCompressor" in errors
    assert "DeepAutoencoderCompressor" not in output


def test_training_without_loss_shows_that_of_the_pixels_too(here, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    run("compress", "x.npy", "-o", "y.dae", "--lossless", *QUICK)
    output, errors = capsys.readouterr()
    assert "TransformCodec - fit" in errors
    assert "TransformCodec" not in output
