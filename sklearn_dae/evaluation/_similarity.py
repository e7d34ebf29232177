"""How alike the images of a set are, and what knowing the set saves.

In: images. Out: correlations, and bits a pixel.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sklearn_dae.codecs._images import choose_image_shape
from sklearn_dae.evaluation._forecast import forecast
from sklearn_dae.evaluation._measurement import decibels

#: Pairs of images whose correlations show how these spread.
_MOST_PAIRS = 2000

#: Numbers that are worked on at once.
_BLOCK_NUMBERS = 2**22

#: Values of a pixel whose frequencies are counted.
_N_LEVELS = 256

#: Images that are counted at most: entropies need no more.
_MOST_COUNTED = 20_000


@dataclass(frozen=True)
class SetSimilarity:
    """How alike the images of a set are.

    Parameters
    ----------
    n_images : int
        Images of the set.

    n_constant : int
        Those of a single value, which correlate with nothing.

    mean_correlation : float
        Pearson's correlation of two images, on average over all pairs.

    correlation_quartiles : tuple of three float
        Of randomly drawn pairs.

    entropy : float
        Bits a pixel of the values of pixels, wherever they are.

    entropy_given_set : float
        Bits a pixel when it is known what values each place of the image has in half
        of the set: those that the other half then takes.

    forecast_psnr : float or None
        A quality 10 dB above that of the mean image, in decibels; None if all images
        are equal.

    forecast_set_bytes, forecast_image_bytes : float
        What theory says that an image of this quality takes by the principal axes of
        the set, which the autoencoder starts from, and by blocks of 8 x 8 cosines, as
        in JPEG, which know nothing of the set.
    """

    n_images: int
    n_constant: int
    mean_correlation: float
    correlation_quartiles: tuple[float, float, float]
    entropy: float
    entropy_given_set: float
    forecast_psnr: float | None
    forecast_set_bytes: float
    forecast_image_bytes: float

    @property
    def redundancy(self) -> float:
        """What knowing the set saves, as a fraction of the entropy."""
        return 1 - self.entropy_given_set / self.entropy if self.entropy else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers, ready for JSON."""
        return asdict(self) | {"redundancy": self.redundancy}

    def __str__(self) -> str:
        low, middle, high = self.correlation_quartiles
        lines = [
            f"Correlation of two images: {self.mean_correlation:.3f} on average; "
            f"quartiles {low:.3f}, {middle:.3f}, {high:.3f}",
            f"Entropy of a pixel: {self.entropy:.3f} bits; "
            f"{self.entropy_given_set:.3f} bits where it is known what each place of "
            "the image holds in others of the set",
            f"Set redundancy: {self.redundancy:.1%}",
        ]
        if self.forecast_psnr is not None:
            lines.append(
                f"Forecast for {self.forecast_psnr:.1f} dB: "
                f"{self.forecast_set_bytes:.1f} bytes an image by a linear transform "
                f"learned from the set, {self.forecast_image_bytes:.1f} by one of "
                "blocks of each image"
            )
        if self.n_constant:
            lines.append(f"Left out of correlations: {self.n_constant} blank images")
        return "\n".join(lines)


