"""How alike images are."""

import json

import numpy as np
import pytest

from sklearn_dae.cli import main
from sklearn_dae.datasets import load_digits
from sklearn_dae.evaluation import set_similarity
from sklearn_dae.evaluation._forecast import water_level


def test_the_mean_correlation_is_that_of_all_pairs(rng):
    X = rng.integers(0, 256, (40, 30)).astype(np.uint8) // 3 + np.arange(
        30, dtype=np.uint8
    )
    correlations = np.corrcoef(X)
    expected = correlations[np.triu_indices(40, 1)].mean()
    similarity = set_similarity(X)
    assert similarity.mean_correlation == pytest.approx(expected)
    low, middle, high = similarity.correlation_quartiles
    assert low < middle < high
    assert middle == pytest.approx(np.median(correlations), abs=0.1)


def test_blank_images_are_left_out(rng):
    X = rng.random((20, 30))
    expected = set_similarity(X).mean_correlation
    similarity = set_similarity(np.vstack([X, np.full((5, 30), 0.3)]))
    assert similarity.n_constant == 5
    assert similarity.mean_correlation == pytest.approx(expected)
    assert "5 blank images" in str(similarity)
    assert set_similarity(np.zeros((3, 4))).mean_correlation == 0


def test_a_set_of_one_picture_with_noise_is_redundant(rng):
    picture = rng.integers(0, 256, 400)
    alike = np.clip(picture + rng.integers(-2, 3, (500, 400)), 0, 255).astype(np.uint8)
    similarity = set_similarity(alike)
    assert similarity.mean_correlation > 0.99
    # Five values of equal chance at each place.
    assert similarity.entropy_given_set == pytest.approx(np.log2(5), abs=0.2)
    assert similarity.entropy > 7
    assert 0.6 < similarity.redundancy < 0.75


def test_chance_is_no_redundancy(rng):
    similarity = set_similarity(rng.integers(0, 256, (300, 100)).astype(np.uint8))
    assert abs(similarity.mean_correlation) < 0.01
    assert similarity.redundancy < 0.01
    assert similarity.entropy == pytest.approx(8, abs=0.05)


def test_water_fills_the_lowest_places_first():
    variances = np.array([8.0, 4.0, 2.0, 1.0])
    for error in (0.5, 4, 5, 9, 14.9):
        level = water_level(variances, error)
        assert np.minimum(level, variances).sum() == pytest.approx(error)
    assert water_level(variances, 15) == 8
    assert water_level(variances, 99) == 8


def test_a_forecast_of_independent_pixels_is_that_of_theory(rng):
    # White noise: a tenth of the variance takes log2(10) / 2 bits, whatever is known.
    similarity = set_similarity(rng.normal(0, 1, (4000, 64)))
    bits = 64 * np.log2(10) / 2
    assert 8 * similarity.forecast_image_bytes == pytest.approx(bits, rel=0.02)
    assert 8 * similarity.forecast_set_bytes == pytest.approx(bits, rel=0.05)


def test_what_images_have_in_common_is_forecast_to_be_cheap(rng):
    # A picture of noise, weaker or stronger: one number says all.
    X = rng.normal(0, 1, (500, 1)) * rng.normal(0, 1, 256)
    similarity = set_similarity(X)
    assert 8 * similarity.forecast_set_bytes == pytest.approx(np.log2(10) / 2, rel=0.1)
    assert similarity.forecast_image_bytes > 30
    assert "Forecast for" in str(similarity)
    assert set_similarity(np.ones((5, 4))).forecast_psnr is None


def test_it_goes_to_json(rng):
    similarity = set_similarity(rng.random((10, 9)))
    record = json.loads(json.dumps(similarity.to_dict(), allow_nan=False))
    assert record["mean_correlation"] == similarity.mean_correlation
    assert record["redundancy"] == similarity.redundancy


def test_the_command_prints_it(capsys):
    assert main(["similarity", "digits"]) == 0
    text = capsys.readouterr().out
    similarity = set_similarity(load_digits().data)
    assert text.startswith("digits: 1,797 images of 8 x 8 pixels\n")
    assert text.endswith(f"{similarity}\n")
    assert main(["similarity", "digits", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(
        json.dumps(similarity.to_dict())
    )


@pytest.mark.parametrize("X", [np.zeros((1, 4)), np.zeros(4)])
def test_fewer_than_two_images_are_refused(X):
    with pytest.raises(ValueError, match="two images"):
        set_similarity(X)
