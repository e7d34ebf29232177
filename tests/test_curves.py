"""Measurements of codecs, curves of them, and what is read off curves."""

import csv
import json
import math
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator
from sklearn.decomposition import PCA

from sklearn_dae.codecs import HuffmanCodec, PillowCodec, TransformCodec
from sklearn_dae.datasets import load_digits
from sklearn_dae.evaluation import (
    Measurement,
    RateDistortionCurve,
    bd_psnr,
    bd_rate,
    bytes_at_psnr,
    measure,
    psnr,
    psnr_at_bytes,
    rate_distortion_curve,
    squared_error_per_image,
    write_csv,
)


@pytest.fixture(scope="module")
def digits():
    """Training and test images, from 0 to 16."""
    X = load_digits().data
    return X[:1500], X[1500:]


@pytest.fixture(scope="module")
def pca_curve(digits):
    training, test = digits
    return rate_distortion_curve(
        TransformCodec(PCA(24)),
        test,
        param_name="target_psnr",
        param_range=[60, 36, 39, 42, 45],
        X_train=training,
        name="PCA",
    )


def curve_of(rates, psnrs, name="codec"):
    """A curve through given points, of 1,000 images."""
    points = [
        Measurement(name, {}, 1000, 64, round(1000 * rate), mse=10 ** (-quality / 10))
        for rate, quality in zip(rates, psnrs, strict=True)
    ]
    return RateDistortionCurve(name, tuple(points))


def test_a_measurement_is_of_real_bytes_and_real_images(digits):
    training, test = digits
    codec = PillowCodec("jpeg", quality=40).fit(training)
    point = measure(codec, test, pixel_range=(0, 16), setting={"quality": 40})
    data = codec.encode(test)
    restored = codec.decode(data)
    assert point.n_bytes == len(data)
    assert point.codec == "PillowCodec"
    assert point.bits_per_pixel == pytest.approx(8 * len(data) / test.size)
    assert point.psnr == pytest.approx(psnr(test, restored, (0, 16)))
    error = squared_error_per_image(test, restored, (0, 16))
    assert point.squared_error_per_image == pytest.approx(error)
    difference = np.abs(test.astype(float) - restored) / 16
    assert point.largest_error == difference.max()
    each = np.square(difference).mean(axis=1)
    assert point.worst_image == each.argmax()
    assert point.worst_psnr == pytest.approx(-10 * np.log10(each.max()))
    assert point.psnr_percentiles["50"] == pytest.approx(
        -10 * np.log10(np.median(each))
    )
    assert point.psnr_percentiles["1"] < point.psnr_percentiles["99"]
    assert 80 < point.model_bytes < 120
    assert point.ssim is None  # the window is larger than 8 x 8 pixels
    assert not point.is_lossless


def test_a_lossless_measurement_survives_json(digits):
    training, test = digits
    point = measure(HuffmanCodec().fit(training), test)
    assert point.is_lossless
    assert math.isinf(point.psnr)
    text = json.dumps(point.to_dict(), allow_nan=False)
    assert Measurement(**json.loads(text)) == point


def test_no_image_cannot_be_measured(digits):
    training, test = digits
    codec = HuffmanCodec().fit(training)
    with pytest.raises(ValueError, match="no image"):
        measure(codec, test[:0])
    with pytest.raises(ValueError, match="low < high"):
        measure(codec, test, pixel_range=(16, 0))


def test_a_curve_has_a_point_for_each_value(pca_curve):
    targets = [point.setting["target_psnr"] for point in pca_curve.points]
    assert targets == [60, 36, 39, 42, 45]
    assert "give the transformer more components" in pca_curve.points[0].error
    # The codec counts in units of bytes, the curve in those of 0 to 16.
    offset = 20 * np.log10(255 / 16)
    wanted = np.array([36, 39, 42, 45]) - offset
    assert np.abs(pca_curve.psnr - wanted).max() < 0.7
    assert (np.diff(pca_curve.bytes_per_image) > 0).all()


def test_a_setting_that_fails_says_why_and_the_others_go_on(digits):
    training, test = digits
    curve = rate_distortion_curve(
        PillowCodec("jpeg"),
        test,
        param_name="quality",
        param_range=[20, 1000],
        X_train=training,
    )
    assert len(curve) == 1
    assert curve.points[0].error is None
    assert curve.points[1].error.startswith("ValueError: quality == 1000")
    assert math.isnan(curve.points[1].mse)


def test_an_unknown_parameter_is_an_error(digits):
    with pytest.raises(ValueError, match="Invalid parameter 'size'"):
        rate_distortion_curve(
            HuffmanCodec(), digits[1], param_name="size", param_range=[1]
        )


