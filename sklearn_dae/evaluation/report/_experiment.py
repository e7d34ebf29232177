"""Every codec on the same images, at all its qualities.

In: images, perhaps some held out. Out: an `Evaluation`. The result of each finished
task is kept on disk, so that an interrupted run continues where it was.
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
from sklearn_dae.datasets._split import (
    check_can_learn,
    check_finite,
    check_varied,
)
from sklearn_dae.evaluation._curves import front
from sklearn_dae.evaluation._measure import Images
from sklearn_dae.evaluation._measurement import RateDistortionCurve
from sklearn_dae.evaluation._metrics import WITHOUT_SSIM, fits_ssim, has_ssim
from sklearn_dae.evaluation._similarity import set_similarity
from sklearn_dae.evaluation.report._bounded import bound_of, bounded_trials
from sklearn_dae.evaluation.report._contenders import (
    AUTOENCODER,
    VALUES,
    TrainedAutoencoder,
    Trial,
    lossy_trials,
    trial_at_rate,
)
from sklearn_dae.evaluation.report._evaluation import Evaluation, WithLoss, kinds_of
from sklearn_dae.evaluation.report._outcome import (
    Outcome,
    archive_parts,
    carry_out,
    carry_out_on_all,
)
from sklearn_dae.evaluation.report._templates import check_requirements
from sklearn_dae.images import ImageSet

#: Number of images that every codec shows.
_N_SHOWN = 10

#: Most values of a code by default.
_MOST_VALUES = 32

#: Most numbers of the images that codecs with a bound on errors are measured on.
_MOST_NUMBERS = 2**25

#: Packages that affect the results.
_PACKAGES = ("sklearn-dae", "numpy", "scipy", "scikit-learn", "pillow", "imagecodecs")

Say = Callable[[str], object]


def evaluate(
    images: ImageSplit | ImageSet,
    *,
    n_components: Sequence[int] | None = None,
    parameters: Mapping[str, Any] | None = None,
    n_qualities: int = 6,
    random_state: int = 0,
    n_jobs: int | None = None,
    cache: str | os.PathLike[str] | None = None,
    say: Say | None = None,
) -> Evaluation:
    """Compare the codecs of this package with everything one might use instead.

    Parameters
    ----------
    images : ImageSplit or ImageSet
        The images. Of a split, the autoencoder and other codecs with loss learn from
        the training images and are measured on the test images. In either case, codecs
        that lose nothing, or have a bound on errors, are fitted to all images and store
        all of them, or as many of the first as have 33 million pixels.

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
        If there is no image, or nothing in them to compress; if nothing can be learned
        from a split; if there are fewer than two qualities, or no lossy codec could be
        measured.

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
    ...     split,
    ...     n_components=[4],
    ...     parameters={"hidden_layer_sizes": (20,), "max_iter": 5},
    ...     n_qualities=2,
    ... )
    >>> [curve.codec for curve in evaluation.curves][:3]
    ['autoencoder', 'PCA', 'JPEG']
    >>> [point.codec for point in evaluation.lossless][:3]
    ['PixelCodec', 'JPEG XL', 'JPEG-LS']
    """
    check_integer("n_qualities", n_qualities, 2)
    check_requirements()
    begin = time.perf_counter()
    tasks = _Tasks(joblib.Memory(cache, verbose=0), n_jobs, say or _silence)
    with_loss, settings = None, {}
    if isinstance(images, ImageSplit):
        settings = {
            "n_components": list(n_components or _default_sizes(images.n_pixels)),
            "n_qualities": n_qualities,
            "random_state": random_state,
            **dict(parameters or {}),
        }
        check_can_learn(images)
        with_loss = _compare_with_loss(tasks, images, **settings)
        images = images.images
    measured = _first(images)
    check_finite(measured, images.source)
    check_varied(measured, images.source)
    trials = list(bounded_trials(kinds_of(measured)))
    return Evaluation(
        images=measured,
        source=images.source,
        n_left_out=len(images) - len(measured),
        with_loss=with_loss,
        bounded=list(_smallest_of_each(tasks.carry_out_on_all(trials, measured))),
        settings=settings,
        versions=_versions(),
        seconds=time.perf_counter() - begin,
    )


def _compare_with_loss(
    tasks: "_Tasks",
    split: ImageSplit,
    *,
    n_components: Sequence[int],
    n_qualities: int,
    random_state: int,
    **parameters: Any,
) -> WithLoss:
    """Compare the autoencoder with other codecs that lose something."""
    if fits_ssim(split.shape) and not has_ssim():
        tasks.say(f"{WITHOUT_SSIM}.")
    autoencoders = tasks.train(
        {
            n_values: DeepAutoencoderCompressor(
                n_values, random_state=random_state, **parameters
            )
            for n_values in n_components
        },
        split.training,
    )
    rng = np.random.default_rng(random_state)
    n_shown = min(_N_SHOWN, len(split.test))
    shown = np.sort(rng.choice(len(split.test), n_shown, replace=False))

    trials = list(lossy_trials(split, autoencoders, n_qualities))
    curves = list(_curves(tasks.carry_out(trials, split, shown)))
    _check_measured(curves)

    rate = _rate_to_show(curves[0])
    at_rate = [trial_at_rate(split, autoencoders, curve, rate) for curve in curves]
    trials = [trial for trial in at_rate if trial is not None]
    matched = tasks.carry_out(trials, split, shown)
    first = matched[0].measurement
    is_restored = first.codec == AUTOENCODER and first.error is None
    return WithLoss(
        split=split,
        shown=shown,
        similarity=set_similarity(split.training, image_shape=split.shape),
        curves=curves,
        matched=matched,
        file_bytes=tasks.archive_parts(trials[0], split) if is_restored else {},
    )


def _first(images: ImageSet) -> Images:
    """Read the first images, as many as are measured: at least one."""
    if not len(images):
        raise ValueError(f"{images.source} holds no image.")
    n_numbers = np.cumsum([images.spec_of(i).n_numbers for i in range(len(images))])
    chosen = images[: max(1, int(np.searchsorted(n_numbers, _MOST_NUMBERS, "right")))]
    return chosen.stack() if len(chosen.groups()) == 1 else list(chosen)


def _default_sizes(n_pixels: int) -> list[int]:
    """Return numbers of values of codes: few for few bytes, more for better images."""
    most = max(1, min(n_pixels // 4, _MOST_VALUES))
    return sorted({max(1, most // 4), max(1, most // 2), most})


class _Tasks:
    """The long work, each part of which is done only once."""

    def __init__(self, memory: joblib.Memory, n_jobs: int | None, say: Say) -> None:
        # Results of other versions are not the same.
        self._versions = _versions()
        self._fit = memory.cache(_fit)
        self._carry_out = memory.cache(_carry_out)
        self._carry_out_on_all = memory.cache(_carry_out_on_all)
        self._archive_parts = memory.cache(_archive_parts)
        self._n_jobs = n_jobs
        self.say = say

    def train(
        self, autoencoders: Mapping[int, DeepAutoencoderCompressor], X: np.ndarray
    ) -> dict[int, TrainedAutoencoder]:
        """Train autoencoders, as many at a time as there are jobs.

        They share the cores. The largest go first; if fewer are left in the end than
        there are jobs, each of these has more cores.
        """
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
            trained |= self._train_together({n: autoencoders[n] for n in group}, X)
        return {n_values: trained[n_values] for n_values in autoencoders}

    def _train_together(
        self, autoencoders: Mapping[int, DeepAutoencoderCompressor], X: np.ndarray
    ) -> dict[int, TrainedAutoencoder]:
        for autoencoder in autoencoders.values():
            layout = autoencoder.layout_for(X.shape[1])
            self.say(f"Training the autoencoder {layout} on {len(X):,} images")
        parallel = joblib.Parallel(len(autoencoders), return_as="generator")
        fits = parallel(
            joblib.delayed(self._fit)(autoencoder, X, self._versions)
            for autoencoder in autoencoders.values()
        )
        trained = {}
        for n_values, (fitted, seconds) in zip(autoencoders, fits, strict=True):
            self.say(f"  {n_values} values: {seconds:.0f} s")
            trained[n_values] = TrainedAutoencoder(fitted, seconds)
        return trained

    def carry_out(
        self, trials: Sequence[Trial], split: ImageSplit, shown: np.ndarray
    ) -> list[Outcome]:
        """Carry out trials on held-out images."""
        return self._together(self._carry_out, trials, split, shown)

    def carry_out_on_all(
        self, trials: Sequence[Trial], images: Images
    ) -> list[Outcome]:
        """Carry out trials on all images."""
        return self._together(self._carry_out_on_all, trials, images)

    def _together(
        self, carry_out: Callable[..., Outcome], trials: Sequence[Trial], *others: Any
    ) -> list[Outcome]:
        """Carry out trials, several at a time, and report each."""
        parallel = joblib.Parallel(self._n_jobs, return_as="generator")
        done = parallel(
            joblib.delayed(carry_out)(trial, *others, self._versions)
            for trial in trials
        )
        outcomes = []
        for trial, outcome in zip(trials, done, strict=True):
            outcomes.append(outcome)
            number = f"[{len(outcomes)}/{len(trials)}]"
            self.say(f"{number} {trial}: {_in_words(outcome)}")
        return outcomes

    def archive_parts(self, trial: Trial, split: ImageSplit) -> dict[str, int]:
        return self._archive_parts(trial, split, self._versions)


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


def _carry_out_on_all(
    trial: Trial, images: Images, versions: Mapping[str, str]
) -> Outcome:
    return carry_out_on_all(trial, images)


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


def _smallest_of_each(outcomes: Sequence[Outcome]) -> Iterator[Outcome]:
    """Yield the smallest outcome of each codec at each bound, in their order."""

    def key(outcome: Outcome) -> tuple[str, int]:
        return outcome.measurement.codec, bound_of(outcome.measurement)

    def size(outcome: Outcome) -> tuple[bool, int]:
        # What failed counts only where nothing else was measured.
        point = outcome.measurement
        return point.error is not None, point.total_bytes

    for _, group in itertools.groupby(outcomes, key=key):
        yield min(group, key=size)


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
    n_bytes = point.bytes_per_image
    size = f"{n_bytes:,.0f}" if n_bytes >= 1000 else f"{n_bytes:.2f}"
    return f"{size} bytes an image, {quality}"


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
