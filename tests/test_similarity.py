"""How alike images are."""

import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from sklearn.datasets import load_sample_image
from sklearn.decomposition import PCA

from sklearn_dae.cli import main
from sklearn_dae.datasets import load_digits
from sklearn_dae.evaluation import set_similarity
from sklearn_dae.evaluation._forecast import (
    _variances_by_images,
    _variances_by_pixels,
    water_level,
)


def alike_images(rng, shape=(40, 30), dtype=np.uint8):
    """Images that have a ramp in common."""
    return (rng.integers(0, 80, shape) + np.arange(shape[1])).astype(dtype)


def pairs(X):
    return np.corrcoef(X)[np.triu_indices(len(X), 1)]


# Correlations


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, float])
def test_correlations_are_those_of_all_pairs(rng, dtype):
    X = alike_images(rng, dtype=dtype)
    similarity = set_similarity(X)
    assert similarity.mean_correlation == pytest.approx(pairs(X).mean())
    # 1,560 ordered pairs are few enough to take all.
    quartiles = np.quantile(pairs(X), (0.25, 0.5, 0.75))
    assert similarity.correlation_quartiles == pytest.approx(quartiles, abs=2e-3)


def test_quartiles_of_many_images_are_estimates(rng):
    X = alike_images(rng, (400, 30))
    quartiles = np.quantile(pairs(X), (0.25, 0.5, 0.75))
    similar = [
        set_similarity(X, random_state=seed).correlation_quartiles for seed in (0, 0, 1)
    ]
    assert similar[0] == similar[1] != similar[2]
    assert similar[0] == pytest.approx(quartiles, abs=0.03)


def test_two_images_make_one_pair(rng):
    X = alike_images(rng, (2, 30))
    similarity = set_similarity(X)
    assert similarity.mean_correlation == pytest.approx(pairs(X)[0])
    assert similarity.correlation_quartiles == pytest.approx([pairs(X)[0]] * 3)


def test_a_large_offset_does_no_harm(rng):
    X = rng.normal(0, 1, (60, 30))
    expected, similarity = set_similarity(X), set_similarity(X + 1e9)
    assert similarity.mean_correlation == pytest.approx(
        expected.mean_correlation, abs=1e-6
    )
    assert similarity.forecast_ratio == pytest.approx(expected.forecast_ratio, rel=1e-5)


def test_blank_images_are_left_out_of_correlations(rng):
    X = alike_images(rng).astype(float)
    blank = np.full((60, 30), 0.3)
    similarity = set_similarity(np.vstack([blank, X]))
    assert similarity.n_constant == 60
    assert similarity.mean_correlation == pytest.approx(pairs(X).mean())
    quartiles = np.quantile(pairs(X), (0.25, 0.5, 0.75))
    assert similarity.correlation_quartiles == pytest.approx(quartiles, abs=2e-3)
    assert "Blank images                60, left out of correlations" in str(similarity)
    assert "Blank images" not in str(set_similarity(X))


@pytest.mark.parametrize("n_varied", [0, 1])
def test_blank_images_have_no_correlation(rng, n_varied):
    X = np.full((5, 30), 0.1)
    X[:n_varied] = rng.random(30)
    similarity = set_similarity(X)
    assert similarity.n_constant == 5 - n_varied
    assert similarity.mean_correlation is None
    assert similarity.correlation_quartiles is None
    assert "none: fewer than two" in str(similarity)
    record = json.loads(json.dumps(similarity.to_dict(), allow_nan=False))
    assert record["mean_correlation"] is record["correlation_quartiles"] is None


# Redundancy


def test_a_set_of_one_picture_with_noise_is_redundant(rng):
    picture = rng.integers(0, 256, 400)
    alike = np.clip(picture + rng.integers(-2, 3, (500, 400)), 0, 255).astype(np.uint8)
    similarity = set_similarity(alike)
    assert similarity.mean_correlation > 0.99
    # Five values of equal chance at each place.
    assert similarity.entropy_given_set == pytest.approx(np.log2(5), abs=0.2)
    assert similarity.entropy > 7
    assert 0.6 < similarity.redundancy < 0.75


@pytest.mark.parametrize("n_images", [6, 30, 300, 3000])
def test_chance_is_no_redundancy(rng, n_images):
    X = rng.integers(0, 256, (n_images, 100)).astype(np.uint8)
    similarity = set_similarity(X)
    assert similarity.redundancy < 0.01
    # Nor does what was seen by chance mislead.
    assert similarity.entropy_given_set == pytest.approx(similarity.entropy, abs=0.02)


@pytest.mark.parametrize(("n_images", "least"), [(2, 0.8), (20, 0.98), (300, 0.999)])
def test_equal_images_are_redundant(rng, n_images, least):
    X = np.tile(rng.integers(0, 256, 400).astype(np.uint8), (n_images, 1))
    assert least < set_similarity(X).redundancy < 1


