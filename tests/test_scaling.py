"""Pixel values to [0, 1] and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sklearn_dae._scaling import PixelScaler

pixels = arrays(
    np.float64,
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    elements=st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-6),
)


def read_only(X):
    X.flags.writeable = False
    return X


@given(X=pixels)
def test_round_trip_stays_in_the_range_and_loses_only_rounding(X):
    before = X.copy()
    scaler = PixelScaler.from_data(X)
    scaled = scaler.to_unit(read_only(X), np.float64)
    assert 0 <= scaled.min() <= scaled.max() <= 1
    restored = scaler.from_unit(scaled.copy())
    assert X.min() <= restored.min() <= restored.max() <= X.max()
    rounding = 8 * np.finfo(float).eps * max(np.abs(X).max(), np.ptp(X))
    np.testing.assert_allclose(restored, X, rtol=0, atol=rounding)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_white_is_1_and_nothing_else_is_whatever_the_range(dtype):
    for white in range(1, 256):
        images = np.array([[0, white - 1, white]], np.uint8)
        scaled = PixelScaler.from_data(images).to_unit(images, dtype)
        assert scaled[0, 2] == 1
        assert scaled[0, 1] < 1


@given(images=pixels)
def test_smallest_pixel_becomes_0_and_largest_1(images):
    darkest, brightest = images.min(), images.max()
    scaled = PixelScaler.from_data(images).to_unit(images, np.float64)
    np.testing.assert_array_equal(scaled[images == darkest], 0)
    if brightest > darkest:
        np.testing.assert_allclose(scaled[images == brightest], 1, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float32, "i1"])
@pytest.mark.parametrize("scaled_dtype", [np.float32, np.float64])
def test_every_grey_value_survives_the_round_trip(dtype, scaled_dtype):
    low = np.iinfo(np.int8).min if dtype == "i1" else 0
    X = read_only(np.arange(low, low + 256).astype(dtype).reshape(16, 16))
    scaler = PixelScaler.from_data(X)
    scaled = scaler.to_unit(X, scaled_dtype)
    assert scaled.dtype == scaled_dtype
    np.testing.assert_allclose(
        scaled, np.linspace(0, 1, 256).reshape(16, 16), atol=1e-6
    )
    np.testing.assert_array_equal(np.rint(scaler.from_unit(scaled)).astype(dtype), X)


@pytest.mark.parametrize(
    ("low", "span", "dtype"),
    [
        (1e6, 1.0, np.float64),
        (-1e9, 2.0, np.float64),
        (2**25, 8, np.int64),
        (-(2**30), 16, np.int32),
    ],
)
def test_narrow_range_far_from_zero_keeps_its_steps(low, span, dtype):
    X = np.linspace(low, low + span, 9).astype(dtype)[np.newaxis]
    scaler = PixelScaler.from_data(X)
    scaled = scaler.to_unit(X)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled[0], np.linspace(0, 1, 9), atol=1e-6)
    restored = scaler.from_unit(scaled.astype(np.float64))
    np.testing.assert_allclose(restored, X, rtol=0, atol=1e-6 * span)


@pytest.mark.parametrize("value", [0.0, -3.5, 255.0, 1e7])
def test_constant_images_come_back_as_they_were(value):
    X = np.full((3, 4), value)
    scaler = PixelScaler.from_data(X)
    scaled = scaler.to_unit(X)
    np.testing.assert_array_equal(scaled, 0)
    np.testing.assert_array_equal(scaler.from_unit(np.linspace(0, 1, 5)), value)


def test_values_outside_the_range_are_clipped_both_ways():
    scaler = PixelScaler(10.0, 20.0)
    X = read_only(np.array([[-np.inf, 9, 10, 15, 20, 21, np.inf]]))
    np.testing.assert_array_equal(scaler.to_unit(X), [[0, 0, 0, 0.5, 1, 1, 1]])
    decoded = np.array([-0.5, 0.0, 0.5, 1.0, 1.5])
    np.testing.assert_array_equal(scaler.from_unit(decoded), [10, 10, 15, 20, 20])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scaling_an_array_of_the_same_dtype_makes_a_new_one(dtype):
    X = np.array([[1, 2], [3, 5]], dtype)
    scaled = PixelScaler.from_data(X).to_unit(X, dtype)
    assert not np.shares_memory(scaled, X)
    np.testing.assert_array_equal(X, [[1, 2], [3, 5]])
