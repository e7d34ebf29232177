"""All that is known after comparing codecs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sklearn_dae.datasets import ImageSplit
from sklearn_dae.evaluation._measurement import Measurement, RateDistortionCurve
from sklearn_dae.evaluation._similarity import SetSimilarity
from sklearn_dae.evaluation.report._findings import (
    Difference,
    Standing,
    differences,
    standings,
)
from sklearn_dae.evaluation.report._outcome import Outcome
from sklearn_dae.evaluation.report._templates import lossless_verdict, verdict


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What codecs made of a set of images.

    Parameters
    ----------
    split : ImageSplit
        The images.

    shown : ndarray of int of shape (n_shown,)
        Rows of the test images that are shown.

    similarity : SetSimilarity
        How alike the training images are.

    curves : list of RateDistortionCurve
        Curves of the lossy codecs, the autoencoder's first.

    lossless : list of Measurement
        Measurements of the lossless codecs, ours first.

    matched : list of Outcome
        Outcomes of the lossy codecs at about the same rate, with images; the
        autoencoder's first.

    file_bytes : dict of str to int
        Bytes of the parts of an archive that holds the test images as the autoencoder
        restores them in ``matched``; empty if it failed.

    settings : dict of str to object
        What was asked for.

    versions : dict of str to str
        Versions of Python and the packages involved.

    seconds : float
        Time taken, without what an earlier run had done.
    """

    split: ImageSplit
    shown: np.ndarray
    similarity: SetSimilarity
    curves: list[RateDistortionCurve]
    lossless: list[Measurement]
    matched: list[Outcome]
    file_bytes: Mapping[str, int]
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    seconds: float

    @property
    def n_images(self) -> int:
        """Number of images in the whole set."""
        return len(self.split.training) + len(self.split.test)

    @property
    def standings(self) -> list[Standing]:
        """What codecs take at equal quality."""
        return standings(self.curves)

    @property
    def differences(self) -> list[Difference]:
        """Bjøntegaard's differences between the autoencoder and each other codec."""
        return differences(self.curves)

    @property
    def verdict(self) -> str:
        """Whether the autoencoder is worth having, in a sentence or two."""
        return verdict(self.standings, self.n_images)

    @property
    def lossless_verdict(self) -> str:
        """Which lossless codec is the smallest, in a sentence."""
        return lossless_verdict(self.lossless)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers and the words, without images, ready for JSON."""
        split = self.split
        return {
            "source": split.source,
            "n_training": len(split.training),
            "n_test": len(split.test),
            "shape": list(split.shape),
            "dtype": str(split.training.dtype),
            "pixel_range": list(split.pixel_range),
            "verdict": self.verdict,
            "lossless_verdict": self.lossless_verdict,
            "equal_quality": [standing.to_dict() for standing in self.standings],
            "bjontegaard": [asdict(difference) for difference in self.differences],
            "similarity": self.similarity.to_dict(),
            "lossy": [
                point.to_dict() for curve in self.curves for point in curve.points
            ],
            "lossless": [point.to_dict() for point in self.lossless],
            "file_bytes": dict(self.file_bytes),
            "settings": dict(self.settings),
            "versions": dict(self.versions),
            "seconds": self.seconds,
        }
