"""Classes of other packages: a codec, an estimator and a layer, each in one class."""

import inspect
import io
import sys
from textwrap import dedent

import numpy as np
import pytest
from model_specimens import ROWS, fitted
from numpy.testing import assert_array_equal
from test_layers import Gain

from sklearn_dae._scaling import PixelScaler
from sklearn_dae.archive import open_archive, write_archive
from sklearn_dae.evaluation import measure
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.models import load_model, model_from_bytes, model_to_bytes, save_model
from sklearn_dae.models._phrases import lengthen
from sklearn_dae.network import Dense, Layout, Network
from sklearn_dae.training import Settings, train

IMAGES = ROWS.astype(np.uint8)

CODEC = """
import numpy as np
from sklearn_dae.codecs import CodedChunk, Codec
from sklearn_dae.models.fields import array

class MedianCodec(Codec):
    _stored_fields = {"median_": array("features", kinds="iu")}

    def __init__(self, chunk_size=None):
        self.chunk_size = chunk_size

    def _learn(self, X):
        self.median_ = np.median(X, axis=0).astype(X.dtype)

    def _encode_chunk(self, X, spec):
        data = (X - self.median_).tobytes()
        return CodedChunk(data, len(X))

    def _decode_chunk(self, data, n_images, spec):
        rows = np.frombuffer(data, self.dtype_).reshape(n_images, -1)
        return rows + self.median_
"""

SCALER = """
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data
from sklearn_dae.models.fields import array

class Halver(TransformerMixin, BaseEstimator):
    _stored_fields = {"centre_": array("features")}

    def __init__(self, factor=2.0):
        self.factor = factor

    def fit(self, X, y=None):
        self.centre_ = validate_data(self, X).mean(axis=0)
        return self

    def transform(self, X):
        check_is_fitted(self)
        return (validate_data(self, X, reset=False) - self.centre_) / self.factor
"""


LAYER = f"""
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from sklearn_dae.models.fields import count
from sklearn_dae.network import Layer

{inspect.getsource(Gain)}
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution of one module, and return the module's class."""
    monkeypatch.syspath_prepend(tmp_path)
    modules = set()

    def install(source, cls, package="plugin_package", name=None):
        (tmp_path / f"{package}.py").write_text(dedent(source))
        info = tmp_path / f"{package}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n"
        )
        entry = f"[sklearn_dae.models]\n{name or cls} = {package}:{cls}\n"
        (info / "entry_points.txt").write_text(entry)
        modules.add(package)

        def remove():
            (info / "entry_points.txt").unlink()
            (info / "METADATA").unlink()
            info.rmdir()

        return remove

    yield install
    for module in modules:
        sys.modules.pop(module, None)


def imported(cls, package="plugin_package"):
    return getattr(__import__(package), cls)


def test_a_codec_of_another_package_is_one_class(install, tmp_path):
    install(CODEC, "MedianCodec", "median_package")
    codec = imported("MedianCodec", "median_package")().fit(IMAGES)
    save_model(codec, tmp_path / "model.daem")
    loaded = load_model(tmp_path / "model.daem")
    assert type(loaded) is type(codec)
    assert loaded.encode(IMAGES) == codec.encode(IMAGES)
    assert_array_equal(loaded.decode(codec.encode(IMAGES)), IMAGES)
    file = io.BytesIO()
    write_archive(file, IMAGES, codec)
    with open_archive(file) as archive:
        assert type(archive.codec) is type(codec)
        assert_array_equal(archive[:].reshape(IMAGES.shape), IMAGES)
    assert measure(codec, IMAGES).is_lossless


def test_a_stored_class_of_another_package_is_one_class(install):
    install(SCALER, "Halver", "halver_package", name="halves")
    model = imported("Halver", "halver_package")(factor=4.0).fit(ROWS)
    data = model_to_bytes(model)
    header = data[22 : 22 + int.from_bytes(data[18:22], "little")]
    assert b'"class":"halves"' in lengthen(header, 2**20)
    loaded = model_from_bytes(data)
    assert_array_equal(loaded.transform(ROWS), model.transform(ROWS))
    assert model_to_bytes(loaded) == data
    model.centre_ = model.centre_[:-1]
    with pytest.raises(ValueError, match=r"features, where the rest"):
        model_to_bytes(model)


def _network_with(layer):
    """Return a compressor with a layer of another package, and its layout."""
    layers = (
        Dense(6, 4, "relu"),
        layer,
        Dense(4, 2, "identity"),
        Dense(2, 6, "clipped"),
    )
    layout = Layout(layers, 3)
    scaler = PixelScaler(0, 16)
    trained = train(scaler.to_unit(ROWS), layout, Settings(max_iter=2))
    dae = fitted("dae", np.uint8)
    dae.network_ = Network(layout, trained.theta, scaler)
    return dae


