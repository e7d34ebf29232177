"""Model files: what is damaged or makes no sense, and how they are written."""

import json
import os
import signal
import stat
import subprocess
import sys
import tracemalloc
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from codec_checks import damage
from full_disk import files_of_at_most
from hypothesis import given
from hypothesis import strategies as st
from model_specimens import ROWS, fit, fitted
from numpy.testing import assert_array_equal
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

import sklearn_dae.models
from sklearn_dae._atomic import atomic_writer
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.models import load_model, model_from_bytes, model_to_bytes, save_model
from sklearn_dae.models._phrases import lengthen, shorten

# Damage.


@pytest.fixture(scope="module")
def small():
    return model_to_bytes(fit("huffman", np.uint8, ROWS % 4))


def test_any_flipped_bit_is_found(small):
    for position in range(len(small)):
        damaged = bytearray(small)
        damaged[position] ^= 1 << position % 8
        with pytest.raises(BitstreamError):
            model_from_bytes(bytes(damaged))


def test_a_file_that_is_cut_off_or_goes_on_is_an_error(small):
    for length in range(len(small)):
        with pytest.raises(BitstreamError):
            model_from_bytes(small[:length])
    with pytest.raises(BitstreamError, match="cut off or damaged"):
        model_from_bytes(small + b"\0")


def test_thousands_of_damaged_files_are_errors(rng):
    data = model_to_bytes(fitted("codec"))
    for _ in range(2000):
        damaged = damage(data, rng)
        if damaged != data:
            with pytest.raises(BitstreamError):
                model_from_bytes(damaged)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "signature"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not a model file"),
        (b"\x89DAEM\n\x1a\n" + bytes(100), "transfer it as binary"),
        (b"\x89DAEM\r\n\x1a\n", "ends after 9 bytes"),
        (b"\x89DAEM\r\n\x1a\n\x02" + bytes(100), "version 2.*upgrade sklearn-dae"),
    ],
)
def test_other_files_are_told_apart(content, message, tmp_path):
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(BitstreamError, match=f"other: .*{message}"):
        load_model(path)


def test_a_missing_file_is_no_bitstream_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "missing")


# Files that are whole, but not what a writer makes.


def sealed(header, arrays=b""):
    """A model file as docs/models.md describes it."""
    if not isinstance(header, bytes):
        header = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    header = shorten(header)
    content = (
        b"\x89DAEM\r\n\x1a\n\x01"
        + (22 + len(header) + len(arrays) + 32).to_bytes(8, "little")
        + len(header).to_bytes(4, "little")
        + header
        + arrays
    )
    return content + sha256(content).digest()


def opened(data):
    """The header and the bytes of the arrays."""
    end = 22 + int.from_bytes(data[18:22], "little")
    return json.loads(lengthened(data[22:end])), data[end:-32]


def lengthened(data):
    """What a shortened header stands for, as docs/models.md says."""
    phrases, parts, at = PHRASES.read_bytes(), [], 0
    while at < len(data):
        first = data[at]
        if first < 128:
            parts.append(bytes([first]))
            at += 1
        else:
            place = data[at + 1] + 256 * data[at + 2]
            parts.append(phrases[place : place + first - 124])
            at += 3
    return b"".join(parts)


PHRASES = Path(sklearn_dae.models.__file__).with_name("phrases.txt")


@given(
    st.lists(st.one_of(st.text("abc{}", max_size=9), st.integers(0, 9000)), max_size=9)
)
def test_shortened_headers_come_back_and_have_one_form(parts):
    text = PHRASES.read_text()
    header = "".join(
        part if isinstance(part, str) else text[part : part + 7 * (part % 50)]
        for part in parts
    ).encode()
    short = shorten(header)
    assert lengthened(short) == lengthen(short, len(header)) == header
    assert len(short) <= len(header)
    if len(header) > 1:
        with pytest.raises(BitstreamError, match="more than"):
            lengthen(short, len(header) - 1)


@pytest.mark.parametrize("data", [b"\x90", b"\x90\x01", b"\x80\xff\xff", b"class"])
def test_references_to_what_is_not_there_are_errors(data):
    with pytest.raises(BitstreamError, match="its only form"):
        lengthen(data, 2**24)


def test_models_of_common_kinds_take_few_bytes_besides_arrays():
    for name in ("codec", "pca", "jpegxl codec", "pixel codec"):
        data = model_to_bytes(fitted(name))
        assert len(data) - len(opened(data)[1]) < 300


