"""Together with scikit-learn's tools: pipelines, searches, persistence, pandas."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler
from threadpoolctl import threadpool_limits

from sklearn_dae import PAPER_SETTINGS, BernoulliRBM, DeepAutoencoderCompressor
from sklearn_dae.compressor._pretraining import default_rbm
from sklearn_dae.evaluation import reconstruction_scorer

RBM = default_rbm(700).set_params(n_iter=3)
QUICK = {**PAPER_SETTINGS, "pretraining": RBM, "max_iter": 10, "random_state": 0}


def test_pickle_gives_the_same_codes(fitted, digits):
    copy = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(copy.transform(digits), fitted.transform(digits))
    assert copy.get_params() == fitted.get_params()


def test_joblib_gives_the_same_codes(fitted, digits, tmp_path):
    joblib.dump(fitted, tmp_path / "dae.joblib")
    for mmap_mode in (None, "r"):
        copy = joblib.load(tmp_path / "dae.joblib", mmap_mode=mmap_mode)
        codes = copy.transform(digits)
        assert_array_equal(codes, fitted.transform(digits))
        assert_array_equal(
            copy.inverse_transform(codes), fitted.inverse_transform(codes)
        )


def test_clone_is_not_fitted_and_fits_to_the_same(fitted, digits):
    copy = clone(fitted)
    assert not hasattr(copy, "network_")
    assert_array_equal(copy.fit(digits).network_.theta, fitted.network_.theta)


def test_pipeline_goes_there_and_back(few_digits):
    X = few_digits.astype(float)
    pipeline = make_pipeline(MinMaxScaler(), DeepAutoencoderCompressor(8, **QUICK))
    codes = pipeline.fit_transform(X)
    assert codes.shape == (700, 8)
    restored = pipeline.inverse_transform(codes)
    assert restored.shape == X.shape
    variance = np.square(X - X.mean(axis=0)).sum(axis=1).mean()
    assert np.square(X - restored).sum(axis=1).mean() < variance


def test_codes_are_features_for_a_classifier(digits, digits_split):
    from sklearn.datasets import load_digits

    y = load_digits().target
    pipeline = make_pipeline(
        DeepAutoencoderCompressor(16, hidden_layer_sizes=(100, 50), random_state=0),
        LogisticRegression(max_iter=5000),
    )
    pipeline.fit(digits[:1400], y[:1400])
    assert pipeline.score(digits[1400:], y[1400:]) > 0.8


def _search(n_jobs):
    """PCA against autoencoders with different hidden layers."""
    return GridSearchCV(
        Pipeline([("compress", PCA())]),
        [
            {"compress": [PCA(8, random_state=0)]},
            {
                "compress": [DeepAutoencoderCompressor(8, random_state=0, max_iter=40)],
                "compress__hidden_layer_sizes": [(82, 41), (60,)],
            },
        ],
        scoring=reconstruction_scorer,
        cv=2,
        n_jobs=n_jobs,
    )


def test_grid_search_ranks_pca_and_autoencoders_whatever_n_jobs(digits):
    parallel = _search(n_jobs=2).fit(digits)
    assert isinstance(parallel.best_params_["compress"], DeepAutoencoderCompressor)
    scores = parallel.cv_results_["mean_test_score"]
    assert scores[1:].max() > scores[0]
    serial = _search(n_jobs=1).fit(digits)
    # The autoencoders' scores to the last bit; PCA's linear algebra is not ours.
    ours = slice(1, None)
    assert_array_equal(
        parallel.cv_results_["mean_test_score"][ours],
        serial.cv_results_["mean_test_score"][ours],
    )


def test_number_of_threads_does_not_change_a_bit(rng):
    # Large enough for BLAS to split products by threads, were it allowed to.
    X = rng.random((1500, 784), dtype=np.float32)
    settings = QUICK | {"pretraining": clone(RBM).set_params(n_iter=1), "max_iter": 3}
    settings["hidden_layer_sizes"] = (300,)
    expected = DeepAutoencoderCompressor(30, **settings).fit(X)
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            dae = DeepAutoencoderCompressor(30, **settings).fit(X)
            codes = dae.transform(X)
        assert_array_equal(dae.network_.theta, expected.network_.theta)
        assert_array_equal(codes, expected.transform(X))


@pytest.mark.parametrize(
    "estimator",
    [
        DeepAutoencoderCompressor(4, **QUICK),
        DeepAutoencoderCompressor(4, **QUICK | {"random_state": None}),
        BernoulliRBM(4, n_iter=2, random_state=5),
    ],
    ids=["fixed", "free", "rbm"],
)
def test_random_state_decides_the_result(few_digits, estimator):
    X = few_digits / 16.0
    codes = [clone(estimator).fit_transform(X) for _ in range(2)]
    if estimator.random_state is None:
        assert np.abs(codes[0] - codes[1]).max() > 0
    else:
        assert_array_equal(codes[0], codes[1])
        other = clone(estimator).set_params(random_state=7).fit_transform(X)
        assert np.abs(codes[0] - other).max() > 0


def test_pandas_in_and_out(few_digits):
    frame = pd.DataFrame(few_digits, columns=[f"pixel{i}" for i in range(64)])
    dae = DeepAutoencoderCompressor(4, **QUICK).set_output(transform="pandas")
    codes = dae.fit_transform(frame)
    assert list(codes.columns) == [f"deepautoencodercompressor{i}" for i in range(4)]
    assert list(dae.feature_names_in_) == list(frame.columns)
    assert_array_equal(codes.to_numpy(), dae.transform(frame).to_numpy())
    assert dae.inverse_transform(codes).shape == (700, 64)
    assert dae.score(frame) < 0


def test_read_only_memory_map(digits, fitted, tmp_path):
    np.save(tmp_path / "digits.npy", digits)
    mapped = np.load(tmp_path / "digits.npy", mmap_mode="r")
    dae = clone(fitted).fit(mapped)
    assert_array_equal(dae.network_.theta, fitted.network_.theta)
    assert_array_equal(dae.transform(mapped), fitted.transform(digits))
    assert dae.score(mapped) == fitted.score(digits)
    np.save(tmp_path / "binary.npy", digits > 8)
    mapped = np.load(tmp_path / "binary.npy", mmap_mode="r")
    partly = BernoulliRBM(4, n_iter=1, random_state=0).fit(mapped)
    assert np.isfinite(partly.components_).all()


def test_grid_search_uses_score_by_default(few_digits):
    search = GridSearchCV(
        DeepAutoencoderCompressor(**QUICK), {"n_components": [2, 12]}, cv=2
    ).fit(few_digits)
    assert search.best_params_ == {"n_components": 12}
