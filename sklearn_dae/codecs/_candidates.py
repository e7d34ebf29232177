"""Whatever a set of images may be stored by, each at the settings that it is best at.

A candidate is tried on a sample of the images first, and then, if it may be the
smallest, fitted for good to all of them.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
from sklearn.base import clone

from sklearn_dae.codecs._base import Codec
from sklearn_dae.codecs._general import GeneralCodec
from sklearn_dae.codecs._image_format import ImageFormatCodec
from sklearn_dae.codecs._jpegls import JpegLSCodec
from sklearn_dae.codecs._jpegxl import JpegXLCodec
from sklearn_dae.codecs._measured import (
    Measured,
    coded_bytes,
    count_numbers,
    measured,
    model_bytes,
    some_of,
)
from sklearn_dae.codecs._pillow import PillowCodec
from sklearn_dae.codecs._pixel import PixelCodec
from sklearn_dae.codecs._set_redundancy import SetRedundancyCodec
from sklearn_dae.codecs._sizes import Sizes, SizeSearch
from sklearn_dae.codecs._step import relative_to
from sklearn_dae.codecs._transform import TransformCodec
from sklearn_dae.images import ImageSet, ImageSpec

#: Most pixels of images that may be better off side by side, the least of those that
#: may be better off in files of their own, and the most of those that may be predicted
#: from what their set has in common.
_FEW_PIXELS, _MANY_PIXELS, _VERY_FEW_PIXELS = 2**18, 2**12, 2**12

#: Numbers of the images that networks of pixels learn from, and that transformers do.
_LEARNING_NUMBERS, _TRANSFORM_NUMBERS = 3 * 2**21, 2**26

#: Bytes of a model besides its weights: at all, and for each value of a code.
_HEADER, _VALUE = 300, 9

#: The fewest images that a transformer may pay for.
_FEWEST_IMAGES = 20

#: How much larger the generic network may be than the smallest so far for one that is
#: trained to be tried.
_MUCH_MORE = 1.3

#: How often a quality is corrected that was met by the images learned from only, and by
#: how many decibels more than it was missed by.
_MOST_CORRECTIONS, _CORRECTION = 3, 0.005

#: How often a transformer gets more values where it is not good enough after all.
_MOST_ENLARGED = 3

#: Epochs of a network for each effort: in trials, and for good.
_TRIAL_EPOCHS, _EPOCHS = {2: 20, 3: 40, 4: 40}, {2: 40, 3: 80, 4: 150}

#: Numbers of images and weights, multiplied, beyond which there are half the epochs.
_MUCH_WORK = 20_000 * 150_000


@dataclass(frozen=True, eq=False)
class Goal:
    """What is wanted of all candidates.

    Parameters
    ----------
    images : ImageSet
        The images.

    sample : ImageSet
        Some of them, from all over, on which candidates are tried.

    scale : float
        How many images are to be stored, relative to these.

    peak : float
        What errors are relative to.

    target_psnr, worst_psnr : float or None
        The quality wanted of all images together, and of each of them, in decibels.

    max_abs_error : int
        Largest error of a number; 0 without loss.

    effort : int
        How long to try, from 1 to 4.

    random_state : int
        Seed of trainings.
    """

    images: ImageSet
    sample: ImageSet
    scale: float
    peak: float
    target_psnr: float | None
    worst_psnr: float | None
    max_abs_error: int
    effort: int
    random_state: int

    @cached_property
    def kinds(self) -> Collection[ImageSpec]:
        """What the images are."""
        return self.images.groups().keys()

    @cached_property
    def n_samples(self) -> float:
        """How often the sample is contained in what is to be stored."""
        share = count_numbers(self.sample) / count_numbers(self.images)
        return self.scale / share

    @property
    def n_images(self) -> int:
        """How many images are to be stored."""
        return round(self.scale * len(self.images))

    @cached_property
    def size_search(self) -> SizeSearch:
        """What finds sizes of PCA and of the autoencoder, for images of one kind."""
        return SizeSearch.of(
            some_of(self.images, _TRANSFORM_NUMBERS),
            self.n_images,
            self.least[0],
            self.peak,
            max_iter=_TRIAL_EPOCHS[self.effort],
            random_state=self.random_state,
        )

    @property
    def least(self) -> tuple[float, float]:
        """The qualities wanted, 0 where none is."""
        return self.target_psnr or 0.0, self.worst_psnr or 0.0

    def is_met(self, found: Measured) -> bool:
        """Whether images come back as well as is wanted, and so does each of them."""
        least, least_of_one = self.least
        return found.psnr >= least and found.worst_psnr >= least_of_one

    def total(self, codec: Codec, n_bytes_of_sample: float) -> float:
        """Return the bytes of all images and the model."""
        return self.n_samples * n_bytes_of_sample + model_bytes(codec)


class Candidate:
    """A way to store images."""

    #: What to call it.
    name: str

    @property
    def family(self) -> str:
        """Its name, without how images are laid out, and whether anything is lost."""
        return self.name.split(", ")[0].removesuffix(" without loss")

    def tried(self, goal: Goal, n_bytes: float) -> float:
        """Try it on the sample; return the bytes of all images, model included.

        Parameters
        ----------
        goal : Goal
            What is wanted.

        n_bytes : float
            The fewest bytes so far: whoever cannot take fewer need not try.

        Returns
        -------
        float
            Infinity if it is not good enough, or cannot pay.

        Raises
        ------
        ValueError
            If it cannot store such images.

        ImportError
            If a library that it needs is not installed.
        """
        raise NotImplementedError

    def fitted(self, goal: Goal) -> Iterator[Codec]:
        """Yield codecs fitted for good, after a try; the smallest one is best."""
        raise NotImplementedError


@dataclass
class WithoutSearch(Candidate):
    """A codec that meets any wish as it is: it loses nothing, or a little everywhere.

    Parameters
    ----------
    name : str
        What to call it.

    codecs : sequence of Codec
        At several settings, where that may help; the first is tried.
    """

    name: str
    codecs: Sequence[Codec]
    _total: float = field(default=math.nan, init=False)

    def tried(self, goal: Goal, n_bytes: float) -> float:
        # The same at any quality.
        if math.isnan(self._total):
            codec = self.codecs[0].fit(goal.sample)
            self._total = goal.total(codec, coded_bytes(codec, goal.sample))
        return self._total

    def fitted(self, goal: Goal) -> Iterator[Codec]:
        for codec in self.codecs:
            # There is nothing to learn.
            yield codec.fit(goal.sample)


@dataclass
class OfPixels(Candidate):
    """Networks of pixels, at a bound on the error of each number.

    Parameters
    ----------
    name : str
        What to call it.
    """

    name: str = "PixelCodec"
    _codec: PixelCodec | None = None

    def tried(self, goal: Goal, n_bytes: float) -> float:
        self._codec, codec = None, self._make(goal)
        if goal.target_psnr is not None:
            # The generic network, which takes no time, tells whether it may pay.
            plain = clone(codec).set_params(effort=1).fit(goal.sample)
            total = goal.total(plain, coded_bytes(plain, goal.sample))
            if total > _MUCH_MORE * n_bytes:
                return total
        self._codec = codec.fit(some_of(goal.images, _LEARNING_NUMBERS))
        return goal.total(self._codec, coded_bytes(self._codec, goal.sample))

    def _make(self, goal: Goal) -> PixelCodec:
        bound = goal.max_abs_error
        if goal.target_psnr is not None:
            bound = _bound_for(goal)
        n_pixels = sum(
            len(places) * spec.n_pixels for spec, places in goal.images.groups().items()
        )
        return PixelCodec(
            bound, effort=goal.effort, n_pixels=round(goal.scale * n_pixels)
        )

    def fitted(self, goal: Goal) -> Iterator[Codec]:
        if self._codec is not None:
            yield self._codec


def _bound_for(goal: Goal) -> int:
    """Return the largest bound on errors whose mean square is good enough.

    Errors up to a bound b are all about as frequent, so their mean square is
    b (b + 1) / 3; that of an image is b ** 2 at most.
    """
    if any(spec.dtype.kind not in "iu" for spec in goal.kinds):
        return 0
    mse, worst = (
        goal.peak**2 * 10 ** (-(psnr or math.inf) / 10)
        for psnr in (goal.target_psnr, goal.worst_psnr)
    )
    return int(min((math.sqrt(1 + 12 * mse) - 1) / 2, math.sqrt(worst)))


@dataclass
class OfFormat(Candidate):
    """An image format with loss, whose quality is to be found.

    Parameters
    ----------
    name : str
        What to call it.

    settings : sequence of dict
        Parameters that set the quality, from the coarsest to the finest.

    quick : callable
        Makes a codec from a setting, to find the quality with.

    good : sequence of callable
        Make codecs as small as they get.
    """

    name: str
    settings: Sequence[dict[str, Any]]
    quick: Callable[..., ImageFormatCodec]
    good: Sequence[Callable[..., ImageFormatCodec]]
    _place: int = field(default=0, init=False)
    _known: dict[int, Measured] = field(default_factory=dict, init=False)

    def tried(self, goal: Goal, n_bytes: float) -> float:
        if not all(self.quick(**self.settings[0]).holds(spec) for spec in goal.kinds):
            raise ValueError("Such images would lose some bits or channels.")

        def quick(place: int) -> ImageFormatCodec:
            return self.quick(**self.settings[place]).fit(goal.sample)

        def is_good(place: int) -> bool:
            if place not in self._known:
                self._known[place] = measured(quick(place), goal.sample, goal.peak)
            return goal.is_met(self._known[place])

        places = range(len(self.settings))
        self._place = bisect_left(places, True, key=is_good)
        if self._place not in places:
            return math.inf
        # The coarsest good one is among those that have been measured.
        return goal.total(quick(self._place), self._known[self._place].n_bytes)

    @staticmethod
    def _is_good(codec: Codec, images: ImageSet, goal: Goal) -> bool:
        return goal.is_met(measured(codec, images, goal.peak))

    def fitted(self, goal: Goal) -> Iterator[Codec]:
        for make in self.good:
            if (codec := self._coarsest(make, goal)) is not None:
                yield codec

    def _coarsest(self, make: Callable[..., Codec], goal: Goal) -> Codec | None:
        """Return the coarsest codec that is good for all images; None if none is."""
        learning = some_of(goal.images, _TRANSFORM_NUMBERS)

        def at(place: int) -> Codec:
            return make(**self.settings[place]).fit(learning)

        place, codec = self._place, at(self._place)
        if self._is_good(codec, goal.images, goal):
            # The sample may have been harder, and more effort may be better.
            while place and self._is_good(coarser := at(place - 1), goal.images, goal):
                place, codec = place - 1, coarser
            return codec
        for finer in map(at, range(place + 1, len(self.settings))):
            if self._is_good(finer, goal.images, goal):
                return finer
        return None


@dataclass
class OfTransformer(Candidate):
    """PCA, or an autoencoder, of sizes that pay.

    Parameters
    ----------
    is_deep : bool
        Whether it has a hidden layer.
    """

    is_deep: bool
    _sizes: Sizes | None = field(default=None, init=False)

    @property
    def name(self) -> str:  # type: ignore[override]
        """What to call it."""
        return "autoencoder" if self.is_deep else "PCA"

    def tried(self, goal: Goal, n_bytes: float) -> float:
        if len(goal.kinds) > 1:
            raise ValueError("It takes images of one size and kind.")
        if len(goal.images) < _FEWEST_IMAGES:
            raise ValueError(f"It learns from {_FEWEST_IMAGES} images or more.")
        search = goal.size_search
        if not search.can_pay(n_bytes):
            return math.inf
        self._sizes = search.deep() if self.is_deep else search.linear()
        if self._sizes is None:
            return math.inf
        return _HEADER + _VALUE * self._sizes.n_values + self._sizes.n_bytes

    def fitted(self, goal: Goal) -> Iterator[Codec]:
        sizes = self._sizes
        for _ in range(_MOST_ENLARGED):
            if sizes is None:
                return
            try:
                yield self._fitted(goal, goal.size_search, sizes)
                return
            except ValueError:
                # All images are harder than those of the trials.
                sizes = sizes.with_more_values(goal.size_search.X.shape[1])

    def _fitted(self, goal: Goal, search: SizeSearch, sizes: Sizes) -> Codec:
        transformer: Any = search.principal_components(sizes)
        if self.is_deep:
            n_epochs = _EPOCHS[goal.effort]
            n_weights = sizes.n_units * search.X.shape[1]
            if n_weights * len(search.X) > _MUCH_WORK:
                n_epochs //= 2
            transformer = search.trained(sizes, n_epochs)
        images = search.X.reshape(-1, *goal.images.spec.shape)
        span, (least, least_of_one) = search.wish.span, goal.least
        wanted, wanted_of_one = goal.least
        for _ in range(_MOST_CORRECTIONS):
            codec = TransformCodec(
                transformer,
                target_psnr=relative_to(span, wanted, goal.peak),
                worst_psnr=relative_to(span, wanted_of_one, goal.peak),
                n_images=goal.n_images,
                autoregressive=True,
            ).fit(images)
            found = measured(codec, goal.images, goal.peak)
            if goal.is_met(found):
                return codec
            # It was fitted on some of the images, and before pixels were rounded.
            if found.psnr < least:
                wanted += least - found.psnr + _CORRECTION
            if found.worst_psnr < least_of_one:
                wanted_of_one += least_of_one - found.worst_psnr + _CORRECTION
        raise ValueError("The images learned from are easier than the others.")


def candidates_for(goal: Goal) -> Iterator[Candidate]:
    """Yield all candidates for a wish, the quickest to be tried first."""
    if goal.target_psnr is not None:
        yield from _formats(goal)
    yield from _without_search(goal)
    yield OfPixels()
    if goal.target_psnr is not None and goal.effort > 1:
        yield OfTransformer(is_deep=False)
        yield OfTransformer(is_deep=True)


def _layouts(goal: Goal) -> list[str]:
    """Return how images may be laid out."""
    layouts = []
    if any(spec.n_pixels <= _FEW_PIXELS for spec in goal.kinds):
        layouts.append("mosaic")
    if any(spec.n_pixels >= _MANY_PIXELS for spec in goal.kinds):
        layouts.append("files")
    return layouts


def _formats(goal: Goal) -> Iterator[OfFormat]:
    jpeg, webp, avif, jpeg2000 = (
        partial(PillowCodec, name) for name in ("jpeg", "webp", "avif", "jpeg2000")
    )
    tenths = np.arange(10, 80, 0.1).round(1).tolist()
    ways: dict[str, tuple[str, Sequence[float], Any, Sequence[Any]]] = {
        "JPEG": ("quality", range(1, 101), jpeg, [jpeg]),
        "WebP": ("quality", np.arange(0, 100.5, 0.5).tolist(), webp, [webp]),
        "JPEG 2000": ("quality", tenths, jpeg2000, [jpeg2000]),
        "JPEG XL": (
            "distance",
            np.geomspace(25, 0.03, 150).round(3).tolist(),
            partial(JpegXLCodec, effort=7),
            # On some images, more effort makes files larger.
            [partial(JpegXLCodec, effort=effort) for effort in (7, 9)],
        ),
        "AVIF": (
            "quality",
            range(101),
            partial(avif, effort=4),
            [partial(avif, effort={1: 4, 2: 6}.get(goal.effort, 7))],
        ),
    }
    for name, (parameter, values, quick, good) in ways.items():
        for layout in _layouts(goal):
            yield OfFormat(
                _named(name, layout),
                [{parameter: value} for value in values],
                partial(quick, layout=layout),
                [partial(make, layout=layout) for make in good],
            )


def _named(name: str, layout: str) -> str:
    return f"{name}, {'side by side' if layout == 'mosaic' else 'one by one'}"


def _without_search(goal: Goal) -> Iterator[Candidate]:
    bound = goal.max_abs_error
    for layout in _layouts(goal):
        if bound:
            yield WithoutSearch(
                _named("JPEG-LS", layout), [JpegLSCodec(bound, layout=layout)]
            )
        yield WithoutSearch(
            _named("JPEG XL without loss", layout),
            [
                JpegXLCodec(lossless=True, effort=effort, layout=layout)
                for effort in (7, 9)
            ],
        )
    if any(spec.channels > 1 for spec in goal.kinds):
        webp = PillowCodec("webp", lossless=True, layout="files")
        yield WithoutSearch("WebP without loss", [webp])
    if any(spec.n_pixels <= _VERY_FEW_PIXELS for spec in goal.kinds):
        yield WithoutSearch("SetRedundancyCodec", [SetRedundancyCodec()])
    yield WithoutSearch("PNG", [PillowCodec("png", layout="files")])
    yield WithoutSearch("LZMA", [GeneralCodec("lzma")])
