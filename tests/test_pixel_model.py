"""What networks of pixels are made of: planes, contexts, mixtures, training, bytes."""

from dataclasses import replace
from decimal import Decimal, getcontext
from itertools import pairwise

import numpy as np
import pytest
from codec_checks import TINY, damage
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_dae._bytes import ByteReader, leb128
from sklearn_dae.coding._intervals import N_SLOTS
from sklearn_dae.entropy import PixelModel, Stack, _logistic, _mixture, _pixel_training
from sklearn_dae.entropy._arithmetic import MOST_SUM, check_sums
from sklearn_dae.entropy._context import (
    _AROUND,
    MOST,
    NEIGHBOURS,
    UNIT,
    WEIGHT_BITS,
    Predictors,
    n_adaptive,
    n_neighbours,
)
from sklearn_dae.entropy._mixture import PER_UNIT, Cells, Mixture
from sklearn_dae.entropy._network_bytes import pack_network, read_network
from sklearn_dae.entropy._pixel_coder import (
    Walk,
    canvas_of,
    decode_stacks,
    encode_stacks,
)
from sklearn_dae.entropy._pixel_training import fit_networks
from sklearn_dae.entropy._planes import REACH, Planes
from sklearn_dae.exceptions import BitstreamError

pytestmark = pytest.mark.usefixtures("few_samples")


def same_limits(images, low, high):
    """Limits of all planes of stacks."""
    shape = sum(map(len, images)), images[0].shape[1]
    return np.full(shape, low), np.full(shape, high)


def walks(shape, rng, channels=1, n=2, high=255):
    """Images that are smooth and noisy: random walks."""
    steps = rng.integers(-6, 7, (n, channels, *shape))
    images = np.cumsum(np.cumsum(steps, axis=3), axis=2) // 4 + high // 2
    return np.clip(images, 0, high)


# Planes.

STACKS = {
    "one": [Stack(1, 5, 7, 1)],
    "of unequal sizes": [Stack(2, 6, 9, 3), Stack(1, 1, 1, 3), Stack(3, 4, 2, 3)],
    "a row and a column": [Stack(2, 1, 11, 2), Stack(2, 10, 1, 2)],
    "pixels": [Stack(4, 1, 1, 4)],
}


def visits(planes):
    """Return when each place of a canvas is visited, and how often."""
    when, n_visits = np.full(planes.size, -1), np.zeros(planes.size, int)
    for step in range(planes.lanes.n_steps):
        at = planes.lanes.samples(step).at
        when[at] = step
        np.add.at(n_visits, at, 1)
    return when, n_visits


@pytest.mark.parametrize("in_series", [False, True])
@pytest.mark.parametrize("name", STACKS)
def test_each_sample_is_visited_once_after_all_that_it_looks_at(name, in_series):
    planes = Planes(STACKS[name], in_series)
    when, n_visits = visits(planes)
    assert n_visits.sum() == sum(stack.n_samples for stack in planes.stacks)
    assert n_visits.max() == 1
    around = [*NEIGHBOURS, (0, 0)]
    for number, stack in enumerate(planes.stacks):
        times = planes.images(when, number)
        assert times.min() >= 0
        assert times.shape == (*stack[:1], stack.channels, stack.height, stack.width)
        for (image, channel, y, x), time in np.ndenumerate(times):
            seen = [(image, channel, y + dy, x + dx) for dy, dx in around[:-1]]
            seen += [
                (image, c, y + a, x + b) for c in range(channel) for a, b in _AROUND
            ]
            if in_series and image:
                seen += [(image - 1, channel, y + a, x + b) for a, b in _AROUND]
            for i, c, row, column in seen:
                # To the right of a row its last number is repeated, below is the last.
                row = min(row, stack.height - 1)
                column = min(column, stack.width - 1)
                if row >= 0 and column >= 0:
                    is_same = (i, c, row, column) == (image, channel, y, x)
                    assert is_same or times[i, c, row, column] < time
                if row > 0 and column < 0:
                    assert times[i, c, row - 1, 0] < time