def test_parameters_of_the_transformer_make_curves_too(digits):
    training, test = digits
    curve = rate_distortion_curve(
        TransformCodec(PCA(4)),
        test,
        param_name="transformer__n_components",
        param_range=[4, 16],
        X_train=training,
    )
    first, second = curve.points
    assert second.psnr > first.psnr + 1
    assert second.n_bytes > first.n_bytes


def test_a_fitted_transformer_is_used_as_it_is(digits, monkeypatch):
    training, test = digits
    pca = PCA(16).fit(training)
    monkeypatch.setattr(PCA, "fit", lambda *_: pytest.fail("fitted once more"))
    codec = TransformCodec(pca)
    curve = rate_distortion_curve(
        codec, test, param_name="target_psnr", param_range=[40, 42], X_train=training
    )
    assert len(curve) == 2
    assert codec.target_psnr is None
    assert not hasattr(codec, "tables_")


def test_a_transformer_is_fitted_again_where_its_parameters_change(digits):
    training, test = digits
    pca = PCA(4).fit(training)
    curve = rate_distortion_curve(
        TransformCodec(pca),
        test,
        param_name="transformer__n_components",
        param_range=[4, 16],
        X_train=training,
    )
    first, second = curve.points
    assert second.psnr > first.psnr + 1
    assert pca.n_components == 4


def test_curves_do_not_depend_on_the_number_of_processes(digits):
    training, test = digits
    curves = [
        rate_distortion_curve(
            PillowCodec("jpeg"),
            test,
            param_name="quality",
            param_range=[10, 50],
            X_train=training,
            n_jobs=n_jobs,
        )
        for n_jobs in (1, 2)
    ]
    for one, two in zip(curves[0].points, curves[1].points, strict=True):
        assert (one.n_bytes, one.mse) == (two.n_bytes, two.mse)


def test_what_lies_between_points_is_interpolated_and_nothing_beyond():
    curve = curve_of([1, 4, 16], [10, 20, 30])
    assert bytes_at_psnr(curve, 20) == pytest.approx(4)
    assert bytes_at_psnr(curve, 25) == pytest.approx(8)
    assert psnr_at_bytes(curve, 8) == pytest.approx(25)
    for quality in (9.9, 30.1):
        assert bytes_at_psnr(curve, quality) is None
    for rate in (0.9, 16.1):
        assert psnr_at_bytes(curve, rate) is None
    assert bytes_at_psnr(RateDistortionCurve("nothing", ()), 20) is None


def test_points_that_others_beat_do_not_bend_the_curve():
    curve = curve_of([1, 3, 4, 16], [10, 8, 20, 30])
    assert bytes_at_psnr(curve, 15) == pytest.approx(2)


def branched(**branches):
    """A curve of branches that are called by their names."""
    points = [
        replace(point, setting={"branch": name})
        for name, (rates, psnrs) in branches.items()
        for point in curve_of(rates, psnrs).points
    ]
    return RateDistortionCurve("codec", tuple(points), branch_by="branch")


def test_nothing_is_interpolated_between_branches():
    curve = branched(small=([1, 2, 9], [10, 15, 16]), large=([4, 8], [15.9, 25.9]))
    # The end of the small one is no part of the way to the large one.
    assert bytes_at_psnr(curve, 20.9) == pytest.approx(4 * 2**0.5)
    assert psnr_at_bytes(curve, 4 * 2**0.5) == pytest.approx(20.9)
    # The large one has nothing below 4 bytes.
    assert bytes_at_psnr(curve, 15.8) == pytest.approx(4)
    assert bytes_at_psnr(curve, 15.1) < 4
    assert bytes_at_psnr(curve, 10) == pytest.approx(1)
    assert psnr_at_bytes(curve, 1) == pytest.approx(10)
    assert bytes_at_psnr(curve, 9.9) is None
    assert bytes_at_psnr(curve, 26) is None
    for rate in (0, 0.9, 9.1):
        assert psnr_at_bytes(curve, rate) is None


def test_differences_are_those_of_the_best_branch():
    reference = curve_of([2, 4, 8, 16], [10, 20, 30, 40])
    small, large = ([1, 2], [10, 20]), ([2.0001, 8], [20, 40])
    assert bd_rate(reference, branched(a=small, b=large)) == pytest.approx(-50, abs=0.1)
    assert bd_psnr(reference, branched(a=small, b=large)) == pytest.approx(10, abs=0.1)
    # A third branch that is worse throughout changes nothing.
    worse = branched(a=small, b=large, c=([3, 30], [10, 40]))
    assert bd_rate(reference, worse) == pytest.approx(-50, abs=0.1)


