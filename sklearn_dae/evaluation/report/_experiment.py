"""Every codec on the same images, at all its qualities.

In: images, some held out. Out: an `Evaluation`. The result of each finished task is
kept on disk, so that an interrupted run continues where it was.
"""

import importlib.metadata
import itertools
import os
import platform
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import joblib
import numpy as np
from sklearn.base import clone

from sklearn_dae._validation import check_integer
from sklearn_dae.compressor import DeepAutoencoderCompressor
from sklearn_dae.datasets import ImageSplit
from sklearn_dae.datasets._split import check_can_learn
from sklearn_dae.evaluation._curves import front
from sklearn_dae.evaluation._measurement import Measurement, RateDistortionCurve
from sklearn_dae.evaluation._metrics import WITHOUT_SSIM, fits_ssim, has_ssim
from sklearn_dae.evaluation._similarity import set_similarity
from sklearn_dae.evaluation.report._contenders import (
    AUTOENCODER,
    VALUES,
    TrainedAutoencoder,
    Trial,
    lossless_trials,
    lossy_trials,
    trial_at_rate,
)
from sklearn_dae.evaluation.report._evaluation import Evaluation
from sklearn_dae.evaluation.report._outcome import Outcome, archive_parts, carry_out
from sklearn_dae.evaluation.report._templates import check_requirements

#: Number of images that every codec shows.
_N_SHOWN = 10

#: Most values of a code by default.
_MOST_VALUES = 32

#: Packages that affect the results.
_PACKAGES = ("sklearn-dae", "numpy", "scipy", "scikit-learn", "pillow", "imagecodecs")

Say = Callable[[str], object]


def evaluate(
    split: ImageSplit,
    *,
    n_components: Sequence[int] | None = None,
    parameters: Mapping[str, Any] | None = None,
    n_qualities: int = 6,
    random_state: int = 0,
    n_jobs: int | None = None,
    cache: str | os.PathLike[str] | None = None,
    say: Say | None = None,
) -> Evaluation:
    """Compare the autoencoder with everything one might use instead.

    Parameters
    ----------
    split : ImageSplit
        The images; codecs learn from the training images and are measured on the
        test images.

    n_components : sequence of int, default=None
        Numbers of values in the autoencoder's codes; one autoencoder is trained for
        each, and the best counts at each quality. By default a quarter of the pixels,
        at most 32, and half and a quarter of that.

    parameters : dict of str to object, default=None
        Other parameters of the autoencoders.

    n_qualities : int, default=6
        Number of points on a rate-distortion curve.

    random_state : int, default=0
        Seed of the autoencoders, and of the choice of images to show.

    n_jobs : int, default=None
        How many processes train autoencoders, and then measure codecs, at the same
        time, as in joblib. They share the cores; times are then those of a busy
        machine.

    cache : path-like, default=None
        A folder where the results of finished tasks are kept, so that the next call
        with the same images and settings continues from there. They are loaded as
        pickles, so nobody else must be able to write to the folder.

    say : callable, default=None
        Called to report progress, one line at a time.

    Returns
    -------
    Evaluation
        What was measured.

    Raises
    ------
    ValueError
        If nothing can be learned from the images, there are fewer than two qualities,
        or no lossy codec could be measured.

    ImportError
        If what a report needs is missing; the message says what to install. Without
        scikit-image only structural similarity is left out.

    Examples
    --------
    >>> from sklearn_dae.datasets import ImageSplit, load_digits
    >>> from sklearn_dae.evaluation import evaluate
    >>> X = load_digits().data
    >>> split = ImageSplit(X[:100], X[100:130], (8, 8), "some digits")
    >>> evaluation = evaluate(
    ...     split, n_components=[4], parameters={"max_iter": 5}, n_qualities=2
    ... )
    >>> [curve.codec for curve in evaluation.curves][:3]
    ['autoencoder', 'PCA', 'JPEG']
    >>> evaluation.lossless_verdict.startswith("Without loss, ")
    True
    """
    check_integer("n_qualities", n_qualities, 2)
    check_can_learn(split)
    check_requirements()
    begin = time.perf_counter()
    say = say or _silence
    if fits_ssim(split.shape) and not has_ssim():
        say(f"{WITHOUT_SSIM}.")
    tasks = _Tasks(joblib.Memory(cache, verbose=0), split, n_jobs, say)
    values = list(n_components or _default_sizes(split.n_pixels))
    autoencoders = tasks.train(
        {
            n_values: DeepAutoencoderCompressor(
                n_values, random_state=random_state, **dict(parameters or {})
            )
            for n_values in values
        }
    )
    rng = np.random.default_rng(random_state)
    n_shown = min(_N_SHOWN, len(split.test))
    shown = np.sort(rng.choice(len(split.test), n_shown, replace=False))

    lossy = list(lossy_trials(split, autoencoders, n_qualities))
    lossless = list(lossless_trials(split))
    outcomes = tasks.carry_out([*lossy, *lossless], shown)
    curves = list(_curves(outcomes[: len(lossy)]))
    _check_measured(curves)

    rate = _rate_to_show(curves[0])
    at_rate = [trial_at_rate(split, autoencoders, curve, rate) for curve in curves]
    trials = [trial for trial in at_rate if trial is not None]
    matched = tasks.carry_out(trials, shown)
    first = matched[0].measurement
    is_restored = first.codec == AUTOENCODER and first.error is None
    return Evaluation(
        split=split,
        shown=shown,
        similarity=set_similarity(split.training, image_shape=split.shape),
        curves=curves,
        lossless=list(_smallest_of_each(outcomes[len(lossy) :])),
        matched=matched,
        file_bytes=tasks.archive_parts(trials[0]) if is_restored else {},
        settings={
            "n_components": values,
            "n_qualities": n_qualities,
            "random_state": random_state,
            **dict(parameters or {}),
        },
        versions=_versions(),
        seconds=time.perf_counter() - begin,
    )


