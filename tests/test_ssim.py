"""Structural similarity, against that of single images."""

import re
import sys

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from sklearn_dae.codecs import PillowCodec
from sklearn_dae.evaluation import measure, rate_distortion_curve, ssim


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
    with pytest.raises(ValueError, match="8 x 12 pixels are too small"):
        ssim(np.zeros((1, 96)), np.zeros((1, 96)), (12, 8))


def test_pixels_may_have_any_range(rng):
    X, Y = rng.random((2, 3, 400))
    shifted = (300 * Z - 100 for Z in (X, Y))
    assert ssim(*shifted, (20, 20), (-100, 200)) == pytest.approx(ssim(X, Y, (20, 20)))


def test_it_is_left_out_without_scikit_image(rng, monkeypatch):
    X = rng.integers(0, 256, (20, 256)).astype(np.uint8)
    codec = PillowCodec("jpeg", quality=40).fit(X)
    assert 0 < measure(codec, X).ssim < 1
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    with pytest.warns(UserWarning, match="left out: it needs scikit-image"):
        assert measure(codec, X).ssim is None
    (point,) = rate_distortion_curve(
        PillowCodec("jpeg"), X, param_name="quality", param_range=[40]
    )
    assert point.ssim is None
    with pytest.raises(ImportError, match=re.escape("sklearn-dae[full]")):
        ssim(X, X, (16, 16))