def test_a_layer_of_another_package_is_one_class(install):
    install(LAYER, "Gain", "layer_package")
    dae = _network_with(imported("Gain", "layer_package")(4))
    loaded = model_from_bytes(model_to_bytes(dae))
    assert loaded.network_.layout == dae.network_.layout
    assert_array_equal(loaded.transform(ROWS), dae.transform(ROWS))


def test_a_class_that_is_missing_is_named(install):
    remove = install(SCALER, "Halver", "leaving_package", name="leaving")
    data = model_to_bytes(imported("Halver", "leaving_package")().fit(ROWS))
    remove()
    with pytest.raises(BitstreamError, match=r"'leaving'.*install the package"):
        model_from_bytes(data)


def test_a_class_that_is_not_registered_is_refused(install):
    install(SCALER, "Halver", "registered_package")
    cls = imported("Halver", "registered_package")
    derived = type("Derived", (cls,), {})
    with pytest.raises(TypeError, match=r"Derived, which.*entry points"):
        model_to_bytes(derived().fit(ROWS))


def test_two_fields_of_one_stored_name_are_refused(install):
    source = SCALER.replace('"centre_": array', '"_centre": array, "centre_": array')
    install(source, "Halver", "doubling_package", name="doubling")
    model = imported("Halver", "doubling_package")().fit(ROWS)
    with pytest.raises(ImportError, match="both stored as 'centre'"):
        model_to_bytes(model)


def test_a_name_of_ours_cannot_be_claimed(install):
    install(SCALER, "Halver", "claiming_package", name="PCA")
    with pytest.raises(ImportError, match=r"claiming_package.*'PCA'.*another name"):
        model_to_bytes(imported("Halver", "claiming_package")().fit(ROWS))
    # Ours is what loads.
    pca = fitted("pca")
    assert type(model_from_bytes(model_to_bytes(pca))) is type(pca)


def test_a_name_of_another_plug_in_cannot_be_claimed(install):
    install(SCALER, "Halver", "first_package", name="contested")
    model = imported("Halver", "first_package")().fit(ROWS)
    data = model_to_bytes(model)
    install(SCALER, "Halver", "second_package", name="contested")
    for use in (lambda: model_to_bytes(model), lambda: model_from_bytes(data)):
        with pytest.raises(ImportError, match=r"first_package.*second_package.*rename"):
            use()


FIELDS = '_stored_fields = {"centre_": array("features")}'


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("", r"no _stored_fields.*mapping of attribute names to checks"),
        ("_stored_fields = [1]", r"not a mapping.*Tell its authors"),
        ('_stored_fields = {"centre_": 3}', "not a mapping"),
    ],
)
def test_a_class_without_fields_is_refused(install, fields, message):
    source = SCALER.replace(FIELDS, fields)
    package = f"fieldless_package_{len(fields)}"
    install(source, "Halver", package)
    with pytest.raises(ImportError, match=message):
        model_to_bytes(imported("Halver", package)().fit(ROWS))


def test_fields_that_raise_are_named(install):
    bad = """def bad(value, sizes):
    raise RuntimeError("oh")

class Halver("""
    source = SCALER.replace("class Halver(", bad)
    source = source.replace('array("features")', "bad")
    remove = install(SCALER, "Halver", "good_package", name="raising")
    data = model_to_bytes(imported("Halver", "good_package")().fit(ROWS))
    remove()
    install(source, "Halver", "raising_package", name="raising")
    model = imported("Halver", "raising_package")().fit(ROWS)
    with pytest.raises(ValueError, match=r"cannot be checked.*RuntimeError: oh"):
        model_to_bytes(model)
    with pytest.raises(BitstreamError, match=r"RuntimeError: oh; tell its authors"):
        model_from_bytes(data)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("{}", "returned nothing, expected n_below"),
        ('{"n_below": 3, "gain": 1}', "returned n_below, gain, expected n_below"),
        ("[3]", r"returned \[3\], expected a dict"),
    ],
)
def test_what_a_value_becomes_has_to_be_what_its_class_declares(
    install, returned, message
):
    method = f"""
    def _to_stored(self):
        return {returned}

    @property"""
    package = f"gain_package_{len(returned)}"
    install(LAYER.replace("    @property", method, 1), "Gain", package)
    model = _network_with(imported("Gain", package)(4))
    with pytest.raises(ValueError, match=f"{message}; tell its authors"):
        model_to_bytes(model)


def test_a_plug_in_that_cannot_be_imported_harms_its_own_models_only(install):
    remove = install(SCALER, "Halver", "sound_package", name="broken")
    data = model_to_bytes(imported("Halver", "sound_package")().fit(ROWS))
    remove()
    install("1 / 0", "Halver", "broken_package", name="broken")
    with pytest.raises(ImportError, match=r"broken_package.*ZeroDivisionError"):
        model_from_bytes(data)
    pca = fitted("pca")
    assert type(model_from_bytes(model_to_bytes(pca))) is type(pca)
