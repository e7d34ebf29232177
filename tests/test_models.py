"""Models as files: what comes back, and what later versions must read."""

import json
import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_specimens import DECODERS, DTYPES, MODELS, ROWS, SMALL, fit, fitted
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler

from sklearn_dae import DeepAutoencoderCompressor, HuffmanCoder
from sklearn_dae.codecs import (
    HuffmanCodec,
    PixelCodec,
    SetRedundancyCodec,
    TransformCodec,
)
from sklearn_dae.codecs._decoder import CompactDecoder
from sklearn_dae.models import (
    load_model,
    model_from_bytes,
    model_hash,
    model_to_bytes,
    save_model,
)
from sklearn_dae.models._phrases import lengthen
from sklearn_dae.models._registry import KINDS
from sklearn_dae.models._state import Reader, Writer, stored_name

GOLDEN = Path(__file__).parent / "golden"

DOCS = Path(__file__).parents[1] / "docs" / "models.md"

# How models are stored does not depend on what they were fitted on.
pytestmark = pytest.mark.filterwarnings("ignore:X has values from")


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
    if isinstance(getattr(first, "decoder_", None), CompactDecoder):
        # Of what it was made from, only the decoder is kept.
        assert second.transformer is None
        first = clone(first).set_params(transformer=None)
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


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        (name, dtype)
        for name in MODELS
        for dtype in (np.uint8, np.float32, np.float64)
        if dtype == np.uint8 or name not in DTYPES
    ],
)
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
    again = clone(loaded)
    if name in DECODERS:
        with pytest.raises(TypeError, match=r"set_params\(transformer="):
            again.fit(X)
        again.set_params(transformer=model.transformer)
    assert repr(again) == repr(clone(model))
    again.fit(X)


def test_a_network_left_as_pca_can_be_kept():
    grey = np.full((30, 6), 7.0)  # nothing to learn
    model = DeepAutoencoderCompressor(1, **SMALL | {"max_iter": 12}).fit(grey)
    loaded = model_from_bytes(model_to_bytes(model))
    assert loaded.is_linear_
    assert loaded.alpha_ == model.alpha_ == 0
    assert_same(model, loaded)


@pytest.mark.parametrize("name", MODELS)
def test_equal_models_have_equal_bytes_and_others_another_hash(name):
    data = model_to_bytes(fitted(name))
    assert model_to_bytes(fit(name)) == data
    other = model_to_bytes(fit(name, rows=ROWS[10:] / 2 + 1))
    assert model_hash(other) != model_hash(data)


def test_the_hash_is_that_of_the_file(tmp_path):
    save_model(fitted("pca"), tmp_path / "pca.daem")
    data = (tmp_path / "pca.daem").read_bytes()
    assert model_hash(data) == sha256(data).hexdigest()


@pytest.mark.parametrize("name", MODELS)
def test_feature_names_are_kept(name):
    names = ["a", "ä", "\ud800", "d", "e", "🖼"]
    dtype = DTYPES.get(name, float)
    frame = pd.DataFrame(ROWS.astype(dtype), columns=names)
    model = clone(MODELS[name]).fit(frame)
    loaded = model_from_bytes(model_to_bytes(model))
    assert_array_equal(loaded.feature_names_in_, model.feature_names_in_)
    outputs(loaded, frame)
    with pytest.raises(ValueError, match="feature names"):
        outputs(loaded, frame[frame.columns[::-1]])


def test_a_codec_and_its_parameter_share_one_transformer():
    codec = fitted("whole codec")
    alone = len(model_to_bytes(codec))
    codec = TransformCodec(codec.transformer_).fit(ROWS.astype(float))
    data = model_to_bytes(codec)
    loaded = model_from_bytes(data)
    assert loaded.transformer is loaded.transformer_ is loaded.decoder_.transformer
    assert len(data) < alone + 100


def test_a_codec_keeps_neither_the_encoder_nor_how_it_was_trained():
    dae = DeepAutoencoderCompressor(4, hidden_layer_sizes=(64,), max_iter=2)
    X = np.random.default_rng(0).integers(0, 256, (200, 100)).astype(np.uint8)
    codec = TransformCodec(dae.fit(X), target_psnr=6).fit(X)
    n_decoded = codec.decoder_.layout.n_parameters
    assert n_decoded < 0.55 * dae.network_.layout.n_parameters
    # A byte a weight would be many, four are those of single precision.
    assert len(model_to_bytes(codec)) < n_decoded
    assert len(model_to_bytes(dae)) > 7 * n_decoded


def test_a_loaded_transformer_serves_a_new_codec():
    dae = model_from_bytes(model_to_bytes(fitted("dae")))
    codec = TransformCodec(dae).fit(ROWS)
    assert codec.transformer_ is dae
    assert codec.decode(codec.encode(ROWS)).shape == ROWS.shape


def test_training_goes_on_from_a_loaded_model():
    dae = fitted("dae").set_params(warm_start=True, max_iter=3)
    loaded = model_from_bytes(model_to_bytes(dae))
    assert_array_equal(loaded.fit(ROWS).network_.theta, dae.fit(ROWS).network_.theta)
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
        ("dae", {"alpha_": "much"}, "alpha_ must be a number"),
        ("dae", {"alpha_": np.nan}, "alpha_ is nan, must be finite"),
        ("dae", {"alpha_": np.inf}, "alpha_ is inf, must be finite"),
        ("dae", {"solver": "magic"}, "solver"),
        ("pca", {"mean_": np.zeros(5)}, "PCA.*has 5 features"),
        ("pca", {"mean_": np.full(6, np.nan)}, "finite"),
        ("codec", {"chunk_size": -1}, "chunk_size"),
        ("codec", {"code_model_": fitted("dae codec").code_model_}, "Values of a code"),
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


def test_a_network_that_lacks_parameters_is_not_saved():
    model = fitted("dae")
    model.network_ = replace(model.network_, theta=np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="parameter vector"):
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
        exact = isinstance(
            model, HuffmanCoder | HuffmanCodec | SetRedundancyCodec | PixelCodec
        )
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
    headers = [path.read_bytes() for path in GOLDEN.glob("model-*.daem")]
    sizes = [int.from_bytes(header[18:22], "little") for header in headers]
    text = b"".join(
        lengthen(header[22 : 22 + size], 2**20)
        for header, size in zip(headers, sizes, strict=True)
    )
    for kind in KINDS:
        assert f'"class":"{kind.name}"'.encode() in text


def test_the_docs_list_what_is_stored():
    rows = re.findall(r"^\| (`[A-Z].*?) \| (.*) \|$", DOCS.read_text(), re.MULTILINE)
    listed = {
        name: set(re.findall("`(.+?)`", attributes))
        for names, attributes in rows
        for name in re.findall("`(.+?)`", names)
    }
    of_any_estimator = {"n_features_in_", "feature_names_in_"}
    stored = {kind.name: set(kind.attributes) - of_any_estimator for kind in KINDS}
    assert listed == stored
