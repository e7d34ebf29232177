"""The codec that makes the smallest file: what is tried, and what is taken."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from sklearn_dae.archive import write_archive
from sklearn_dae.codecs import (
    JpegXLCodec,
    PillowCodec,
    PixelCodec,
    SmallestCodec,
    TransformCodec,
)
from sklearn_dae.codecs._candidates import (
    Goal,
    OfFormat,
    OfTransformer,
    candidates_for,
)
from sklearn_dae.codecs._measured import coded_bytes, measured, model_bytes, some_of
from sklearn_dae.codecs._rate import highest_quality
from sklearn_dae.codecs._sizes import Sizes, SizeSearch
from sklearn_dae.codecs._step import Wish
from sklearn_dae.images import ImageSet


@pytest.fixture(scope="module")
def images(digits):
    """Digits that use all of their range, as pictures."""
    return (digits[:600] * np.uint8(15)).reshape(-1, 8, 8)


def blurred(rng, *shape):
    """Noise that is like a photograph, as neighbouring pixels are alike."""
    noise = rng.normal(size=shape)
    for axis in (0, 1):
        for _ in range(3):
            noise = noise + np.roll(noise, 1, axis) + np.roll(noise, -1, axis)
    noise -= noise.min()
    return (255 * noise / noise.max()).astype(np.uint8)


def psnr(X, restored):
    return 10 * np.log10(255**2 / np.square(X.astype(float) - restored).mean())


def size_of(tmp_path, images, codec):
    write_archive(tmp_path / "x.dae", images, codec)
    return (tmp_path / "x.dae").stat().st_size


# What is taken.


def test_few_small_alike_images_are_stored_by_the_autoencoder(images, tmp_path):
    codec = SmallestCodec(target_psnr=20, effort=2, random_state=1).fit(images)
    assert isinstance(codec.codec_, TransformCodec)
    restored = codec.decode(codec.encode(images))
    assert psnr(images, restored) >= 20
    errors = np.square(images.astype(float) - restored).mean(axis=(1, 2))
    assert errors.max() <= 255**2 * 10**-1.4
    names = [each.name for each in codec.candidates_ if each.n_bytes < np.inf]
    assert names[0] == "autoencoder"
    assert {"PCA", "PixelCodec", "AVIF, side by side"} <= set(names)
    sizes = [each.n_bytes for each in codec.candidates_]
    assert sizes == sorted(sizes)
    assert 0 < size_of(tmp_path, images, codec.codec_) - sizes[0] < 400


def test_what_is_taken_is_as_small_as_the_best_that_one_could_make_oneself(images):
    """Here, all qualities of all formats are tried."""
    target, set_ = 26, ImageSet.from_array(images)
    best = np.inf
    for name, qualities in (
        ("jpeg", range(60, 101, 4)),
        ("webp", range(0, 101, 5)),
        ("avif", range(0, 101, 5)),
        ("jpeg2000", np.arange(24, 28, 0.1)),
    ):
        for quality in qualities:
            other = PillowCodec(name, quality=quality).fit(images)
            found = measured(other, set_, 255)
            if found.psnr >= target:
                best = min(best, found.n_bytes + model_bytes(other))
    formats = ("JPEG", "WebP", "AVIF", "JPEG 2000")
    codec = SmallestCodec(target, candidates=formats).fit(images)
    assert codec.candidates_[0].n_bytes <= 1.01 * best
    total = coded_bytes(codec.codec_, set_) + model_bytes(codec.codec_)
    assert codec.candidates_[0].n_bytes == total


def test_without_a_wish_nothing_is_lost(images):
    codec = SmallestCodec(effort=1).fit(images)
    assert_array_equal(codec.decode(codec.encode(images)), images)
    assert codec.codec_.error_bound == 0
    assert codec.score(images) == codec.codec_.score(images)


def test_a_bound_is_kept(images):
    codec = SmallestCodec(max_abs_error=6, effort=1).fit(images)
    error = codec.decode(codec.encode(images)).astype(int) - images
    assert np.abs(error).max() <= 6


def test_images_of_several_sizes_and_kinds_are_stored_together(rng):
    X = [blurred(rng, 40, 30), blurred(rng, 40, 30, 3), blurred(rng, 90, 80)]
    codec = SmallestCodec(target_psnr=35, effort=1).fit(X)
    restored = codec.decode(codec.encode(X))
    squares = [np.square(x.astype(float) - y) for x, y in zip(X, restored, strict=True)]
    mse = sum(s.sum() for s in squares) / sum(s.size for s in squares)
    assert mse <= 255**2 * 10**-3.5
    reasons = {each.name: each.error for each in codec.candidates_}
    assert "LZMA" in reasons


def test_a_quality_that_only_lossless_codecs_reach(rng):
    X = rng.integers(0, 256, (3, 40, 40), dtype=np.uint8)
    codec = SmallestCodec(target_psnr=90, effort=1).fit(X)
    assert_array_equal(codec.decode(codec.encode(X)), X)


def test_numbers_of_sixteen_bits_have_their_own_peak(rng):
    X = 1000 + 4 * blurred(rng, 60, 60).astype(np.uint16)[None]
    codec = SmallestCodec(target_psnr=40, effort=1).fit(X)
    mse = np.square(codec.decode(codec.encode(X)).astype(float) - X).mean()
    assert mse <= np.ptp(X).astype(float) ** 2 * 1e-4
    assert codec.codec_.error_bound > 0


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("target", [None, 30])
def test_one_image_or_two(rng, n, target):
    X = np.stack([blurred(rng, 20, 24) for _ in range(n)])
    codec = SmallestCodec(target, effort=1).fit(X)
    assert codec.decode(codec.encode(X)).shape == X.shape


@pytest.mark.parametrize("target", [None, 30])
def test_a_thousand_equal_images(target):
    X = np.full((1000, 8, 8), 7, np.uint8)
    codec = SmallestCodec(target, effort=2).fit(X)
    assert_array_equal(codec.decode(codec.encode(X)), X)
    assert codec.candidates_[0].n_bytes < 300


def test_real_numbers_with_nan_are_kept_as_they_are(rng):
    X = rng.normal(size=(4, 9, 9))
    X[1, 2, 3] = np.nan
    codec = SmallestCodec(effort=1).fit(X)
    assert_array_equal(codec.decode(codec.encode(X)), X)


def test_rows_are_square_images(images):
    X = images.reshape(len(images), 64)
    codec = SmallestCodec(effort=1, candidates=["JPEG XL", "PNG"]).fit(X)
    assert isinstance(codec.codec_, JpegXLCodec)
    assert_array_equal(codec.decode(codec.encode(X)), X)


# What is tried.


def test_candidates_can_be_named(images):
    codec = SmallestCodec(25, candidates=["pca", "JPEG"], effort=2).fit(images)
    assert {each.name for each in codec.candidates_} == {"PCA", "JPEG, side by side"}
    codec = SmallestCodec(candidates="own", effort=1).fit(images)
    assert isinstance(codec.codec_, PixelCodec)
    with pytest.raises(ValueError, match=r"zip, of which none.*take some of JPEG XL"):
        SmallestCodec(candidates=["zip"]).fit(images)


def test_all_that_fails_is_named(images):
    with pytest.raises(ValueError, match=r"No candidate can.*PCA: It learns from"):
        SmallestCodec(25, candidates=["PCA"]).fit(images[:5])


def test_a_quality_is_found_on_a_sample_and_kept_on_all(rng):
    easy = np.stack([blurred(rng, 64, 64) // 4 for _ in range(12)])
    hard = easy.copy()
    hard[5] = rng.integers(0, 256, (64, 64))
    everything, few = ImageSet.from_array(hard), ImageSet.from_array(easy[:2])
    goal = Goal(everything, few, 1.0, 255.0, 33.0, 27.0, 0, 1, 0)
    for candidate in candidates_for(goal):
        if isinstance(candidate, OfFormat) and candidate.family in ("JPEG", "WebP"):
            candidate.tried(goal, np.inf)
            for codec in candidate.fitted(goal):
                assert measured(codec, everything, 255).psnr >= 33


def test_a_network_that_is_too_small_after_all_gets_more_values(images):
    set_ = ImageSet.from_array(images)
    goal = Goal(set_, set_, 1.0, 255.0, 20.0, 14.0, 0, 2, 0)
    candidate = OfTransformer(is_deep=False)
    assert candidate.tried(goal, np.inf) < np.inf
    n_values = candidate._sizes.n_values
    # As if the trials had found easier images.
    candidate._sizes = Sizes(n_values // 2, 0, 1000.0)
    (codec,) = candidate.fitted(goal)
    assert codec.decoder_.n_values > n_values // 2
    assert measured(codec, set_, 255).psnr >= 20
    candidate._sizes = Sizes(1, 0, 1000.0)
    assert list(candidate.fitted(goal)) == []


def test_more_images_pay_for_a_larger_network(images):
    X = images[:300].reshape(-1, 64)
    wish = Wish(None, 20.0, None, 0.0, 255.0, np.dtype(np.uint8))
    sizes = [
        SizeSearch(X, n, wish, (8, 8, 1), 5, 0).deep() for n in (len(X), 20 * len(X))
    ]
    assert sizes[0].n_units < sizes[1].n_units
    assert sizes[0].n_bytes < sizes[1].n_bytes < 20 * sizes[0].n_bytes


def test_large_images_of_which_there_are_few_teach_no_network(rng):
    X = np.stack([blurred(rng, 128, 128).ravel() for _ in range(24)])
    wish = Wish(None, 35.0, None, 0.0, 255.0, np.dtype(np.uint8))
    search = SizeSearch(X, len(X), wish, (128, 128, 1), 10, 0)
    # All that formats take is less than the weights alone would.
    assert not search.can_pay(20_000)
    assert search.can_pay(1e9)


def test_a_sample_has_images_of_each_kind(rng):
    X = [blurred(rng, 30, 30) for _ in range(50)] + [blurred(rng, 10, 90)]
    codec = SmallestCodec(effort=1).fit(X)
    assert len(codec.decode(codec.encode(X))) == 51
    array = ImageSet.from_array(np.stack(X[:50]))
    some = some_of(array, 9000)
    assert 5 <= len(some) <= 15


def test_it_is_an_estimator(images):
    codec = SmallestCodec(30, effort=1, n_images=5000, candidates=["AVIF"])
    assert clone(codec).get_params() == codec.get_params()
    with pytest.raises(ValueError, match="give one of them"):
        SmallestCodec(30, max_abs_error=1).fit(images)
    with pytest.raises(ValueError, match="no images"):
        SmallestCodec().fit(images[:0])
    total = codec.fit(images).candidates_[0].n_bytes
    few = SmallestCodec(30, effort=1, candidates=["AVIF"]).fit(images)
    assert total == pytest.approx(few.candidates_[0].n_bytes * 5000 / 600, rel=0.05)


@pytest.mark.parametrize("start", [1.0, 24.0, 60.0, 120.0])
def test_the_best_quality_for_so_many_bytes_is_found(start):
    asked = []

    def n_bytes(psnr):
        asked.append(psnr)
        return 100 * 2 ** (psnr / 6) if psnr < 90 else np.inf

    found = highest_quality(n_bytes, 1600, start)
    # Four doublings of 6 dB each are 24 dB.
    assert 22.5 < found <= 24
    assert len(asked) <= 7
    assert highest_quality(n_bytes, 50, start) is None
