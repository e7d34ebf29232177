"""Structural similarity, against another implementation."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

from sklearn_dae.evaluation import ms_ssim, ssim


@pytest.mark.parametrize("shape", [(11, 11), (28, 28), (17, 30)])
def test_it_is_that_of_scikit_image(rng, shape):
    images = rng.integers(0, 256, (5, *shape)).astype(np.uint8)
    others = np.clip(images + rng.normal(0, 40, images.shape), 0, 255).astype(np.uint8)
    theirs = [
        structural_similarity(
            x.astype(float),
            y.astype(float),
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for x, y in zip(images, others, strict=True)
    ]
    flat = (array.reshape(5, -1) for array in (images, others))
    assert ssim(*flat, shape, (0, 255)) == pytest.approx(np.mean(theirs), abs=1e-7)


def test_it_is_that_of_single_images_on_average(rng):
    X, Y = rng.random((2, 3, 400))
    alone = [ssim(x[None], y[None], (20, 20)) for x, y in zip(X, Y, strict=True)]
    assert ssim(X, Y, (20, 20)) == pytest.approx(np.mean(alone))


def test_several_scales_are_those_of_scikit_image_in_turn(rng):
    weights = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    ramp = np.add.outer(np.arange(181.0), np.arange(176.0)) / 356
    x = 0.5 * ramp + 0.5 * rng.random(ramp.shape)
    y = np.clip(x + rng.normal(0, 0.1, x.shape), 0, 1)
    expected, a, b = 1.0, x, y
    for number, weight in enumerate(weights):
        options = {"gaussian_weights": True, "use_sample_covariance": False}
        _, likeness = structural_similarity(a, b, data_range=1, full=True, **options)
        if number < 4:
            # The luminance is divided out where the last scale does not need it.
            means = [gaussian_filter(z, 1.5, truncate=3.5) for z in (a, b)]
            squares = means[0] ** 2 + means[1] ** 2 + 1e-4
            likeness = likeness * squares / (2 * means[0] * means[1] + 1e-4)
        expected *= likeness[5:-5, 5:-5].mean() ** weight
        a, b = (
            z[: z.shape[0] // 2 * 2, : z.shape[1] // 2 * 2]
            .reshape(z.shape[0] // 2, 2, z.shape[1] // 2, 2)
            .mean(axis=(1, 3))
            for z in (a, b)
        )
    found = ms_ssim(x.reshape(1, -1), y.reshape(1, -1), (181, 176))
    assert found == pytest.approx(expected, abs=1e-7)
    assert ms_ssim(x.reshape(1, -1), 1 - x.reshape(1, -1), (181, 176)) < found
    with pytest.raises(ValueError, match="takes 176 x 176 pixels"):
        ms_ssim(np.zeros((1, 160 * 200)), np.zeros((1, 160 * 200)), (160, 200))


def test_images_smaller_than_the_window_are_refused():
    with pytest.raises(ValueError, match="8 x 12 pixels are too small"):
        ssim(np.zeros((1, 96)), np.zeros((1, 96)), (12, 8))
