"""scikit-learn's own checks, over every public estimator."""

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator

import sklearn_dae
from sklearn_dae import (
    PAPER_SETTINGS,
    BernoulliRBM,
    DeepAutoencoderCompressor,
    GaussianRBM,
    HuffmanCoder,
    KMeansQuantizer,
    UniformQuantizer,
)

#: Each with its defaults, so far as these are not slow, and with odd parameters.
ESTIMATORS = [
    BernoulliRBM(n_components=2),
    BernoulliRBM(n_components=1, persistent=False, batch_size=1, n_iter=2),
    GaussianRBM(n_components=2),
    GaussianRBM(n_components=1, hidden_units="gaussian", n_iter=2),
    GaussianRBM(
        n_components=2, visible_units="bernoulli", hidden_units="gaussian", momentum=0.5
    ),
    DeepAutoencoderCompressor(max_iter=2),
    DeepAutoencoderCompressor(1, hidden_layer_sizes=(5,), max_iter=2),
    # Enough iterations for a trial of alpha, which may leave the network as PCA.
    DeepAutoencoderCompressor(2, hidden_layer_sizes=(5,), max_iter=12),
    DeepAutoencoderCompressor(hidden_layer_sizes=(), max_iter=2),
    DeepAutoencoderCompressor(1, hidden_layer_sizes=(), max_iter=12),
    DeepAutoencoderCompressor(
        hidden_layer_sizes=(5,), solver="adam", early_stopping=True, max_iter=5
    ),
    DeepAutoencoderCompressor(hidden_layer_sizes=(5,), solver="lbfgs", max_iter=2),
    DeepAutoencoderCompressor(
        hidden_layer_sizes=(5,), solver="kfac-lbfgs", activation="tanh", max_iter=2
    ),
    DeepAutoencoderCompressor(hidden_layer_sizes=(3,), max_iter=2, **PAPER_SETTINGS),
    UniformQuantizer(),
    UniformQuantizer(n_levels=2),
    UniformQuantizer(step=0.5),
    UniformQuantizer(target_mse=0.01),
    KMeansQuantizer(),
    KMeansQuantizer(shared=True),
    KMeansQuantizer(n_levels=2),
    KMeansQuantizer(n_levels=2, shared=True),
    HuffmanCoder(),
]

#: How many checks scikit-learn 1.9 has for a transformer such as these; one of them is
#: about keeping the dtype, where that is promised.
N_CHECKS = 46

#: Needs an environment variable that must be set before SciPy is imported.
NEEDS_ENVIRONMENT = {"check_array_api_input"}


def test_every_public_estimator_is_checked():
    public = {
        item
        for item in (getattr(sklearn_dae, name) for name in sklearn_dae.__all__)
        if isinstance(item, type) and issubclass(item, BaseEstimator)
    }
    assert public == {type(estimator) for estimator in ESTIMATORS}


# The checks' data go beyond [0, 1], of which RBMs warn.
@pytest.mark.filterwarnings("ignore:X has values from")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
def test_all_checks_pass(estimator):
    results = check_estimator(estimator, on_skip=None, on_fail=None)
    names = {
        status: {
            result["check_name"] for result in results if result["status"] == status
        }
        for status in ("failed", "xfail", "skipped")
    }
    reasons = [
        f"{result['check_name']}: {result['exception']!r}"
        for result in results
        if result["status"] == "failed"
    ]
    assert not reasons
    assert not names["xfail"]
    assert names["skipped"] <= NEEDS_ENVIRONMENT
    # Had scikit-learn fewer checks to offer, they would go unnoticed.
    promises_dtype = bool(get_tags(estimator).transformer_tags.preserves_dtype)
    assert len(results) - len(names["skipped"]) >= N_CHECKS - (not promises_dtype)


@pytest.mark.parametrize("rbm", [BernoulliRBM(), GaussianRBM()], ids=str)
def test_rbms_are_checked_with_sparse_rows(rbm):
    assert get_tags(rbm).input_tags.sparse
