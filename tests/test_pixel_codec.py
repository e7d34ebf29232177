"""Images of any kind come back from networks of pixels, exactly or within a bound."""

import os
import pickle
import subprocess
import sys
import zlib

import joblib
import numpy as np
import pytest
from codec_checks import TINY, damage
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklearn_dae.codecs import PixelCodec, _pixel_chunks, _pixel_fitting
from sklearn_dae.codecs._levels import Levels
from sklearn_dae.codecs._planes import Form
from sklearn_dae.codecs._ycocg import from_ycocg, to_ycocg
from sklearn_dae.entropy import PixelModel
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec

pytestmark = pytest.mark.usefixtures("few_samples")


#: Dtypes, and the range of numbers to draw from.
RANGES = {
    "bool": (0, 1),
    "uint8": (0, 255),
    "int8": (-128, 127),
    "uint16": (0, 65_535),
    "int16": (-32_768, 32_767),
    "int32": (-1_000_000, -940_000),
    "float32": (-500, 3000),
}

SHAPES = [(1, 1), (1, 9), (7, 1), (2, 2), (2, 3), (3, 2), (5, 4), (9, 12)]


def drawn_images(kind, dtype, shape, rng):
    """Images of a kind of content."""
    low, high = RANGES[dtype]
    if kind == "noise":
        images = rng.integers(low, high + 1, shape)
    elif kind == "constant":
        images = np.full(shape, rng.integers(low, high + 1))
    elif kind == "two levels":
        images = np.where(rng.random(shape) < 0.3, low, high)
    else:
        steps = rng.integers(-5, 6, shape)
        images = (low + high) // 2 + np.cumsum(np.cumsum(steps, axis=1), axis=2)
        images = np.clip(images, low, high)
    return images.astype(dtype)


def check(before, after, bound=0):
    """Assert that images are the same or within a bound, and of the same dtype."""
    assert before.shape == after.shape
    assert before.dtype == after.dtype
    error = np.abs(before.astype(np.float64) - after.astype(np.float64))
    assert error.max(initial=0) <= bound


CONTENTS = st.sampled_from(["noise", "constant", "two levels", "smooth"])


@given(
    CONTENTS,
    st.sampled_from(sorted(RANGES)),
    st.sampled_from(SHAPES),
    st.integers(1, 5),
    st.integers(1, 3),
    st.sampled_from([0, 0, 1, 2, 5]),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=40, deadline=None)
def test_arrays_of_any_kind_come_back(kind, dtype, shape, channels, n, bound, seed):
    rng = np.random.default_rng(seed)
    end = (channels,) if channels > 1 else ()
    images = drawn_images(kind, dtype, (n, *shape, *end), rng)
    kept = images.copy()
    codec = PixelCodec(bound, effort=1).fit(images)
    assert codec.error_bound == bound
    data = codec.encode(images)
    check(images, codec.decode(data), bound)
    assert_array_equal(images, kept)
    # No more than a byte and the description above what they are in memory.
    assert len(data) <= images.nbytes + 40
    rows = images.reshape(n, -1)
    codec = PixelCodec(bound, effort=1, image_shape=(*shape, *end)).fit(rows)
    check(rows, codec.decode(codec.encode(rows)), bound)


