"""scikit-learn's own checks, over every public estimator."""

from collections import Counter

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

import sklearn_dae
from sklearn_dae import (
    BernoulliRBM,
    DeepAutoencoderCompressor,
    GaussianRBM,
    HuffmanCoder,
    KMeansQuantizer,
    UniformQuantizer,
)

ESTIMATORS = [
    BernoulliRBM(n_components=2),
    GaussianRBM(n_components=2),
    GaussianRBM(
        n_components=2, visible_units="bernoulli", hidden_units="gaussian", momentum=0.5
    ),
    DeepAutoencoderCompressor(max_iter=10),
    DeepAutoencoderCompressor(
        max_iter=10, activation="tanh", code_activation="identity", early_stopping=True
    ),
    UniformQuantizer(),
    UniformQuantizer(step=0.5),
    UniformQuantizer(target_mse=0.01),
    KMeansQuantizer(),
    KMeansQuantizer(shared=True),
    HuffmanCoder(),
]

#: How many checks scikit-learn 1.9 has for a transformer such as these, and passes; one
#: of them is about keeping the dtype, where that is promised.
N_CHECKS = 46

#: Needs an environment variable that must be set before SciPy is imported.
NEEDS_ENVIRONMENT = {"check_array_api_input"}


@parametrize_with_checks(ESTIMATORS)
def test_check(estimator, check):
    check(estimator)


def test_every_public_estimator_is_checked():
    public = {
        item
        for item in (getattr(sklearn_dae, name) for name in sklearn_dae.__all__)
        if isinstance(item, type) and issubclass(item, BaseEstimator)
    }
    assert public == {type(estimator) for estimator in ESTIMATORS}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
def test_no_check_is_skipped_unseen(estimator):
    results = check_estimator(estimator, on_skip=None, on_fail=None)
    statuses = Counter(result["status"] for result in results)
    not_passed = {
        result["check_name"] for result in results if result["status"] != "passed"
    }
    assert not_passed <= NEEDS_ENVIRONMENT
    assert statuses["xfail"] == statuses["failed"] == 0
    promises_dtype = bool(get_tags(estimator).transformer_tags.preserves_dtype)
    assert statuses["passed"] >= N_CHECKS - (not promises_dtype)
