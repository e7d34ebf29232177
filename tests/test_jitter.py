"""Copies of images that are turned, stretched and moved a little."""

import numpy as np
import pytest
from scipy.ndimage import center_of_mass

from sklearn_dae.datasets import jitter


def spots(n_images, height, width):
    """Images of a round spot in the middle."""
    rows, columns = np.ogrid[:height, :width]
    distance = (rows - (height - 1) / 2) ** 2 + (columns - (width - 1) / 2) ** 2
    spot = np.rint(255 * np.exp(-distance / 8)).astype(np.uint8)
    return np.tile(spot.ravel(), (n_images, 1))


def centers(X, shape):
    return np.array([center_of_mass(image) for image in X.reshape(-1, *shape)])


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_without_skew_and_shift_images_stay_as_they_are(digits, dtype):
    X = digits[:50].astype(dtype)
    copies = jitter(X, (8, 8), skew=0, shift=0, random_state=0)
    assert copies.dtype == dtype
    np.testing.assert_allclose(copies, X, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_a_narrow_range_far_from_zero_keeps_its_steps(digits, dtype):
    X = digits[:20].astype(dtype) + 10**8
    copies = jitter(X, (8, 8), skew=0, shift=0, random_state=0)
    np.testing.assert_allclose(copies, X, rtol=0, atol=1e-4)


def test_images_move_by_a_fraction_of_their_size():
    shape = (20, 40)
    copies = jitter(spots(400, *shape), shape, skew=0, shift=0.05, random_state=0)
    moves = centers(copies, shape) - (np.array(shape) - 1) / 2
    np.testing.assert_allclose(moves.std(axis=0), [1, 2], rtol=0.15)
    np.testing.assert_allclose(moves.mean(axis=0), 0, atol=0.3)


def test_images_turn_and_stretch_about_their_middle():
    shape = (21, 31)
    X = spots(100, *shape)
    copies = jitter(X, shape, skew=0.1, shift=0, random_state=0)
    middle = np.tile((np.array(shape) - 1) / 2, (len(X), 1))
    np.testing.assert_allclose(centers(copies, shape), middle, atol=0.2)
    assert copies.sum(axis=1).std() > 100  # areas differ


def test_copies_stay_in_the_range_and_the_images_untouched(digits):
    X = np.rint(digits[:100]).astype(np.uint8)
    before = X.copy()
    X.flags.writeable = False
    copies = jitter(X, (8, 8), random_state=0)
    assert X.min() <= copies.min() <= copies.max() <= X.max()
    assert (copies != X).any(axis=1).mean() > 0.9
    np.testing.assert_array_equal(X, before)


def test_the_same_seed_makes_the_same_copies(digits):
    first, again, other = (
        jitter(digits[:20], (8, 8), random_state=seed) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_shape": (8, 9)}, r"\(8, 9\) has 72 pixels, but a row of X has 64"),
        ({"image_shape": (8, 8), "skew": -0.1}, "skew == -0.1"),
        ({"image_shape": (8, 8), "shift": np.inf}, "shift == inf"),
        ({"image_shape": (0, 8)}, r"image_shape\[0\] == 0"),
    ],
)
def test_bad_input_is_told(digits, arguments, message):
    with pytest.raises(ValueError, match=message):
        jitter(digits, **arguments)
