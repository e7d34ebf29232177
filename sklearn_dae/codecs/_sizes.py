"""How large a network pays: values of a code, and units of a hidden layer.

In: images, and how many there are to store. Out: the sizes of a decoder that make it
and all codes smallest together, by short trainings, each worth what it would take in a
file. A decoder without a hidden layer is PCA.

More images pay for more units, as the decoder is stored once; sizes begin where they
were best on digits and X-rays of several numbers and sizes, and are bettered from
there, one at a time.
"""

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from sklearn.decomposition import PCA

from sklearn_dae._scaling import PixelScaler
from sklearn_dae.codecs._decoder_fitting import CompactFitting
from sklearn_dae.codecs._step import Wish, relative_to, sample
from sklearn_dae.compressor import DeepAutoencoderCompressor
from sklearn_dae.images import ImageSet
from sklearn_dae.network import Dense, Layout, Network

#: Most rows that sizes are tried on, and most numbers of these.
_TRIAL_ROWS, _TRIAL_NUMBERS = 5_000, 2**24

#: Most principal axes that are looked at, and the rows, and steps that refine their
#: codes, by which it is found how many are enough.
_MOST_AXES, _FEW_ROWS, _FEW_STEPS = 400, 1_000, 10

#: The least that a weight, and a value of a code, can be expected to take, in bits.
_LEAST_WEIGHT_BITS, _LEAST_VALUE_BITS = 1.0, 1.0

#: How many values an autoencoder needs, relative to PCA.
_FEWER_VALUES = 0.8

#: How many values an autoencoder has where no quality says how many it needs: at most
#: so many, and at most this share of the numbers of an image, and of the images.
_USUAL_VALUES, _USUAL_SHARE = 32, 1 / 4

#: Units of the hidden layer where there are as many images as an image has numbers, how
#: they grow with the number of images, and how much less beyond those of trials.
_UNITS, _GROWTH, _SLOWER_GROWTH = 14, 2 / 3, 1 / 2

#: By what values and units are changed at a time.
_VALUES_RATIO, _UNITS_RATIO = 1.25, 1.6

#: How often the number of values is raised until images are good enough.
_MOST_RAISED = 8

#: The share of the penalty that is best for images to come, where those that are stored
#: are those that are learned.
_LIGHTER = 0.2


@dataclass(frozen=True)
class Sizes:
    """Sizes of a decoder, and the bytes that a file would have.

    Parameters
    ----------
    n_values : int
        Values of a code.

    n_units : int
        Units of the hidden layer; 0 without one.

    n_bytes : float, default=nan
        Estimated bytes of decoder and codes.
    """

    n_values: int
    n_units: int
    n_bytes: float = math.nan

    def with_more_values(self, most: int) -> "Sizes":
        """Return sizes with more values, but not more than some number."""
        n_values, n_units = _moved((self.n_values, self.n_units), 0, 1, most)
        return Sizes(n_values, n_units)


