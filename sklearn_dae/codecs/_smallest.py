"""The codec that makes the smallest file, of all that can keep what is asked for."""

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_dae.codecs._base import Codec
from sklearn_dae.codecs._candidates import Candidate, Goal, candidates_for
from sklearn_dae.codecs._measured import coded_bytes, peak_of, some_of
from sklearn_dae.codecs._rate import highest_quality
from sklearn_dae.codecs._step import floor_of
from sklearn_dae.images import ImageSet
from sklearn_dae.images.readers._arrays import array_file

#: Numbers of the images that candidates are tried on.
_SAMPLE_NUMBERS = 2**20

#: How much larger than the smallest a candidate may seem to be fitted for good, and how
#: many are at most.
_CLOSE, _MOST_FITTED = 1.05, 3

#: Where the quality that so many bits are enough for is looked for at first.
_FIRST_PSNR = 30.0

#: Candidates whose files need no package that this one does not need anyway.
OWN = ("autoencoder", "PCA", "PixelCodec", "SetRedundancyCodec", "LZMA")


@dataclass(frozen=True)
class Tried:
    """What became of a candidate.

    Parameters
    ----------
    name : str
        What it is called.

    n_bytes : float
        Bytes of all images, model included; infinity if it was not good enough, or
        could not pay. Estimated from a sample, where the set is larger than that.

    seconds : float
        Time that it took to find out.

    error : str or None
        Why it cannot store such images.
    """

    name: str
    n_bytes: float
    seconds: float
    error: str | None = None

    def __str__(self) -> str:
        if self.error is not None:
            said = self.error
        elif self.n_bytes == math.inf:
            said = "not good enough, or cannot pay"
        else:
            said = f"{self.n_bytes:,.0f} bytes"
        return f"{self.name}: {said} ({self.seconds:.1f} s)"