@pytest.mark.parametrize("in_series", [False, True])
@pytest.mark.parametrize("name", STACKS)
def test_counts_are_those_of_the_samples_of_each_step(name, in_series):
    planes = Planes(STACKS[name], in_series)
    n_stacks, places = len(planes.stacks), np.full((2, planes.size), -1)
    for number, stack in enumerate(planes.stacks):
        planes._with_margins(places[0], number)[:] = number
        channels = np.arange(stack.channels)[:, np.newaxis, np.newaxis]
        planes._with_margins(places[1], number)[:] = channels
    counts = []
    for step in range(planes.lanes.n_steps):
        samples = planes.lanes.samples(step)
        stacks, channels = places[:, samples.at]
        # Channel by channel, and in a channel stack by stack.
        assert (np.diff(channels * n_stacks + stacks) >= 0).all()
        counts.append(np.zeros((planes.n_channels, n_stacks), int))
        np.add.at(counts[-1], (channels, stacks), 1)
        for channel, of_channel in enumerate(samples.of_channels):
            assert (channels[of_channel] == channel).all()
            assert of_channel.stop - of_channel.start == counts[-1][channel].sum()
    np.testing.assert_array_equal(planes.lanes.counts, counts)


@pytest.mark.parametrize("name", STACKS)
def test_margins_filled_at_once_are_those_filled_bit_by_bit(name, rng):
    planes = Planes(STACKS[name])
    canvases = np.full((2, planes.size), -1, np.float32)
    images = [
        rng.integers(1, 255, (s.n_images, s.channels, s.height, s.width))
        for s in planes.stacks
    ]
    whole = canvas_of(planes, images)
    for canvas in (canvases[0], canvases[1], whole):
        for number, stack in enumerate(planes.stacks):
            planes.start(canvas, number, range(stack.channels))
    planes.surround(whole)
    for step in range(planes.lanes.n_steps):
        samples = planes.lanes.samples(step)
        numbers = whole[samples.at]
        planes.lanes.fill(canvases, samples, np.stack([numbers, numbers]))
    np.testing.assert_array_equal(canvases[0], canvases[1])
    for number in range(len(planes.stacks)):
        np.testing.assert_array_equal(planes.images(whole, number), images[number])
        bit_by_bit, at_once = (
            planes._with_margins(canvas, number) for canvas in (canvases[0], whole)
        )
        # Below, nothing is looked at further than one place away.
        np.testing.assert_array_equal(bit_by_bit[:, :, :-1], at_once[:, :, :-1])
        seen = slice(REACH - 1, 1 - REACH)
        np.testing.assert_array_equal(
            bit_by_bit[:, :, -1, seen], at_once[:, :, -1, seen]
        )


def test_samples_are_drawn_with_equal_probability(rng):
    planes = Planes([Stack(2, 3, 5, 2), Stack(1, 4, 1, 2)])
    lanes = planes.lanes
    steps = [lanes.samples(step) for step in range(lanes.n_steps)]
    for channel in range(2):
        drawn = lanes.draw(34 * 2000, channel, rng)
        assert drawn.of_channels[channel] == slice(0, 34 * 2000)
        places = np.concatenate([s.at[s.of_channels[channel]] for s in steps])
        counts = np.bincount(drawn.at, minlength=planes.size)
        assert counts.sum() == counts[places].sum()
        # Five standard deviations.
        assert (abs(counts[places] - 2000) < 5 * np.sqrt(2000)).all()
        begins = drawn.at - lanes.columns(drawn)
        np.testing.assert_array_equal(begins, lanes._begins[drawn.lanes])


# Contexts.


#: The mean of images that are not aligned.
NO_MEAN = np.empty((0, 0), np.uint16)


