"""All that is known after comparing codecs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sklearn_dae.datasets import ImageSplit
from sklearn_dae.evaluation._measure import Images
from sklearn_dae.evaluation._measurement import Measurement, RateDistortionCurve
from sklearn_dae.evaluation._similarity import SetSimilarity
from sklearn_dae.evaluation.report._bounded import bound_of
from sklearn_dae.evaluation.report._findings import (
    Difference,
    Standing,
    differences,
    standings,
)
from sklearn_dae.evaluation.report._outcome import Outcome
from sklearn_dae.evaluation.report._templates import bounded_verdict, verdict
from sklearn_dae.images import ImageSpec


@dataclass(frozen=True, eq=False)
class WithLoss:
    """What codecs that lose something made of held-out images.

    Parameters
    ----------
    split : ImageSplit
        The images that codecs learned from, and those that they were measured on.

    shown : ndarray of int of shape (n_shown,)
        Rows of the test images that are shown.

    similarity : SetSimilarity
        How alike the training images are.

    curves : list of RateDistortionCurve
        Curves of the codecs, the autoencoder's first.

    matched : list of Outcome
        Outcomes at about the same rate, with images; the autoencoder's first.

    file_bytes : dict of str to int
        Bytes of the parts of an archive that holds the test images as the autoencoder
        restores them in ``matched``; empty if it failed.
    """

    split: ImageSplit
    shown: np.ndarray
    similarity: SetSimilarity
    curves: list[RateDistortionCurve]
    matched: list[Outcome]
    file_bytes: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What codecs made of a set of images.

    Parameters
    ----------
    images : ndarray or list of ndarray
        The images that codecs with a bound on errors were measured on, in their order.

    source : str
        Where they came from, for people to read.

    n_left_out : int
        How many more there were.

    with_loss : WithLoss or None
        What codecs with loss made of them; None if these were left out.

    bounded : list of Outcome
        Outcomes of the codecs with a bound on errors, fitted to all images: those
        without loss, and then those of each bound, ours first in either case.

    settings : dict of str to object
        What was asked for.

    versions : dict of str to str
        Versions of Python and the packages involved.

    seconds : float
        Time taken, without what an earlier run had done.
    """

    images: Images
    source: str
    n_left_out: int
    with_loss: WithLoss | None
    bounded: list[Outcome]
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    seconds: float

    @property
    def n_images(self) -> int:
        """Number of images in the whole set."""
        return len(self.images) + self.n_left_out

    @property
    def curves(self) -> list[RateDistortionCurve]:
        """Curves of the codecs with loss, the autoencoder's first, if any."""
        return self.with_loss.curves if self.with_loss else []

    @property
    def kinds(self) -> list[ImageSpec]:
        """What images are, each kind once."""
        return kinds_of(self.images)

    @property
    def lossless(self) -> list[Measurement]:
        """Measurements of the lossless codecs, ours first."""
        return [point for point in self._points if not bound_of(point)]

    @property
    def near_lossless(self) -> list[Measurement]:
        """Measurements of codecs with bounds on errors, ours first at each."""
        return [point for point in self._points if bound_of(point)]

    @property
    def _points(self) -> list[Measurement]:
        return [outcome.measurement for outcome in self.bounded]

    @property
    def standings(self) -> list[Standing]:
        """What codecs take at equal quality."""
        return standings(self.curves) if self.curves else []

    @property
    def differences(self) -> list[Difference]:
        """Bjøntegaard's differences between the autoencoder and each other codec."""
        return differences(self.curves) if self.curves else []

    @property
    def verdict(self) -> str:
        """Whether the autoencoder is worth having, in a sentence; empty if left out."""
        return verdict(self.standings, self.n_images) if self.with_loss else ""

    @property
    def bounded_verdict(self) -> str:
        """What `PixelCodec` takes beside others without loss, and with a bound."""
        return bounded_verdict(self._points)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers and the words, without images, ready for JSON."""
        with_loss = self.with_loss
        return {
            "source": self.source,
            "n_images": self.n_images,
            "n_left_out": self.n_left_out,
            "kinds": [str(spec) for spec in self.kinds],
            "split": with_loss and _parts(with_loss.split),
            "verdict": self.verdict,
            "bounded_verdict": self.bounded_verdict,
            "equal_quality": [standing.to_dict() for standing in self.standings],
            "bjontegaard": [asdict(difference) for difference in self.differences],
            "similarity": with_loss and with_loss.similarity.to_dict(),
            "lossy": [
                point.to_dict() for curve in self.curves for point in curve.points
            ],
            "lossless": [point.to_dict() for point in self.lossless],
            "near_lossless": [point.to_dict() for point in self.near_lossless],
            "file_bytes": dict(with_loss.file_bytes) if with_loss else {},
            "settings": dict(self.settings),
            "versions": dict(self.versions),
            "seconds": self.seconds,
        }


def _parts(split: ImageSplit) -> dict[str, Any]:
    """Return what a split is, for JSON."""
    return {
        "n_training": len(split.training),
        "n_test": len(split.test),
        "shape": list(split.shape),
        "dtype": str(split.training.dtype),
        "pixel_range": list(split.pixel_range),
    }


def kinds_of(images: Images) -> list[ImageSpec]:
    """Return what images are, each kind once."""
    if isinstance(images, np.ndarray):
        return [ImageSpec.of_shape(images.shape[1:], images.dtype)]
    specs = (ImageSpec.of_shape(image.shape, image.dtype) for image in images)
    return list(dict.fromkeys(specs))
