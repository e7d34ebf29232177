"""Bytes at equal quality: interpolated between six points of a curve, and measured.

Every lossy contender of `evaluate` is measured on scikit-learn's digits at 26 settings.
Every fifth of them, six as in a report, serves to interpolate in four ways; the bytes
are compared with those of the full curve, every tenth of a decibel up to 26 dB.

    python -m benchmarks.interpolation
"""

from dataclasses import replace

import joblib
import numpy as np

from benchmarks._timing import machine
from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.datasets import load_split
from sklearn_dae.evaluation import RateDistortionCurve
from sklearn_dae.evaluation._curves import front, least, log_rates
from sklearn_dae.evaluation.report._contenders import TrainedAutoencoder, lossy_trials
from sklearn_dae.evaluation.report._experiment import _curves
from sklearn_dae.evaluation.report._outcome import carry_out

N_MEASURED, EVERY, HIGHEST = 26, 5, 26.0


def by_cubics(curve, qualities):
    """Use monotone cubics on the curve of each network, as `bytes_at_psnr` does."""
    return np.exp(least(log_rates(curve), qualities))


def by_lines(curve, qualities):
    def through(x, y):
        return lambda at: np.interp(at, x, y)

    return np.exp(least(log_rates(curve), qualities, through))


def between_networks(curve, qualities):
    return by_cubics(replace(curve, branch_by=None), qualities)


def turns_left(a, b, c):
    first = (b.mse - a.mse) * (c.n_bytes - b.n_bytes)
    second = (c.mse - b.mse) * (b.n_bytes - a.n_bytes)
    return first < second


def lower_convex_hull(curve):
    """Keep the points that no mixture of two others beats."""
    hull = []
    for point in front(curve):
        while len(hull) > 1 and not turns_left(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    return RateDistortionCurve(curve.codec, tuple(hull))


def by_mixtures(curve, qualities):
    hull = lower_convex_hull(curve)
    return np.interp(-(10 ** (-qualities / 10)), -hull.mse, hull.bytes_per_image)


RULES = {
    "cubics": by_cubics,
    "lines": by_lines,
    "one curve": between_networks,
    "mixtures": by_mixtures,
}


def measured_curves():
    split = load_split("digits")
    autoencoders = {
        n_values: TrainedAutoencoder(
            DeepAutoencoderCompressor(n_values, random_state=0).fit(split.training), 0
        )
        for n_values in (4, 8, 16)
    }
    outcomes = joblib.Parallel(joblib.cpu_count())(
        joblib.delayed(carry_out)(trial, split, np.arange(1))
        for trial in lossy_trials(split, autoencoders, N_MEASURED)
    )
    return _curves(outcomes)


def main():
    print(machine())
    print("Errors of interpolated bytes, per cent: mean, and largest of either sign")
    print(f"{'':12s}", *(f"{rule:>15s}" for rule in RULES))
    for full in measured_curves():
        six = tuple(
            point
            for number, point in enumerate(full.points)
            if number % N_MEASURED % EVERY == 0
        )
        curve = replace(full, points=six)
        qualities = np.arange(curve.psnr.min(), min(HIGHEST, curve.psnr.max()), 0.1)
        truth = by_cubics(full, qualities)
        cells = []
        for rule in RULES.values():
            errors = 100 * (rule(curve, qualities) / truth - 1)
            largest = errors[np.abs(errors).argmax()]
            cells.append(f"{errors.mean():+6.1f} {largest:+8.1f}")
        print(f"{full.codec:12s}", *cells)


if __name__ == "__main__":
    main()