@dataclass(frozen=True)
class SizeSearch:
    """Looks for the sizes that pay.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The images.

    n_images : int
        How many are to be stored.

    wish : Wish
        How good they are to be.

    picture : tuple of (height, width, channels)
        What an image is.

    max_iter : int
        Epochs of each training.

    random_state : int
        Seed.
    """

    X: np.ndarray
    n_images: int
    wish: Wish
    picture: tuple[int, int, int]
    max_iter: int
    random_state: int

    @classmethod
    def of(
        cls,
        images: ImageSet,
        n_images: int,
        psnr: float,
        peak: float,
        *,
        max_iter: int,
        random_state: int,
    ) -> Self:
        """Look for sizes for images of one kind.

        Parameters
        ----------
        images : ImageSet
            The images.

        n_images, max_iter, random_state : int
            As above.

        psnr, peak : float
            The quality wanted, in decibels, and what errors are relative to.

        Raises
        ------
        ValueError
            If images are of several kinds, or all of their numbers are equal.
        """
        spec, X = images.spec, images.data
        if spec.dtype.kind in "iu" and spec.dtype.itemsize == 1:
            limits = np.iinfo(spec.dtype)
            low, high = float(limits.min), float(limits.max)
        else:
            low, high = float(X.min()), float(X.max())
        if not 0 < high - low < math.inf:
            raise ValueError(f"Pixels between {low} and {high} teach it nothing.")
        wanted = relative_to(high - low, psnr, peak)
        wish = Wish(None, wanted, None, low, high, spec.dtype)
        picture = spec.height, spec.width, spec.channels
        return cls(X, n_images, wish, picture, max_iter, random_state)

    @cached_property
    def _rows(self) -> np.ndarray:
        most = max(_TRIAL_NUMBERS // self.X.shape[1], 1)
        return sample(self.X, min(_TRIAL_ROWS, most))

    @cached_property
    def _axes(self) -> tuple[np.ndarray, np.ndarray]:
        """The mean image and principal axes."""
        X = self._rows.astype(np.float32)
        n_axes = min(_MOST_AXES, *X.shape)
        # The share of the variance that axes explain, which nobody needs here, is zero
        # by zero where all rows are equal.
        with np.errstate(divide="ignore", invalid="ignore"):
            pca = PCA(n_axes, random_state=self.random_state).fit(X)
        return pca.mean_, pca.components_

    @cached_property
    def n_axes(self) -> int | None:
        """How many principal axes are good enough; None if no number of them is."""
        few, least = sample(self._rows, _FEW_ROWS), self.wish.target_psnr or 0.0

        def is_good(n_values: int) -> bool:
            network, codes = self._linear_network(n_values, few)
            # Pixels beyond the range are clipped, which helps where codes know of it.
            restored = network.decode(network.refine(codes, few, _FEW_STEPS))
            return self.wish.psnr(few, restored) >= least

        n_axes = len(self._axes[1])
        n_values = 1 + bisect_left(range(1, n_axes + 1), True, key=is_good)
        return n_values if n_values <= n_axes else None

    def can_pay(self, n_bytes: float) -> bool:
        """Whether any decoder could take fewer bytes, as far as is known beforehand."""
        if self.n_axes is None:
            return False
        n_values = max(_FEWER_VALUES * self.n_axes / _VALUES_RATIO, 1)
        of_weights = n_values * self.X.shape[1] * _LEAST_WEIGHT_BITS
        return (of_weights + self.n_images * n_values * _LEAST_VALUE_BITS) / 8 < n_bytes

    def linear(self) -> Sizes | None:
        """Find how many principal axes pay; None if no number of them is enough."""
        if self.n_axes is None:
            return None

        def n_bytes(sizes: tuple[int, int]) -> float:
            return self._estimate(self._linear_network(sizes[0], self._rows))

        return _climb(n_bytes, (self.n_axes, 0), len(self._axes[1]))

    def _linear_network(
        self, n_values: int, rows: np.ndarray
    ) -> tuple[Network, np.ndarray]:
        """Return PCA as a network, and codes of rows."""
        mean, axes = self._axes
        axes = axes[:n_values].astype(np.float64)
        scaler = PixelScaler(self.wish.low, self.wish.high)
        theta = np.vstack([axes, mean - scaler.low]) / scaler.span
        layout = Layout((Dense(n_values, axes.shape[1], "clipped"),), 0)
        codes = (rows - mean) @ axes.T
        return Network(layout, theta.ravel(), scaler), codes

    def deep(self) -> Sizes | None:
        """Find which autoencoder pays; None if none is good enough."""
        n = min(self.n_images, len(self._rows))
        if (first := self.first(n)) is None:
            return None

        def n_bytes(sizes: tuple[int, int]) -> float:
            return self._estimate(self._trained(*sizes), n)

        best = _climb(n_bytes, (first.n_values, first.n_units), self.X.shape[1])
        if best is None or n == self.n_images:
            return best
        # Found for few images; more of them pay for more units.
        more = (self.n_images / n) ** _SLOWER_GROWTH
        n_units = max(round(best.n_units * more), 1)
        estimate = self._estimate(self._trained(best.n_values, n_units))
        return Sizes(best.n_values, n_units, estimate)

    def first(self, n_images: int) -> Sizes | None:
        """Return the sizes of an autoencoder that a search begins with.

        Parameters
        ----------
        n_images : int
            For how many images they are.

        Returns
        -------
        Sizes or None
            None if no number of values is enough.
        """
        if self.n_axes is None:
            return None
        n_values = max(round(_FEWER_VALUES * self.n_axes), 1)
        return Sizes(n_values, usual_units(n_images, self.X.shape[1]))

    def principal_components(self, sizes: Sizes) -> PCA:
        """Return unfitted PCA."""
        return PCA(sizes.n_values, random_state=self.random_state)

    def trained(self, sizes: Sizes, max_iter: int) -> DeepAutoencoderCompressor:
        """Train an autoencoder on all images."""
        is_all = len(self._rows) == len(self.X)
        alpha = self._alpha if is_all else self._penalty(sizes, self.X)
        return self._autoencoder(sizes, max_iter, alpha).fit(self.X)

    def _autoencoder(
        self, sizes: Sizes, max_iter: int, alpha: Any = "auto"
    ) -> DeepAutoencoderCompressor:
        return DeepAutoencoderCompressor(
            sizes.n_values,
            hidden_layer_sizes=(sizes.n_units,),
            alpha=alpha,
            max_iter=max_iter,
            random_state=self.random_state,
        )

    def _penalty(self, sizes: Sizes, X: np.ndarray) -> float:
        """Return the penalty for rows that are all learned."""
        return _LIGHTER * float(self._autoencoder(sizes, 1).fit(X).alpha_)

    @cached_property
    def _alpha(self) -> float:
        """The penalty of trials."""
        first = self.first(len(self._rows)) or Sizes(1, 1)
        return self._penalty(first, self._rows)

    def _trained(self, n_values: int, n_units: int) -> tuple[Network, np.ndarray]:
        sizes = Sizes(n_values, n_units)
        autoencoder = self._autoencoder(sizes, self.max_iter, self._alpha)
        autoencoder.fit(self._rows)
        return autoencoder.network_, autoencoder.transform(self._rows)

    def _estimate(
        self, found: tuple[Network, np.ndarray], n_images: int | None = None
    ) -> float:
        try:
            fitting = CompactFitting(
                *found,
                self._rows,
                self.wish,
                picture=self.picture,
                n_images=n_images or self.n_images,
                rotate=True,
            )
        except ValueError:
            # The transformer itself is not good enough.
            return math.inf
        return fitting.estimated_bytes()


def usual_units(n_images: int, n_numbers: int) -> int:
    """Return how many hidden units pay, about, for images of so many numbers."""
    return max(round(_UNITS * (n_images / n_numbers) ** _GROWTH), 1)


def usual_values(n_images: int, n_numbers: int) -> int:
    """Return how many values describe an image where no quality says how many."""
    return max(min(_USUAL_VALUES, int(_USUAL_SHARE * min(n_images, n_numbers))), 1)


def _climb(
    n_bytes: Callable[[tuple[int, int]], float], start: tuple[int, int], most: int
) -> Sizes | None:
    """Change one size after the other as long as that makes fewer bytes."""
    known: dict[tuple[int, int], float] = {}

    def value(sizes: tuple[int, int]) -> float:
        if sizes not in known:
            known[sizes] = n_bytes(sizes)
        return known[sizes]

    best = start
    for _ in range(_MOST_RAISED):
        if value(best) < math.inf or best[0] >= most:
            break
        best = _moved(best, 0, 1, most)
    if value(best) == math.inf:
        return None
    is_better = True
    while is_better:
        is_better = False
        for place in (0, 1) if start[1] else (0,):
            for sign in (1, -1):
                while value(tried := _moved(best, place, sign, most)) < value(best):
                    best, is_better = tried, True
    return Sizes(*best, value(best))


def _moved(sizes: tuple[int, int], place: int, sign: int, most: int) -> tuple[int, int]:
    """Return sizes of which one is a step larger or smaller."""
    ratio = (_VALUES_RATIO, _UNITS_RATIO)[place]
    size = round(sizes[place] * ratio**sign)
    size = max(size, sizes[place] + 1) if sign > 0 else min(size, sizes[place] - 1)
    size = max(size, 1)
    if place == 0:
        return min(size, most), sizes[1]
    return sizes[0], size
