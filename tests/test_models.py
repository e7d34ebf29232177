"""Model files: what comes back, what is refused, and what later versions must read."""

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
import pandas as pd
import pytest
from codec_checks import damage
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from sklearn_dae import (
    PAPER_SETTINGS,
    BernoulliRBM,
    DeepAutoencoderCompressor,
    GaussianRBM,
    HuffmanCoder,
    KMeansQuantizer,
    UniformQuantizer,
)
from sklearn_dae.archive import (
    atomic_writer,
    load_model,
    model_from_bytes,
    model_hash,
    model_to_bytes,
    save_model,
)
from sklearn_dae.archive._registry import KINDS
from sklearn_dae.archive._state import Reader, Writer, stored_name
from sklearn_dae.codecs import (
    GeneralCodec,
    HuffmanCodec,
    JpegXLCodec,
    PillowCodec,
    SetRedundancyCodec,
    TransformCodec,
)
from sklearn_dae.exceptions import BitstreamError

GOLDEN = Path(__file__).parent / "golden"

ROWS = np.random.default_rng(1).integers(0, 17, (60, 6)).astype(np.uint8)

SMALL = {"hidden_layer_sizes": (5,), "max_iter": 2, "random_state": 0}

MODELS = {
    "pca": PCA(3),
    "whitened": PCA(0.9, whiten=True, svd_solver="full"),
    "standard": StandardScaler(),
    "plain standard": StandardScaler(with_mean=False, with_std=False),
    "minmax": MinMaxScaler((-1, 1), clip=True),
    "pipeline": make_pipeline(MinMaxScaler(), "passthrough", PCA(3)),
    "nested": make_pipeline(StandardScaler(), make_pipeline(PCA(4), PCA(2))),
    "bernoulli": BernoulliRBM(3, random_state=0, n_iter=2),
    "gaussian": GaussianRBM(3, hidden_units="gaussian", random_state=0, n_iter=2),
    "dae": DeepAutoencoderCompressor(2, **SMALL),
    "shallow": DeepAutoencoderCompressor(2, **{**SMALL, "hidden_layer_sizes": []}),
    "paper": DeepAutoencoderCompressor(
        2, **SMALL, **PAPER_SETTINGS, threshold=0.5, pixel_range=(0, 16)
    ),
    "stopping": DeepAutoencoderCompressor(
        np.int64(2), **SMALL, early_stopping=True, alpha=np.float64(0.1)
    ),
    "uniform": UniformQuantizer(8),
    "steps": UniformQuantizer(step=np.arange(1.0, 7)),
    "kmeans": KMeansQuantizer(3),
    "shared": KMeansQuantizer(3, shared=True),
    "huffman coder": HuffmanCoder(),
    "strict coder": HuffmanCoder("error"),
    "huffman": HuffmanCodec(chunk_size=7),
    "codec": TransformCodec(make_pipeline(StandardScaler(), PCA(3))),
    "exact codec": TransformCodec(PCA(6, svd_solver="full"), UniformQuantizer(64)),
    "kmeans codec": TransformCodec(PCA(3), KMeansQuantizer(5), rotate=False),
    "lossless codec": TransformCodec(PCA(3), lossless=True, image_shape=(2, 3)),
    "min-max codec": SetRedundancyCodec(image_shape=(2, 3)),
    "centroid codec": SetRedundancyCodec("centroid", image_shape=(2, 3)),
    "general codec": GeneralCodec("bz2", level=1),
    "jpeg codec": PillowCodec(quality=90, image_shape=(2, 3)),
    "jpegxl codec": JpegXLCodec(distance=0.5, image_shape=(2, 3)),
    "dae codec": TransformCodec(DeepAutoencoderCompressor(2, **SMALL)),
}

#: Models of images of bytes.
OF_BYTES = {"lossless codec", "min-max codec", "centroid codec"}


def fitted(name, dtype=np.float64, rows=ROWS):
    if name in OF_BYTES:
        dtype = np.uint8
    return clone(MODELS[name]).fit(rows.astype(dtype))


