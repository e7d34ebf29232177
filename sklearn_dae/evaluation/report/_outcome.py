"""One trial, carried out: a codec is fitted, measured and inspected.

In: a trial, images, and which of them to show. Out: numbers and restored images.
These are functions of their arguments alone, so that their results can be kept.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from sklearn_dae.archive import write_archive
from sklearn_dae.datasets import ImageSplit
from sklearn_dae.evaluation._measure import (
    FAILURES,
    Images,
    fit_and_measure,
    pixels_of_image,
    unfitted,
)
from sklearn_dae.evaluation._measurement import Measurement
from sklearn_dae.evaluation.report._contenders import Trial
from sklearn_dae.evaluation.report._pictures import middle
from sklearn_dae.exceptions import OutOfDomainWarning

#: How many of the worst images of a codec are kept.
N_WORST = 5

#: Side, in pixels, of the detail of an image that is shown.
_DETAIL = 128


@dataclass(frozen=True, eq=False)
class Outcome:
    """The result of a trial.

    Parameters
    ----------
    measurement : Measurement
        The numbers.

    shown : ndarray of shape (n_shown, n_pixels), default=None
        The images that every codec shows, as this one restores them, or the detail
        that codecs with a bound show; None if it failed.

    worst_rows : sequence of int, default=()
        Rows of the test images that it restores worst, the worst first.

    worst : ndarray of shape (n_worst, n_pixels), default=None
        These images as it restores them.
    """

    measurement: Measurement
    shown: np.ndarray | None = None
    worst_rows: Sequence[int] = ()
    worst: np.ndarray | None = None


def carry_out(trial: Trial, split: ImageSplit, shown: np.ndarray) -> Outcome:
    """Fit and measure a codec.

    Parameters
    ----------
    trial : Trial
        The codec.

    split : ImageSplit
        Images to fit it on, and to measure it on.

    shown : ndarray of int
        Rows of the test images to show.

    Returns
    -------
    Outcome
        The results; if the codec failed, a measurement that says why.
    """
    try:
        measurement, restored = fit_and_measure(
            trial.codec,
            split.training,
            split.test,
            trial.contender,
            trial.setting,
            split.shape,
            split.pixel_range,
        )
    except FAILURES as error:
        return Outcome(
            Measurement.failed(trial.contender, trial.setting, split.test.shape, error)
        )
    difference = np.subtract(restored, split.test, dtype=np.float32)
    errors = np.einsum("ij,ij->i", difference, difference)
    worst = np.argsort(errors)[::-1][:N_WORST]
    seconds = trial.seconds + measurement.fit_seconds
    return Outcome(
        replace(measurement, fit_seconds=seconds),
        restored[shown],
        worst.tolist(),
        restored[worst],
    )


def carry_out_on_all(trial: Trial, images: Images) -> Outcome:
    """Fit a codec to all images, and measure what it takes for them.

    Parameters
    ----------
    trial : Trial
        The codec.

    images : ndarray or sequence of ndarray
        The images, of any size, in their order.

    Returns
    -------
    Outcome
        The results, and a `detail` of one image; if the codec failed, a measurement
        that says why.
    """
    try:
        measurement, restored = fit_and_measure(
            trial.codec, images, images, trial.contender, trial.setting
        )
    except FAILURES as error:
        shape = len(images), pixels_of_image(images)
        return Outcome(Measurement.failed(trial.contender, trial.setting, shape, error))
    return Outcome(measurement, detail(restored))


def detail(images: Images) -> np.ndarray:
    """Return the middle of the image that is in the middle."""
    return middle(images[len(images) // 2], _DETAIL)


def archive_parts(trial: Trial, split: ImageSplit) -> dict[str, int]:
    """Write the test images to an archive; return the bytes of each part."""
    codec: Any = unfitted(trial.codec).fit(split.training)
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", OutOfDomainWarning)
        images = split.test.reshape(-1, *split.shape)
        info = write_archive(Path(folder, "test.dae"), images, codec)
    decoder = codec.decoder_.packed.size
    return {
        "images": info.parts.images,
        "index": info.parts.index,
        "header": info.parts.header,
        "decoder": decoder,
        "distributions": info.parts.model - decoder,
    }
