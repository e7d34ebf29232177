"""Codes whose values are coded given each other."""

import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.decomposition import PCA

from sklearn_dae._bytes import ByteReader
from sklearn_dae.codecs import TransformCodec
from sklearn_dae.datasets import load_digits
from sklearn_dae.entropy import AutoregressiveMixtures, ColumnMixtures
from sklearn_dae.entropy._code_network import CodeNetwork, masks
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.models import model_from_bytes, model_to_bytes


def alike(n_rows, n_columns=5, seed=0):
    """Rows whose symbols are all small, or all large, but not correlated."""
    rng = np.random.default_rng(seed)
    sizes = rng.choice([0.5, 6], size=(n_rows, 1)) * np.linspace(2, 1, n_columns)
    return np.rint(sizes * rng.normal(size=(n_rows, n_columns))).astype(np.int32)


@pytest.fixture(scope="module")
def model():
    symbols = alike(4000)
    columns = ColumnMixtures.fit(symbols)
    return AutoregressiveMixtures.fit(symbols, columns, n_rows=4000)


def test_what_columns_say_of_each_other_saves_bits(model):
    symbols = alike(1000, seed=1)
    columns = ColumnMixtures.fit(alike(4000))
    assert model.bits(symbols).sum() < 0.9 * columns.bits(symbols).sum()


def test_columns_that_say_nothing_are_coded_apart():
    X = load_digits().data[:200]
    codec = TransformCodec(PCA(2), target_psnr=12, autoregressive=True).fit(X)
    assert isinstance(codec.code_model_.mixtures, ColumnMixtures)
    one = TransformCodec(PCA(1), target_psnr=10, autoregressive=True).fit(X)
    assert isinstance(one.code_model_.mixtures, ColumnMixtures)


@pytest.mark.parametrize("n_rows", [0, 1, 2, 999])
def test_symbols_come_back(model, n_rows):
    symbols = alike(n_rows, seed=2)
    data = model.encode(symbols)
    assert_array_equal(model.decode(data, n_rows), symbols)
    assert 8 * len(data) < 1.02 * model.bits(symbols).sum() + 100


def test_symbols_far_from_all_others_come_back(model):
    symbols = alike(300, seed=3)
    symbols[::7] = model.limit
    symbols[::5, 2] = -model.limit
    assert_array_equal(model.decode(model.encode(symbols), 300), symbols)


def test_each_column_follows_from_those_before_it():
    seen, used = masks(6, 9)
    # What a column is told by units comes from the columns before it, and from all.
    told = (used.astype(int) @ seen) > 0
    assert_array_equal(told, np.tri(6, dtype=bool))


def test_a_network_survives_its_bytes(model):
    data = model.packed.tobytes()
    network = CodeNetwork.read(ByteReader(data), model.n_columns)
    assert network.to_bytes() == data


def test_networks_whose_sums_are_not_exact_are_refused(model):
    network = CodeNetwork.read(ByteReader(model.packed.tobytes()), model.n_columns)
    for wrong in (
        network._replace(biases=network.biases + 2**22),
        network._replace(outputs=network.outputs + 2**14),
        network._replace(hidden_bits=17),
    ):
        with pytest.raises(ValueError, match=r"exact|bits"):
            wrong.check()


def test_damaged_bytes_are_refused(model):
    data = model.packed.tobytes()
    for wrong in (data[:-1], b"\0" + data[1:], b"\xff" + data[1:], data[:10]):
        with pytest.raises(BitstreamError):
            CodeNetwork.read(ByteReader(wrong), model.n_columns)
    with pytest.raises(BitstreamError):
        model.decode(b"", 3)
    with pytest.raises(BitstreamError):
        model.decode(model.encode(alike(300))[:-40], 300)


@pytest.mark.parametrize("kernel", ["Prescott", "Haswell"])
def test_other_kernels_decode_the_same(model, kernel, tmp_path):
    symbols = alike(500, seed=4)
    np.savez(
        tmp_path / "coded.npz",
        limit=model.limit,
        columns=model.columns.packed,
        packed=model.packed,
        data=np.frombuffer(model.encode(symbols), np.uint8),
        symbols=symbols,
    )
    code = """
import sys
import numpy as np
from sklearn_dae.entropy import AutoregressiveMixtures, ColumnMixtures
coded = np.load(sys.argv[1])
columns = ColumnMixtures(int(coded["limit"]), coded["columns"])
model = AutoregressiveMixtures(columns, coded["packed"])
decoded = model.decode(coded["data"].tobytes(), len(coded["symbols"]))
assert np.array_equal(decoded, coded["symbols"])
"""
    environment = {**os.environ, "OPENBLAS_CORETYPE": kernel}
    arguments = [sys.executable, "-c", code, str(tmp_path / "coded.npz")]
    subprocess.run(arguments, env=environment, check=True)


def test_a_codec_with_a_network_of_codes_is_stored_and_smaller():
    X = load_digits().data * 15
    plain, codec = (
        TransformCodec(
            PCA(12), target_psnr=17, n_images=10_000, autoregressive=given
        ).fit(X)
        for given in (False, True)
    )
    assert isinstance(codec.code_model_.mixtures, AutoregressiveMixtures)
    sizes = [
        len(model_to_bytes(x)) + len(x.encode(X)) * 10_000 / len(X)
        for x in (plain, codec)
    ]
    assert sizes[1] < sizes[0]
    data = codec.encode(X)
    assert_array_equal(codec.decode(data), plain.decode(plain.encode(X)))
    assert_array_equal(
        model_from_bytes(model_to_bytes(codec)).decode(data), codec.decode(data)
    )
