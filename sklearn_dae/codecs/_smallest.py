"""The codec that makes the smallest file, of all that can keep what is asked for."""

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_dae.codecs._base import Codec
from sklearn_dae.codecs._candidates import Candidate, Goal, candidates_for
from sklearn_dae.codecs._measured import coded_bytes, peak_of, some_of
from sklearn_dae.images import ImageSet
from sklearn_dae.images.readers._arrays import array_file

#: Numbers of the images that candidates are tried on.
_SAMPLE_NUMBERS = 2**20

#: How much larger than the smallest a candidate may seem to be fitted for good, and how
#: many are at most.
_CLOSE, _MOST_FITTED = 1.05, 3


#: How much worse than all together an image may be that a transformer restores, in
#: decibels; others are stored without loss.
_FLOOR = 6.0

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

    max_abs_error : int, default=None
        How far any number may be off; 0 without loss. Without a target either, nothing
        is lost.

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
        "max_abs_error": [Interval(Integral, 0, None, closed="left"), None],
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
        max_abs_error: int | None = None,
        peak: float | None = None,
        n_images: int | None = None,
        candidates: str | Sequence[str] = "auto",
        effort: int = 3,
        random_state: int = 0,
        verbose: bool = False,
    ) -> None:
        self.target_psnr = target_psnr
        self.max_abs_error = max_abs_error
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
        if None not in (self.target_psnr, self.max_abs_error):
            raise ValueError(
                "target_psnr and max_abs_error each say how good images are to be: "
                "give one of them."
            )
        images = _image_set(X)
        if not len(images):
            raise ValueError("X holds no images; expected one or more.")
        peak = self.peak
        if peak is None:
            peak = 1.0 if self.target_psnr is None else peak_of(images)
        goal = Goal(
            images,
            some_of(images, _SAMPLE_NUMBERS),
            (self.n_images or len(images)) / len(images),
            peak,
            self.target_psnr,
            _FLOOR,
            self.max_abs_error or 0,
            self.effort,
            self.random_state,
        )
        tried = self._try(goal)
        self.codec_, self.candidates_ = _fitted_for_good(tried, goal)
        return self

    def _try(self, goal: Goal) -> list[tuple[Candidate, Tried]]:
        """Try all candidates that are asked for."""
        tried, fewest = [], math.inf
        for candidate in self._candidates(goal):
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
            if self.verbose:
                print(record, file=sys.stderr, flush=True)
        return tried

    def _candidates(self, goal: Goal) -> list[Candidate]:
        """Return those that are asked for."""
        candidates = list(candidates_for(goal))
        if self.candidates == "auto":
            return candidates
        names = OWN if self.candidates == "own" else self.candidates
        wanted = {name.lower() for name in names}
        chosen = [each for each in candidates if each.family.lower() in wanted]
        if not chosen:
            families = dict.fromkeys(each.family for each in candidates)
            raise ValueError(
                f"candidates are {', '.join(names)}, of which none can do what is "
                f"wanted; take some of {', '.join(families)}."
            )
        return chosen

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
