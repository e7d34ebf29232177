"""Metrics and the table of comparisons."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_dae._demo_table import Comparison, Row, compare
from sklearn_dae.codecs import GeneralCodec, PixelCodec
from sklearn_dae.evaluation import (
    measure,
    psnr,
    reconstruction_scorer,
    squared_error_per_image,
)


@st.composite
def images_and_reconstructions(draw):
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    X = draw(arrays(np.uint8, shape))
    Y = draw(arrays(np.float64, shape, elements=st.floats(0, 255)))
    low = draw(st.integers(-10, 0))
    return X, Y, (low, draw(st.integers(low + 1, 300)))


@settings(max_examples=50)
@given(drawn=images_and_reconstructions())
def test_metrics_follow_their_definitions(drawn):
    X, Y, (low, high) = drawn
    errors = [
        sum((float(x) - float(y)) ** 2 for x, y in zip(image, other, strict=True))
        for image, other in zip(X, Y, strict=True)
    ]
    error = np.mean(errors) / (high - low) ** 2
    assert squared_error_per_image(X, Y, (low, high)) == pytest.approx(error)
    mean_squared_error = np.mean(errors) / X.shape[1]
    if mean_squared_error > 1e-9:
        expected = 20 * np.log10(high - low) - 10 * np.log10(mean_squared_error)
        assert psnr(X, Y, (low, high)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("n_images", [1023, 1024, 2500])
def test_error_of_many_images_counts_each_once(rng, n_images):
    X = rng.integers(0, 256, (n_images, 3)).astype(np.uint8)
    Y = 255 - X
    expected = np.square(X.astype(float) - Y).sum() / n_images
    assert squared_error_per_image(X, Y) == pytest.approx(expected)


def test_error_does_not_depend_on_the_unit_of_the_pixels(digits_split):
    X = digits_split[1] / 16
    Y = X[::-1]
    in_bytes = squared_error_per_image(255 * X + 7, 255 * Y + 7, (7, 262))
    assert squared_error_per_image(X, Y) == pytest.approx(in_bytes)


def test_psnr_of_exact_images_is_infinite():
    X = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert psnr(X, X.astype(float), (0, 255)) == np.inf


def test_images_of_any_kind_are_measured_with_each_pixel_counted_once(rng):
    images = [
        rng.integers(0, 256, shape).astype(np.uint8)
        for shape in ((20, 30), (5, 4, 3), (20, 30))
    ]
    exact = measure(GeneralCodec("bz2").fit(images), images)
    assert exact.is_lossless
    assert (exact.n_images, exact.n_pixels) == (3, (600 + 60 + 600) / 3)
    assert exact.total_bytes == exact.n_bytes + exact.model_bytes
    codec = PixelCodec(max_abs_error=9, effort=1).fit(images)
    restored = codec.decode(codec.encode(images))
    errors = [
        np.subtract(x, y, dtype=float).ravel()
        for x, y in zip(images, restored, strict=True)
    ]
    point = measure(codec, images)
    together = np.concatenate(errors) / 255
    assert point.mse == pytest.approx(np.square(together).mean())
    assert point.largest_error == pytest.approx(9 / 255)
    assert point.ssim is None
    stack = np.stack([images[0], images[2]])
    assert measure(codec, stack).n_pixels == 600


def test_scorer_serves_pca_and_pipelines_alike(digits_split):
    training, test = digits_split
    pca = PCA(8, random_state=0).fit(training)
    restored = pca.inverse_transform(pca.transform(test))
    expected = -np.sum((test - restored) ** 2) / len(test)
    assert reconstruction_scorer(pca, test) == pytest.approx(expected)
    centring = StandardScaler(with_std=False)
    pipeline = make_pipeline(centring, PCA(8, random_state=0)).fit(training)
    assert reconstruction_scorer(pipeline, test) == pytest.approx(expected)


@pytest.mark.parametrize("n_components", [1, 10, 40])
def test_pca_row_agrees_with_the_singular_values(digits_split, n_components):
    training, test = digits_split
    mean = training.mean(axis=0)
    _, singular_values, axes = np.linalg.svd(training - mean, full_matrices=False)
    kept = axes[:n_components]
    residual = (test - mean) - (test - mean) @ kept.T @ kept
    residual_error = np.square(residual).sum(axis=1).mean()
    pixel_range = (-100.0, 300.0)  # So wide that nothing is clipped.

    pca = PCA(n_components, svd_solver="full").fit(training)
    row = compare({"PCA": pca}, training, test, pixel_range).rows[0]
    assert (row.method, row.n_values) == ("PCA", n_components)
    assert row.bits_per_image == 32 * n_components
    assert row.cells()[3] == f"{n_components / 2:.2f}"
    discarded = np.square(singular_values[n_components:]).sum() / len(training)
    assert row.training_error == pytest.approx(discarded / 400**2)
    assert row.test_error == pytest.approx(residual_error / 400**2)
    decibels = 10 * np.log10(400**2 / (residual_error / 64))
    assert row.psnr == pytest.approx(decibels)


def test_reconstructions_are_clipped_to_the_range_before_they_are_judged(digits_split):
    training, test = digits_split
    pca = PCA(10, random_state=0).fit(training)
    unclipped = pca.inverse_transform(pca.transform(test))
    comparison = compare({"PCA": pca}, training, test, (0, 16))
    expected = np.clip(unclipped, 0, 16)
    np.testing.assert_allclose(comparison.reconstructions["PCA"], expected)
    assert unclipped.min() < 0
    expected_error = np.square(test - expected).sum(axis=1).mean() / 16**2
    assert comparison.rows[0].test_error == pytest.approx(expected_error)


def test_methods_keep_their_order_and_huffman_comes_last(digits_split):
    methods = {name: PCA(2).fit(digits_split[0]) for name in ("b", "c", "a")}
    comparison = compare(methods, *digits_split, (0, 16))
    assert [row.method for row in comparison.rows] == ["b", "c", "a", "Huffman"]
    assert list(comparison.reconstructions) == ["b", "c", "a"]


@pytest.mark.parametrize("offset", [0, 5, -2])
def test_huffman_row_counts_the_bits_of_the_held_out_pixels(offset):
    # Pixels 0, 1 and 2 are seen 5, 2 and 1 times, so their words take 1, 2, 2 bits.
    training = np.array([[0, 0], [0, 0], [1, 1], [2, 0]]) + offset
    test = np.array([[0, 1], [2, 2]]) + offset
    (row,) = compare({}, training, test, (offset, offset + 2)).rows
    assert row == Row("Huffman", 2, 2, 3.5, 0.0, 0.0)
    assert row.cells()[3] == "1.75"
    assert row.psnr == np.inf


def test_huffman_row_counts_pixel_values_that_are_only_held_out():
    training, test = np.array([[4, 4, 4, 4]]), np.array([[4, 3, 5, 4]])
    (row,) = compare({}, training, test, (3, 5)).rows
    assert row.bits_per_image == 1 + 2 + 2 + 1


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int8, np.uint16, np.float32])
def test_huffman_row_takes_the_full_range_of_a_dtype(dtype):
    if np.dtype(dtype).kind in "ui":
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    else:
        low, high = 0, 1
    training = np.array([[low, high], [low, low]], dtype)
    wide = compare({}, training, training, (low, high))
    same = compare({}, training.astype(int), training.astype(int), (low, high))
    assert wide.rows == same.rows
    assert len(wide.rows) == 1


@pytest.mark.parametrize("spoil", [lambda X: X + 0.5, lambda X: X * 70_000])
def test_huffman_row_is_left_out_without_16_bit_integers(spoil):
    X = np.array([[0, 1], [1, 2]])
    for training, test in ((spoil(X), X), (X, spoil(X))):
        assert compare({}, training, test, (0, 2)).rows == []


def test_table_is_aligned_and_holds_the_numbers():
    rows = [
        Row("autoencoder 196", 784, 196, 6272, 2.34567, 11.742),
        Row("Huffman", 784, 784, 1234.4, 0.0, 0.0),
    ]
    heading, rule, *lines = str(Comparison(rows)).split("\n")
    assert set(rule) == {"-"}
    assert {len(line) for line in (heading, rule, *lines)} == {len(heading)}
    cells = [re.split(r"\s{2,}", line) for line in lines]
    assert cells == [
        ["autoencoder 196", "196", "6,272", "8.00", "2.346", "11.742", "18.25"],
        ["Huffman", "784", "1,234", "1.57", "0.000", "0.000", "exact"],
    ]
    words = re.compile(r"\S+(?: \S+)*")
    ends = [match.end() for match in words.finditer(heading)]
    for line in lines:
        assert [match.end() for match in words.finditer(line)][1:] == ends