def test_interpolated_bytes_are_those_that_the_codec_takes_when_asked(digits):
    training, test = digits
    codecs = {n: TransformCodec(PCA(n).fit(training)) for n in (4, 20)}

    def points(n_values, qualities):
        curve = rate_distortion_curve(
            codecs[n_values],
            test,
            param_name="target_psnr",
            param_range=np.asarray(qualities) + 20 * np.log10(255 / 16),
            X_train=training,
        )
        return [replace(point, setting={"values": n_values}) for point in curve]

    # Of four values nobody gets more than 14.3 dB.
    coarse = [*points(4, [11, 12.5, 13.6, 14.2]), *points(20, [11, 13, 15, 17, 19])]
    asked = points(20, [14, 14.5, 16, 18])
    curve = RateDistortionCurve("PCA", tuple(coarse), branch_by="values")
    for point in asked:
        taken = bytes_at_psnr(curve, point.psnr)
        # The fineness of weights goes in steps.
        assert taken == pytest.approx(point.bytes_per_image, rel=0.05)


def test_equal_points_and_a_single_one_are_read():
    curve = curve_of([4, 4, 4], [20, 20, 10])
    assert bytes_at_psnr(curve, 20) == pytest.approx(4)
    assert psnr_at_bytes(curve, 4) == pytest.approx(20)
    assert bytes_at_psnr(curve, 15) is None
    nearly = [0.01, np.nextafter(0.01, 0)]
    points = [Measurement("a", {}, 1, 1, n, mse=mse) for n, mse in enumerate(nearly, 1)]
    assert bytes_at_psnr(RateDistortionCurve("a", tuple(points)), 20) == 1


# Curves as codecs make them: rates of two codecs for some rising qualities.
REFERENCE = [686.76, 309.58, 157.11, 85.95], [40.28, 37.18, 34.24, 31.42]
OTHER = [893.34, 407.8, 204.93, 112.75], [40.39, 37.21, 34.17, 31.24]


def test_bjontegaard_differences_are_those_of_cubics_through_all_points():
    reference, other = (curve_of(*points) for points in (REFERENCE, OTHER))
    for difference, columns in ((bd_rate, (1, 0)), (bd_psnr, (0, 1))):
        through = []
        for points in (REFERENCE, OTHER):
            points = [np.log(points[0][::-1]), np.array(points[1][::-1])]
            through.append([points[column] for column in columns])
        low = max(x[0] for x, _ in through)
        high = min(x[-1] for x, _ in through)
        means = [
            PchipInterpolator(x, y).integrate(low, high) / (high - low)
            for x, y in through
        ]
        expected = means[1] - means[0]
        if difference is bd_rate:
            expected = 100 * np.expm1(expected)
        assert difference(reference, other) == pytest.approx(expected, abs=1e-3)


def test_differences_without_bjontegaard_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "bjontegaard", None)
    curve = curve_of([2, 4], [10, 20])
    for difference in (bd_rate, bd_psnr):
        with pytest.raises(ImportError, match=re.escape("sklearn-dae[full]")):
            difference(curve, curve)


def test_bjontegaard_differences_mean_what_they_say():
    reference = curve_of([2, 4, 8, 16], [10, 20, 30, 40])
    half = curve_of([1, 2, 4, 8], [10, 20, 30, 40])
    assert bd_rate(reference, half) == pytest.approx(-50)
    assert bd_rate(half, reference) == pytest.approx(100)
    assert bd_psnr(reference, half) == pytest.approx(10)
    assert bd_rate(reference, reference) == 0


def test_curves_that_do_not_overlap_have_no_difference():
    low, high = curve_of([1, 2], [10, 20]), curve_of([4, 8], [30, 40])
    with pytest.raises(ValueError, match="no qualities in common"):
        bd_rate(low, high)
    with pytest.raises(ValueError, match="no rates in common"):
        bd_psnr(low, high)
    for points, few in (([], 0), ([(1, 10)], 1)):
        short = curve_of(*(zip(*points, strict=True) if points else ([], [])))
        with pytest.raises(ValueError, match=f"{few} points with loss"):
            bd_rate(low, short)


def test_a_table_has_a_line_for_each_measurement(pca_curve, tmp_path):
    failed = Measurement.failed("broken", {"quality": 1}, (3, 4), ValueError("no"))
    curves = [pca_curve, RateDistortionCurve("broken", (failed,), "quality")]
    write_csv(curves, tmp_path / "curves.csv")
    with open(tmp_path / "curves.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert float(rows[1]["psnr"]) == pca_curve.points[1].psnr
    assert rows[1]["setting"] == "target_psnr=36"
    assert rows[5]["error"] == "ValueError: no"
    with pytest.raises(FileExistsError):
        write_csv(curves, tmp_path / "curves.csv")