@given(
    st.lists(
        st.tuples(
            CONTENTS,
            st.sampled_from(["uint8", "uint16", "float32"]),
            st.sampled_from(SHAPES),
            st.sampled_from([(), (2,), (3,), (4,)]),
        ),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from([0, 3]),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=15, deadline=None)
def test_lists_of_images_of_many_kinds_come_back(kinds, bound, seed):
    rng = np.random.default_rng(seed)
    images = [
        drawn_images(kind, dtype, (1, *shape, *channels), rng)[0]
        for kind, dtype, shape, channels in kinds
    ]
    codec = PixelCodec(bound, effort=1, chunk_size=2).fit(images)
    decoded = codec.decode(codec.encode(images))
    assert isinstance(decoded, list)
    assert len(decoded) == len(images)
    for before, after in zip(images, decoded, strict=True):
        check(before, after, bound)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("bound", [0, 1])
def test_noise_of_full_range_takes_no_more_than_it_does_in_memory(dtype, bound, rng):
    noise = rng.integers(0, np.iinfo(dtype).max + 1, (1, 40, 50)).astype(dtype)
    codec = PixelCodec(bound, effort=1).fit(noise)
    data = codec.encode(noise)
    check(noise, codec.decode(data), bound)
    assert len(data) < 1.005 * noise.nbytes + 20


def test_smooth_images_take_little_and_constant_ones_next_to_nothing(rng):
    y, x = np.mgrid[:40, :40]
    codec = PixelCodec(effort=1).fit(np.zeros((1, 4, 4), np.uint8))
    smooth = np.rint(120 + 90 * np.sin(x / 15 + y / 20)).astype(np.uint8)[np.newaxis]
    constant = np.full((1, 300, 300), 200, np.uint8)
    for images, most in ((smooth, 600), (constant, 150)):
        data = codec.encode(images)
        assert len(data) < most
        check(images, codec.decode(data))


@pytest.mark.parametrize("bound", [0, 2])
def test_enlarged_images_take_what_they_took_before(bound, rng):
    small = drawn_images("walk", "uint8", (2, 40, 28, 3), rng)
    for n in (2, 3, 5):
        large = small.repeat(n, axis=1).repeat(n, axis=2)
        codec = PixelCodec(bound)
        data = codec.encode(large)
        check(large, codec.decode(data), bound)
        assert len(data) <= len(codec.encode(small)) + 4
    # Enlarged one way only, or but for a pixel, they are not enlarged.
    for other in (small.repeat(2, axis=1), large):
        other = other.copy()
        other[-1, -1, -1, -1] ^= 1
        check(other, codec.decode(codec.encode(other)), bound)


def test_sizes_that_no_enlargement_gives_are_refused():
    spec = ImageSpec.of_shape((4, 6), np.uint8)
    form = Form.of(np.zeros((1, 24), int), spec, is_exact=True)
    assert form.repeats == 2
    assert form.stack(1, spec) == (1, 2, 3, 1)
    for repeats in (0, 3, 4, 2**40):
        with pytest.raises(BitstreamError, match="cannot consist of"):
            form._replace(repeats=repeats).stack(1, spec)


@pytest.mark.parametrize("exponent", [15, 17, 19])
def test_levels_far_apart_come_back(exponent, rng):
    images = np.where(rng.random((1, 40, 40)) < 0.5, 0, 2**exponent)
    codec = PixelCodec(effort=1).fit(images)
    check(images, codec.decode(codec.encode(images)))


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (-(2**63), -(2**63) + 9),
        (2**63 - 9, 2**63 - 1),
        (0, 2**20),
        (-(2**25), 2**25),
        (0, 2**50),
        (-(2**63), 2**63 - 1),
    ],
)
def test_huge_numbers_come_back_or_are_refused_with_the_remedy(low, high, rng):
    # So many that a chunk is not stored as it is.
    images = np.where(rng.random((1, 40, 40)) < 0.5, low, high)
    codec = PixelCodec(effort=1)
    try:
        data = codec.fit(images).encode(images)
    except ValueError as error:
        told = str(error)
    else:
        told = "GeneralCodec"
        check(images, codec.decode(data))
    assert "GeneralCodec" in told


@pytest.mark.parametrize("bound", [0, 2])
def test_values_and_depths_that_fit_never_saw_come_back(bound, rng):
    codec = PixelCodec(bound, effort=1).fit([np.full((6, 6), 9, np.uint8)])
    images = [
        rng.integers(100, 256, (5, 6)).astype(np.uint8),
        rng.integers(0, 4096, (5, 6)).astype(np.uint16),
        rng.integers(-9, 9, (2, 3, 3)).astype(np.float64),
        np.eye(4, dtype=bool),
    ]
    decoded = codec.decode(codec.encode(images))
    for before, after in zip(images, decoded, strict=True):
        check(before, after, bound)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "NaN"),
        (np.inf, "infinity"),
        (0.5, r"not all whole.*np\.rint.*GeneralCodec"),
        (1e30, r"not all whole.*np\.rint.*GeneralCodec"),
        (-0.0, r"GeneralCodec"),
    ],
)
@pytest.mark.parametrize("bound", [0, 2])
def test_numbers_that_are_not_whole_are_refused_with_the_remedy(value, message, bound):
    images = np.zeros((1, 4, 4))
    codec = PixelCodec(bound, effort=1).fit(images)
    images[0, 1, 2] = value
    with pytest.raises(ValueError, match=message):
        codec.encode(images)