class SmallestCodec(BaseEstimator):
    """Store images by whatever makes the smallest file, its model counted.

    The autoencoder and PCA at the sizes that pay for so many images, networks of
    pixels, and image formats side by side and one by one, each at its own best settings
    and at the quality asked for, are tried on a sample of the images; those that may be
    smallest are fitted for good.

    Parameters
    ----------
    target_psnr : float, default=None
        Peak signal-to-noise ratio of all restored images together, in decibels.

    target_bits_per_sample : float, default=None
        Bits that an image may take on average, everything counted: those of the model,
        too, are divided among the ``n_images`` that are to be stored. The quality is
        the best that so many bits are enough for; to find it takes several searches.

    max_abs_error : int, default=None
        How far any number may be off; 0 without loss. Without a target either, nothing
        is lost.

    worst_psnr : float, default=None
        The lowest quality of any single image, where something may be lost. None means
        6 dB less than that of all together.

    peak : float, default=None
        What errors are relative to. None means 255 for numbers of 8 bits, and for
        others the largest of all images less the smallest.

    n_images : int, default=None
        How many images are to be stored, if those that `fit` sees are a part of them.

    candidates : "auto", "own" or sequence of str, default="auto"
        Which to try: all; those that need no package beyond this one's own; or those
        of some names, such as "autoencoder", "PCA", "PixelCodec", "JPEG XL" or "AVIF".

    effort : int, default=3
        How long to try: 1, without training anything; 2, briefly; 3, a minute for some
        thousand small images; 4, some minutes.

    random_state : int, default=0
        Seed of trainings.

    verbose : bool, default=False
        Whether to print, to standard error, what each candidate would take.

    Attributes
    ----------
    codec_ : Codec
        The smallest codec.

    candidates_ : list of Tried
        What became of all candidates, the smallest one first.

    Examples
    --------
    >>> from sklearn_dae.codecs import SmallestCodec
    >>> from sklearn_dae.datasets import load_digits
    >>> X = load_digits().data.reshape(-1, 8, 8)
    >>> codec = SmallestCodec(effort=1).fit(X)
    >>> data = codec.encode(X)
    >>> (codec.decode(data) == X).all()
    np.True_
    >>> codec.candidates_[0].name
    'JPEG XL without loss, side by side'
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "target_psnr": [Interval(Real, 0, None, closed="neither"), None],
        "target_bits_per_sample": [Interval(Real, 0, None, closed="neither"), None],
        "max_abs_error": [Interval(Integral, 0, None, closed="left"), None],
        "worst_psnr": [Interval(Real, 0, None, closed="neither"), None],
        "peak": [Interval(Real, 0, None, closed="neither"), None],
        "n_images": [Interval(Integral, 1, None, closed="left"), None],
        "candidates": [StrOptions({"auto", "own"}), list, tuple],
        "effort": [Interval(Integral, 1, 4, closed="both")],
        "random_state": [Interval(Integral, 0, None, closed="left")],
        "verbose": ["boolean"],
    }

    codec_: Codec

    def __init__(
        self,
        target_psnr: float | None = None,
        *,
        target_bits_per_sample: float | None = None,
        max_abs_error: int | None = None,
        worst_psnr: float | None = None,
        peak: float | None = None,
        n_images: int | None = None,
        candidates: str | Sequence[str] = "auto",
        effort: int = 3,
        random_state: int = 0,
        verbose: bool = False,
    ) -> None:
        self.target_psnr = target_psnr
        self.target_bits_per_sample = target_bits_per_sample
        self.max_abs_error = max_abs_error
        self.worst_psnr = worst_psnr
        self.peak = peak
        self.n_images = n_images
        self.candidates = candidates
        self.effort = effort
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the codec that makes the smallest file.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or images
            Images: as rows of square ones; as an array of shape (n_samples, height,
            width) or (n_samples, height, width, channels); as an `ImageSet`; or one by
            one, as a list of arrays of shape (height, width) or (height, width,
            channels).

        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            The fitted codec.

        Raises
        ------
        ValueError
            If parameters or images are invalid, or no candidate can store them.
        """
        self._validate_params()
        self._check_wish()
        images = _image_set(X)
        if not len(images):
            raise ValueError("X holds no images; expected one or more.")
        goal = Goal(
            images,
            some_of(images, _SAMPLE_NUMBERS),
            (self.n_images or len(images)) / len(images),
            self.peak or (peak_of(images) if self._is_lossy else 1.0),
            None,
            None,
            self.max_abs_error or 0,
            self.effort,
            self.random_state,
        )
        if self.target_bits_per_sample is not None:
            smallest = self._best_within(self.target_bits_per_sample, goal)
        else:
            if self.target_psnr is not None:
                goal = self._at(self.target_psnr, goal)
            smallest = self._smallest(goal, self._candidates(goal))
        self.codec_, self.candidates_ = smallest
        return self

    @property
    def _is_lossy(self) -> bool:
        return self.target_psnr is not None or self.target_bits_per_sample is not None

    def _check_wish(self) -> None:
        """Raise unless at most one thing is wanted."""
        wishes = self.target_psnr, self.target_bits_per_sample, self.max_abs_error
        if sum(wish is not None for wish in wishes) > 1:
            raise ValueError(
                "target_psnr, target_bits_per_sample and max_abs_error each say how "
                "good images are to be: give one of them."
            )
        if self.worst_psnr is not None and not self._is_lossy:
            raise ValueError(
                f"worst_psnr == {self.worst_psnr:g}, but no quality is asked for: give "
                "target_psnr or target_bits_per_sample, too."
            )

    def _at(self, psnr: float, goal: Goal) -> Goal:
        """Return a goal with a quality."""
        worst_psnr = self.worst_psnr or floor_of(psnr)
        return replace(goal, target_psnr=psnr, worst_psnr=worst_psnr)

    def _smallest(
        self, goal: Goal, candidates: Sequence[Candidate]
    ) -> tuple[Codec, list[Tried]]:
        """Return the smallest codec, and what became of all candidates."""
        if self.verbose and self.target_bits_per_sample is not None:
            print(f"At {goal.target_psnr:.2f} dB:", file=sys.stderr, flush=True)
        return _fitted_for_good(self._try(goal, candidates), goal)

    def _best_within(self, n_bits: float, goal: Goal) -> tuple[Codec, list[Tried]]:
        """Return the smallest codec at the best quality for so many bits an image."""
        most = n_bits * goal.n_images / 8
        found: dict[float, tuple[Codec, list[Tried]]] = {}
        problems: list[ValueError] = []
        candidates = self._candidates(self._at(_FIRST_PSNR, goal))

        def n_bytes(psnr: float) -> float:
            try:
                found[psnr] = self._smallest(self._at(psnr, goal), candidates)
            except ValueError as problem:
                problems.append(problem)
                return math.inf
            return found[psnr][1][0].n_bytes

        psnr = highest_quality(n_bytes, most, self._first_psnr(goal, most))
        if not found:
            raise problems[-1]
        if psnr is None:
            fewest = min(tried[0].n_bytes for _, tried in found.values())
            raise ValueError(
                f"target_bits_per_sample == {n_bits:g}, but an image takes "
                f"{8 * fewest / goal.n_images:.2f} bits at the lowest quality, the "
                "model included; ask for more, or store more images together."
            )
        return found[psnr]

    def _first_psnr(self, goal: Goal, most: float) -> float:
        """Return about the best quality that so many bytes are enough for.

        It takes little time to find out for candidates that nothing is trained for.
        """
        quick = replace(goal, effort=1)
        candidates = self._chosen(self._at(_FIRST_PSNR, quick))

        def n_bytes(psnr: float) -> float:
            tried = self._try(self._at(psnr, quick), candidates, tell=False)
            return min((record.n_bytes for _, record in tried), default=math.inf)

        return highest_quality(n_bytes, most, _FIRST_PSNR) or _FIRST_PSNR

    def _try(
        self, goal: Goal, candidates: Sequence[Candidate], *, tell: bool = True
    ) -> list[tuple[Candidate, Tried]]:
        """Try candidates."""
        tried, fewest = [], math.inf
        for candidate in candidates:
            begin = time.perf_counter()
            n_bytes, error = math.inf, None
            try:
                n_bytes = candidate.tried(goal, fewest)
            except (ValueError, ImportError) as problem:
                error = str(problem)
            fewest = min(fewest, n_bytes)
            seconds = time.perf_counter() - begin
            record = Tried(candidate.name, n_bytes, seconds, error)
            tried.append((candidate, record))
            if self.verbose and tell:
                print(record, file=sys.stderr, flush=True)
        return tried

    def _candidates(self, goal: Goal) -> list[Candidate]:
        """Return those that are asked for."""
        chosen = self._chosen(goal)
        if not chosen:
            families = dict.fromkeys(each.family for each in candidates_for(goal))
            raise ValueError(
                f"candidates are {', '.join(self._names)}, of which none can do what "
                f"is wanted; take some of {', '.join(families)}."
            )
        return chosen

    def _chosen(self, goal: Goal) -> list[Candidate]:
        """Return those that are asked for, of which there may be none."""
        candidates = list(candidates_for(goal))
        if self.candidates == "auto":
            return candidates
        wanted = {name.lower() for name in self._names}
        return [each for each in candidates if each.family.lower() in wanted]

    @property
    def _names(self) -> Sequence[str]:
        return OWN if self.candidates == "own" else self.candidates

    def encode(self, X: Any) -> bytes:
        """Encode images, as `Codec.encode` does."""
        check_is_fitted(self)
        return self.codec_.encode(X)

    def decode(self, data: bytes) -> Any:
        """Decode what `encode` returned, as `Codec.decode` does."""
        check_is_fitted(self)
        return self.codec_.decode(data)

    def score(self, X: Any, y: Any = None) -> float:
        """Return the score of the smallest codec; see `Codec.score`."""
        check_is_fitted(self)
        return self.codec_.score(X)


