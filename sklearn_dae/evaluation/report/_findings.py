"""What measurements say, as records.

In: rate-distortion curves, the autoencoder's first, and measurements of codecs with a
bound on errors, `PixelCodec` first. Out: what each takes at equal quality, how many
images it takes for a model to pay off, and what there is to say of it; the sentences
stand in `templates/`.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import numpy as np

from sklearn_dae.evaluation._bjontegaard import bd_psnr, bd_rate
from sklearn_dae.evaluation._curves import bytes_at_psnr, finite, front
from sklearn_dae.evaluation._measurement import Measurement, RateDistortionCurve
from sklearn_dae.evaluation.report._bounded import bound_of

#: A difference in bytes that nobody would choose a codec for, as a fraction.
_NEGLIGIBLE = 0.02

#: Most qualities in a table.
_MOST_QUALITIES = 6


@dataclass(frozen=True)
class Cost:
    """What a codec takes for images of a given quality.

    Parameters
    ----------
    codec : str
        Name of the codec.

    bytes_per_image : float
        Bytes per image, without the model.

    model_bytes : float
        Bytes of the model.

    psnr : float
        The quality in decibels: the one asked for, or more if the codec has none as
        low.
    """

    codec: str
    bytes_per_image: float
    model_bytes: float
    psnr: float


@dataclass(frozen=True)
class Standing:
    """What all codecs take for images of one quality.

    Parameters
    ----------
    psnr : float
        The quality, in decibels.

    ours : Cost
        Cost of the autoencoder.

    others : tuple of Cost
        Costs of the codecs that reach the quality, the cheapest first.
    """

    psnr: float
    ours: Cost
    others: tuple[Cost, ...]

    @property
    def best(self) -> Cost | None:
        """The cheapest of the others."""
        return self.others[0] if self.others else None

    @property
    def ratio(self) -> float:
        """Bytes of the autoencoder over those of the best other codec, if any."""
        best = self.best
        return self.ours.bytes_per_image / best.bytes_per_image if best else math.nan

    @property
    def break_even(self) -> float:
        """Number of images from which the autoencoder is smaller, model included."""
        return break_even(self.ours, self.others)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers, ready for JSON; None where there is none."""
        costs = [asdict(cost) for cost in (self.ours, *self.others)]
        return {
            "psnr": self.psnr,
            # One that loses nothing has no error to be measured.
            "costs": [{**cost, "psnr": finite(cost["psnr"])} for cost in costs],
            "ratio": finite(self.ratio),
            "break_even": finite(self.break_even),
        }


@dataclass(frozen=True)
class Difference:
    """The autoencoder compared with another codec, over the range that both have.

    Parameters
    ----------
    codec : str
        Name of the other codec.

    rate : float or None
        Bytes at equal quality, in per cent: `bd_rate`. None if the two have no quality
        in common.

    psnr : float or None
        Decibels at equal bytes: `bd_psnr`. None if the two have no rate in common.
    """

    codec: str
    rate: float | None
    psnr: float | None


def differences(curves: Sequence[RateDistortionCurve]) -> list[Difference]:
    """Compare the first curve, the autoencoder's, with each of the others."""
    ours, *others = curves
    found = []
    for other in others:
        numbers: list[float | None] = []
        for difference in (bd_rate, bd_psnr):
            try:
                numbers.append(difference(other, ours))
            except ValueError:
                numbers.append(None)
        found.append(Difference(other.codec, *numbers))
    return found


def cost_at(curve: RateDistortionCurve, psnr: float) -> Cost | None:
    """Return the cost of at least some quality; None if the codec has none as good."""
    costs = filter(None, (_branch_cost(branch, psnr) for branch in curve.branches))
    return min(costs, key=lambda cost: cost.bytes_per_image, default=None)


def _branch_cost(branch: RateDistortionCurve, psnr: float) -> Cost | None:
    points = [point for point in front(branch) if point.psnr >= psnr]
    if not points:
        return None
    n_bytes = bytes_at_psnr(branch, psnr)
    if n_bytes is None:
        return _cost(points[0])
    return Cost(branch.codec, n_bytes, points[0].model_bytes, psnr)


def break_even(ours: Cost, others: Iterable[Cost]) -> float:
    """Return the number of images from which ours is smallest, models included.

    Parameters
    ----------
    ours : Cost
        Cost of the codec in question.

    others : iterable of Cost
        Costs of those that it is to beat.

    Returns
    -------
    float
        The number, infinite if there is none. It is 0 if there are none to beat, or
        if ours beats them all with any number of images.
    """
    needed = 0.0
    for other in others:
        saved = other.bytes_per_image - ours.bytes_per_image
        more = ours.model_bytes - other.model_bytes
        if saved > 0:
            needed = max(needed, more / saved)
        elif saved < 0 or more >= 0:
            return math.inf
    return math.ceil(needed) if needed > 0 else 0.0


