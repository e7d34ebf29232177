"""Structural similarity, against another implementation."""

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from sklearn_dae.evaluation import ssim


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


def test_images_smaller_than_the_window_are_refused():
    with pytest.raises(ValueError, match="8 x 12 pixels are smaller"):
        ssim(np.zeros((1, 96)), np.zeros((1, 96)), (12, 8))