def outputs(model, X):
    """All that a model computes."""
    if hasattr(model, "encode"):
        data = model.encode(X)
        return [data, model.decode(data)]
    results = [model.transform(X)]
    if hasattr(model, "inverse_transform"):
        results.append(model.inverse_transform(results[0]))
    return results


def assert_same(first, second):
    """Assert that two models have the same parameters and outputs, to the last bit."""
    assert type(first) is type(second)
    assert repr(first) == repr(second)
    for (name, a), (other, b) in zip(
        sorted(first.get_params(deep=False).items()),
        sorted(second.get_params(deep=False).items()),
        strict=True,
    ):
        assert name == other
        if not hasattr(a, "get_params") and name != "steps":
            assert type(a) is type(b)
            assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("name", MODELS)
def test_a_loaded_model_computes_the_same_to_the_last_bit(name, dtype, tmp_path):
    model = fitted(name, dtype)
    save_model(model, tmp_path / "model.daem")
    loaded = load_model(tmp_path / "model.daem")
    assert_same(model, loaded)
    X = ROWS[:20].astype(getattr(model, "dtype_", dtype))
    for a, b in zip(outputs(model, X), outputs(loaded, X), strict=True):
        if not isinstance(a, np.ndarray):
            assert a == b
        else:
            assert a.dtype == b.dtype
            assert a.tobytes() == b.tobytes()
    # What is loaded can be saved again, cloned, and fitted.
    assert model_to_bytes(loaded) == model_to_bytes(model)
    assert repr(clone(loaded)) == repr(clone(model))
    loaded.fit(X)


def test_a_network_left_as_pca_can_be_kept():
    grey = np.full((30, 6), 7.0)  # nothing to learn
    model = DeepAutoencoderCompressor(1, **SMALL | {"max_iter": 12}).fit(grey)
    loaded = model_from_bytes(model_to_bytes(model))
    assert loaded.alpha_ == model.alpha_ == np.inf
    assert_same(model, loaded)


@pytest.mark.parametrize("name", MODELS)
def test_equal_models_have_equal_bytes_and_others_another_hash(name):
    data = model_to_bytes(fitted(name))
    assert model_to_bytes(fitted(name)) == data
    other = model_to_bytes(fitted(name, rows=ROWS[10:] / 2 + 1))
    assert model_hash(other) != model_hash(data)


def test_the_hash_is_that_of_the_file(tmp_path):
    save_model(fitted("pca"), tmp_path / "pca.daem")
    data = (tmp_path / "pca.daem").read_bytes()
    assert model_hash(data) == sha256(data).hexdigest()


@pytest.mark.parametrize("name", MODELS)
def test_feature_names_are_kept(name):
    names = ["a", "ä", "\ud800", "d", "e", "🖼"]
    dtype = np.uint8 if name in OF_BYTES else float
    frame = pd.DataFrame(ROWS.astype(dtype), columns=names)
    model = clone(MODELS[name]).fit(frame)
    loaded = model_from_bytes(model_to_bytes(model))
    assert_array_equal(loaded.feature_names_in_, model.feature_names_in_)
    outputs(loaded, frame)
    with pytest.raises(ValueError, match="feature names"):
        outputs(loaded, frame[frame.columns[::-1]])


def test_a_codec_and_its_parameter_share_one_transformer():
    pca = fitted("pca")
    alone = len(model_to_bytes(TransformCodec(PCA(3)).fit(ROWS.astype(float))))
    codec = TransformCodec(pca).fit(ROWS.astype(float))
    data = model_to_bytes(codec)
    loaded = model_from_bytes(data)
    assert loaded.transformer is loaded.transformer_
    assert len(data) < alone + 100


def test_a_loaded_transformer_serves_a_new_codec():
    dae = model_from_bytes(model_to_bytes(fitted("dae")))
    codec = TransformCodec(dae).fit(ROWS)
    assert codec.transformer_ is dae
    assert codec.decode(codec.encode(ROWS)).shape == ROWS.shape