def standings(curves: Sequence[RateDistortionCurve]) -> list[Standing]:
    """Compare codecs at qualities that the autoencoder has.

    Parameters
    ----------
    curves : sequence of RateDistortionCurve
        The first is the autoencoder's.

    Returns
    -------
    list of Standing
        At round numbers of decibels, from the lowest quality up.
    """
    ours, *others = curves
    found = []
    for psnr in round_qualities(ours.psnr[np.isfinite(ours.psnr)]):
        cost = cost_at(ours, psnr)
        if cost is None:
            continue
        rivals = [rival for curve in others if (rival := cost_at(curve, psnr))]
        rivals.sort(key=lambda rival: rival.bytes_per_image)
        found.append(Standing(psnr, cost, tuple(rivals)))
    return found


def round_qualities(psnrs: np.ndarray) -> list[float]:
    """Return round numbers from the smallest to the largest, not too many of them."""
    if not len(psnrs):
        return []
    low, high = float(psnrs.min()), float(psnrs.max())
    for step in (0.5, 1.0, 2.0, 5.0, 10.0):
        first = math.ceil(low / step)
        last = math.floor(high / step)
        if last - first < _MOST_QUALITIES:
            return [step * number for number in range(first, last + 1)]
    return []


@dataclass(frozen=True)
class Verdict:
    """Whether the autoencoder is worth having.

    Parameters
    ----------
    kind : str
        ``"unmeasured"``, ``"alone"`` if no other codec reaches its qualities, ``"no"``,
        ``"tie"``, ``"yes"``, ``"in part"``, or ``"more images"`` if it would be for a
        larger set.

    n_images : int
        Number of images in the set, which must pay for the model.

    standings : tuple of Standing, default=()
        The qualities at which it takes fewer bytes; if there are none, all.

    losses : tuple of Standing, default=()
        The qualities at which it does not, if it does at others.
    """

    kind: str
    n_images: int
    standings: tuple[Standing, ...] = ()
    losses: tuple[Standing, ...] = ()

    @property
    def rivals(self) -> list[str]:
        """Names of the best other codecs."""
        best = (standing.best for standing in self.standings)
        return list(dict.fromkeys(cost.codec for cost in best if cost))

    @property
    def ratios(self) -> tuple[float, float]:
        """Smallest and largest bytes relative to the best other codec."""
        ratios = [standing.ratio for standing in self.standings]
        return min(ratios), max(ratios)

    @property
    def model_bytes(self) -> float:
        """Bytes of the largest model."""
        return max(standing.ours.model_bytes for standing in self.standings)

    @property
    def break_evens(self) -> tuple[float, float]:
        """Fewest and most images that pay for the model."""
        needed = [standing.break_even for standing in self.standings]
        return min(needed), max(needed)


def judge(found: Sequence[Standing], n_images: int) -> Verdict:
    """Judge from standings whether the autoencoder is worth having for a set."""
    if not found:
        return Verdict("unmeasured", n_images)
    found = [standing for standing in found if standing.best]
    if not found:
        return Verdict("alone", n_images)
    wins = tuple(each for each in found if each.ratio < 1 - _NEGLIGIBLE)
    if not wins:
        is_tie = max(each.ratio for each in found) <= 1 + _NEGLIGIBLE
        return Verdict("tie" if is_tie else "no", n_images, tuple(found))
    losses = tuple(standing for standing in found if standing not in wins)
    kind = "in part" if losses else "yes"
    if n_images < min(standing.break_even for standing in wins):
        kind = "more images"
    return Verdict(kind, n_images, wins, losses)


@dataclass(frozen=True)
class BoundedVerdict:
    """What our codec takes at a bound on errors, beside the best other one.

    Parameters
    ----------
    bound : int
        How far a number may be off.

    ours : Measurement
        That of our codec.

    best : Measurement
        That of the best other codec.
    """

    bound: int
    ours: Measurement
    best: Measurement

    @property
    def ratio(self) -> float:
        """Bytes of ours over those of the other, with models; NaN if ours failed."""
        if self.ours.error is not None:
            return math.nan
        return self.ours.total_bytes / self.best.total_bytes


def judge_bounded(measurements: Iterable[Measurement]) -> list[BoundedVerdict]:
    """Compare codecs at each bound at which another than ours was measured.

    Parameters
    ----------
    measurements : iterable of Measurement
        Those of one bound together, ours first.
    """
    verdicts = []
    for bound, group in groupby(measurements, key=bound_of):
        ours, *others = group
        measured = [point for point in others if point.error is None]
        if measured:
            best = min(measured, key=lambda point: point.total_bytes)
            verdicts.append(BoundedVerdict(bound, ours, best))
    return verdicts


def _cost(point: Measurement) -> Cost:
    return Cost(point.codec, point.bytes_per_image, point.model_bytes, point.psnr)