def filled_walk(images, in_series=False, means=None):
    """Walk through images by predictors that are fitted to them."""
    limits = same_limits(images, 0, max(map(np.max, images)))
    means = [NO_MEAN] * images[0].shape[1] if means is None else means
    rng = np.random.default_rng(0)
    return _pixel_training._filled(images, limits, means, in_series, 0, rng)


@pytest.mark.parametrize("in_series", [False, True])
def test_linear_predictions_are_those_of_the_formula(in_series, rng):
    images = [walks((9, 12), rng, 2, 3), walks((5, 6), rng, 2, 1)]
    walk = filled_walk(images, in_series=in_series)
    lanes = walk.planes.lanes
    for channel, predictors in enumerate(walk.context.predictors):
        samples = lanes.draw(200, channel, rng)
        known = walk.context.look(samples, again=True)
        weights = predictors.linear / 2**WEIGHT_BITS
        values = walk.values.astype(float)
        strides = lanes.strides_of(samples)
        seen = [values[samples.at + dy * strides + dx] for dy, dx in NEIGHBOURS]
        level = np.mean(seen[:4], axis=0)
        near = np.abs(np.array(seen) - level)
        scale = (near[:4].mean(axis=0) + near.mean(axis=0)) / 2 + 0.35
        differences = list(np.array(seen) - level)
        at = [lanes.channel_before(samples, back + 1) for back in range(channel)]
        is_known = np.ones((in_series + channel, 200))
        if in_series:
            previous, is_known[0] = lanes.previous(samples)
            at.insert(0, previous)
        for place, exists in zip(at, is_known, strict=True):
            around = np.array([values[place + y * strides + x] for y, x in _AROUND])
            mean = around[3:7].mean(axis=0)
            differences += [*((around - mean) * exists), (mean - level) * exists]
        whole = np.rint(np.clip(np.array(differences) / scale * UNIT, -MOST, MOST))
        np.testing.assert_allclose(known.level, level)
        np.testing.assert_allclose(known.scale, scale, rtol=1e-6)
        # Numbers may be rounded to the other side.
        expected = weights @ whole / UNIT
        np.testing.assert_allclose(known.linear, expected, atol=0.003)
        assert np.median(abs(known.linear - expected)) < 1e-5


@pytest.mark.parametrize("is_aligned", [False, True])
def test_all_inputs_of_networks_are_whole_and_small(is_aligned, rng):
    images = [walks((12, 9), rng, 3, 2, 60_000), walks((4, 4), rng, 3, 1, 60_000)]
    images[0][:, :, 5:] = rng.integers(0, 2, images[0][:, :, 5:].shape) * 60_000
    means = rng.integers(0, 2**16, (3, 5, 6)).astype(np.uint16) if is_aligned else None
    walk = filled_walk(images, in_series=True, means=means)
    for channel, predictors in enumerate(walk.context.predictors):
        samples = walk.planes.lanes.draw(500, channel, rng)
        inputs = walk.context.look(samples, again=True).inputs
        assert predictors.n_inputs == len(inputs) - 10 * (2 - channel)
        np.testing.assert_array_equal(inputs, np.rint(inputs))
        assert abs(inputs).max() <= MOST


