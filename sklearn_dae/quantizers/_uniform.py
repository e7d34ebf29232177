"""Uniform quantisation, with a dead zone where it pays."""

import math
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from sklearn_dae._fields import Fields, array
from sklearn_dae.quantizers._base import CodebookQuantizer

#: Dead zones that are tried, as fractions of a step.
_DEAD_ZONES = (0.0, 0.1, 0.2, 0.3, 0.4)

#: Bins beyond those seen in training, on either side, as a fraction of their number.
_MARGIN = 0.1

#: What a bit is worth, in squared steps: the slope of squared error over rate that
#: uniform quantisation has at high rates.
_BIT = math.log(2) / 6

#: Most levels of a unit: what 16 bits can index; and most before the margin is added.
_MOST_LEVELS, _MOST_SEEN_LEVELS = 65536, 50000

#: The search for a step ends when the step is known to within this fraction of it.
_STEP_TOLERANCE = 1e-3


class UniformQuantizer(CodebookQuantizer):
    """Round codes to multiples of a step.

    With an entropy coder behind it, the uniform quantiser is the best scalar one at
    high rates, and nearly so at low ones. Each bin is restored as the mean of the
    training values in it, its middle counting as one more.

    Parameters
    ----------
    n_levels : int, default=32
        Number of bins that the range of each unit in the training codes is cut into.
        Used when neither ``step`` nor ``target_mse`` is given.

    step : float or array-like of shape (n_features,), default=None
        Width of a bin, for all units or for each.

    target_mse : float, default=None
        Mean squared error of the restored training codes; all units have the widest
        step that keeps within it. One step for all costs the fewest bits at that error.

    dead_zone : float or "auto", default="auto"
        How much wider the bin around the centre is than the others, as a fraction of
        a step; all values are rounded towards the centre by half of it. "auto" chooses
        for each unit what gives the lowest sum of squared error and rate, weighted as
        they trade off at high rates; 0 with ``n_levels``.

    Attributes
    ----------
    step_ : ndarray of shape (n_features,)
        Width of the bins of each unit.

    center_ : ndarray of shape (n_features,)
        Middle of the bin that values are rounded towards: the mean of the training
        codes, or, with ``n_levels``, the middle of a bin next to the middle of the
        range.

    dead_zone_ : ndarray of shape (n_features,)
        Dead zone of each unit.

    codebooks_ : list of ndarray
        For each unit, the values that its symbols stand for, in ascending order.

    n_levels_ : ndarray of int of shape (n_features,)
        Sizes of the codebooks. With ``step`` and ``target_mse`` they extend a little
        beyond the training codes.

    n_features_in_ : int
        Number of units.

    References
    ----------
    Gish, H. and Pierce, J. (1968). Asymptotically efficient quantizing. IEEE
    Transactions on Information Theory 14(5), 676-683.

    Sullivan, G. J. (1996). Efficient scalar quantization of exponential and Laplacian
    random variables. IEEE Transactions on Information Theory 42(5), 1365-1374.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae import UniformQuantizer
    >>> codes = np.array([[-2.0], [-0.9], [0.1], [1.1], [1.7]])
    >>> quantizer = UniformQuantizer(step=1.0, dead_zone=0).fit(codes)
    >>> quantizer.transform(codes).ravel().tolist()
    [1, 2, 3, 4, 5]
    >>> print(quantizer.inverse_transform(quantizer.transform(codes)).ravel().round(2))
    [-2.   -0.95  0.05  1.05  1.85]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_levels": [Interval(Integral, 1, _MOST_LEVELS, closed="both")],
        "target_mse": [Interval(Real, 0, None, closed="neither"), None],
        "dead_zone": [Interval(Real, 0, 1, closed="left"), StrOptions({"auto"})],
    }

    _stored_fields: ClassVar[Fields] = {
        "step_": array("features"),
        "center_": array("features"),
        "dead_zone_": array("features"),
        "_lowest_bin": array("features", kinds="i"),
    }

    def _check_stored(self) -> None:
        super()._check_stored()
        if not (self.step_ > 0).all():
            raise ValueError("Steps must be positive")

    def __init__(
        self,
        n_levels: int = 32,
        *,
        step: Any = None,
        target_mse: float | None = None,
        dead_zone: float | str = "auto",
    ) -> None:
        self.n_levels = n_levels
        self.step = step
        self.target_mse = target_mse
        self.dead_zone = dead_zone

    def fit(self, X: Any, y: Any = None) -> Self:
        """Choose the bins, and what they are restored as.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training codes.

        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            The fitted quantiser.
        """
        self._check_parameters()
        X = validate_data(self, X, dtype=np.float64)
        n_features = X.shape[1]
        self.dead_zone_ = np.zeros(n_features)
        if self.step is not None:
            self._use_step(X, self._given_step(n_features))
        elif self.target_mse is not None:
            self._find_step(X)
        else:
            self._cut_range(X)
        return self

    def _check_parameters(self) -> None:
        self._validate_params()
        if self.step is not None and self.target_mse is not None:
            raise ValueError("Both step and target_mse are given; leave one at None.")

    def _given_step(self, n_features: int) -> np.ndarray:
        step = np.asarray(self.step, np.float64)
        if step.shape not in ((), (n_features,)):
            raise ValueError(
                f"step has the shape {step.shape}, expected a number or one for each "
                f"of the {n_features} features."
            )
        if not (np.isfinite(step).all() and (step > 0).all()):
            raise ValueError(f"step == {self.step}, must be positive and finite.")
        return np.broadcast_to(step, n_features).copy()

    def _cut_range(self, X: np.ndarray) -> None:
        """Cut the range of each unit into ``n_levels`` bins."""
        n_below = self.n_levels // 2
        lowest, span = X.min(axis=0), np.ptp(X, axis=0)
        self.step_ = np.where(span > 0, span, 1.0) / self.n_levels
        self.center_ = lowest + (n_below + 0.5) * self.step_
        if not isinstance(self.dead_zone, str):
            self.dead_zone_[:] = self.dead_zone
        self._lowest_bin = np.full(X.shape[1], -n_below)
        n_levels = np.full(X.shape[1], self.n_levels)
        self._restore_as_means(X, n_levels)

    def _find_step(self, X: np.ndarray) -> None:
        """Use the widest step, found by bisection, that keeps ``target_mse``."""
        target = float(self.target_mse or 0.0)
        # No bin is wider than two steps, so the error is at most the step squared.
        low, high = math.sqrt(target), 2 * max(float(np.ptp(X, axis=0).max()), 1e-9)
        low = min(low, high)
        while high - low > _STEP_TOLERANCE * high:
            middle = math.sqrt(low * high)
            self._use_step(X, np.full(X.shape[1], middle))
            restored = self.inverse_transform(self._symbols(X))
            if np.square(X - restored).mean() <= target:
                low = middle
            else:
                high = middle
        self._use_step(X, np.full(X.shape[1], low))

    def _use_step(self, X: np.ndarray, step: np.ndarray) -> None:
        """Choose dead zones, alphabets and codebooks for the given steps."""
        spans = np.ptp(X, axis=0)
        widest = int(np.argmax(spans / step))
        if spans[widest] > _MOST_SEEN_LEVELS * step[widest]:
            raise ValueError(
                f"A step of {step[widest]:g} cuts the range of unit {widest}, "
                f"{spans[widest]:g}, into more than {_MOST_SEEN_LEVELS:,} levels; use "
                "a wider step or a larger target_mse."
            )
        self.step_ = step
        self.center_ = X.mean(axis=0)
        scaled = (X - self.center_) / step
        for j, z in enumerate(scaled.T):
            if isinstance(self.dead_zone, str):
                costs = [_cost(z, dead_zone) for dead_zone in _DEAD_ZONES]
                self.dead_zone_[j] = _DEAD_ZONES[int(np.argmin(costs))]
            else:
                self.dead_zone_[j] = self.dead_zone
        bins = round_to_bins(scaled, self.dead_zone_)
        lowest, highest = bins.min(axis=0), bins.max(axis=0)
        margin = 1 + (_MARGIN * (highest - lowest)).astype(np.int64)
        self._lowest_bin = lowest - margin
        self._restore_as_means(X, highest - lowest + 1 + 2 * margin)

    def _restore_as_means(self, X: np.ndarray, n_levels: np.ndarray) -> None:
        """Fill the codebooks with the means of the training values in each bin.

        The middle of a bin counts as one more value, which takes care of empty bins.
        """
        self.n_levels_ = n_levels
        symbols = self._symbols(X)
        codebooks = []
        for j, n in enumerate(n_levels):
            middles = (self._lowest_bin[j] + np.arange(n)) * self.step_[j]
            counts = np.bincount(symbols[:, j], minlength=n)
            sums = np.bincount(symbols[:, j], X[:, j] - self.center_[j], minlength=n)
            codebooks.append(self.center_[j] + (sums + middles) / (counts + 1))
        self._set_codebooks(codebooks)

    def _symbols(self, Z: np.ndarray) -> np.ndarray:
        scaled = (Z - self.center_) / self.step_
        symbols = round_to_bins(scaled, self.dead_zone_) - self._lowest_bin
        return np.clip(symbols, 0, self.n_levels_ - 1).astype(np.int32)


def round_to_bins(scaled: np.ndarray, dead_zone: float | np.ndarray) -> np.ndarray:
    """Round to integers, biased towards zero by half a dead zone."""
    # Capped beyond what any codebook reaches, so that a cast cannot overflow.
    magnitude = np.minimum(np.abs(scaled), 2.0**31)
    bins = np.sign(scaled) * np.floor(magnitude + (1 - dead_zone) / 2)
    return bins.astype(np.int64)


def _cost(scaled: np.ndarray, dead_zone: float) -> float:
    """Squared error plus what the rate is worth, in squared steps."""
    bins = round_to_bins(scaled, dead_zone)
    bins -= bins.min()
    counts = np.bincount(bins)
    seen = counts > 0
    counts, sums = counts[seen], np.bincount(bins, scaled)[seen]
    n = len(scaled)
    # The squared distance to the means of the bins, plus the entropy.
    error = (float(np.dot(scaled, scaled)) - (np.square(sums) / counts).sum()) / n
    bits = math.log2(n) - (counts * np.log2(counts)).sum() / n
    return float(error + _BIT * bits)
