"""How alike the images of a set are, and what knowing the set saves.

In: images. Out: correlations, bits per pixel, and bytes per image.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sklearn_dae._validation import check_real
from sklearn_dae.evaluation._forecast import BLOCK_NUMBERS, forecast, some_at_a_time
from sklearn_dae.evaluation._measurement import decibels
from sklearn_dae.evaluation._shape import shape_of_rows

#: Fewest and most pairs of images whose correlations show how these spread, and most
#: pixels of images that are read for more than the fewest.
_FEWEST_PAIRS, _MOST_PAIRS, _PAIR_NUMBERS = 100, 2000, 2**26

#: Most images of each half of the set that entropies and the forecast look at; the
#: pixels beyond which images are large, and the most images if they are.
_MOST_IMAGES, _LARGE, _MOST_LARGE_IMAGES = 10_000, 1_000, 1_000

#: Number of levels of a pixel whose frequencies are counted.
_N_LEVELS = 256

#: How many images the frequencies of all places may count for at each place.
_PRIOR_WEIGHTS = 4.0 ** np.arange(-2, 9)

#: Forecast bytes with the set over those without. MNIST, digits and X-rays have 0.42 to
#: 0.52, and 500 of them up to 0.66; shifted at random, 0.93 and 0.94; patches of
#: photographs, and noise, 0.99 and more (benchmarks/forecast.py).
_ALIKE, _UNLIKE = 0.8, 0.95


@dataclass(frozen=True)
class SetSimilarity:
    """How alike the images of a set are.

    Parameters
    ----------
    n_images : int
        Number of images in the set.

    n_constant : int
        Number of images of a single value, which correlate with nothing and are left
        out of correlations.

    mean_correlation : float or None
        Pearson's correlation of two images, averaged over all pairs; None if fewer than
        two images have several values.

    correlation_quartiles : tuple of three float, or None
        Quartiles over randomly drawn pairs, or over all if there are few; None as
        above.

    entropy : float
        Bits per pixel of the values of pixels, wherever they are.

    entropy_given_set : float
        Bits per pixel of one half of the set, when the values that each place of the
        image has in the other half are known.

    forecast_psnr : float or None
        The quality of the forecast, in decibels; None if all images are equal.

    forecast_set_bytes, forecast_image_bytes : float
        Bytes that an image of this quality takes in theory, with the principal axes of
        the set, which the autoencoder starts from, and with blocks of cosines, as in
        image formats, which know nothing about the set.
    """

    n_images: int
    n_constant: int
    mean_correlation: float | None
    correlation_quartiles: tuple[float, float, float] | None
    entropy: float
    entropy_given_set: float
    forecast_psnr: float | None
    forecast_set_bytes: float
    forecast_image_bytes: float

    @property
    def redundancy(self) -> float:
        """What knowing the set saves, as a fraction of the entropy.

        Never below 0, since a coder need not use what it knows.
        """
        if self.entropy == 0:
            return 0.0
        return max(0.0, 1 - self.entropy_given_set / self.entropy)

    @property
    def forecast_ratio(self) -> float | None:
        """Forecast bytes with the set over those without; None if the latter are 0."""
        if self.forecast_image_bytes == 0:
            return None
        return self.forecast_set_bytes / self.forecast_image_bytes

    @property
    def verdict(self) -> str:
        """Whether knowing the set pays off, in a sentence."""
        if self.forecast_psnr is None:
            return "Equal: no image differs from the mean image."
        quality = f"{self.forecast_psnr:.1f} dB"
        if self.forecast_ratio is None:
            return f"Nothing to code: the mean image is enough for {quality}."
        if self.forecast_ratio <= _ALIKE:
            degree = "Alike"
        elif self.forecast_ratio <= _UNLIKE:
            degree = "Hardly alike"
        else:
            degree = "Unlike, or too few"
        saved = max(0.0, 1 - self.forecast_ratio)
        return (
            f"{degree}: learning from the set may save {saved:.0%} of the bytes of an "
            f"image at {quality}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers and the verdict, ready for JSON."""
        return asdict(self) | {
            "redundancy": self.redundancy,
            "forecast_ratio": self.forecast_ratio,
            "verdict": self.verdict,
        }

    def __str__(self) -> str:
        rows = {
            "Correlation of two images": self._correlation,
            "Entropy of a pixel": f"{self.entropy:.3f} bits; "
            f"{self.entropy_given_set:.3f} knowing what other images have there",
            "Set redundancy": f"{self.redundancy:.1%}",
        }
        if self.forecast_psnr is not None:
            rows[f"Forecast for {self.forecast_psnr:.1f} dB"] = (
                f"{self.forecast_set_bytes:.1f} bytes an image by axes of the set, "
                f"{self.forecast_image_bytes:.1f} by cosines"
            )
        if self.n_constant:
            rows["Blank images"] = f"{self.n_constant:,}, left out of correlations"
        lines = [f"{name:27s} {text}" for name, text in rows.items()]
        return "\n".join([self.verdict, "", *lines])

    @property
    def _correlation(self) -> str:
        if self.correlation_quartiles is None:
            return "none: fewer than two images have several values"
        quartiles = ", ".join(f"{value:.3f}" for value in self.correlation_quartiles)
        return f"{self.mean_correlation:.3f} on average, quartiles {quartiles}"