def test_the_bytes_are_those_that_the_format_says():
    # Numbers that are the same on every machine.
    scaler = StandardScaler().fit([[0.0, 10.0], [2.0, 30.0]])
    scaler.n_samples_seen_ = np.int64(2)  # whatever the version of scikit-learn
    arrays = [[1.0, 20.0], [1.0, 10.0], [1.0, 100.0]]  # mean, scale, var
    entry = {"dtype": "<f8", "order": "C", "shape": [2]}
    model = {
        "class": "StandardScaler",
        "version": 1,
        "params": {"copy": True, "with_mean": True, "with_std": True},
        "state": {
            "mean": {"array": 0},
            "n_features_in": 2,
            "n_samples_seen": {"dtype": "<i8", "number": 2},
            "scale": {"array": 1},
            "var": {"array": 2},
        },
    }
    expected = sealed(
        {"arrays": 3 * [entry], "model": model}, np.array(arrays, "<f8").tobytes()
    )
    assert model_to_bytes(scaler) == expected
    restored = model_from_bytes(expected)
    assert_array_equal(restored.transform([[1.0, 30.0]]), [[0.0, 1.0]])


ENTRY = {"dtype": "<f8", "order": "C", "shape": [1]}

HEADERS = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe",
    b'{"arrays":[],"model":NaN}',
    b'{"arrays":[],"model":1e999}',
    b'{"arrays":[],"arrays":[],"model":null}',
    b'{"arrays":[], "model":null}',
    b'{"arrays":[],"model":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    b'{"arrays":[],"model":' + b'{"tuple":[' * 200 + b"]}" * 200 + b"}",
    b'{"arrays":[],"model":' + b"9" * 10_000 + b"}",
    {"arrays": [], "model": None},
    {"arrays": [], "model": [1, 2]},
    {"arrays": {}, "model": None},
    {"arrays": [1], "model": None},
    {"arrays": [], "model": {"array": 0}},
    {"arrays": [], "model": {"same": 0}},
    {"arrays": [], "model": {"names": [1]}},
    {"arrays": [], "model": {"tuple": 1}},
    {"arrays": [], "model": {"float": []}},
    {"arrays": [], "model": {"float": "1"}},
    {"arrays": [], "model": {"dtype": "O"}},
    {"arrays": [], "model": {"dtype": []}},
    {"arrays": [], "model": {"dtype": "|u1", "number": 256}},
    {"arrays": [], "model": {"dtype": "<f2", "number": 1e10}},
    {"arrays": [], "model": {"dtype": "<f8", "number": "1"}},
    {"arrays": [], "model": {"class": "builtins.eval", "state": {}, "version": 1}},
    {"arrays": [], "model": {"class": ["PCA"], "state": {}, "version": 1}},
    {"arrays": [], "model": {"class": "PCA", "state": {}, "version": 1}},
    {"arrays": [], "model": {"class": "PCA", "params": 1, "state": 1, "version": 1}},
    *(
        {"arrays": [{**ENTRY, **change}], "model": None}
        for change in (
            {"shape": [-1]},
            {"shape": [2**60]},
            {"shape": [2**40, 2**40]},
            {"shape": [0, 2**50]},
            {"shape": [True]},
            {"shape": [1.0]},
            {"shape": ["1"]},
            {"shape": 1},
            {"shape": [1] * 9},
            {"dtype": "|O"},
            {"dtype": ">f8"},
            {"dtype": "<f16"},
            {"dtype": None},
            {"order": "K"},
            {"more": 1},
        )
    ),
]


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: str(header)[:40])
def test_headers_without_sense_are_errors_and_take_no_memory(header):
    data = sealed(header, bytes(8))
    tracemalloc.start()
    with pytest.raises(BitstreamError):
        model_from_bytes(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000


#: Where the layout and the layers of a compressor stand.
LAYOUT = "state.network.state.layout.state"
LAYERS = f"{LAYOUT}.layers"

CHANGES = [
    ("dae", "state.n_features_in", 10**9, "n_features_in|network"),
    (
        "dae",
        f"{LAYERS}.0.state.n_out",
        500,
        "Inputs of the layers",
    ),
    (
        "dae",
        f"{LAYERS}.0.state.n_out",
        2**31,
        "Inputs of the layers",
    ),
    (
        "dae",
        f"{LAYERS}.0.state.n_below",
        5,
        "Inputs of the layers",
    ),
    (
        "dae",
        f"{LAYERS}.1.state.n_direct",
        0,
        "Linear path",
    ),
    ("dae", f"{LAYERS}.1.state.unit", "magic", "magic"),
    ("dae", f"{LAYERS}.1", 1.0, "must be a layer"),
    ("dae", LAYERS, [], "layers"),
    (
        "dae",
        f"{LAYOUT}.n_encoder_layers",
        4,
        "4 of 4 layers encode",
    ),
    ("dae", "state.network.state.scaler.state.low", 1e9, "pixel range"),
    ("dae", "state.network.state.scaler", 1.0, "must be PixelScaler"),
    ("dae", "params.transform_max_iter", "ten", "transform_max_iter"),
    ("dae", "params.transform_max_iter", 10**9, "transform_max_iter"),
    ("minmax", "params.feature_range", ["a", 1], "feature_range"),
    ("minmax", "params.feature_range", [1, 0], "feature_range"),
    ("dae", "version", 2, "version 2.*upgrade"),
    ("dae", "class", "SuperAutoencoder", "SuperAutoencoder.*upgrade"),
    ("dae", "params.new", 1, "unknown field 'new'.*upgrade"),
    ("dae", "state.new", 1, "unknown field 'new'.*upgrade"),
    ("dae", "state.network.state.theta", None, "must be an array"),
    ("pca", "state.n_components", 2, "components"),
    ("pca", "params.whiten", "yes", "whiten"),
    ("pca", "state.mean", {"names": ["a"] * 6}, "array"),
    ("pipeline", "params.steps", [1, 2, 3], "impossible"),
    ("pipeline", "params.steps", [], "steps"),
    ("codec", "state.code_model.state.step", 0.0, "Steps are 0"),
    ("codec", "state.code_model.state.mixtures.state.limit", 2**15, "limit"),
    ("codec", "state.decoder.state.picture", {"tuple": [1, 7, 1]}, "Pixels of an im"),
    ("codec", "state.low", 1e9, "range"),
    ("codec", "state.n_features_in", 7, "Pixels of an image"),
    ("kmeans", "state.n_features_in", 7, "features"),
    ("gaussian", "params.hidden_units", "magic", "magic"),
    ("min-max codec", "params.method", "centroid", "Method: min_max"),
    ("min-max codec", "params.method", "magic", "magic"),
    ("min-max codec", "params.image_shape", {"tuple": [2, 2]}, "image_shape"),
    ("centroid codec", "state.dtype", {"dtype": "|i1"}, "Type of the references"),
    ("centroid codec", "state.dtype", {"dtype": "<f4"}, "integers of 8 to 32 bits"),
    ("centroid codec", "state.sets.0.state.tables.state.precision", 15, "Table 0 sums"),
    ("general codec", "params.method", "zip", "zip"),
    ("general codec", "params.level", 10, "level"),
    ("jpeg codec", "params.format", "gif", "gif"),
    ("jpeg codec", "params.quality", "best", "quality"),
    ("jpeg codec", "params.lossless", True, "never lossless"),
    ("jpeg codec", "state.multiple", 3, "multiple_ is 3"),
    ("jpeg codec", "state.dtype", {"dtype": "<u2"}, "uint16"),
    ("jpegxl codec", "state.multiple", 8, "multiple_ is 8"),
    ("pixel codec", "params.effort", 5, "effort"),
    ("pixel codec", "params.max_abs_error", -1, "max_abs_error"),
    ("pixel codec", "state.models.0.state.in_series", 2, "in_series"),
    ("huffman", "state.dtype", {"dtype": "<f4"}, "Numbers of the code"),
    ("strict coder", "params.handle_unknown", "escape", "Escape"),
    ("standard", "state.scale", None, "no array|order|expected|uses"),
]


@pytest.mark.parametrize(("name", "place", "value", "message"), CHANGES)
def test_impossible_models_are_errors(name, place, value, message):
    header, arrays = opened(model_to_bytes(fitted(name)))
    *path, last = place.split(".")
    tree = header["model"]
    for key in path:
        tree = tree[int(key) if isinstance(tree, list) else key]
    tree[int(last) if isinstance(tree, list) else last] = value
    with pytest.raises(BitstreamError, match=message):
        model_from_bytes(sealed(header, arrays))


def places(tree):
    """All dicts and lists of a header with the keys that they have."""
    if isinstance(tree, dict | list):
        for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
            yield tree, key
            yield from places(tree[key])


JUNK = [
    None, True, -1, 0, 1, 3, 2**40, 10**30, 0.5, -1e300, "", "PCA", "<f4", "escape", [],
    [1], ["a"], {}, {"array": 0}, {"array": 1}, {"same": 0}, {"float": "nan"},
    {"dtype": "<f8"}, {"names": ["a"]}, {"tuple": [1]}, {"dtype": "<i8", "number": 3},
]  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        *("pipeline", "dae", "codec", "huffman", "shared"),
        *("min-max codec", "centroid codec", "general codec", "jpeg codec"),
        "pixel codec",
    ],
)
def test_a_tampered_model_is_an_error_or_still_a_model(name, rng):
    data = model_to_bytes(fitted(name))
    n_errors = 0
    for _ in range(600):
        header, arrays = opened(data)
        for _ in range(rng.integers(1, 3)):
            choices = list(places(header))
            tree, key = choices[rng.integers(len(choices))]
            other, other_key = choices[rng.integers(len(choices))]
            kind = rng.integers(4)
            if kind == 0:
                del tree[key]
            elif kind == 1 and isinstance(tree, dict):
                tree["extra"] = tree.pop(key)
            elif kind == 2:
                tree[key] = json.loads(json.dumps(other[other_key]))
            else:
                tree[key] = JUNK[rng.integers(len(JUNK))]
        if arrays and rng.integers(4) == 0:
            arrays = damage(arrays, rng)
        try:
            model = model_from_bytes(sealed(header, arrays))
        except BitstreamError:
            n_errors += 1
        else:
            # What could be loaded can be saved, and is the same then.
            saved = model_to_bytes(model)
            assert model_to_bytes(model_from_bytes(saved)) == saved
    assert n_errors > 200


