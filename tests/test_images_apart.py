"""Images that a codec was not made for are stored apart, without loss."""

import warnings

import numpy as np
import pytest
from codec_checks import damage
from numpy.testing import assert_array_equal
from sklearn.decomposition import PCA

from sklearn_dae.codecs import TransformCodec
from sklearn_dae.codecs._guard import error_limit
from sklearn_dae.evaluation import psnr
from sklearn_dae.exceptions import BitstreamError, OutOfDomainWarning


@pytest.fixture(scope="module")
def lossy(split):
    return TransformCodec(PCA(8)).fit(split[0])


def test_strange_images_are_stored_apart_and_the_user_is_told(lossy, split):
    images = split[1][:30].copy()
    images[[3, 17]] = 255 - images[[3, 17]]
    with pytest.warns(OutOfDomainWarning, match=r"2 of 30 .* images 3, 17"):
        data = lossy.encode(images)
    decoded = lossy.decode(data)
    assert_array_equal(decoded[[3, 17]], images[[3, 17]])
    assert (
        psnr(np.delete(images, [3, 17], 0), np.delete(decoded, [3, 17], 0), (0, 255))
        > 15
    )
    coded = lossy.encode_chunk(images)
    assert coded.apart.tolist() == [3, 17]
    assert coded.n_bits.sum() == pytest.approx(8 * len(coded.data))
    assert coded.n_bits[[3, 17]].min() > np.delete(coded.n_bits, [3, 17]).max()
    assert len(lossy.encode_chunk(split[1]).apart) == 0


def test_rows_are_counted_over_chunks(split):
    codec = TransformCodec(PCA(8), chunk_size=4).fit(split[0])
    images = split[1][:10].copy()
    images[[1, 9]] = 255 - images[[1, 9]]
    with pytest.warns(OutOfDomainWarning, match=r"images 1, 9\."):
        data = codec.encode(images)
    assert_array_equal(codec.decode(data)[[1, 9]], images[[1, 9]])


def test_nothing_but_strange_images_will_do(lossy, split):
    noise = 255 - split[1][:3]
    with pytest.warns(OutOfDomainWarning, match="3 of 3"):
        data = lossy.encode(noise)
    assert_array_equal(lossy.decode(data), noise)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_strange_rows_of_any_dtype_come_back(dtype, split, rng):
    codec = TransformCodec(PCA(8)).fit(split[0].astype(dtype))
    rows = split[1][:5].astype(dtype)
    rows[2] = (rng.normal(size=64) * 1000).astype(dtype)
    with pytest.warns(OutOfDomainWarning):
        decoded = codec.decode(codec.encode(rows))
    assert decoded.dtype == dtype
    assert_array_equal(decoded[2], rows[2])


def test_images_that_come_back_exactly_do_not_lift_the_limit(rng):
    errors = rng.lognormal(mean=0.0, sigma=0.5, size=100)
    usual = error_limit(errors, n_features=64, span=1.0)
    errors[::2] = 0
    assert errors.max() <= error_limit(errors, n_features=64, span=1.0) < 50 * usual
    assert error_limit(0 * errors, n_features=64, span=1.0) == pytest.approx(
        64 * (4 / 255) ** 2
    )


def test_without_fallback_strange_images_are_as_good_as_they_get(split, rng):
    codec = TransformCodec(PCA(8), fallback=False).fit(split[0])
    noise = rng.integers(0, 256, (3, 64)).astype(np.uint8)
    assert codec.error_limit_ == np.inf
    assert len(codec.encode(noise)) < 100
    assert (codec.decode(codec.encode(noise)) != noise).any()


def test_whether_images_are_stored_apart_is_yes_or_no(split):
    with pytest.raises(TypeError, match="fallback"):
        TransformCodec(PCA(8), fallback="yes").fit(split[0])


def test_damage_is_an_error(lossy, split, rng):
    noise = rng.integers(0, 256, (2, 64)).astype(np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutOfDomainWarning)
        rows = np.vstack([split[1][:20], noise])
        chunk = lossy.encode_chunk(rows).data
    for _ in range(150):
        damaged = damage(chunk, rng)
        # A chunk has no checksum of its own, so some damage goes unnoticed.
        try:
            decoded = lossy.decode_chunk(damaged, len(rows))
        except BitstreamError:
            continue
        assert decoded.shape == rows.shape
    for other in (1, len(rows) + 1, 65536):
        with pytest.raises(BitstreamError):
            lossy.decode_chunk(chunk, other)