def set_similarity(
    X: np.ndarray,
    *,
    image_shape: tuple[int, ...] | None = None,
    psnr: float | None = None,
    random_state: int = 0,
) -> SetSimilarity:
    """Measure how alike images are.

    Parameters
    ----------
    X : ndarray of shape (n_images, n_pixels)
        Images, at least two; integers or real numbers. It may be memory-mapped: it is
        read a part at a time.

    image_shape : tuple of (height, width), default=None
        Size of an image in pixels. None treats images as squares if the number of
        pixels is a square, otherwise as single lines.

    psnr : float, default=None
        The quality to forecast for, in decibels, from 0 to 100. None means 10 dB above
        that of the mean image.

    random_state : int, default=0
        Decides which pairs, and which half of the set, are drawn.

    Returns
    -------
    SetSimilarity
        What was measured.

    Raises
    ------
    ValueError
        If there are fewer than two images, or they are not finite real numbers, or do
        not have the given shape.

    Notes
    -----
    The mean correlation is exact: that of all pairs follows from the sum of the
    standardised images.

    Entropies are those of pixels at 256 equally spaced levels of their range, which
    loses nothing for 8-bit integers. Karadimitriou calls set redundancy what images of
    a set have in common beyond what each has in itself; here it is the fraction of the
    order-0 entropy that the frequencies of values at each place of the image save.
    These are learned from one half of the images, and the bits that the other half
    takes are counted, so that chance is not mistaken for redundancy. The frequencies of
    all places are a prior at each, with the weight that best predicts each pixel of the
    known half from the others at its place.

    The forecast takes coordinates to be independent and Gaussian and spreads the error
    by reverse water-filling; axes, too, are learned from one half of the images, and
    variances are those of the other half. It is for a linear transform: how much less
    an autoencoder takes, only an autoencoder can tell. The bytes of a model are not
    counted.

    Halves have at most 10,000 images, or 1,000 if these have more than 1,000 pixels.
    Memory besides X stays below 64 MB plus some copies of one image.

    References
    ----------
    Karadimitriou, K. (1996). Set redundancy, the enhanced compression model, and
    methods for compressing sets of similar images. PhD thesis, Louisiana State
    University.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_dae.evaluation import set_similarity
    >>> similarity = set_similarity(load_digits().data)
    >>> round(similarity.mean_correlation, 2)
    0.49
    >>> similarity.verdict
    'Alike: learning from the set may save 49% of the bytes of an image at 21.4 dB.'
    """
    X = np.asarray(X)
    low, high = _check_images(X)
    shape = shape_of_rows(image_shape, X.shape[1])
    if psnr is not None:
        check_real("psnr", psnr, 0, 100)
    rng = np.random.default_rng(random_state)
    known, new = _halves(len(X), X.shape[1], rng)
    mean_correlation, varied = _mean_correlation(X)
    entropy, entropy_given_set = _entropies(X, known, new, low, high)
    peak = (high - low) ** 2
    mse = None if psnr is None else peak * 10 ** (-psnr / 10)
    expected = forecast(X, known, new, shape, mse)
    return SetSimilarity(
        n_images=len(X),
        n_constant=len(X) - len(varied),
        mean_correlation=mean_correlation,
        correlation_quartiles=_quartiles(X, varied, rng),
        entropy=entropy,
        entropy_given_set=entropy_given_set,
        forecast_psnr=decibels(expected.mse / peak) if expected.mse else None,
        forecast_set_bytes=expected.set_bytes,
        forecast_image_bytes=expected.image_bytes,
    )


def _check_images(X: np.ndarray) -> tuple[float, float]:
    """Return the range of the pixels, or raise ValueError."""
    if X.ndim != 2 or len(X) < 2 or X.shape[1] == 0:
        raise ValueError(
            f"X has shape {X.shape}; expected (n_images, n_pixels), two images at "
            "least: X.reshape(len(X), -1) makes rows of images."
        )
    if X.dtype.kind not in "buif":
        raise ValueError(f"X has dtype {X.dtype}; expected integers or real numbers.")
    low, high = float(X.min()), float(X.max())
    if not np.isfinite([low, high]).all():
        raise ValueError(
            "X has NaN or infinite pixels; expected finite numbers: replace them, or "
            "leave these images out."
        )
    return low, high