# Writing.


def write(path, *actions, overwrite=False):
    with atomic_writer(path, overwrite=overwrite) as file:
        for action in actions:
            action(file)


def test_nothing_is_overwritten_unless_asked(tmp_path):
    path = tmp_path / "model.daem"
    save_model(fitted("pca"), path)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        save_model(fitted("standard"), path)
    assert type(load_model(path)) is PCA
    save_model(fitted("standard"), path, overwrite=True)
    assert type(load_model(path)) is StandardScaler
    assert [p.name for p in tmp_path.iterdir()] == ["model.daem"]


def test_a_file_made_in_the_meantime_is_not_overwritten(tmp_path):
    path = tmp_path / "file"
    with pytest.raises(FileExistsError):
        write(path, lambda file: path.write_bytes(b"theirs"))
    assert path.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "full")], ids=repr)
@pytest.mark.parametrize("before", [None, b"before"])
def test_an_error_while_writing_leaves_things_as_they_were(error, before, tmp_path):
    path = tmp_path / "file"
    if before is not None:
        path.write_bytes(before)

    def fail(file):
        raise error

    with pytest.raises(type(error)):
        write(path, lambda file: file.write(bytes(100_000)), fail, overwrite=True)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [before] * path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("before", [None, b"before"])
@pytest.mark.parametrize(
    "write",
    [
        "with atomic_writer(path, overwrite=True) as f: f.write(bytes(9999)); wait()",
        "write_archive(path, (wait(i) for i in range(3)), codec, overwrite=True)",
    ],
    ids=["atomic_writer", "write_archive"],
)
def test_a_real_interrupt_leaves_things_as_they_were(write, before, tmp_path):
    path = tmp_path / "file"
    if before is not None:
        path.write_bytes(before)
    code = (
        "import numpy as np, sys, time\n"
        "from sklearn_dae._atomic import atomic_writer\n"
        "from sklearn_dae.archive import write_archive\n"
        "from sklearn_dae.codecs import HuffmanCodec\n"
        "image, path = np.zeros((2000, 9), np.uint8), sys.argv[1]\n"
        "codec = HuffmanCodec(chunk_size=100).fit(image)\n"
        "def wait(i=2):\n"
        "    if i == 2: print('begun', flush=True); time.sleep(60)\n"
        "    return image\n"
        f"{write}\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "begun\n"
        assert len(list(tmp_path.iterdir())) == 1 + (before is not None)
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=60)[1]
    assert errors.endswith("KeyboardInterrupt\n")
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [before] * path.exists()


