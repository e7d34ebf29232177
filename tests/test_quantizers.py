"""Quantisers: the way back, the error and the rate that they promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_dae import KMeansQuantizer, UniformQuantizer

QUANTIZERS = [
    UniformQuantizer(5),
    UniformQuantizer(5, dead_zone=0.3),
    UniformQuantizer(step=0.3),
    UniformQuantizer(step=0.3, dead_zone=0.5),
    UniformQuantizer(target_mse=0.02),
    KMeansQuantizer(4),
    KMeansQuantizer(4, shared=True),
]

finite = st.floats(-100, 100).map(lambda value: round(value, 3))
codes = st.tuples(st.integers(2, 30), st.integers(1, 4)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=finite)
)


def entropy(symbols):
    """Bits a row of symbols, each column coded by its own frequencies."""
    bits = 0.0
    for column in symbols.T:
        rates = np.unique(column, return_counts=True)[1] / len(column)
        bits -= (rates * np.log2(rates)).sum()
    return bits


@pytest.fixture
def laplace(rng):
    """Codes as an encoder gives them: peaked, long-tailed, of different widths."""
    return rng.laplace(0, [0.3, 1.0, 3.0], (4000, 3))


@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=str)
@settings(max_examples=40)
@given(Z=codes)
def test_symbols_number_the_nearest_values_and_restoring_changes_them_no_more(
    quantizer, Z
):
    symbols = quantizer.fit(Z).transform(Z)
    assert symbols.dtype == np.int32
    assert (symbols >= 0).all()
    assert (symbols < quantizer.n_levels_).all()
    restored = quantizer.inverse_transform(symbols)
    for j, codebook in enumerate(quantizer.codebooks_):
        assert (np.diff(codebook) > 0).all()
        assert_array_equal(restored[:, j], codebook[symbols[:, j]])
    # Larger values never get smaller symbols.
    order = np.argsort(Z[:, 0], kind="stable")
    assert (np.diff(symbols[order, 0]) >= 0).all()


@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=str)
def test_values_beyond_those_of_training_get_the_outermost_symbols(quantizer, laplace):
    quantizer.fit(laplace)
    beyond = np.array([[-1e300] * 3, [1e300] * 3])
    expected = [[0] * 3, quantizer.n_levels_ - 1]
    assert_array_equal(quantizer.transform(beyond), expected)


def test_a_number_of_levels_cuts_the_range_evenly():
    Z = np.array([[0.0], [1.1], [2.1], [2.9], [4.0]])
    quantizer = UniformQuantizer(4).fit(Z)
    assert_allclose(quantizer.step_, 1)
    assert_array_equal(quantizer.transform(Z).ravel(), [0, 1, 2, 2, 3])
    assert_array_equal(quantizer.n_levels_, 4)


@pytest.mark.parametrize("n_levels", [1, 2, 7, 32])
def test_a_number_of_levels_is_kept(n_levels, laplace):
    assert_array_equal(UniformQuantizer(n_levels).fit(laplace).n_levels_, n_levels)
    assert_array_equal(KMeansQuantizer(n_levels).fit(laplace).n_levels_, n_levels)


def test_a_step_bounds_the_error(laplace, rng):
    quantizer = UniformQuantizer(step=[0.1, 0.2, 0.4], dead_zone=0).fit(laplace)
    fresh = rng.permuted(laplace, axis=0)
    error = np.abs(quantizer.inverse_transform(quantizer.transform(fresh)) - fresh)
    # A bin is restored within itself, so at most a step from each of its values.
    assert (error.max(axis=0) <= [0.1, 0.2, 0.4]).all()
    assert_allclose(
        np.square(error).mean(axis=0), np.array([0.01, 0.04, 0.16]) / 12, rtol=0.1
    )


@pytest.mark.parametrize("target", [1e-4, 0.01, 0.5])
def test_a_target_is_met_and_not_by_more_than_needed(target, laplace):
    quantizer = UniformQuantizer(target_mse=target).fit(laplace)
    restored = quantizer.inverse_transform(quantizer.transform(laplace))
    mse = np.square(laplace - restored).mean()
    assert 0.97 * target < mse <= target
    assert len(set(quantizer.step_)) == 1


def test_a_dead_zone_is_taken_where_it_pays(rng):
    peaked = rng.laplace(0, 0.5, (20000, 1))
    flat = rng.uniform(-1, 1, (20000, 1))
    assert UniformQuantizer(step=1.0).fit(peaked).dead_zone_[0] > 0
    assert UniformQuantizer(step=0.1).fit(flat).dead_zone_[0] == 0
    # At the same rate, the error is smaller than without.
    rates, errors = [], []
    for quantizer in (
        UniformQuantizer(step=1.0),
        *(UniformQuantizer(step=s, dead_zone=0) for s in (0.9, 1.0, 1.1, 1.2, 1.3)),
    ):
        symbols = quantizer.fit_transform(peaked)
        rates.append(entropy(symbols))
        restored = quantizer.inverse_transform(symbols)
        errors.append(np.square(peaked - restored).mean())
    assert errors[0] < np.interp(rates[0], rates[:0:-1], errors[:0:-1])


def test_kmeans_is_at_a_local_optimum_and_beats_even_levels(laplace):
    kmeans = KMeansQuantizer(8, tol=0).fit(laplace)
    symbols = kmeans.transform(laplace)
    for j, codebook in enumerate(kmeans.codebooks_):
        means = [laplace[symbols[:, j] == s, j].mean() for s in range(8)]
        assert_allclose(codebook, means)
        distances = np.abs(laplace[:, [j]] - codebook)
        assert_array_equal(symbols[:, j], distances.argmin(axis=1))
    even = UniformQuantizer(8).fit(laplace)
    errors = [
        np.square(q.inverse_transform(q.transform(laplace)) - laplace).mean()
        for q in (kmeans, even)
    ]
    assert errors[0] < 0.6 * errors[1]


def test_a_shared_codebook_is_that_of_all_values(laplace):
    shared = KMeansQuantizer(8, shared=True).fit(laplace)
    alone = KMeansQuantizer(8).fit(laplace.reshape(-1, 1))
    for codebook in shared.codebooks_:
        assert_array_equal(codebook, alone.codebooks_[0])


def test_behind_an_entropy_coder_uniform_beats_kmeans(laplace):
    kmeans = KMeansQuantizer(16)
    symbols = kmeans.fit_transform(laplace)
    mse = np.square(kmeans.inverse_transform(symbols) - laplace).mean()
    uniform = UniformQuantizer(target_mse=mse).fit_transform(laplace)
    assert entropy(uniform) < entropy(symbols) - 0.3


def test_one_value_needs_one_level():
    Z = np.full((5, 1), 3.0)
    assert_array_equal(KMeansQuantizer(4).fit(Z).codebooks_[0], [3.0])
    uniform = UniformQuantizer(4).fit(Z)
    assert_allclose(uniform.inverse_transform(uniform.transform(Z)), 3, atol=0.3)
    exact = UniformQuantizer(target_mse=1e-6).fit(Z)
    assert_allclose(exact.inverse_transform(exact.transform(Z)), Z, atol=1e-3)


@pytest.mark.parametrize(
    ("quantizer", "error", "message"),
    [
        (UniformQuantizer(0), ValueError, "n_levels"),
        (UniformQuantizer(2.5), TypeError, "n_levels"),
        (UniformQuantizer(70000), ValueError, "n_levels"),
        (UniformQuantizer(step=-1), ValueError, "step == -1, must be positive"),
        (
            UniformQuantizer(step=[1, 2]),
            ValueError,
            r"shape \(2,\), expected .* of the 3",
        ),
        (UniformQuantizer(step=1, target_mse=1), ValueError, "leave one at None"),
        (UniformQuantizer(target_mse=0), ValueError, "target_mse"),
        (UniformQuantizer(dead_zone=1), ValueError, "dead_zone"),
        (UniformQuantizer(dead_zone="none"), ValueError, "'dead_zone' parameter"),
        (UniformQuantizer(step=1e-6), ValueError, "use a wider step"),
        (KMeansQuantizer(0), ValueError, "n_levels"),
        (KMeansQuantizer(shared=1), TypeError, "shared"),
        (KMeansQuantizer(max_iter=0), ValueError, "max_iter"),
        (KMeansQuantizer(tol=-1), ValueError, "tol"),
    ],
)
def test_impossible_parameters_are_refused(quantizer, error, message, laplace):
    with pytest.raises(error, match=message):
        quantizer.fit(laplace)


@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=str)
def test_what_are_no_symbols_is_refused(quantizer, laplace):
    quantizer.fit(laplace)
    with pytest.raises(
        ValueError, match=r"Symbol -1 in row 0, column 1 is not in range"
    ):
        quantizer.inverse_transform([[0, -1, 0]])
    too_large = [[0, 0, quantizer.n_levels_[2]]]
    with pytest.raises(ValueError, match=r"in row 0, column 2 is not in range"):
        quantizer.inverse_transform(too_large)
    with pytest.raises(ValueError, match="expected integers"):
        quantizer.inverse_transform([[0.0, 0.0, 0.0]])
    with pytest.raises(ValueError, match="X has 2 columns"):
        quantizer.inverse_transform([[0, 0]])
    with pytest.raises(ValueError, match="NaN"):
        quantizer.transform([[0.0, np.nan, 0.0]])