@pytest.mark.parametrize("bound", [0, 1])
def test_too_many_levels_are_refused_with_the_remedy(bound):
    images = np.arange(65_536 + 1, dtype=np.int32).reshape(1, 1, -1)
    codec = PixelCodec(bound, effort=1).fit(images)
    message = r"65537 levels.*at most 65536.*GeneralCodec\('lzma'\)"
    with pytest.raises(ValueError, match=message):
        codec.encode(images)
    numbers = np.arange(65_536, dtype=np.uint64).reshape(1, 256, 256) + 2**63
    with pytest.raises(ValueError, match="GeneralCodec"):
        PixelCodec(bound, effort=1).fit(numbers).encode(numbers)


@pytest.mark.parametrize("n_levels", [1, 2, 300, 65_536])
def test_levels_come_back_from_their_bytes(n_levels, rng):
    values = np.sort(rng.choice(10**6, n_levels, replace=False)) - 5 * 10**5
    images = rng.permutation(np.resize(values, (max(n_levels, 4000), 1)))
    levels = Levels.of(images)
    again = Levels.read(_reader(levels.to_bytes()))
    assert again.n == levels.n == n_levels
    assert_array_equal(again.values(levels.levels(images)), images)
    assert levels.levels(images).max() == n_levels - 1


def test_unused_levels_are_listed_only_where_that_pays(rng):
    # Black, but for a few pixels of many levels: what is black costs nothing anyway.
    images = np.zeros((1, 28, 28, 1), np.uint8)
    assert Levels.of(np.arange(0, 252, 9)[rng.integers(28, size=images.shape)]).n == 28
    images[0, 12:15, 12:15, 0] = 9 * rng.permutation(28)[:9].reshape(3, 3)
    assert Levels.of(images).used is None
    assert len(PixelCodec().encode(images)) < 60


def _reader(data):
    from sklearn_dae._bytes import ByteReader

    return ByteReader(data)


def test_colours_come_back_from_their_transform():
    every = np.stack(np.meshgrid(*[[0, 1, 2, 77, 254, 255]] * 3), axis=0)
    images = every.reshape(1, 3, 36, 6)
    transformed = to_ycocg(images)
    assert_array_equal(from_ycocg(transformed), images)
    assert transformed[:, 0].min() >= 0
    assert transformed[:, 0].max() <= 255
    assert abs(transformed[:, 1:]).max() <= 255


# Chunks.


@pytest.fixture(scope="module")
def chunks():
    """Chunks of images of many kinds, some alike."""
    rng = np.random.default_rng(0)
    kinds = [
        ("smooth", "uint8", (9, 7)),
        ("noise", "uint8", (2, 30)),
        ("smooth", "uint16", (9, 7, 3)),
        ("two levels", "uint8", (9, 7)),
        ("constant", "float32", (4, 4)),
        ("smooth", "int16", (5, 9, 3)),
    ]
    made = []
    for n, (kind, dtype, shape) in enumerate(kinds, 1):
        images = drawn_images(kind, dtype, (n, *shape), rng)
        made.append((images.reshape(n, -1), ImageSpec.of_shape(shape, images.dtype)))
    return made


@pytest.mark.parametrize("bound", [0, 2])
def test_chunks_coded_in_lockstep_are_those_coded_one_by_one(bound, chunks):
    codec = PixelCodec(bound, effort=1).fit(np.zeros((1, 4, 4), np.uint8))
    together = codec.encode_chunks(chunks)
    data = [coded.data for coded in together]
    assert data == [codec.encode_chunk(*chunk).data for chunk in chunks]
    wanted = [
        (of, len(rows), spec) for of, (rows, spec) in zip(data, chunks, strict=True)
    ]
    at_once = codec.decode_chunks(wanted)
    for (rows, _), chunk, coded, decoded in zip(
        chunks, wanted, together, at_once, strict=True
    ):
        check(rows, decoded, bound)
        # Each without the others.
        assert_array_equal(codec.decode_chunk(*chunk), decoded)
        assert coded.n_images == len(rows)
        assert coded.n_bits.sum() == pytest.approx(8 * len(coded.data))
    assert codec.decode_chunks([wanted[3], wanted[0]])[1].shape == chunks[0][0].shape