def test_training_goes_on_from_a_loaded_model():
    dae = fitted("dae").set_params(warm_start=True, max_iter=3)
    loaded = model_from_bytes(model_to_bytes(dae))
    assert_array_equal(loaded.fit(ROWS).theta_, dae.fit(ROWS).theta_)
    rbm = model_from_bytes(model_to_bytes(fitted("bernoulli")))
    before = rbm.components_.copy()
    assert not np.array_equal(rbm.partial_fit(ROWS / 16).components_, before)
    # Equal arrays of the file are different ones in memory.
    assert not np.shares_memory(rbm.intercept_hidden_, rbm.intercept_visible_)


def test_memory_order_is_kept():
    # A matrix product may differ in its last bits with it.
    pca = fitted("pca")
    for order in "CF":
        pca.components_ = np.asarray(pca.components_, order=order)
        loaded = model_from_bytes(model_to_bytes(pca))
        assert loaded.components_.flags[f"{order}_CONTIGUOUS"]


def test_stored_names_do_not_clash():
    for kind in KINDS:
        names = [stored_name(name) for name in kind.attributes]
        assert len(set(names)) == len(names)


# What cannot be saved.


class Derived(PCA):
    pass


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (LogisticRegression().fit(ROWS, ROWS[:, 0] > 8), "LogisticRegression.*PCA"),
        (Derived(2).fit(ROWS), "Derived, which"),
        (PCA, "supported|can hold"),
        ({"a": 1}, "a dict, which"),
        (
            make_pipeline(FunctionTransformer(np.sqrt), PCA(2)).fit(ROWS),
            r"Pipeline.steps\[0\]\[1\].*FunctionTransformer",
        ),
        (
            PCA(2, random_state=np.random.RandomState(0)).fit(ROWS),
            "PCA.random_state is a RandomState.*set_params",
        ),
        (Pipeline([("pca", PCA(2))], memory="cache"), "memory"),
    ],
)
def test_what_cannot_be_stored_is_named(model, message):
    if isinstance(model, Pipeline) and model.memory:
        model = Pipeline(model.steps).fit(ROWS).set_params(memory="cache")
    with pytest.raises(TypeError, match=message):
        model_to_bytes(model)


@pytest.mark.parametrize("name", MODELS)
def test_an_unfitted_model_is_refused(name, tmp_path):
    with pytest.raises(NotFittedError):
        save_model(clone(MODELS[name]), tmp_path / "model.daem")
    assert not list(tmp_path.iterdir())


def test_a_pipeline_with_one_step_unfitted_is_refused():
    pipeline = fitted("pipeline")
    pipeline.set_params(minmaxscaler=MinMaxScaler())
    with pytest.raises(NotFittedError, match="MinMaxScaler"):
        model_to_bytes(pipeline)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("dae", {"theta_": np.zeros(3, np.float32)}, "parameter vector"),
        ("dae", {"alpha_": "much"}, "alpha_ must be a number"),
        ("dae", {"alpha_": np.nan}, "alpha_ is nan, must be finite"),
        ("dae", {"alpha_": np.inf}, "alpha_ is inf, must be finite"),
        ("dae", {"solver": "magic"}, "solver"),
        ("pca", {"mean_": np.zeros(5)}, "PCA.*has 5 features"),
        ("pca", {"mean_": np.full(6, np.nan)}, "finite"),
        ("codec", {"chunk_size": -1}, "chunk_size"),
        ("codec", {"quantizer_": UniformQuantizer(4).fit(ROWS)}, "Units of the quant"),
        ("huffman coder", {"handle_unknown": "error"}, "Escape"),
        ("standard", {"mean_": None}, "no mean_"),
    ],
)
def test_a_model_that_was_broken_is_not_saved(name, change, message):
    model = fitted(name)
    for attribute, value in change.items():
        setattr(model, attribute, value)
    with pytest.raises((TypeError, ValueError), match=message):
        model_to_bytes(model)


