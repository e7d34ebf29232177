"""Which networks of pixels a set of images is best coded by.

In: training images. Out: models that were trained on them, where they take fewer bytes
than the generic one, themselves counted.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import gcd
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from sklearn_dae.codecs._images import Kind, chunks_from_all_over
from sklearn_dae.codecs._planes import Form, limits_of, whole
from sklearn_dae.entropy import PixelModel
from sklearn_dae.entropy._generic import generic_model
from sklearn_dae.entropy._pixel_coder import stacks_of
from sklearn_dae.entropy._pixel_training import Training, fit_networks

if TYPE_CHECKING:
    from sklearn_dae.codecs._pixel import PixelCodec

#: Pixels that are trained on, at most, and those that trials go by.
_MOST_PIXELS, _TRIAL_PIXELS = 5_000_000, 500_000

#: Units of hidden layers, the smallest first, and from how many bytes on, which a set
#: takes by the generic networks, they pay; for fewer, no network would.
_SIZES = {(16, 16): 8_000, (32, 32): 160_000, (64, 64): 500_000, (96, 64): 10_000_000}

#: How networks are trained, by effort, whatever their size.
_TRAININGS = {
    2: Training(n_steps=500),
    3: Training(n_steps=4000),
    4: Training(n_steps=8000, batch_size=4096),
}

#: Sides of images, at most, that are trained for their place: larger ones are seldom
#: aligned.
_SMALL = 64

#: Values that get a probability to themselves, at most, and how much more often than
#: those around they must occur, as a share of all.
_MOST_POINTS, _LEAST_EXCESS = 16, 0.003

#: How the series is tried.
_TRIAL = Training(n_steps=250)

#: What looking at the image before must gain, as a share of the bits.
_LEAST_GAIN = 0.005


class _Set(NamedTuple):
    """Images with the same number of channels, as planes, a stack for each chunk.

    Parameters
    ----------
    stacks, limits
        As for `PixelModel.encode`.

    n_seen : int
        Pixels of the images; planes have fewer where these were enlarged.
    """

    stacks: list[np.ndarray]
    limits: tuple[np.ndarray, np.ndarray]
    n_seen: int

    @classmethod
    def of(cls, kinds: Sequence[Kind], codec: "PixelCodec", most_pixels: int) -> Self:
        """Take chunks from all over each kind, together of so many pixels."""
        share = most_pixels / _count(kinds)
        forms, planes, n_seen = [], [], 0
        for kind in kinds:
            size, is_exact = codec.images_of_chunk(kind.spec), not codec.max_abs_error
            chunks = [
                whole(kind.rows[chunk])
                for chunk in chunks_from_all_over(len(kind.rows), size, share)
            ]
            of_kind = [Form.of(rows, kind.spec, is_exact=is_exact) for rows in chunks]
            # A blank chunk could have come from a single pixel, but others did not.
            repeats = gcd(*(form.repeats for form in of_kind))
            for form, rows in zip(of_kind, chunks, strict=True):
                forms.append(form._replace(repeats=repeats))
                planes.append(forms[-1].planes(rows, kind.spec))
                n_seen += len(rows) * kind.spec.n_pixels
        return cls(planes, limits_of(forms, stacks_of(planes)), n_seen)

    @property
    def n_pixels(self) -> int:
        """Number of pixels of the planes."""
        return sum(stack[:, 0].size for stack in self.stacks)

    @property
    def may_be_series(self) -> bool:
        """Whether any image follows another."""
        return any(len(stack) > 1 for stack in self.stacks)


def _count(kinds: Sequence[Kind]) -> int:
    return sum(len(kind.rows) * kind.spec.n_pixels for kind in kinds)


def frequent_values(stacks: Sequence[np.ndarray]) -> np.ndarray:
    """Return values that are much more frequent than those around them.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae.codecs._pixel_fitting import frequent_values
    >>> frequent_values([np.array([0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 6, 6, 6, 7])])
    array([0, 6], dtype=int32)
    """
    numbers = np.concatenate([stack.ravel() for stack in stacks])
    counts = np.bincount(numbers).astype(np.float64) / numbers.size
    around = np.lib.stride_tricks.sliding_window_view(np.pad(counts, 3), 7)
    excess = counts - np.median(around, axis=1)
    chosen = np.argsort(-excess, kind="stable")[:_MOST_POINTS]
    return np.sort(chosen[excess[chosen] > _LEAST_EXCESS]).astype(np.int32)


def fit_models(
    codec: "PixelCodec", kinds: Sequence[Kind], report: Callable[[float], object]
) -> list[PixelModel]:
    """Train models for the images of each number of channels, where that pays.

    ``report`` is told which share of the training is done.
    """
    by_channels: dict[int, list[Kind]] = {}
    for kind in kinds:
        by_channels.setdefault(kind.spec.channels, []).append(kind)
    # If these are but a part of all, the share of each kind is the same in the rest.
    n_seen = _count(kinds)
    n_all = codec.n_pixels or n_seen
    n_networks = sum(channels for channels in by_channels)
    steps = _Steps(_most_steps(codec) * n_networks, report)
    models = [
        _model(codec, some, n_all / max(n_seen, 1), steps)
        for some in by_channels.values()
    ]
    return [model for model in models if model is not None]


def _most_steps(codec: "PixelCodec") -> int:
    """Return the most steps of training of a channel."""
    return _TRAININGS[codec.effort].n_steps + 2 * _TRIAL.n_steps


class _Steps:
    """Counts steps of training, and tells which part of them is done."""

    def __init__(self, n: int, report: Callable[[float], object]) -> None:
        self._n, self._n_done, self._report = n, 0, report

    def __call__(self, n: int = 1) -> None:
        self._n_done += n
        self._report(self._n_done / self._n)


def _model(
    codec: "PixelCodec", kinds: Sequence[Kind], factor: float, steps: _Steps
) -> PixelModel | None:
    """Train a model for images of some channels; None if the generic one is better.

    There will be ``factor`` times as many images to code.
    """
    channels = kinds[0].spec.channels
    few = _Set.of(kinds, codec, _TRIAL_PIXELS)
    n_pixels = round(factor * _count(kinds) * few.n_pixels / few.n_seen)

    def n_bytes(model: PixelModel) -> float:
        n_bits = model.bits(few.stacks, few.limits, codec.max_abs_error).sum()
        return n_bits / 8 * n_pixels / few.n_pixels

    n_generic = n_bytes(generic_model(channels))
    hidden = [sizes for sizes, fewest in _SIZES.items() if n_generic >= fewest]
    if not hidden:
        steps(_most_steps(codec) * channels)
        return None
    points = frequent_values(few.stacks) if channels == 1 else None
    shapes = {(kind.spec.height, kind.spec.width) for kind in kinds}
    is_aligned = len(shapes) == 1 and max(shapes.pop()) <= _SMALL

    def fit(images: _Set, training: Training, in_series: bool) -> tuple[Any, float]:
        return fit_networks(
            images.stacks,
            images.limits,
            n_pixels=n_pixels,
            points=points,
            is_aligned=is_aligned,
            in_series=in_series,
            max_error=codec.max_abs_error,
            training=replace(training, hidden=hidden[-1]),
            random_state=codec.random_state,
            on_step=steps,
        )

    in_series = False
    if few.may_be_series:
        _, apart = fit(few, _TRIAL, in_series=False)
        _, together = fit(few, _TRIAL, in_series=True)
        in_series = together < (1 - _LEAST_GAIN) * apart
    else:
        steps(2 * _TRIAL.n_steps * channels)
    many = _Set.of(kinds, codec, _MOST_PIXELS)
    networks, _ = fit(many, _TRAININGS[codec.effort], in_series)
    model = PixelModel.of(networks, in_series)
    return model if n_bytes(model) + len(model.packed) < n_generic else None