def test_a_full_disk_leaves_no_file(tmp_path):
    with files_of_at_most(5000), pytest.raises(OSError, match="File too large"):
        write(tmp_path / "file", lambda file: file.write(bytes(6000)))
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_new_files_have_the_permissions_of_others_and_replaced_ones_theirs(tmp_path):
    path, other = tmp_path / "file", tmp_path / "other"
    other.write_bytes(b"")
    with atomic_writer(path) as file:
        file.write(b"1")
    assert path.stat().st_mode == other.stat().st_mode
    path.chmod(0o600)
    with atomic_writer(path, overwrite=True) as file:
        file.write(b"2")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_system_without_links_will_do(tmp_path, monkeypatch):
    def link(*_names):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    path = tmp_path / "file"
    with atomic_writer(path) as file:
        file.write(b"1")
    assert path.read_bytes() == b"1"
    second = tmp_path / "second"
    with pytest.raises(FileExistsError):
        write(second, lambda file: second.write_bytes(b"theirs"))
    assert second.read_bytes() == b"theirs"


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_symbolic_link_stays_one(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    with atomic_writer(tmp_path / "link", overwrite=True) as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_impossible_paths_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"):
        save_model(fitted("pca"), tmp_path / "missing" / "model.daem")
    with pytest.raises(IsADirectoryError):
        save_model(fitted("pca"), tmp_path, overwrite=True)
    if Path("/dev/null").exists():
        with pytest.raises(OSError, match="regular"):
            save_model(fitted("pca"), "/dev/null", overwrite=True)
    with pytest.raises(OSError, match="x" * 300):
        save_model(fitted("pca"), tmp_path / ("x" * 300))
    assert not list(tmp_path.iterdir())