def test_groups_of_chunks_change_nothing(chunks, monkeypatch):
    codec = PixelCodec(effort=1).fit(np.zeros((1, 4, 4), np.uint8))
    data = [coded.data for coded in codec.encode_chunks(chunks)]
    monkeypatch.setattr(_pixel_chunks, "_MOST_AT_ONCE", 200)
    monkeypatch.setattr(_pixel_chunks, "_FEWEST_AT_ONCE", 100)
    assert [coded.data for coded in codec.encode_chunks(chunks)] == data


def test_processes_change_nothing(chunks, monkeypatch):
    codec = PixelCodec(effort=1).fit(np.zeros((1, 4, 4), np.uint8))
    data = [coded.data for coded in codec.encode_chunks(chunks)]
    bits = [coded.n_bits for coded in codec.encode_chunks(chunks)]
    damaged = [(data[0][:-3], len(chunks[0][0]), chunks[0][1])]
    damaged += [
        (of_chunk, len(rows), spec)
        for of_chunk, (rows, spec) in zip(data, chunks, strict=True)
    ]
    monkeypatch.setattr(_pixel_chunks, "_FEWEST_AT_ONCE", 100)
    assert codec.numbers_at_once == 2**22
    with joblib.parallel_config(n_jobs=2):
        assert codec.numbers_at_once == 2**23
        coded = codec.encode_chunks(chunks)
        decoded = codec.decode_chunks(damaged[1:])
        with pytest.raises(BitstreamError):
            codec.decode_chunks(damaged)
    assert [chunk.data for chunk in coded] == data
    for chunk, own in zip(coded, bits, strict=True):
        assert_array_equal(chunk.n_bits, own)
    for (rows, _), restored in zip(chunks, decoded, strict=True):
        assert_array_equal(restored, rows)


@pytest.mark.parametrize("n_jobs", [1, 2, 3, 8])
def test_groups_are_alike_in_size_and_as_many_for_each_process(n_jobs, rng):
    spec = ImageSpec.of_shape((512, 512), np.uint8)
    for n_chunks in (1, 7, 8, 64, 300):
        kinds = [(2, spec)] * n_chunks + [(0, spec), (1, ImageSpec(4, 4, 3))]
        with joblib.parallel_config(n_jobs=n_jobs):
            *groups, last = _pixel_chunks._groups(kinds)
        # Others have another number of channels, or no image.
        assert last == [n_chunks + 1]
        assert np.concatenate(groups).tolist() == list(range(n_chunks))
        n_numbers = [2 * len(group) * 512**2 for group in groups]
        assert max(n_numbers) <= 2**22
        assert max(n_numbers) - min(n_numbers) <= 2 * 512**2
        if n_chunks * 2 * 512**2 >= n_jobs * 2**20:
            assert len(groups) % n_jobs == 0


def test_a_tall_image_among_many_small_ones_takes_little_memory(rng):
    tall, small = ImageSpec(400_000, 1), ImageSpec(3, 4)
    groups = _pixel_chunks._groups(
        [(1, small)] * 300 + [(1, tall)] + [(1, small)] * 300
    )
    assert groups == [[*range(300), *range(301, 601)], [300]]


def test_a_process_that_is_killed_is_told_of(chunks, monkeypatch):
    codec = PixelCodec(effort=1).fit(np.zeros((1, 4, 4), np.uint8))
    monkeypatch.setattr(_pixel_chunks, "_FEWEST_AT_ONCE", 100)
    monkeypatch.setattr(_pixel_chunks, "_encode_together", _end)
    with (
        joblib.parallel_config(n_jobs=2),
        pytest.raises(MemoryError, match=r"A process was killed.*--jobs 1"),
    ):
        codec.encode_chunks(chunks)


def _end(*arguments, **options):
    os._exit(9)