def _default_sizes(n_pixels: int) -> list[int]:
    """Return numbers of values of codes: few for few bytes, more for better images."""
    most = max(1, min(n_pixels // 4, _MOST_VALUES))
    return sorted({max(1, most // 4), max(1, most // 2), most})


class _Tasks:
    """The long work, each part of which is done only once."""

    def __init__(
        self, memory: joblib.Memory, split: ImageSplit, n_jobs: int | None, say: Say
    ) -> None:
        # Results of other versions are not the same.
        self._versions = _versions()
        self._fit = memory.cache(_fit)
        self._carry_out = memory.cache(_carry_out)
        self._archive_parts = memory.cache(_archive_parts)
        self._split = split
        self._n_jobs = n_jobs
        self._say = say

    def train(
        self, autoencoders: Mapping[int, DeepAutoencoderCompressor]
    ) -> dict[int, TrainedAutoencoder]:
        """Train autoencoders, as many at a time as there are jobs.

        They share the cores. The largest go first; if fewer are left in the end than
        there are jobs, each of these has more cores.
        """
        X = self._split.training
        done: list[int] = []
        missing: list[int] = []
        for n_values in sorted(autoencoders, reverse=True):
            arguments = autoencoders[n_values], X, self._versions
            known = self._fit.check_call_in_cache(*arguments)
            (done if known else missing).append(n_values)
        n_jobs = joblib.effective_n_jobs(self._n_jobs)
        groups = [missing[at : at + n_jobs] for at in range(0, len(missing), n_jobs)]
        trained: dict[int, TrainedAutoencoder] = {}
        for group in [*([n_values] for n_values in done), *groups]:
            trained |= self._train_together({n: autoencoders[n] for n in group})
        return {n_values: trained[n_values] for n_values in autoencoders}

    def _train_together(
        self, autoencoders: Mapping[int, DeepAutoencoderCompressor]
    ) -> dict[int, TrainedAutoencoder]:
        X = self._split.training
        for autoencoder in autoencoders.values():
            layout = autoencoder.layout_for(X.shape[1])
            self._say(f"Training the autoencoder {layout} on {len(X):,} images")
        parallel = joblib.Parallel(len(autoencoders), return_as="generator")
        fits = parallel(
            joblib.delayed(self._fit)(autoencoder, X, self._versions)
            for autoencoder in autoencoders.values()
        )
        trained = {}
        for n_values, (fitted, seconds) in zip(autoencoders, fits, strict=True):
            self._say(f"  {n_values} values: {seconds:.0f} s")
            trained[n_values] = TrainedAutoencoder(fitted, seconds)
        return trained

    def carry_out(self, trials: Sequence[Trial], shown: np.ndarray) -> list[Outcome]:
        """Carry out trials, several at a time, and report each."""
        parallel = joblib.Parallel(self._n_jobs, return_as="generator")
        done = parallel(
            joblib.delayed(self._carry_out)(trial, self._split, shown, self._versions)
            for trial in trials
        )
        outcomes = []
        for trial, outcome in zip(trials, done, strict=True):
            outcomes.append(outcome)
            number = f"[{len(outcomes)}/{len(trials)}]"
            self._say(f"{number} {trial}: {_in_words(outcome)}")
        return outcomes

    def archive_parts(self, trial: Trial) -> dict[str, int]:
        return self._archive_parts(trial, self._split, self._versions)


# Results are kept on disk under the name of the function and its arguments.


def _fit(
    autoencoder: DeepAutoencoderCompressor, X: np.ndarray, versions: Mapping[str, str]
) -> tuple[DeepAutoencoderCompressor, float]:
    begin = time.perf_counter()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Fine-tuning was interrupted")
        fitted = clone(autoencoder).fit(X)
    if fitted.interrupted_:
        # It keeps what it has; on disk, that would be taken for finished.
        raise KeyboardInterrupt
    return fitted, time.perf_counter() - begin


def _carry_out(
    trial: Trial, split: ImageSplit, shown: np.ndarray, versions: Mapping[str, str]
) -> Outcome:
    return carry_out(trial, split, shown)


def _archive_parts(
    trial: Trial, split: ImageSplit, versions: Mapping[str, str]
) -> dict[str, int]:
    return archive_parts(trial, split)


def _curves(outcomes: Sequence[Outcome]) -> Iterator[RateDistortionCurve]:
    points = [outcome.measurement for outcome in outcomes]
    for name, group in itertools.groupby(points, key=lambda point: point.codec):
        # Each autoencoder makes a curve of its own, the best of which counts.
        branch_by = VALUES if name == AUTOENCODER else None
        yield RateDistortionCurve(name, tuple(group), branch_by)


def _smallest_of_each(outcomes: Sequence[Outcome]) -> Iterator[Measurement]:
    """Yield the smallest measurement of each lossless codec, in their order."""
    points = [outcome.measurement for outcome in outcomes]
    for _, group in itertools.groupby(points, key=lambda point: point.codec):
        # What failed counts only where nothing else was measured.
        yield min(group, key=lambda point: (point.error is not None, point.n_bytes))


def _rate_to_show(curve: RateDistortionCurve) -> float:
    """Return the bytes per image two thirds of the way up the qualities of a curve."""
    points = front(curve)
    if not points:
        return 1.0
    return points[2 * (len(points) - 1) // 3].bytes_per_image


def _check_measured(curves: Sequence[RateDistortionCurve]) -> None:
    """Raise if there is nothing to go on with."""
    if not any(len(curve) for curve in curves):
        reasons = [f"{curve.codec}: {curve.points[0].error}" for curve in curves]
        raise ValueError(f"No codec could be measured. {'; '.join(reasons)}")


def _in_words(outcome: Outcome) -> str:
    point = outcome.measurement
    if point.error is not None:
        return f"failed: {point.error}"
    quality = "exact" if point.is_lossless else f"{point.psnr:.2f} dB"
    return f"{point.bytes_per_image:.2f} bytes an image, {quality}"


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def _silence(line: str) -> None:
    """Say nothing."""