def test_levels_span_the_range(rng):
    X = rng.integers(0, 17, (50, 30))
    expected = set_similarity(X.astype(np.uint8))
    for values in (X * 0.1 - 3, (X * 1000).astype(np.int16), X.astype(np.uint64)):
        similarity = set_similarity(values)
        assert similarity.entropy == pytest.approx(expected.entropy)
        assert similarity.entropy_given_set == pytest.approx(expected.entropy_given_set)


# Forecast


def test_water_fills_the_lowest_places_first():
    variances = np.array([8.0, 4.0, 2.0, 1.0])
    for error in (0.5, 4, 5, 9, 14.9):
        level = water_level(variances, error)
        assert np.minimum(level, variances).sum() == pytest.approx(error)
    assert water_level(variances, 15) == 8
    assert water_level(variances, 99) == 8


@pytest.mark.parametrize("error", [0.6, 2.0, 4.0, 6.5])
def test_no_other_spread_of_the_error_takes_fewer_bits(error):
    variances = np.array([5.0, 2.0, 0.5])
    level = water_level(variances, error)
    bits = np.log2(variances / np.minimum(level, variances)).sum() / 2
    grids = [np.linspace(0.01, 1, 100) * variance for variance in variances]
    errors = np.stack(np.meshgrid(*grids), axis=-1)
    others = np.log2(variances / errors[errors.sum(axis=-1) <= error]).sum(axis=1) / 2
    assert bits <= others.min() <= bits + 0.05


def test_axes_are_those_of_pca_by_either_matrix(rng):
    X = rng.normal(0, 1, (100, 20)) @ rng.normal(0, 1, (20, 20)) + 5
    known, new = np.arange(60), np.arange(60, 100)
    pca = PCA().fit(X[known])
    expected = np.square(pca.transform(X[new])).mean(axis=0)[::-1]
    for variances in (_variances_by_pixels, _variances_by_images):
        np.testing.assert_allclose(variances(X, known, new), expected)


def test_what_no_axis_has_counts_too(rng):
    X = rng.normal(0, 1, (20, 50))
    known, new = np.arange(10), np.arange(10, 20)
    variances = _variances_by_images(X, known, new)
    assert len(variances) == 50
    square = np.square(X[new] - X[known].mean(axis=0)).sum(axis=1).mean()
    assert variances.sum() == pytest.approx(square)


def test_a_forecast_of_independent_pixels_is_that_of_theory(rng):
    # White noise: a tenth of the variance takes log2(10) / 2 bits, whatever is known.
    X = rng.normal(0, 1, (4000, 64))
    similarity = set_similarity(X)
    bits = 64 * np.log2(10) / 2
    assert 8 * similarity.forecast_image_bytes == pytest.approx(bits, rel=0.02)
    assert 8 * similarity.forecast_set_bytes == pytest.approx(bits, rel=0.02)
    # Twenty decibels more are a hundredth of the error.
    better = set_similarity(X, psnr=similarity.forecast_psnr + 20)
    assert better.forecast_psnr == pytest.approx(similarity.forecast_psnr + 20)
    assert 8 * better.forecast_image_bytes == pytest.approx(3 * bits, rel=0.02)


def test_what_images_have_in_common_is_forecast_to_be_cheap(rng):
    # A picture of noise, weaker or stronger: one number says all.
    X = rng.normal(0, 1, (500, 1)) * rng.normal(0, 1, 256)
    similarity = set_similarity(X)
    assert 8 * similarity.forecast_set_bytes == pytest.approx(np.log2(10) / 2, rel=0.1)
    assert similarity.forecast_image_bytes > 30
    assert similarity.forecast_ratio < 0.01


def test_blocks_are_as_large_as_pays(rng):
    # In smooth lines, neighbouring blocks of eight pixels have much in common.
    X = gaussian_filter1d(rng.normal(0, 1, (2000, 100)), 10)[:, 20:80]
    similarity = set_similarity(X, image_shape=(1, 60))
    assert 0.9 < similarity.forecast_ratio < 1.05


# Verdict


def test_digits_are_alike():
    similarity = set_similarity(load_digits().data)
    assert 0.45 < similarity.forecast_ratio < 0.6
    assert similarity.verdict.startswith("Alike: learning from the set may save ")


def test_noise_and_patches_of_a_photograph_are_not_alike(rng):
    photograph = load_sample_image("china.jpg")[..., 1]
    windows = np.lib.stride_tricks.sliding_window_view(photograph, (16, 16))
    patches = windows[rng.integers(0, 400, 4000), rng.integers(0, 600, 4000)]
    for X in (rng.random((1000, 64)), patches.reshape(4000, 256)):
        similarity = set_similarity(X)
        assert 0.95 < similarity.forecast_ratio < 1.05
        assert similarity.verdict.startswith("Unlike")