def test_a_chunk_of_no_image_comes_back():
    codec = PixelCodec(effort=1).fit(np.zeros((1, 4, 4), np.uint8))
    coded = codec.encode_chunk(np.zeros((0, 16), np.uint8))
    assert codec.decode_chunk(coded.data, 0).shape == (0, 16)


@pytest.mark.parametrize("form", ["rows", "array", "list"])
@pytest.mark.parametrize("bound", [0, 2])
def test_images_come_back_without_fit(form, bound, rng):
    images = drawn_images("smooth", "uint16", (3, 6, 6), rng)
    X = {"rows": images.reshape(3, -1), "array": images, "list": [*images, images[0].T]}
    codec = PixelCodec(bound)
    data = codec.encode(X[form])
    decoded = PixelCodec(bound).decode(data)
    for before, after in zip(X[form], decoded, strict=True):
        check(before, after, bound)
    assert not hasattr(codec, "models_")
    for length in (0, 1, len(data) // 2):
        with pytest.raises(BitstreamError):
            PixelCodec(bound).decode(data[:length])


@pytest.mark.parametrize("channels", [1, 3])
def test_expected_numbers_have_less_error_within_twice_the_bound(channels, rng):
    end = (channels,) if channels > 1 else ()
    noise = np.rint(rng.laplace(0, 2, (3, 25, 25, *end)))
    images = np.clip(50 + noise, 0, 255).astype(np.uint8)
    errors = {}
    for reconstruction in ("center", "mean"):
        codec = PixelCodec(5, effort=1, reconstruction=reconstruction).fit(images)
        decoded = codec.decode(codec.encode(images))
        check(images, decoded, codec.error_bound)
        errors[reconstruction] = np.mean((decoded - images.astype(float)) ** 2)
    assert codec.error_bound == 10
    assert errors["mean"] < errors["center"]
    exact = PixelCodec(0, effort=1, reconstruction="mean").fit(images)
    check(images, exact.decode(exact.encode(images)))


@pytest.mark.parametrize("shape", [(0, 4, 4), (0, 16), (1, 4, 4), (1, 9, 2, 3)])
def test_no_image_and_a_single_one_come_back(shape):
    codec = PixelCodec(effort=1).fit(np.zeros((1, 4, 4), np.uint8))
    images = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    check(images, codec.decode(codec.encode(images)))


# Training.


def trained_codec(images, bound=0, in_series=False):
    """A codec with networks trained on grey images, whether or not that pays."""
    codec = PixelCodec(bound, effort=1).fit(images)
    stacks = [images[:, np.newaxis].astype(int)]
    limits = np.zeros((len(images), 1), int), np.full((len(images), 1), images.max())
    options = {"training": TINY, "in_series": in_series, "max_error": bound}
    codec.models_ = [PixelModel.fit(stacks, limits, **options)]
    return codec


@pytest.fixture
def quick(monkeypatch):
    """Trainings of a moment, of small sets too."""
    monkeypatch.setattr(_pixel_fitting, "_TRAININGS", {2: TINY, 3: TINY, 4: TINY})
    monkeypatch.setattr(_pixel_fitting, "_TRIAL", TINY)
    monkeypatch.setattr(_pixel_fitting, "_SIZES", {TINY.hidden: 0})


def striped(n, shape, rng):
    """Images of which every other row is noise, unlike any that others have."""
    images = rng.integers(0, 2, (n, *shape)) * 201
    images[:, 1::2] = images[:, ::2][:, : shape[0] // 2]
    return images.astype(np.uint8)


@pytest.mark.parametrize("in_series", [False, True])
@pytest.mark.parametrize("bound", [0, 1])
def test_trained_networks_restore_what_they_never_saw(bound, in_series, rng):
    codec = trained_codec(striped(9, (20, 20), rng), bound, in_series)
    images = [
        *striped(2, (20, 20), rng),
        rng.integers(0, 256, (5, 5)).astype(np.uint8),
        rng.integers(0, 4000, (3, 4, 3)).astype(np.uint16),
        np.full((1, 1), -7, np.int16),
    ]
    for before, after in zip(images, codec.decode(codec.encode(images)), strict=True):
        check(before, after, bound)


def series(n, rng):
    """Images each of which is like the one before."""
    image = rng.integers(0, 256, (1, 30, 30))
    images = image + rng.integers(0, 2, (n, 30, 30))
    return np.clip(images, 0, 255).astype(np.uint8)


def _generic_codec():
    return PixelCodec(effort=1).fit(np.zeros((1, 4, 4), np.uint8))


def test_callbacks_are_told_how_far_training_is(quick, monkeypatch, rng):
    told = []

    class Recorder:
        def setup(self, estimator, context):
            told.append("setup")

        def teardown(self, estimator, context):
            told.append("teardown")

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context):
            told.append((context.task_name, context.task_id))

    images = [*striped(4, (20, 20), rng), *rng.integers(0, 256, (4, 20, 20, 3))]
    codec = PixelCodec().set_callbacks(Recorder())
    codec.fit(images)
    assert told[1:-2] == [("part", i) for i in range(100)]
    assert told[-2:] == [("fit", 0), "teardown"]
    told.clear()
    monkeypatch.setattr(_pixel_fitting, "_model", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        codec.fit(images)
    assert told == ["setup", "teardown"]


def test_enlarged_images_train_what_the_small_ones_do(quick, rng):
    small = series(40, rng)
    small[4:8] = 0

    def packed(images):
        (model,) = PixelCodec(chunk_size=4).fit(images).models_
        # Of blank ones it is not known how they came about; others have this size.
        assert model.networks[0].predictors.mean.shape == small.shape[1:]
        return model.packed.tolist()

    large = small.repeat(2, axis=1).repeat(2, axis=2)
    assert packed(large) == packed(small)


def test_networks_are_kept_only_where_they_pay(quick, rng):
    few = drawn_images("smooth", "uint8", (4, 8, 8), rng)
    assert PixelCodec(effort=2).fit(few).models_ == []
    images = series(40, rng)
    assert PixelCodec(effort=1).fit(images).models_ == []
    codec = PixelCodec(effort=2).fit(images)
    (model,) = codec.models_
    assert model.in_series
    data = codec.encode(images)
    check(images, codec.decode(data))
    assert len(data) + len(model.packed) < 0.8 * len(_generic_codec().encode(images))


@pytest.mark.parametrize("channels", [3, 10])
def test_images_of_many_channels_can_be_trained_on(channels, quick, rng):
    end = (channels,) if channels > 1 else ()
    images = drawn_images("smooth", "uint8", (3, 6, 6, *end), rng)
    codec = PixelCodec(effort=2).fit(images)
    check(images, codec.decode(codec.encode(images)))


@pytest.mark.parametrize("content", ["constant", "two levels", "noise"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (5, 5, 3)])
def test_any_content_can_be_trained_on(content, shape, quick, rng):
    images = drawn_images(content, "uint8", (110, *shape), rng)
    codec = PixelCodec(effort=2).fit(images)
    check(images[:9], codec.decode(codec.encode(images[:9])))


def test_the_same_seed_gives_the_same_bytes(quick, rng):
    images = series(40, rng)
    first, second = (PixelCodec(effort=2, random_state=5).fit(images) for _ in "ab")
    assert first.encode(images[:3]) == second.encode(images[:3])
    assert_array_equal(first.models_[0].packed, second.models_[0].packed)


def test_scikit_learn_can_clone_it_and_search_for_a_bound(digits):
    codec = PixelCodec(2, effort=1, chunk_size=9, random_state=3)
    assert clone(codec).get_params() == codec.get_params()
    search = GridSearchCV(
        PixelCodec(effort=1), {"max_abs_error": [0, 1]}, cv=2, error_score="raise"
    ).fit(digits[:60])
    best = search.best_estimator_
    check(digits[:9], best.decode(best.encode(digits[:9])), best.max_abs_error)


@pytest.mark.parametrize(
    "parameters",
    [
        {"max_abs_error": -1},
        {"max_abs_error": 0.5},
        {"effort": 0},
        {"effort": 5},
        {"chunk_size": 0},
        {"image_shape": (3,)},
    ],
)
def test_parameters_out_of_range_are_refused(parameters, digits):
    with pytest.raises(ValueError, match=next(iter(parameters))):
        PixelCodec(**parameters).fit(digits[:9])


# Other machines.

_ELSEWHERE = """
import pickle, sys, zlib
import numpy
import threadpoolctl
with open(sys.argv[1], "rb") as file:
    codecs, images, data = pickle.load(file)
kernels = [x.get("architecture") for x in threadpoolctl.threadpool_info()]
for codec, coded in zip(codecs, data, strict=True):
    decoded = codec.decode(coded)
    print([zlib.crc32(image.tobytes()) for image in decoded])
    print(zlib.crc32(codec.encode(images)))
print(kernels, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def machine_file(tmp_path_factory):
    """A file of codecs and what they coded, and the checksums of the latter."""
    rng = np.random.default_rng(0)
    striped_ones = striped(2, (16, 16), rng)
    images = [*striped_ones, rng.integers(0, 256, (5, 9)).astype(np.uint8)]
    images.append(drawn_images("smooth", "uint16", (1, 3, 4, 3), rng)[0])
    codecs = [trained_codec(striped_ones), trained_codec(striped_ones, 2, True)]
    data = [codec.encode(images) for codec in codecs]
    path = tmp_path_factory.mktemp("machine") / "coded.pickle"
    path.write_bytes(pickle.dumps((codecs, images, data)))
    expected = [
        f"{[zlib.crc32(image.tobytes()) for image in codec.decode(coded)]}\n"
        f"{zlib.crc32(coded)}\n"
        for codec, coded in zip(codecs, data, strict=True)
    ]
    return path, "".join(expected)


@pytest.mark.parametrize("kernel", ["Prescott", "Haswell"])
def test_other_kernels_of_blas_decode_the_same(kernel, machine_file):
    path, expected = machine_file
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _ELSEWHERE, str(path)],
        capture_output=True,
        text=True,
        env=os.environ | {"OPENBLAS_CORETYPE": kernel, "OPENBLAS_NUM_THREADS": "2"},
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == expected


# Damage.


@pytest.fixture(scope="module")
def damageable(chunks):
    """Codecs, images of several forms, and their bytes."""
    rng = np.random.default_rng(0)
    codec = PixelCodec(effort=1, chunk_size=3, image_shape=(6, 8))
    rows = drawn_images("smooth", "uint8", (7, 6, 8), rng).reshape(7, 48)
    mixed = [rows.reshape(7, *spec.shape)[0] for rows, spec in chunks if len(rows) == 7]
    mixed += [rows.reshape(-1, *spec.shape)[0] for rows, spec in chunks[:4]]
    codec.fit(rows)
    forms = {"rows": rows, "array": rows.reshape(7, 6, 8), "list": mixed}
    return codec, {name: (X, codec.encode(X)) for name, X in forms.items()}


@pytest.mark.parametrize("form", ["rows", "array", "list"])
def test_damage_is_noticed(form, damageable, rng):
    codec, forms = damageable
    images, data = forms[form]
    n_refused = 0
    n = 100
    for _ in range(n):
        try:
            decoded = codec.decode(damage(data, rng))
        except BitstreamError:
            n_refused += 1
        else:
            # The number of images in a chunk may be another one if there is one chunk.
            assert len(decoded) == len(images)
            for before, after in zip(images, decoded, strict=True):
                check(before, after)
    assert n_refused > 0.9 * n


def test_damaged_chunks_without_a_checksum_raise_documented_errors_only(chunks, rng):
    codec = _generic_codec()
    for rows, spec in chunks:
        data = codec.encode_chunk(rows, spec).data
        for _ in range(12):
            try:
                decoded = codec.decode_chunk(damage(data, rng), len(rows), spec)
            except BitstreamError:
                continue
            assert decoded.shape == rows.shape
            assert decoded.dtype == spec.dtype


def test_chunks_of_other_codecs_are_refused(damageable, rng):
    _, data = damageable[1]["array"]
    images = striped(9, (32, 32), rng)
    trained = trained_codec(images)
    with pytest.raises(BitstreamError):
        _generic_codec().decode(trained.encode(images[:3]))
    for other in (PixelCodec(1, effort=1).fit(images), trained):
        with pytest.raises(BitstreamError):
            other.decode(data)
