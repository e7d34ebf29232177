"""Which networks of pixels a set of images is best coded by.

In: training images. Out: models that were trained on them, where they take fewer bytes
than the generic one, themselves counted.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sklearn_dae.codecs._images import Kind
from sklearn_dae.codecs._levels import Levels
from sklearn_dae.codecs._planes import limits_of, stack_of, to_planes, whole
from sklearn_dae.entropy import PixelModel
from sklearn_dae.entropy._generic import generic_model
from sklearn_dae.entropy._pixel_network import PixelNetwork
from sklearn_dae.entropy._pixel_training import Training, fit_networks

#: Pixels that are trained on, at most, and those that trials go by.
_MOST_PIXELS, _TRIAL_PIXELS = 3_000_000, 500_000

#: Images in a row that are taken from a set, so that those of a series follow: so many,
#: or as many as have so many pixels.
_RUN, _RUN_PIXELS = 4, 2**19

#: Pixels of a set below which no network is trained: it would not be paid for.
_FEWEST_PIXELS = 100_000

#: How networks are trained, by effort.
_TRAININGS = {
    2: Training(n_steps=500),
    3: Training(n_steps=2000),
    4: Training(hidden=(96, 64), n_steps=8000, batch_size=4096),
}

#: How the series is tried.
_TRIAL = Training(n_steps=250)

#: What looking at the image before must gain, as a share of the bits.
_LEAST_GAIN = 0.005


class _Set(NamedTuple):
    """Images with the same number of channels, as planes: several in a row a stack."""

    stacks: list[np.ndarray]
    limits: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, kinds: Sequence[Kind], most_pixels: int, transforms: bool) -> "_Set":
        """Take images from all over each kind, of so many pixels."""
        share = most_pixels / _count(kinds)
        levels, stacks, planes = [], [], []
        for kind in kinds:
            length = max(_RUN, _RUN_PIXELS // kind.spec.n_pixels)
            runs = [kind.rows[run] for run in _runs(len(kind.rows), length, share)]
            of_kind = Levels.of(whole(np.concatenate(runs)), may_skip=transforms)
            for rows in runs:
                stacks.append(stack_of(len(rows), kind.spec))
                numbers = of_kind.levels(whole(rows))
                planes.append(to_planes(numbers, stacks[-1], transforms))
                levels.append(of_kind)
        return cls(planes, limits_of(levels, stacks, transforms))

    @property
    def n_pixels(self) -> int:
        """Number of pixels."""
        return sum(stack[:, 0].size for stack in self.stacks)

    @property
    def may_be_series(self) -> bool:
        """Whether any image follows another."""
        return any(len(stack) > 1 for stack in self.stacks)


def _runs(n: int, length: int, share: float) -> list[slice]:
    """Choose runs of images, together a share of n, from all over them."""
    if share >= 1:
        return [slice(begin, begin + length) for begin in range(0, n, length)]
    length = min(length, max(1, round(n * share)))
    n_runs = max(1, round(n * share / length))
    firsts = np.linspace(0, n - length, n_runs).round().astype(int).tolist()
    return [slice(first, first + length) for first in firsts]


def _count(kinds: Sequence[Kind]) -> int:
    return sum(len(kind.rows) * kind.spec.n_pixels for kind in kinds)


def fit_models(
    kinds: Sequence[Kind], effort: int, max_error: int, random_state: int
) -> list[PixelModel]:
    """Train models for the images of each number of channels, where that pays."""
    by_channels: dict[int, list[Kind]] = {}
    for kind in kinds:
        by_channels.setdefault(kind.spec.channels, []).append(kind)
    models = []
    for channels, of_channels in by_channels.items():
        n_pixels = _count(of_channels)
        if n_pixels < _FEWEST_PIXELS:
            continue
        few = _Set.of(of_channels, _TRIAL_PIXELS, not max_error)
        many = _Set.of(of_channels, _MOST_PIXELS, not max_error)

        def fitted(
            images: _Set, training: Training, in_series: bool
        ) -> tuple[list[PixelNetwork], float]:
            return fit_networks(
                *images,
                n_pixels=n_pixels,
                in_series=in_series,
                max_error=max_error,
                training=training,
                random_state=random_state,
            )

        in_series = False
        if few.may_be_series:
            _, apart = fitted(few, _TRIAL, False)
            _, together = fitted(few, _TRIAL, True)
            in_series = together < (1 - _LEAST_GAIN) * apart
        networks, _ = fitted(many, _TRAININGS[effort], in_series)
        model = PixelModel.of(networks, in_series)
        n_bits = [
            one.bits(*few, max_error).sum() * n_pixels / few.n_pixels
            for one in (generic_model(channels), model)
        ]
        if n_bits[1] + 8 * len(model.packed) < n_bits[0]:
            models.append(model)
    return models