def _halves(
    n_images: int, n_pixels: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw images to learn from, and others to measure on, in the order of X."""
    n_most = _MOST_LARGE_IMAGES if n_pixels > _LARGE else _MOST_IMAGES
    drawn = rng.choice(n_images, min(n_images, 2 * n_most), replace=False)
    known, new = np.array_split(drawn, 2)
    return np.sort(known), np.sort(new)


def _mean_correlation(X: np.ndarray) -> tuple[float | None, np.ndarray]:
    """Return the mean over all pairs of non-blank images, and which images are such."""
    total, is_varied = np.zeros(X.shape[1]), []
    for standardized in some_at_a_time(X, convert=_standardize):
        is_varied.append(standardized.any(axis=1))
        total += standardized.sum(axis=0)
    varied = np.flatnonzero(np.concatenate(is_varied))
    if len(varied) < 2:
        return None, varied
    # Each image correlates by 1 with itself, which is not a pair.
    n_pairs = len(varied) * (len(varied) - 1)
    return (float(total @ total) - len(varied)) / n_pairs, varied


def _standardize(X: np.ndarray) -> np.ndarray:
    """Scale images to mean 0 and length 1; those of one value become 0."""
    # Differences from a pixel are exactly 0 in an image of one value.
    centred = X.astype(float)
    centred -= centred[:, :1].copy()
    centred -= centred.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.divide(centred, lengths, out=centred, where=lengths > 0)


def _quartiles(
    X: np.ndarray, varied: np.ndarray, rng: np.random.Generator
) -> tuple[float, float, float] | None:
    """Return the quartiles of the correlations of drawn pairs of the varied images."""
    if len(varied) < 2:
        return None
    n_others = len(varied) - 1
    n_drawn = max(_FEWEST_PAIRS, min(_MOST_PAIRS, _PAIR_NUMBERS // X.shape[1]))
    n_all = len(varied) * n_others
    pairs = rng.choice(n_all, min(n_drawn, n_all), replace=False)
    first, second = np.divmod(pairs, n_others)
    second += second >= first
    images, partners = (
        some_at_a_time(X, varied[which], _standardize) for which in (first, second)
    )
    correlations = [
        (ours * theirs).sum(axis=1)
        for ours, theirs in zip(images, partners, strict=True)
    ]
    low, middle, high = np.quantile(np.concatenate(correlations), (0.25, 0.5, 0.75))
    return float(low), float(middle), float(high)


def _entropies(
    X: np.ndarray, known: np.ndarray, new: np.ndarray, low: float, high: float
) -> tuple[float, float]:
    """Return bits per pixel of new images, without and with knowledge of its place."""
    # A single image does not show how much images differ.
    weights = _PRIOR_WEIGHTS if len(known) > 1 else np.ones(1)
    width = max(1, BLOCK_NUMBERS // max(len(known), _N_LEVELS))
    scale = (_N_LEVELS - 1) / ((high - low) or 1.0)

    def counts(rows: np.ndarray) -> Iterator[np.ndarray]:
        """Yield how often each place has each level, some places at a time."""
        for start in range(0, X.shape[1], width):
            pixels = X[rows, start : start + width].astype(float)
            levels = np.rint((pixels - low) * scale).astype(np.intp)
            levels += _N_LEVELS * np.arange(levels.shape[1])
            size = _N_LEVELS * levels.shape[1]
            yield np.bincount(levels.ravel(), minlength=size).reshape(-1, _N_LEVELS)

    total = sum(seen.sum(axis=0) for seen in counts(known))
    # A value that was never seen counts as if seen once, others once more often.
    anywhere = (total + 1) / (total + 1).sum()
    n_met = np.zeros(_N_LEVELS)
    leaving_one_out, given = np.zeros((2, len(weights)))
    for seen, met in zip(counts(known), counts(new), strict=True):
        n_met += met.sum(axis=0)
        leaving_one_out += _bits(seen, seen, anywhere, weights, n_left_out=1)
        given += _bits(met, seen, anywhere, weights)
    n_numbers = len(new) * X.shape[1]
    bits_anywhere = -float(n_met @ np.log2(anywhere))
    bits_given = float(given[leaving_one_out.argmin()])
    return bits_anywhere / n_numbers, bits_given / n_numbers


def _bits(
    met: np.ndarray,
    seen: np.ndarray,
    anywhere: np.ndarray,
    weights: np.ndarray,
    n_left_out: int = 0,
) -> np.ndarray:
    """Return bits of the values met, by those seen at their places, per prior weight.

    Of those seen, ``n_left_out`` are the value itself and are left out.
    """
    places, levels = np.nonzero(met)
    n_met, n_seen = met[places, levels], seen[places, levels] - n_left_out
    prior, n_all = anywhere[levels], seen[0].sum() - n_left_out
    return np.array(
        [
            -(n_met @ np.log2((n_seen + weight * prior) / (n_all + weight)))
            for weight in weights
        ]
    )