def difficult_images(name):
    """Images that make least squares ill-conditioned."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:40, :40]
    return {
        "constant": np.full((2, 3, 9, 9), 7),
        "a slope": np.stack([np.stack([x + y, 2 * x, 3 * y])] * 2),
        "smooth": np.rint(3e4 + 3e4 * np.sin([[x / 5 + y / 7, x / 9, y / 4]])),
        "channels alike": np.repeat(walks((20, 20), rng), 3, axis=1),
        "stripes": np.broadcast_to(255 * (x % 2), (2, 3, 40, 40)),
        "noise": rng.integers(0, 65536, (2, 3, 20, 20)),
        "few samples": rng.integers(0, 20, (2, 3, 2, 2)),
        "few samples of 6": rng.integers(0, 20, (2, 6, 6, 6)),
        "one pixel": rng.integers(0, 20, (1, 3, 1, 1)),
    }[name].astype(int)


@pytest.mark.parametrize("in_series", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        *("constant", "a slope", "smooth", "channels alike", "stripes", "noise"),
        *("few samples", "few samples of 6", "one pixel"),
    ],
)
def test_sums_of_fitted_predictions_are_exact_in_single_precision(name, in_series):
    walk = filled_walk([difficult_images(name)], in_series=in_series)
    for predictors in walk.context.predictors:
        assert np.isfinite(predictors.rate)
        check_sums(predictors.matrix(), MOST)


def test_sums_that_may_be_too_large_are_refused():
    weights = np.array([[MOST_SUM // 10, 1], [-(MOST_SUM // 10), 0]])
    check_sums(weights, 9)
    with pytest.raises(ValueError, match=r"may reach \d+"):
        check_sums(weights, 10)
    with pytest.raises(ValueError, match="may reach"):
        check_sums(weights, 9, np.array([0, MOST_SUM]))


def seen_on_the_way(images, predictors, unknown):
    """Walk through images; return what is known of samples before they are coded.

    What is not known yet is set to a number that must not matter.
    """
    limits = same_limits(images, 0, 255)
    stacks = [Stack(len(x), *x.shape[2:], x.shape[1]) for x in images]
    walk = Walk(stacks, limits, [[3, 4]] * len(images), predictors, in_series=False)
    walk.values[walk.values == 0] = unknown
    originals, seen = canvas_of(walk.planes, images), []

    def code(step, samples, known):
        seen.append(known)
        return originals[samples.at]

    walk.run(code)
    return seen


def test_nothing_known_of_a_sample_depends_on_what_comes_later(rng):
    images = [walks((7, 8), rng, 2, 2), walks((1, 9), rng, 2, 1)]
    predictors = filled_walk(images).context.predictors
    seen = [seen_on_the_way(images, predictors, unknown) for unknown in (0, 77)]
    assert len(seen[0]) > 30
    for first, second in zip(*seen, strict=True):
        for x, y in zip(first, second, strict=True):
            np.testing.assert_array_equal(x, y)


# Mixtures.


@st.composite
def mixtures(draw):
    """Distributions of any kind, as a network might say, and worse."""
    n = draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_logistic, n_points = draw(st.integers(1, 3)), draw(st.integers(0, 5))
    n_values = draw(st.sampled_from([1, 2, 3, 17, 256, 4096, 65_536]))
    low = draw(st.sampled_from([0, -65_535, 12]))
    max_error = draw(st.integers(0, 4))
    far = draw(st.sampled_from([1, 3, 1e4]))
    lows = np.full(n, low, np.float32)
    highs = (low + rng.integers((n_values + 1) // 2, n_values + 1, n) - 1).astype("f4")
    centre = (low + n_values * far * rng.normal(0.5, 0.5, n)).astype(np.float32)
    cells = Cells.around(centre, lows, highs, max_error)
    scale = np.float32(0.35) + (n_values * rng.random(n) ** 9).astype(np.float32)
    logits = 100 * rng.normal(size=(n_logistic + n_points, n))
    shifts = far * rng.normal(size=(n_logistic, n))
    octaves = draw(st.sampled_from([1, 100])) * rng.normal(size=(n_logistic, n))
    outputs = np.concatenate([logits, shifts, octaves]).astype(np.float32)
    points = rng.integers(low, low + n_values, (n_points, n)).astype(np.float32)
    return Mixture.of_outputs(outputs, n_logistic, centre, scale, points, cells)


def cells_and_neighbours(mixture, rng):
    """Cells at the ends, some from everywhere, and those after them."""
    n = mixture.cells.n
    some = np.floor(rng.random((40, len(n))) * n)
    return np.clip(np.vstack([some, 0 * n, n - 1]), 0, n - 1).astype(np.float32)


@given(mixtures(), st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_each_cell_has_a_slot_or_more_and_all_cells_have_all_slots(mixture, seed):
    rng, n = np.random.default_rng(seed), mixture.cells.n
    cells = np.sort(cells_and_neighbours(mixture, rng), axis=0)
    starts, frequencies = mixture.intervals(cells)
    assert (frequencies >= 1).all()
    assert (mixture.below(np.zeros_like(n)) == 0).all()
    assert (mixture.below(n) == N_SLOTS).all()
    # Each of the cells in between has one, too.
    assert (np.diff(starts, axis=0) >= np.diff(cells, axis=0)).all()
    np.testing.assert_array_equal(starts, np.rint(starts))


@given(mixtures(), st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_the_cell_that_is_found_is_that_whose_interval_has_the_slot(mixture, seed):
    rng = np.random.default_rng(seed)
    for cells in cells_and_neighbours(mixture, rng)[::6]:
        starts, frequencies = mixture.intervals(cells)
        for slots in (starts, starts + frequencies - 1):
            found = mixture.find(slots.astype(np.int64))
            for x, y in zip(found, (cells, starts, frequencies), strict=True):
                np.testing.assert_array_equal(x, y)
    for slots in rng.integers(N_SLOTS, size=(5, len(mixture.cells.n))):
        found, starts, frequencies = mixture.find(slots)
        assert (starts <= slots).all()
        assert (slots < starts + frequencies).all()
        for x, y in zip(mixture.intervals(found), (starts, frequencies), strict=True):
            np.testing.assert_array_equal(x, y)


@given(mixtures(), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_a_distribution_is_the_same_beside_any_others(mixture, seed):
    rng = np.random.default_rng(seed)
    cells = cells_and_neighbours(mixture, rng)
    chosen = rng.integers(len(mixture.cells.n), size=4)
    some = mixture.take(chosen)
    np.testing.assert_array_equal(
        some.below(cells[:, chosen]), mixture.below(cells)[:, chosen]
    )


def test_probabilities_are_those_of_logistic_distributions(rng):
    n = 50
    lows, highs = np.zeros(n, np.float32), np.full(n, 255, np.float32)
    centres = rng.uniform(-10, 265, (2, n)).astype(np.float32)
    widths = rng.uniform(0.3, 40, (2, n)).astype(np.float32)
    shares = rng.dirichlet([1, 1, 1], n).T.astype(np.float32)
    points = rng.integers(0, 256, (1, n)).astype(np.float32)
    cells = Cells.around(lows, lows, highs, 0)
    per_width = PER_UNIT / widths
    mixture = Mixture(shares, centres, per_width, points, cells)
    values = np.arange(256, dtype=np.float32)[:, np.newaxis]
    _, frequencies = mixture.intervals(np.broadcast_to(values, (256, n)))

    def below(bound):
        z = (bound[:, np.newaxis] - centres) / widths
        return 1 / (1 + np.exp(-z.astype(float)))

    inside = below(values + 0.5) - below(values - 0.5)
    inside[0], inside[-1] = below(values[:1] + 0.5), 1 - below(values[-1:] - 0.5)
    expected = (shares[:2] * inside).sum(axis=1) + shares[2] * (points == values)
    np.testing.assert_allclose(frequencies / N_SLOTS, expected, atol=3e-4)


@given(
    st.integers(1, 65_536), st.integers(0, 9), st.floats(-1e9, 1e9), st.integers(0, 99)
)
@settings(max_examples=200, deadline=None)
def test_each_value_is_in_a_cell_whose_value_is_near(n_values, error, centre, seed):
    rng = np.random.default_rng(seed)
    values = np.array([0, n_values - 1, *rng.integers(n_values, size=20)], np.float32)
    low, high = np.zeros_like(values), np.full_like(values, n_values - 1)
    cells = Cells.around(np.full_like(values, centre), low, high, error)
    numbers = cells.of(values)
    assert ((numbers >= 0) & (numbers < cells.n)).all()
    assert (abs(cells.values(numbers) - values) <= error).all()
    assert (cells.values(numbers) >= 0).all()
    assert (cells.values(numbers) < n_values).all()
    # No more cells than needed, but for one that the prediction cuts in two.
    assert (cells.n <= -(-n_values // (2 * error + 1)) + 1).all()


def numbers_of_tables():
    """What tables hold before it is rounded, to 60 digits."""
    getcontext().prec = 60
    z = range(1 - 12 * PER_UNIT, 12 * PER_UNIT)
    folds = range(len(_mixture._SHARES))
    octaves = _mixture._OCTAVES.tolist()
    return {
        "logistic": [2**24 / (1 + (Decimal(-i) / PER_UNIT).exp()) for i in z],
        "shares": [2**15 * (Decimal(-i) / _mixture.PER_FOLD).exp() for i in folds],
        "narrowings": [2 ** (20 - Decimal(i) / _mixture.PER_OCTAVE) for i in octaves],
        "widths": [16 * 2 ** (Decimal(i) / 4) for i in range(256)],
    }


TABLES = {
    "logistic": _mixture._LOGISTIC[1:] * 2.0**24,
    "shares": _mixture._SHARES,
    "narrowings": _mixture._NARROWINGS * 2.0**20,
}


def distance_from_tie(number):
    """How far a number is from one that might be rounded up as well as down."""
    return float(abs(number % 1 - Decimal("0.5")) / number) if number % 1 else 1.0


@pytest.mark.parametrize("name", ["logistic", "shares", "narrowings", "widths"])
def test_tables_are_rounded_alike_on_all_machines(name):
    for place, number in enumerate(numbers_of_tables()[name]):
        # Functions of double precision are off by some of 2**-52. Then numbers are
        # rounded once more, to 24 bits, so large ones may be off by one before.
        of_24_bits = number * Decimal(2) ** (24 - int(number).bit_length())
        assert distance_from_tie(number) > 1e-13 or distance_from_tie(
            of_24_bits
        ) > 1e-13 + 1 / float(number)
        if name in TABLES:
            expected = np.float32(int(number.to_integral_value()))
            assert TABLES[name][place] == expected


# Training.


def random_values(rng, n=40, n_points=6):
    """Samples of all kinds: at the ends, alone, far from the prediction, and hits."""
    is_first, is_last = rng.random((2, n)) < 0.2
    return _logistic.Values(
        rng.normal(0, 3, n),
        rng.uniform(0.01, 1, n),
        is_first,
        is_last,
        (rng.random((n_points, n)) < 0.2).astype(float),
    )


def test_slopes_of_the_bits_are_those_of_finite_differences(rng):
    values = random_values(rng)
    assert (values.is_first & values.is_last).any()
    assert (values.is_first & ~values.is_last).any()
    n_outputs = 6 + 3 * _logistic.N_LOGISTIC
    outputs = rng.normal(size=(n_outputs, 40))
    _, slopes = _logistic.bits_and_slopes(outputs, values)
    step = 1e-5
    for row in range(n_outputs):
        for column in range(40):
            ends = []
            for sign in (1, -1):
                moved = outputs.copy()
                moved[row, column] += sign * step
                ends.append(_logistic.bits_and_slopes(moved, values)[0])
            expected = (ends[0] - ends[1]) / (2 * step)
            # Slopes are those of natural logarithms.
            slope = slopes[row, column] / np.log(2)
            assert slope == pytest.approx(expected, rel=1e-4, abs=1e-8)


def test_bits_are_those_that_the_coder_takes(rng):
    """What training makes small is what coding costs."""
    images = [walks((30, 30), rng, n=4)]
    limits = same_limits(images, 0, 255)
    networks, told = fit_networks(images, limits, training=TINY, n_pixels=10**9)
    (coded,) = encode_stacks(networks, images, limits)
    assert coded.n_bits.sum() / images[0].size == pytest.approx(told, rel=0.02)
    assert 8 * len(coded.data) / coded.n_bits.sum() == pytest.approx(1, abs=0.02)


def test_the_same_seed_trains_the_same_networks(rng):
    images = [walks((12, 12), rng, 2)]
    limits = same_limits(images, 0, 255)
    first, second, other = (
        PixelModel.fit(images, limits, training=TINY, random_state=seed).packed
        for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


# Bytes of networks.


@pytest.fixture(scope="module")
def trained():
    rng = np.random.default_rng(0)
    images = [walks((24, 24), rng, 2, 3), walks((9, 5), rng, 2, 2)]
    points = np.array([0, 40, 255])
    networks, _ = fit_networks(
        images,
        same_limits(images, 0, 255),
        training=TINY,
        points=points,
        in_series=True,
    )
    return images, networks


def arrays_of(network):
    predictors = network.predictors
    return [
        *(predictors.linear, predictors.first, predictors.spread, predictors.rate),
        predictors.mean,
        *(*network.weights, *network.biases, *network.shifts, network.points),
    ]


def test_networks_come_back_from_their_bytes_exactly(trained):
    _, networks = trained
    data = b"".join(map(pack_network, networks))
    reader = ByteReader(data)
    for network in networks:
        again = read_network(reader)
        for x, y in zip(arrays_of(network), arrays_of(again), strict=True):
            np.testing.assert_array_equal(x, y)
            assert np.asarray(x).dtype == np.asarray(y).dtype
        assert pack_network(again) == pack_network(network)
    reader.finish()


@pytest.mark.parametrize("n_references", [0, 3, 8])
@pytest.mark.parametrize("seed", range(4))
def test_networks_of_any_whole_numbers_come_back_exactly(trained, n_references, seed):
    rng = np.random.default_rng(seed)
    n = n_adaptive(n_references)
    spread = rng.integers(-9, 10, (n, n))
    predictors = Predictors(
        rng.integers(-9, 10, n_neighbours(n_references)).astype(np.int16),
        rng.integers(-(2**15), 2**15, n).astype(np.int16),
        (spread + spread.T).astype(np.int16),
        float(np.float32(rng.random())),
        rng.integers(0, 2**16, (seed, 2 * seed)).astype(np.uint16),
    )
    sizes = [predictors.n_inputs, 3, 1, 9 + 4 + 2]
    weights = [
        rng.integers(-(2**seed), 2**seed, (n_out, n_in)).astype(np.int16)
        for n_in, n_out in pairwise(sizes)
    ]
    biases = [rng.integers(-(2**20), 2**20, len(w)).astype(np.int32) for w in weights]
    shifts = [rng.integers(0, 25, len(w)).astype(np.uint8) for w in weights]
    points = np.array([65_535, -65_535], np.int32)
    network = type(trained[1][0])(predictors, weights, biases, shifts, points)
    again = read_network(ByteReader(pack_network(network)))
    for x, y in zip(arrays_of(network), arrays_of(again), strict=True):
        np.testing.assert_array_equal(x, y)


def test_damaged_networks_are_refused_or_are_networks(trained, rng):
    data = pack_network(trained[1][0])
    n_refused = 0
    for length in range(0, len(data), 7):
        with pytest.raises(BitstreamError):
            read_network(ByteReader(data[:length]))
    for _ in range(400):
        try:
            network = read_network(ByteReader(damage(data, rng)))
        except BitstreamError:
            n_refused += 1
        else:
            assert np.isfinite(network.predictors.rate)
    assert n_refused > 200


@pytest.mark.parametrize("rate", [np.nan, np.inf, 1e38])
def test_rates_that_no_training_makes_are_refused(trained, rate):
    network = trained[1][0]
    predictors = replace(network.predictors, rate=rate)
    with pytest.raises(BitstreamError):
        read_network(ByteReader(pack_network(replace(network, predictors=predictors))))


def test_networks_whose_sums_are_too_large_are_refused(trained):
    network = trained[1][1]
    weights = [network.weights[0].copy(), *network.weights[1:]]
    weights[0][3] = 2**14 - 1
    with pytest.raises(BitstreamError, match=r"may reach \d+, and would not be exact"):
        read_network(ByteReader(pack_network(replace(network, weights=weights))))
    predictors = network.predictors
    for name in ("linear", "spread"):
        large = np.full_like(getattr(predictors, name), 2**15 - 1)
        changed = replace(network, predictors=replace(predictors, **{name: large}))
        with pytest.raises(BitstreamError, match="may reach"):
            read_network(ByteReader(pack_network(changed)))


def test_models_of_networks_that_do_not_go_together_are_refused(trained):
    first, second = trained[1]
    PixelModel.of([first, second], in_series=True)._check_stored()
    few = replace(second, points=second.points[:2])
    mean = np.ones((2, 2), np.uint16)
    aligned = replace(second, predictors=replace(second.predictors, mean=mean))
    for other in (few, aligned):
        with pytest.raises(ValueError, match="differ in"):
            PixelModel.of([first, other], in_series=True)._check_stored()
    for networks, in_series in (([second, first], True), ([first, second], False)):
        with pytest.raises(ValueError, match="Channel 0 goes by 1 before it"):
            PixelModel.of(networks, in_series)._check_stored()
    with pytest.raises(ValueError, match="There are no networks"):
        PixelModel.of([], in_series=False)._check_stored()


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((9, 0, 1, 20), "layers"),
        ((0, 2000, 1, 20), "2000 points"),
        ((0, 0, 9, 20), "9 layers"),
        ((0, 0, 0, 20), "0 layers"),
        ((0, 0, 1, 2**40), "units"),
        ((0, 0, 1, 0), "units"),
    ],
)
def test_claims_of_huge_networks_are_refused_at_once(numbers, message):
    with pytest.raises(BitstreamError, match=message):
        read_network(ByteReader(b"".join(map(leb128, numbers)) + bytes(100)))


# Models.


@pytest.mark.parametrize("max_error", [0, 2])
@pytest.mark.parametrize("in_series", [False, True])
def test_stacks_come_back_within_the_bound(max_error, in_series, rng):
    images = [walks((13, 9), rng, 2, 3), walks((2, 20), rng, 2, 1)]
    limits = same_limits(images, 0, 255)
    model = PixelModel.fit(
        images, limits, training=TINY, in_series=in_series, max_error=max_error
    )
    coded = model.encode(images, limits, max_error)
    stacks = [Stack(3, 13, 9, 2), Stack(1, 2, 20, 2)]
    data = [stack.data for stack in coded]
    decoded = model.decode(data, stacks, limits, max_error)
    first = (model.decode(data[:1], stacks[:1], limits, max_error))[0]
    np.testing.assert_array_equal(first, decoded[0])
    for before, after, stack in zip(images, decoded, coded, strict=True):
        assert abs(before - after).max() <= max_error
        np.testing.assert_array_equal(after, stack.images)
    ends = [len(images[0]), sum(map(len, images))]
    n_bits = model.bits(images, limits, max_error)
    for bits, stack in zip(np.split(n_bits, ends[:1]), coded, strict=True):
        assert 8 * len(stack.data) == pytest.approx(bits.sum(), abs=8 * 16)


def test_images_like_the_one_before_cost_less_in_series(rng):
    image = rng.integers(0, 255, (1, 1, 16, 16))
    images = [np.repeat(image, 6, axis=0)]
    limits = same_limits(images, 0, 255)
    bits = [
        PixelModel.fit(images, limits, training=TINY, in_series=in_series)
        .bits(images, limits)
        .round()
        for in_series in (False, True)
    ]
    assert bits[1][1:].sum() < 0.8 * bits[0][1:].sum()


def test_stacks_whose_first_values_are_out_of_range_are_refused(trained):
    images, networks = trained
    stacks = [Stack(3, 24, 24, 2)]
    limits = same_limits(images[:1], 0, 255)
    with pytest.raises(BitstreamError, match="begin with"):
        decode_stacks(networks, [leb128(256) * 2 + bytes(9)], stacks, limits, True)