def set_similarity(
    X: np.ndarray,
    *,
    image_shape: tuple[int, int] | None = None,
    random_state: int = 0,
) -> SetSimilarity:
    """Measure how alike images are.

    Parameters
    ----------
    X : ndarray of shape (n_images, n_pixels)
        Images, at least two.

    image_shape : tuple of (height, width), default=None
        Size of an image in pixels. None takes images for squares if the number of
        pixels is a square, else for single lines.

    random_state : int, default=0
        Decides which pairs, and which half of the set, are drawn.

    Returns
    -------
    SetSimilarity
        What was measured.

    Raises
    ------
    ValueError
        If there are fewer than two images.

    Notes
    -----
    The mean correlation is exact: that of all pairs follows from the sum of the
    standardised images.

    Entropies are of pixels in 256 equal steps of their range, which integers of 8 bits
    are already. Karadimitriou calls set redundancy what images of a set have in common
    beyond what each has in itself; here it is the part of the order-0 entropy that the
    frequencies of values at each place of the image save. These are learned from one
    half of the images, with those of all places as a prior, and what the other half
    takes is counted, so that chance is not mistaken for redundancy.

    The forecast takes coordinates for independent and Gaussian and spreads the error
    by reverse water-filling; axes are learned from one half of the images, too, and
    variances are those of the other half. It is of a linear transform: how much less
    an autoencoder takes only an autoencoder can tell.

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
    >>> similarity.entropy_given_set < similarity.entropy
    True
    """
    X = np.asarray(X)
    if X.ndim != 2 or len(X) < 2:
        raise ValueError(
            f"X has shape {X.shape}; expected (n_images, n_pixels), two images at "
            "least."
        )
    shape = choose_image_shape(image_shape, X.shape[1])
    rng = np.random.default_rng(random_state)
    total, n_varied = np.zeros(X.shape[1]), 0
    rows = max(1, _BLOCK_NUMBERS // X.shape[1])
    for start in range(0, len(X), rows):
        standardized = _standardize(X[start : start + rows])
        n_varied += int(np.count_nonzero(standardized.any(axis=1)))
        total += standardized.sum(axis=0)
    # Each image correlates by 1 with itself, which is no pair.
    n_pairs = n_varied * (n_varied - 1)
    mean = (float(total @ total) - n_varied) / n_pairs if n_pairs else 0.0
    entropy, given_set = _entropies(X, rng)
    expected = forecast(X, shape, rng)
    span = float(X.max()) - float(X.min())
    return SetSimilarity(
        n_images=len(X),
        n_constant=len(X) - n_varied,
        mean_correlation=mean,
        correlation_quartiles=_quartiles(X, rng),
        entropy=entropy,
        entropy_given_set=given_set,
        forecast_psnr=decibels(expected.mse / span**2) if expected.mse else None,
        forecast_set_bytes=expected.set_bytes,
        forecast_image_bytes=expected.image_bytes,
    )


def _standardize(X: np.ndarray) -> np.ndarray:
    """Scale images to mean 0 and length 1; those of one value become 0."""
    centred = X - X.mean(axis=1, keepdims=True, dtype=float)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.divide(
        centred,
        lengths,
        out=np.zeros_like(centred),
        where=np.ptp(X, axis=1)[:, None] > 0,
    )


def _quartiles(X: np.ndarray, rng: np.random.Generator) -> tuple[float, float, float]:
    n_pairs = min(_MOST_PAIRS, max(1, _BLOCK_NUMBERS // X.shape[1]))
    first = rng.integers(len(X), size=n_pairs)
    second = (first + rng.integers(1, len(X), size=n_pairs)) % len(X)
    products = _standardize(X[first]) * _standardize(X[second])
    low, middle, high = np.quantile(products.sum(axis=1), (0.25, 0.5, 0.75))
    return float(low), float(middle), float(high)


def _entropies(X: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Bits a pixel without and with knowledge of its place, of held-out images."""
    order = rng.permutation(len(X))[:_MOST_COUNTED]
    halves = np.array_split(order, 2)
    low, high = float(X.min()), float(X.max())
    is_byte = X.dtype == np.uint8
    scale = 1.0 if is_byte else (_N_LEVELS - 1) / ((high - low) or 1.0)
    offset = 0.0 if is_byte else low
    total = np.zeros(_N_LEVELS)
    bits_anywhere = bits_given = 0.0
    columns = [
        [np.rint((X[half, at] - offset) * scale).astype(np.intp) for half in halves]
        for at in range(X.shape[1])
    ]
    for known, _ in columns:
        total += np.bincount(known, minlength=_N_LEVELS)
    # A value that was never seen is as rare as one that was seen once.
    anywhere = (total + 1) / (total + 1).sum()
    for known, unknown in columns:
        counts = np.bincount(known, minlength=_N_LEVELS) + anywhere
        given = counts / counts.sum()
        bits_anywhere -= np.log2(anywhere[unknown]).sum()
        bits_given -= np.log2(given[unknown]).sum()
    n_numbers = len(halves[1]) * X.shape[1]
    return float(bits_anywhere / n_numbers), float(bits_given / n_numbers)
