"""HuffmanCoder: any rows of numbers come back, and common values make them short."""

import pickle

import numpy as np
import pytest
from codec_checks import check_codec, damage
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import KBinsDiscretizer

from sklearn_dae import HuffmanCoder
from sklearn_dae.coding._huffman import HuffmanCode
from sklearn_dae.exceptions import BitstreamError

DTYPES = [np.uint8, np.int16, np.int64, np.uint64, np.float32, np.float64]


def rows(dtype):
    """Rows of few or of many distinct values."""
    if np.dtype(dtype).kind == "f":
        width = 8 * np.dtype(dtype).itemsize
        values = st.floats(width=width, allow_nan=False, allow_infinity=False)
    else:
        info = np.iinfo(dtype)
        values = st.integers(int(info.min), int(info.max))
    shapes = array_shapes(min_dims=2, max_dims=2, max_side=12)
    return arrays(dtype, shapes, elements=st.one_of(st.sampled_from([0, 1]), values))


@settings(max_examples=120, deadline=None)
@given(data=st.data(), dtype=st.sampled_from(DTYPES))
def test_rows_that_were_and_were_not_seen_come_back(data, dtype):
    seen, new = data.draw(rows(dtype)), data.draw(rows(dtype))
    coder = HuffmanCoder().fit(seen)
    for X in (seen, np.resize(new, (len(new), seen.shape[1]))):
        coded = check_codec(coder.encode, coder.decode, X)
        assert coder.decode(coded).dtype == dtype
        lengths = coder.bits(X)
        assert [len(row) for row in coded] == (-(-lengths // 8)).tolist()
        assert lengths.max() <= 1 + 8 * X[0].nbytes
        padded = coder.transform(X)
        assert padded.shape == (len(X), coder.get_feature_names_out().size)
        np.testing.assert_array_equal(coder.inverse_transform(padded), X)


def test_words_are_as_long_as_those_of_a_huffman_code(digits):
    digits = digits.astype(np.uint8)
    coder = HuffmanCoder(handle_unknown="error").fit(digits)
    code = HuffmanCode(np.arange(17), np.bincount(digits.ravel()))
    np.testing.assert_array_equal(coder.values_, range(17))
    n_bits = code.lengths[digits].sum()
    assert coder.mean_bits_ == pytest.approx((n_bits + len(digits)) / digits.size)
    assert coder.score(digits) == -coder.mean_bits_


def test_an_escape_word_costs_little_where_it_is_not_used(digits):
    with_escape, without = (
        HuffmanCoder(handle_unknown).fit(digits).mean_bits_
        for handle_unknown in ("escape", "error")
    )
    assert without <= with_escape < 1.01 * without


def test_values_that_were_not_seen_are_coded_or_refused():
    X = np.array([[1, 2, 1, 1]])
    new = np.array([[1, 1, 1, 9]])
    coder = HuffmanCoder().fit(X)
    assert coder.bits(new)[0] == 1 + 3 * 1 + 2 + 64
    np.testing.assert_array_equal(coder.decode(coder.encode(new)), new)
    strict = HuffmanCoder(handle_unknown="error").fit(X)
    with pytest.raises(ValueError, match=r'value 9, which was not seen.*"escape"'):
        strict.transform(new)


def test_rows_are_never_longer_than_their_values_and_a_bit(rng):
    coder = HuffmanCoder().fit(np.zeros((1, 100), np.uint8))
    noise = rng.integers(1, 256, (5, 100)).astype(np.uint8)
    assert coder.bits(noise).tolist() == [801] * 5
    np.testing.assert_array_equal(coder.decode(coder.encode(noise)), noise)


@pytest.mark.parametrize(
    ("dtype", "X", "value"),
    [
        (np.uint8, [[256]], "256"),
        (np.uint8, [[0.5]], "0.5"),
        (np.uint64, [[-1]], "-1"),
        (np.int64, np.array([[2**63]], np.uint64), "9223372036854775808"),
        (np.float64, [[2**53 + 1]], "9007199254740993"),
        (np.float32, [[0.1]], "0.1"),
    ],
)
def test_values_that_the_dtype_cannot_hold_are_refused(dtype, X, value):
    coder = HuffmanCoder().fit(np.zeros((1, 1), dtype))
    with pytest.raises(ValueError, match=f"value {value}, which {np.dtype(dtype)}"):
        coder.transform(X)


def test_frequencies_too_uneven_for_short_words_are_evened_out():
    # A code of Fibonacci numbers has a word a bit longer than the last each.
    counts = [1, 1]
    while len(counts) < 34:
        counts.append(counts[-1] + counts[-2])
    X = np.repeat(np.arange(34, dtype=np.uint8), counts).reshape(-1, 1)
    coder = HuffmanCoder().fit(X)
    assert coder.word_lengths_.max() <= 31
    values = np.arange(34).reshape(-1, 1)
    np.testing.assert_array_equal(coder.decode(coder.encode(values)), values)


def test_bytes_are_those_of_the_format():
    X = np.array([[3, 3, -1, 3], [7, 3, 3, 3]], np.int16)
    coder = HuffmanCoder().fit(X)
    X = np.vstack([X, [[3, 3, 3, 258]], [[256, 257, 258, -2]]])
    assert [row.hex() for row in coder.encode(X)] == [
        "18",
        "70",
        "080804",
        "800080808100ff7f80",
    ]
    np.testing.assert_array_equal(coder.decode(coder.encode(X)), X)


def test_damaged_rows_are_refused_or_decode_to_rows(rng):
    coder = HuffmanCoder().fit(rng.poisson(2, (50, 30)).astype(np.int16))
    row = coder.encode(rng.poisson(3, (1, 30)))[0]
    n_refused = 0
    for _ in range(1000):
        try:
            X = coder.decode([damage(row, rng)])
        except BitstreamError:
            n_refused += 1
        else:
            assert X.shape == (1, 30)
    assert n_refused > 300


def test_coded_rows_of_another_shape_or_range_are_refused():
    coder = HuffmanCoder().fit(np.arange(6, dtype=np.uint8).reshape(2, 3))
    coded = coder.transform([[0, 1, 2]])
    with pytest.raises(ValueError, match="X has 3 columns, expected the 4"):
        coder.inverse_transform(coded[:, :-1])
    for wrong in (coded + 256.0, coded - 1.0, coded + 0.5):
        with pytest.raises(BitstreamError, match="whole bytes"):
            coder.inverse_transform(wrong)
    with pytest.raises(BitstreamError, match="Row 0 has 0 words, expected 3"):
        coder.decode([b""])


def test_coder_ends_a_pipeline_and_is_ranked_by_a_grid_search(digits):
    X = digits[:, digits.std(axis=0) > 1]
    bins = KBinsDiscretizer(2, encode="ordinal", strategy="uniform")
    search = GridSearchCV(
        Pipeline([("quantise", bins), ("code", HuffmanCoder())]),
        {"quantise__n_bins": [8, 2, 4]},
        cv=3,
    ).fit(X)
    assert search.best_params_ == {"quantise__n_bins": 2}
    assert -1.5 < search.best_score_ < -0.9
    pipeline = search.best_estimator_
    np.testing.assert_array_equal(
        pipeline.inverse_transform(pipeline.transform(X)),
        bins.inverse_transform(bins.fit_transform(X)),
    )


def test_a_pickled_coder_writes_the_same_bytes(digits):
    coder = HuffmanCoder().fit(digits)
    restored = pickle.loads(pickle.dumps(coder))
    assert restored.encode(digits[:9]) == coder.encode(digits[:9])