def test_a_parameter_that_we_do_not_know_is_not_lost(monkeypatch):
    def __init__(self, feature_range=(0, 1), *, copy=True, clip=False, bend=0):
        self.feature_range, self.copy, self.clip = feature_range, copy, clip
        self.bend = bend

    expected = model_to_bytes(fitted("minmax"))
    monkeypatch.setattr(MinMaxScaler, "__init__", __init__)
    assert model_to_bytes(MinMaxScaler((-1, 1), clip=True).fit(ROWS * 1.0)) == expected
    with pytest.raises(TypeError, match="bend=1"):
        model_to_bytes(MinMaxScaler(bend=1).fit(ROWS))


# Numbers.

NUMBERS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.floats(width=32).map(np.float32)
    | st.integers(-(2**63), 2**63 - 1).map(np.int64)
    | st.booleans().map(np.bool_)
)


@given(
    st.recursive(NUMBERS, lambda v: st.lists(v) | st.lists(v).map(tuple), max_leaves=20)
)
@settings(max_examples=200, deadline=None)
def test_parameters_come_back_with_value_and_type(value):
    writer = Writer()
    text = json.dumps(writer.write(value, "x"), allow_nan=False)
    restored = Reader([]).read(json.loads(text), "x")
    assert repr(restored) == repr(value)


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", ">i4", "u8", "f2", ">f4", "f8"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0), (2, 3, 4)])
def test_arrays_come_back_exactly(dtype, shape, rng):
    step = np.asarray(np.abs(7 * rng.normal(size=shape)), dtype)
    model = fitted("uniform").set_params(step=step)
    restored = model_from_bytes(model_to_bytes(model)).step
    assert restored.dtype == np.dtype(dtype).newbyteorder("=")
    assert restored.shape == shape
    assert_array_equal(restored, step)
    assert restored.flags.writeable


@pytest.mark.parametrize("value", [1j, np.longdouble(1), b"a", {1}, np.array(["a"])])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(TypeError, match=r"PCA\.tol|PCA\.n_components"):
        model_to_bytes(fitted("pca").set_params(n_components=value))


# Damage.


@pytest.fixture(scope="module")
def small():
    return model_to_bytes(fitted("huffman", np.uint8, ROWS % 4))


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
    """A model file as docs/models.md describes it, written without the package."""
    if not isinstance(header, bytes):
        header = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
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
    return json.loads(data[22:end]), data[end:-32]


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


