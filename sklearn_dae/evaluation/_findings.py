"""What measurements say, in numbers to compare and in words.

In: rate-distortion curves, the autoencoder's first, and lossless measurements. Out:
what each codec takes at equal quality, how many images it takes for a model to pay off,
and a verdict that anyone can understand.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sklearn_dae.evaluation._bjontegaard import bd_psnr, bd_rate
from sklearn_dae.evaluation._curves import bytes_at_psnr, finite, front
from sklearn_dae.evaluation._measurement import Measurement, RateDistortionCurve

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
        return {
            "psnr": self.psnr,
            "costs": [asdict(cost) for cost in (self.ours, *self.others)],
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


def verdict(found: Sequence[Standing], n_images: int) -> str:
    """Say in a sentence or two whether the autoencoder is worth having.

    Parameters
    ----------
    found : sequence of Standing
        What `standings` returned.

    n_images : int
        Number of images in the set, which must pay for the model.

    Returns
    -------
    str
        The verdict.
    """
    if not found:
        return (
            "The autoencoder could not be measured at any round quality, so there is "
            "nothing to compare."
        )
    found = [standing for standing in found if standing.best]
    if not found:
        return "No other codec reaches the qualities of the autoencoder."
    wins = [standing for standing in found if standing.ratio < 1 - _NEGLIGIBLE]
    if not wins:
        return _no(found)
    ratios = [standing.ratio for standing in wins]
    share = _percent_range(min(ratios), max(ratios))
    rival = _names(standing.best.codec for standing in wins if standing.best)
    where = ""
    if len(wins) < len(found):
        where = f" {_qualities(wins)}" + f", but not {_qualities(_rest(found, wins))}"
    head = "Yes" if len(wins) == len(found) else "In part"
    if n_images < min(standing.break_even for standing in wins):
        head = "Only for more images than these"
    sentence = (
        f"{head}: at equal quality the autoencoder takes {share} of the bytes of the "
        f"best other codec ({rival}){where}."
    )
    return f"{sentence} {_about_the_model(wins, n_images)}"


def _no(found: Sequence[Standing]) -> str:
    rival = _names(standing.best.codec for standing in found if standing.best)
    ratios = [standing.ratio for standing in found]
    if max(ratios) <= 1 + _NEGLIGIBLE:
        return (
            f"No: the autoencoder takes as many bytes as the best other codec ({rival})"
            " at equal quality, and has a model besides."
        )
    return (
        f"No: at equal quality the autoencoder takes "
        f"{_percent_range(min(ratios), max(ratios))} of the bytes of the best other "
        f"codec ({rival})."
    )


def _about_the_model(wins: Sequence[Standing], n_images: int) -> str:
    needed = [standing.break_even for standing in wins]
    size = humane_bytes(max(standing.ours.model_bytes for standing in wins))
    least, most = min(needed), max(needed)
    if math.isinf(least):
        return f"Its model of {size} is never paid for."
    if most == 0:
        return f"Its model of {size} is no larger than what others need."
    number = f"{round_up(least):,}"
    if round_up(most) != round_up(least):
        number += f" to {round_up(most):,}" if math.isfinite(most) else " or more"
    tail = ""
    if n_images < least:
        tail = f"; this set has {n_images:,}"
    elif n_images < most:
        tail = f" (this set has {n_images:,})"
    return (
        f"Its model of {size} is paid for from {number} images on, depending on the "
        f"quality{tail}."
        if len(needed) > 1
        else f"Its model of {size} is paid for from {number} images on{tail}."
    )


def lossless_verdict(measurements: Sequence[Measurement]) -> str:
    """Say which lossless codec is the smallest; the first is ours."""
    measured = [point for point in measurements if point.error is None]
    if len(measured) < 2:
        return "Without loss there is nothing to compare."
    ours = measurements[0]
    others = [point for point in measured if point is not ours]
    best = min(others, key=lambda point: point.n_bytes)
    ratio = ours.n_bytes / best.n_bytes
    if ours.error is not None or ratio >= 1:
        return (
            f"Without loss, {best.codec} takes the fewest bytes: "
            f"{best.bits_per_pixel:.3f} bits a pixel."
        )
    needed = break_even(_cost(ours), map(_cost, others))
    paid = (
        f"its model of {humane_bytes(ours.model_bytes)} is paid for from "
        f"{round_up(needed):,} images on"
        if math.isfinite(needed)
        else "its model is never paid for"
    )
    return (
        f"Without loss, the {ours.codec} takes {ours.bits_per_pixel:.3f} bits a "
        f"pixel, {ratio:.0%} of the best other codec ({best.codec}); {paid}."
    )


def _cost(point: Measurement) -> Cost:
    return Cost(point.codec, point.bytes_per_image, point.model_bytes, point.psnr)


def _percent_range(low: float, high: float) -> str:
    first, last = f"{low:.0%}", f"{high:.0%}"
    return first if first == last else f"{first.rstrip('%')} to {last}"


def _names(codecs: Iterable[str]) -> str:
    unique = list(dict.fromkeys(codecs))
    return " or ".join(filter(None, [", ".join(unique[:-1]), *unique[-1:]]))


def _qualities(found: Sequence[Standing]) -> str:
    values = [f"{standing.psnr:g}" for standing in found]
    return f"at {_names(values).replace(' or ', ' and ')} dB"


def _rest(found: Sequence[Standing], wins: Sequence[Standing]) -> list[Standing]:
    return [standing for standing in found if standing not in wins]


def round_up(number: float) -> int:
    """Round up to two digits: how many images pay for a model is no exact science."""
    if number <= 0:
        return 0
    unit = 10 ** max(0, math.floor(math.log10(number)) - 1)
    return math.ceil(number / unit) * unit


def humane_bytes(number: float) -> str:
    """Write a number of bytes as people do.

    >>> humane_bytes(11_454_542)
    '11.5 MB'
    """
    for unit in ("bytes", "kB", "MB", "GB"):
        # Three digits of 999.5 are 1000.
        if number < 999.5 or unit == "GB":
            break
        number /= 1000
    return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.3g} {unit}"