def _image_set(X: Any) -> ImageSet:
    if isinstance(X, ImageSet):
        return X
    if isinstance(X, list | tuple) and any(np.ndim(x) >= 2 for x in X[:1]):
        return ImageSet([array_file(np.asarray(x)[None], ()) for x in X], "X")
    return ImageSet.from_array(X, "X")


def _fitted_for_good(
    tried: list[tuple[Candidate, Tried]], goal: Goal
) -> tuple[Codec, list[Tried]]:
    """Fit those that may be the smallest; return the one that is."""
    tried.sort(key=lambda pair: pair[1].n_bytes)
    smallest: Codec | None = None
    results: list[Tried] = []
    fewest = math.inf
    for candidate, record in tried:
        is_far = len(results) >= _MOST_FITTED or record.n_bytes > _CLOSE * fewest
        if smallest is not None and is_far:
            break
        begin, best = time.perf_counter(), math.inf
        error = record.error
        try:
            for codec in candidate.fitted(goal) if record.n_bytes < math.inf else ():
                n_bytes = goal.total(codec, coded_bytes(codec, goal.sample))
                best = min(best, n_bytes)
                if n_bytes < fewest:
                    smallest, fewest = codec, n_bytes
        except ValueError as problem:
            # What can be done for the sample cannot always be for all images.
            error = str(problem)
        seconds = record.seconds + time.perf_counter() - begin
        results.append(Tried(record.name, best, seconds, error))
    if smallest is None:
        reasons = "; ".join(f"{each.name}: {each.error}" for _, each in tried)
        raise ValueError(f"No candidate can store these images: {reasons}")
    results += [record for _, record in tried[len(results) :]]
    return smallest, sorted(results, key=lambda each: each.n_bytes)