CHANGES = [
    ("dae", "state.n_features_in", 10**9, "n_features_in|network"),
    ("dae", "state.layout.state.sizes", [6, 500, 2], "parameter vector"),
    ("dae", "state.layout.state.sizes", [6, 2**31, 2], "parameter vector"),
    ("dae", "state.layout.state.sizes", [6], "no code"),
    ("dae", "state.layout.state.hidden", "magic", "magic"),
    ("dae", "state.scaler.state.low", 1e9, "pixel range"),
    ("dae", "state.scaler", 1.0, "must be PixelScaler"),
    ("dae", "params.transform_max_iter", "ten", "transform_max_iter"),
    ("dae", "params.transform_max_iter", 10**9, "transform_max_iter"),
    ("minmax", "params.feature_range", ["a", 1], "feature_range"),
    ("minmax", "params.feature_range", [1, 0], "feature_range"),
    ("dae", "version", 2, "version 2.*upgrade"),
    ("dae", "class", "SuperAutoencoder", "SuperAutoencoder.*upgrade"),
    ("dae", "params.new", 1, "unknown field 'new'.*upgrade"),
    ("dae", "state.new", 1, "unknown field 'new'.*upgrade"),
    ("dae", "state.theta", None, "must be an array"),
    ("pca", "state.n_components", 2, "components"),
    ("pca", "params.whiten", "yes", "whiten"),
    ("pca", "state.mean", {"names": ["a"] * 6}, "array"),
    ("pipeline", "params.steps", [1, 2, 3], "impossible"),
    ("pipeline", "params.steps", [], "steps"),
    ("codec", "state.code_dtype", {"dtype": "<i8"}, "Codes are int64"),
    ("codec", "state.tables.state.precision", 9, "Table 0 sums"),
    ("codec", "state.low", 1e9, "range"),
    ("codec", "state.n_features_in", 7, "Inputs"),
    ("kmeans", "state.n_features_in", 7, "features"),
    ("gaussian", "params.hidden_units", "magic", "magic"),
    ("min-max codec", "params.method", "centroid", "References: 2"),
    ("min-max codec", "params.method", "magic", "magic"),
    ("min-max codec", "params.image_shape", {"tuple": [2, 2]}, "image_shape"),
    ("centroid codec", "state.dtype", {"dtype": "|i1"}, "Type of the references"),
    ("centroid codec", "state.dtype", {"dtype": "<f4"}, "integers of 8 to 32 bits"),
    ("centroid codec", "state.tables.state.precision", 15, "Table 0 sums"),
    ("general codec", "params.method", "zip", "zip"),
    ("general codec", "params.level", 10, "level"),
    ("jpeg codec", "params.format", "gif", "gif"),
    ("jpeg codec", "params.quality", "best", "quality"),
    ("jpeg codec", "params.lossless", True, "never lossless"),
    ("jpeg codec", "state.multiple", 3, "multiple_ == 3"),
    ("jpeg codec", "state.dtype", {"dtype": "<u2"}, "uint16"),
    ("jpegxl codec", "state.multiple", 8, "multiple_ == 8"),
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
        tree = tree[key]
    tree[last] = value
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
        *("pipeline", "dae", "codec", "huffman", "shared", "lossless codec"),
        *("min-max codec", "centroid codec", "general codec", "jpeg codec"),
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
        "from sklearn_dae.archive import atomic_writer, write_archive\n"
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


@pytest.mark.skipif(sys.platform == "win32", reason="sets a limit of POSIX")
def test_a_full_disk_leaves_no_file(tmp_path):
    code = (
        "import resource, sys; from sklearn_dae.archive import atomic_writer\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "try:\n"
        "    with atomic_writer(sys.argv[1]) as file: file.write(bytes(6000))\n"
        "except OSError as error: print('refused')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "file")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "refused"
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


# What earlier versions wrote.

FILES = pytest.mark.parametrize(
    "path", sorted(GOLDEN.glob("model-*.daem")), ids=lambda path: path.stem
)


@FILES
def test_files_of_earlier_versions_are_read(path):
    model = load_model(path)
    expected = json.loads(path.with_suffix(".json").read_text())
    rows = np.array(expected["rows"], np.uint8)
    if "encoded" in expected:
        coded = expected["encoded"]
        several = isinstance(coded, list)
        data = [*map(bytes.fromhex, coded)] if several else bytes.fromhex(coded)
        decoded = model.decode(data)
        assert decoded.dtype == np.uint8
        # Of a float on the border of two integers, another machine may take the other.
        exact = isinstance(model, HuffmanCoder | HuffmanCodec | SetRedundancyCodec)
        assert_allclose(decoded, expected["decoded"], atol=0 if exact else 1, rtol=0)
        assert_allclose(decoded, rows, atol=0 if exact else 16, rtol=0)
        if exact:
            assert model.encode(rows) == data
    else:
        codes = model.transform(rows)
        assert_allclose(codes, expected["codes"], rtol=1e-3, atol=1e-3)
        restored = model.inverse_transform(np.array(expected["codes"], codes.dtype))
        assert_allclose(restored, expected["restored"], rtol=1e-4, atol=1e-4)


@FILES
def test_files_of_earlier_versions_are_what_is_written_today(path):
    # So a model keeps its hash. A class that needs a new version is an exception.
    assert model_to_bytes(load_model(path)) == path.read_bytes()


def test_there_is_a_file_for_every_class():
    text = b"".join(path.read_bytes() for path in GOLDEN.glob("model-*.daem"))
    for kind in KINDS:
        assert f'"class":"{kind.name}"'.encode() in text