@pytest.mark.parametrize(
    ("set_bytes", "verdict"),
    [
        (2.0, "Alike: learning from the set may save 80% of the bytes"),
        (9.0, "Hardly alike: learning from the set may save 10% of the bytes"),
        (13.0, "Unlike, or too few: learning from the set may save 0% of the bytes"),
    ],
)
def test_the_verdict_follows_the_ratio(set_bytes, verdict):
    similarity = replace(
        set_similarity(load_digits().data[:50]),
        forecast_psnr=20.04,
        forecast_set_bytes=set_bytes,
        forecast_image_bytes=10.0,
    )
    assert similarity.forecast_ratio == set_bytes / 10
    assert similarity.verdict.startswith(verdict)
    assert similarity.verdict.endswith("at 20.0 dB.")


@pytest.mark.parametrize("X", [np.full((5, 4), 0.1), np.tile([1, 2, 3, 4], (7, 1))])
def test_equal_images_need_no_forecast(X):
    similarity = set_similarity(X)
    assert similarity.forecast_psnr is None
    assert similarity.forecast_ratio is None
    assert similarity.forecast_set_bytes == similarity.forecast_image_bytes == 0
    assert similarity.verdict == "Equal: no image differs from the mean image."
    assert "Forecast" not in str(similarity)


def test_at_a_low_quality_there_is_nothing_to_code():
    similarity = set_similarity(load_digits().data, psnr=2)
    assert similarity.forecast_ratio is None
    assert similarity.verdict == "Nothing to code: the mean image is enough for 2.0 dB."


# Input


def test_memory_does_not_grow_with_the_images(rng, tmp_path):
    X = np.lib.format.open_memmap(
        tmp_path / "images.npy", "w+", np.uint8, (20_000, 784)
    )
    X[:] = rng.integers(0, 256, X.shape, np.uint8)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    tracemalloc.start()
    similarity = set_similarity(mapped)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert similarity.n_images == 20_000
    assert peak < 64 * 2**20


def test_large_images_take_no_more_memory(rng):
    X = rng.integers(0, 256, (150, 256 * 256), np.uint8)
    tracemalloc.start()
    set_similarity(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 2**20


def test_mapped_images_and_fortran_order_give_the_same(rng, tmp_path):
    X = alike_images(rng, (60, 63))
    expected = set_similarity(X, image_shape=(7, 9))
    np.save(tmp_path / "images.npy", X)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    for same in (mapped, np.asfortranarray(X), X.tolist()):
        assert set_similarity(same, image_shape=(7, 9)) == expected


@pytest.mark.parametrize(
    "X", [np.zeros((1, 4)), np.zeros(4), np.zeros((5, 0)), np.zeros((3, 2, 2))]
)
def test_other_shapes_are_refused(X):
    with pytest.raises(ValueError, match=r"X has shape \(.*two images at least"):
        set_similarity(X)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_are_refused(value):
    X = np.ones((4, 4))
    X[2, 3] = value
    with pytest.raises(ValueError, match="NaN or infinite"):
        set_similarity(X)


@pytest.mark.parametrize("dtype", [complex, str, object])
def test_what_is_no_number_is_refused(dtype):
    with pytest.raises(ValueError, match="expected integers or real numbers"):
        set_similarity(np.ones((4, 4)).astype(dtype))


@pytest.mark.parametrize("shape", [(3, 4), (8,), 8, (0, 64)])
def test_a_wrong_shape_is_refused(shape):
    with pytest.raises(ValueError, match="image_shape"):
        set_similarity(load_digits().data, image_shape=shape)


@pytest.mark.parametrize("psnr", [-1, 101, np.nan])
def test_a_wrong_quality_is_refused(psnr):
    with pytest.raises(ValueError, match="psnr =="):
        set_similarity(load_digits().data, psnr=psnr)


# The command


def test_the_command_prints_it(capsys):
    assert main(["similarity", "digits"]) == 0
    similarity = set_similarity(load_digits().data)
    header, verdict, *rest = capsys.readouterr().out.splitlines()
    assert header == "digits: 1,797 images of 8 x 8 pixels, grey, uint8"
    assert verdict == similarity.verdict
    assert "\n".join([verdict, *rest]) == str(similarity)
    assert max(map(len, rest)) <= 88


def test_the_command_prints_json(capsys):
    assert main(["similarity", "digits", "--psnr", "24", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    similarity = set_similarity(load_digits().data, psnr=24)
    assert record == json.loads(json.dumps(similarity.to_dict()))
    assert record["forecast_ratio"] == similarity.forecast_ratio
    assert record["verdict"] == similarity.verdict
    assert record["redundancy"] == similarity.redundancy


def test_the_command_says_what_is_wrong(capsys, tmp_path):
    np.save(tmp_path / "images.npy", np.full((4, 9), np.nan))
    assert main(["similarity", str(tmp_path / "images.npy")]) == 1
    assert "NaN or infinite pixels" in capsys.readouterr().err
    assert main(["similarity", "digits", "--psnr", "101"]) == 1
    assert "--psnr is 101.0, must be <= 100" in capsys.readouterr().err
