"""Restricted Boltzmann machines: one layer, learned by contrastive divergence.

In: rows of numbers, dense or sparse. Out: weights and biases such that the
hidden units explain the rows. A stack of these is what a deep autoencoder is
unrolled from.
"""

import math
import time
from typing import Any, NamedTuple, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_dae._callbacks import CallbackSupportMixin, with_callbacks
from sklearn_dae._threads import N_LANES, lanes, map_in_lanes, one_blas_thread
from sklearn_dae._validation import (
    check_choice,
    check_integer,
    check_real,
    check_switch,
    check_verbose,
)
from sklearn_dae.network import UNITS

FLOATS = (np.float64, np.float32)

#: Random numbers that are made and used together.
_DRAWS_AT_ONCE = 16384

#: Rows of the weight matrix that are updated together.
_SLAB_ROWS = 64

#: Multiplications in a matrix product below which threads cost more than they give.
_WORTH_THREADS = 4_000_000

Random = np.random.RandomState | np.random.Generator


def _dense(rows: Any) -> Any:
    """Return rows as an array, whether they were sparse or not."""
    return rows.toarray() if _is_sparse(rows) else rows


def _is_sparse(rows: Any) -> bool:
    return sp.issparse(rows)


def _draw_bernoulli(
    probabilities: np.ndarray, rng: Random, out: np.ndarray | None = None
) -> np.ndarray:
    """Draw 1 with the given probabilities, else 0, into ``out`` or a new array.

    A RandomState is drawn from as scikit-learn does; a Generator gives two draws
    of 32 bits from each word of 64, which takes a third of the time.
    """
    if out is None:
        out = np.empty_like(probabilities)
    if isinstance(rng, np.random.RandomState):
        uniform = rng.random_sample(probabilities.shape)
        return np.less(uniform, probabilities, out=out)
    # As many rows at once as stay in cache between making numbers and using them.
    rows, drawn = np.atleast_2d(probabilities), np.atleast_2d(out)
    step = max(1, _DRAWS_AT_ONCE // rows.shape[1])
    for start in range(0, len(rows), step):
        threshold = rows[start : start + step]
        words = rng.bit_generator.random_raw((threshold.size + 1) // 2)
        bits = words.view(np.uint32)[: threshold.size].reshape(threshold.shape)
        uniform = np.multiply(bits, np.float32(2**-32), dtype=np.float32)
        np.less(uniform, threshold, out=drawn[start : start + step])
    return out


def _draw_normal(
    means: np.ndarray, rng: Random, out: np.ndarray | None = None
) -> np.ndarray:
    """Draw from normal distributions of unit variance."""
    noise: np.ndarray
    if isinstance(rng, np.random.RandomState):
        noise = rng.standard_normal(means.shape)
    else:
        noise = rng.standard_normal(means.shape, dtype=np.float32)
    return np.add(means, noise, out=out, casting="same_kind")


#: Mean activation in place, and sampling, of each kind of unit.
_MEANS = {
    "bernoulli": UNITS["logistic"].activate,
    "gaussian": UNITS["identity"].activate,
}
_DRAWS = {"bernoulli": _draw_bernoulli, "gaussian": _draw_normal}


def _cut(n: int, n_products: int) -> list[slice]:
    """Cut n units into lanes if the multiplications to make are worth threads."""
    return lanes(n) if n_products > _WORTH_THREADS else [slice(0, n)]


class _Draw(NamedTuple):
    """Where to put draws from the means of some rows, and what to draw them with."""

    out: np.ndarray
    rng: "_Streams"
    first_row: int = 0


class _Streams:
    """A source of random numbers that lanes can draw from at the same time.

    A RandomState has a single stream, which lanes share one after the other, so that
    its draws are those of scikit-learn. From a seed comes a stream for each lane.
    """

    def __init__(self, random_state: Any) -> None:
        self.main: Random = check_random_state(random_state)
        self.is_single = isinstance(random_state, np.random.RandomState)
        if not self.is_single:
            seed = self.main.randint(np.iinfo(np.int32).max, size=4)
            self.main = np.random.Generator(np.random.SFC64(seed))
            self.of_lane = self.main.spawn(N_LANES)


def _mean_units(
    inputs: Any,
    weights: np.ndarray,
    biases: np.ndarray,
    kind: str,
    out: np.ndarray | None = None,
    draw: _Draw | None = None,
) -> np.ndarray:
    """Means of units of some kind given the units they are connected to.

    Draws from them are made on the way, if asked for.
    """
    if _is_sparse(inputs) or inputs.ndim == 1:
        means = inputs @ weights
        means += biases
        _MEANS[kind](means)
        return means
    means = np.empty((len(inputs), len(biases)), weights.dtype) if out is None else out

    def fill(lane: tuple[int, slice]) -> None:
        number, units = lane
        part = np.matmul(inputs, weights[:, units], out=means[:, units])
        part += biases[units]
        _MEANS[kind](part)
        if draw is not None and not draw.rng.is_single:
            rng = draw.rng.of_lane[number]
            _DRAWS[kind](part[draw.first_row :], rng, out=draw.out[:, units])

    map_in_lanes(fill, list(enumerate(_cut(len(biases), len(inputs) * weights.size))))
    if draw is not None and draw.rng.is_single:
        _DRAWS[kind](means[draw.first_row :], draw.rng.main, out=draw.out)
    return means


class _Workspace:
    """Arrays that one mini-batch update works in, made once a fit.

    The rows of both phases of contrastive divergence stand in one array for the
    visible and one for the hidden units, the data above the model's samples, so
    that both gradient products are one.
    """

    def __init__(
        self, n_rows: int, n_chains: int, n_visible: int, n_hidden: int, dtype: Any
    ) -> None:
        self.visible = np.empty((n_rows + n_chains, n_visible), dtype)
        self.hidden = np.empty((n_rows + n_chains, n_hidden), dtype)
        self.samples = np.empty((n_chains, n_hidden), dtype)
        # For the weights, the hidden and the visible biases.
        self.steps = [
            np.empty(shape, dtype)
            for shape in ((n_visible, n_hidden), n_hidden, n_visible)
        ]


class _BaseRBM(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Contrastive divergence for any pair of unit kinds."""

    n_components: int
    learning_rate: float
    batch_size: int
    n_iter: int
    n_gibbs_steps: int
    persistent: bool
    sample_visible: bool
    momentum: float
    initial_momentum: float
    momentum_switch: int
    weight_decay: float
    shuffle: bool
    verbose: int
    random_state: Any

    @property
    def _units(self) -> tuple[str, str]:
        """Kinds of the visible and of the hidden units."""
        raise NotImplementedError

    # What a layer computes. Shapes: v (n_samples, n_features),
    # h (n_samples, n_components), the weights between them as components_.

    def _mean_hiddens(
        self, v: Any, out: np.ndarray | None = None, draw: _Draw | None = None
    ) -> np.ndarray:
        """Mean of the hidden units given the visible ones."""
        weights, biases = self.components_.T, self.intercept_hidden_
        return _mean_units(v, weights, biases, self._units[1], out, draw)

    def _mean_visibles(
        self, h: np.ndarray, out: np.ndarray | None = None, draw: _Draw | None = None
    ) -> np.ndarray:
        """Mean of the visible units given the hidden ones."""
        weights, biases = self.components_, self.intercept_visible_
        return _mean_units(h, weights, biases, self._units[0], out, draw)

    def _sample_hiddens(self, v: Any, rng: Random) -> np.ndarray:
        """Draw the hidden units given the visible ones."""
        return _DRAWS[self._units[1]](self._mean_hiddens(v), rng)

    def _sample_visibles(self, h: np.ndarray, rng: Random) -> np.ndarray:
        """Draw the visible units given the hidden ones."""
        return _DRAWS[self._units[0]](self._mean_visibles(h), rng)

    # Training.

    def _check_parameters(self) -> None:
        check_integer("n_components", self.n_components, 1)
        check_real("learning_rate", self.learning_rate, 0, boundaries="neither")
        check_integer("batch_size", self.batch_size, 1)
        check_integer("n_iter", self.n_iter, 0)
        check_integer("n_gibbs_steps", self.n_gibbs_steps, 1)
        check_switch("persistent", self.persistent)
        check_switch("sample_visible", self.sample_visible)
        check_real("momentum", self.momentum, 0, 1, boundaries="left")
        check_real("initial_momentum", self.initial_momentum, 0, 1, boundaries="left")
        check_integer("momentum_switch", self.momentum_switch, 0)
        check_real("weight_decay", self.weight_decay, 0)
        check_switch("shuffle", self.shuffle)
        check_verbose(self.verbose)

    def _initialize(self, n_features: int, dtype: Any, rng: _Streams) -> None:
        weights = rng.main.normal(0, 0.01, (self.n_components, n_features))
        # Column-major, so that components_.T is the row-major matrix of a layer.
        self.components_ = np.asarray(weights, order="F", dtype=dtype)
        self.intercept_hidden_ = np.zeros(self.n_components, dtype)
        self.intercept_visible_ = np.zeros(n_features, dtype)
        self._n_features_out = self.n_components
        self.__dict__.pop("_velocity", None)
        if self.persistent:
            self.h_samples_ = np.zeros((self.batch_size, self.n_components), dtype)

    def _make_workspace(self, n_rows: int) -> _Workspace:
        n_hidden, n_visible = self.components_.shape
        n_chains = len(self.h_samples_) if self.persistent else n_rows
        return _Workspace(n_rows, n_chains, n_visible, n_hidden, self.components_.dtype)

    def _update(
        self,
        X: Any,
        rows: np.ndarray,
        workspace: _Workspace,
        momentum: float,
        rng: _Streams,
    ) -> None:
        """Move the parameters along the contrastive divergence of one mini-batch.

        The data average over the rows of the batch, the model over its chains,
        so a short batch counts as much as its rows.
        """
        n_rows = len(rows)
        n_chains = len(self.h_samples_) if self.persistent else n_rows
        visible = workspace.visible[: n_rows + n_chains]
        hidden = workspace.hidden[: n_rows + n_chains]
        v_pos, v_neg = visible[:n_rows], visible[n_rows:]
        h_pos, h_neg = hidden[:n_rows], hidden[n_rows:]
        samples = self.h_samples_ if self.persistent else workspace.samples[:n_chains]
        draw_visible = _Draw(v_neg, rng) if self.sample_visible else None
        draw_hidden = _Draw(samples, rng)

        if _is_sparse(X):
            v_pos[...] = _dense(X[rows])
        else:
            np.take(X, rows, axis=0, out=v_pos, mode="clip")
        last = self.n_gibbs_steps - 1
        if self.persistent:
            # The chains do not wait for the data: both phases in one product.
            self._mean_visibles(samples, v_neg, draw_visible)
            self._mean_hiddens(visible, hidden, _Draw(samples, rng, n_rows))
        else:
            self._mean_hiddens(v_pos, h_pos, draw_hidden)
            self._mean_visibles(samples, v_neg, draw_visible)
            self._mean_hiddens(v_neg, h_neg, draw_hidden if last > 0 else None)
        for step in range(1, self.n_gibbs_steps):
            self._mean_visibles(samples, v_neg, draw_visible)
            goes_on = self.persistent or step < last
            self._mean_hiddens(v_neg, h_neg, draw_hidden if goes_on else None)

        rate = self.learning_rate
        h_pos *= rate / n_rows
        h_neg *= -rate / n_chains
        steps = workspace.steps
        np.sum(hidden, axis=0, out=steps[1])
        np.sum(v_pos, axis=0, out=steps[2])
        steps[2] *= rate / n_rows
        steps[2] -= v_neg.sum(axis=0) * (rate / n_chains)
        n_products = len(visible) * self.components_.size

        def move_weights(units: slice) -> None:
            np.matmul(visible.T[units], hidden, out=steps[0][units])
            self._move(0, steps[0], units, momentum)

        map_in_lanes(move_weights, _cut(visible.shape[1], n_products))
        for which in (1, 2):
            self._move(which, steps[which], slice(0, len(steps[which])), momentum)

    def _move(self, which: int, step: np.ndarray, part: slice, momentum: float) -> None:
        """Take a step in part of the weights (0), hidden (1) or visible biases (2)."""
        parameter = (
            self.components_.T,
            self.intercept_hidden_,
            self.intercept_visible_,
        )[which]
        decay = self.learning_rate * self.weight_decay if which == 0 else 0.0
        velocity = self._velocity[which] if momentum else step
        # Slabs that stay in cache from one operation to the next.
        for start in range(part.start, part.stop, _SLAB_ROWS):
            slab = slice(start, min(start + _SLAB_ROWS, part.stop))
            if decay:
                step[slab] -= decay * parameter[slab]
            if momentum:
                velocity[slab] *= momentum
                velocity[slab] += step[slab]
            parameter[slab] += velocity[slab]

    def _sweep(self, X: Any, momentum: float, rng: _Streams) -> None:
        """Update on every row of X once, mini-batch by mini-batch."""
        n_samples = X.shape[0]
        batch_size = min(self.batch_size, n_samples)
        workspace = self._make_workspace(batch_size)
        if momentum and not hasattr(self, "_velocity"):
            self._velocity = [np.zeros_like(step) for step in workspace.steps]
        # In a single batch the order of the rows makes no difference.
        shuffled = self.shuffle and batch_size < n_samples
        order = rng.main.permutation(n_samples) if shuffled else np.arange(n_samples)
        # A rate too high overflows; it is reported once, after the sweep.
        with np.errstate(over="ignore", invalid="ignore"), one_blas_thread():
            for start in range(0, n_samples, batch_size):
                rows = order[start : start + batch_size]
                self._update(X, rows, workspace, momentum, rng)
        if not np.isfinite(self.components_).all():
            n_hidden, n_visible = self.components_.shape
            raise ValueError(
                f"{type(self).__name__} {n_visible} -> {n_hidden}: the weights became "
                f"infinite with learning_rate={self.learning_rate}. Use a smaller "
                "learning rate, or bring the features to a common scale first."
            )

    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the model to the rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.

        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            The fitted model.
        """
        self._check_parameters()
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS)
        rng = _Streams(self.random_state)
        context = self._init_callback_context(max_subtasks=self.n_iter)
        context.call_on_fit_task_begin(estimator=self, X=X)

        self._initialize(X.shape[1], X.dtype, rng)
        self.reconstruction_errors_ = []
        watched = X[:: math.ceil(X.shape[0] / 1000)]
        begin = time.perf_counter()
        for epoch in range(self.n_iter):
            subcontext = context.subcontext(task_name="epoch")
            subcontext.call_on_fit_task_begin(estimator=self, X=X)
            momentum = self.momentum
            if epoch < self.momentum_switch:
                momentum = min(momentum, self.initial_momentum)
            self._sweep(X, momentum, rng)
            self.reconstruction_errors_.append(self._reconstruction_error(watched))
            if self.verbose:
                end = time.perf_counter()
                print(self._report(epoch + 1, X, end - begin))
                begin = end
            if subcontext.call_on_fit_task_end(
                estimator=self, X=X, reconstruction_attributes=self._snapshot
            ):
                break
        self.n_iter_ = len(self.reconstruction_errors_)
        self.__dict__.pop("_velocity", None)
        context.call_on_fit_task_end(
            estimator=self, X=X, reconstruction_attributes=self._snapshot
        )
        return self

    def _snapshot(self) -> dict[str, np.ndarray]:
        """Copy the parameters, which the next updates change in place."""
        names = ("components_", "intercept_hidden_", "intercept_visible_")
        return {name: getattr(self, name).copy(order="F") for name in names}

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Go through the rows of X once, going on from the present parameters.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Any number of rows; more than ``batch_size`` are split into batches.

        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            The fitted model.

        Notes
        -----
        ``momentum`` holds from the first call on; ``initial_momentum`` is for `fit`.
        """
        self._check_parameters()
        first = not hasattr(self, "components_")
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS, reset=first)
        if not hasattr(self, "_partial_fit_rng") or first:
            self._partial_fit_rng = _Streams(self.random_state)
        if first:
            self._initialize(X.shape[1], X.dtype, self._partial_fit_rng)
        self._sweep(X, self.momentum, self._partial_fit_rng)
        return self

    def _reconstruction_error(self, X: Any) -> float:
        """Squared error a row of the mean-field reconstruction."""
        reconstruction = self._mean_visibles(self._mean_hiddens(X))
        errors = np.square(_dense(X) - reconstruction).sum(axis=1)
        return float(errors.mean(dtype=np.float64))

    def _report(self, epoch: int, X: Any, seconds: float) -> str:
        return (
            f"[{type(self).__name__}] Iteration {epoch}, "
            f"reconstruction error = {self.reconstruction_errors_[-1]:.4g}, "
            f"time = {seconds:.2f}s"
        )

    # Using a fitted model.

    def transform(self, X: Any) -> np.ndarray:
        """Compute the mean of the hidden units, for Bernoulli units P(h=1|v=X).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible units.

        Returns
        -------
        h : ndarray of shape (n_samples, n_components)
            Hidden units.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", reset=False, dtype=FLOATS)
        return self._mean_hiddens(X)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Compute the mean of the visible units from hidden ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Hidden units.

        Returns
        -------
        v : ndarray of shape (n_samples, n_features)
            Visible units.
        """
        check_is_fitted(self)
        X = check_array(X, dtype=FLOATS, input_name="X")
        if X.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {X.shape[1]} columns, but {type(self).__name__} has "
                f"{self._n_features_out} hidden units; pass what transform returned."
            )
        return self._mean_visibles(X)

    def gibbs(self, v: Any) -> np.ndarray:
        """Perform one Gibbs sampling step.

        Parameters
        ----------
        v : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible units to start from.

        Returns
        -------
        v_new : ndarray of shape (n_samples, n_features)
            Visible units after one step. Successive calls give new samples.
        """
        check_is_fitted(self)
        v = validate_data(self, v, accept_sparse="csr", reset=False, dtype=FLOATS)
        if not hasattr(self, "random_state_"):
            self.random_state_ = check_random_state(self.random_state)
        hidden = self._sample_hiddens(v, self.random_state_)
        return self._sample_visibles(hidden, self.random_state_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class BernoulliRBM(_BaseRBM):
    """Restricted Boltzmann machine with binary visible and hidden units.

    A drop-in replacement of :class:`sklearn.neural_network.BernoulliRBM`, with
    the same parameters, attributes and methods and the defaults of that one, and
    with contrastive divergence, momentum and weight decay besides.

    Parameters
    ----------
    n_components : int, default=256
        Number of binary hidden units.

    learning_rate : float, default=0.1
        Step size of the updates. Reasonable values are in 10**[0., -3.].

    batch_size : int, default=10
        Rows in a mini-batch, and the number of persistent chains.

    n_iter : int, default=10
        Number of sweeps over the training data.

    n_gibbs_steps : int, default=1
        Gibbs steps between data and model samples: the k of CD-k.

    persistent : bool, default=True
        Whether the chains go on from one mini-batch to the next (persistent
        contrastive divergence) or start anew at the data (contrastive divergence).

    sample_visible : bool, default=True
        Whether the model's visible units are drawn, or their means are used, which
        is less noisy and right for grey values taken as probabilities.

    momentum : float, default=0.0
        Momentum of the updates.

    initial_momentum : float, default=0.5
        Bound of the momentum in the first ``momentum_switch`` epochs.

    momentum_switch : int, default=5
        Epochs before the full ``momentum`` is used.

    weight_decay : float, default=0.0
        L2 penalty on the weights.

    shuffle : bool, default=True
        Whether the rows come in a new order each epoch.

    verbose : int, default=0
        When positive, print a line an epoch.

    random_state : int, RandomState instance or None, default=None
        Initial weights, order of the rows and samples. A RandomState instance is
        drawn from exactly as scikit-learn's RBM does; an int seeds a faster
        generator.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        Weights.

    intercept_hidden_ : ndarray of shape (n_components,)
        Biases of the hidden units.

    intercept_visible_ : ndarray of shape (n_features,)
        Biases of the visible units.

    h_samples_ : ndarray of shape (batch_size, n_components)
        The persistent chains' hidden units; only with ``persistent=True``.

    reconstruction_errors_ : list of float
        After each epoch, the squared error a row of the mean-field reconstruction
        of at most 1,000 training rows.

    n_iter_ : int
        Number of epochs run.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen during fit, where X has names that are all strings.

    See Also
    --------
    GaussianRBM : Real-valued visible or hidden units.
    DeepAutoencoderCompressor : A deep autoencoder unrolled from a stack of these.

    References
    ----------
    Hinton, G. E. (2010). A practical guide to training restricted Boltzmann
    machines. University of Toronto, UTML TR 2010-003.

    Tieleman, T. (2008). Training restricted Boltzmann machines using
    approximations to the likelihood gradient. ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae import BernoulliRBM
    >>> X = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
    >>> rbm = BernoulliRBM(n_components=2, random_state=0).fit(X)
    >>> rbm.transform(X).shape
    (4, 2)
    """

    _units = ("bernoulli", "bernoulli")

    def __init__(
        self,
        n_components: int = 256,
        *,
        learning_rate: float = 0.1,
        batch_size: int = 10,
        n_iter: int = 10,
        n_gibbs_steps: int = 1,
        persistent: bool = True,
        sample_visible: bool = True,
        momentum: float = 0.0,
        initial_momentum: float = 0.5,
        momentum_switch: int = 5,
        weight_decay: float = 0.0,
        shuffle: bool = True,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.n_gibbs_steps = n_gibbs_steps
        self.persistent = persistent
        self.sample_visible = sample_visible
        self.momentum = momentum
        self.initial_momentum = initial_momentum
        self.momentum_switch = momentum_switch
        self.weight_decay = weight_decay
        self.shuffle = shuffle
        self.verbose = verbose
        self.random_state = random_state

    def _free_energy(self, v: Any) -> np.ndarray:
        """Free energy -log sum_h exp(-E(v, h)) of each row."""
        hidden_input = v @ self.components_.T + self.intercept_hidden_
        return -(v @ self.intercept_visible_) - np.logaddexp(0, hidden_input).sum(
            axis=1
        )

    def score_samples(self, X: Any) -> np.ndarray:
        """Compute the pseudo-likelihood of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible units, all 0 or 1 (not checked).

        Returns
        -------
        pseudo_likelihood : ndarray of shape (n_samples,)
            A proxy for the log-likelihood of each row, in nats: that of one of its
            features given the others, times their number. Which feature depends
            on the row and on ``random_state``, but not on the other rows.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", reset=False, dtype=FLOATS)
        rng = check_random_state(self.random_state)
        multipliers = np.frombuffer(rng.bytes(8 * X.shape[1]), np.uint64) | np.uint64(1)
        return np.concatenate(
            [
                self._pseudo_likelihood(_dense(X[start : start + 1024]), multipliers)
                for start in range(0, X.shape[0], 1024)
            ]
        )

    def _pseudo_likelihood(self, v: np.ndarray, multipliers: np.ndarray) -> np.ndarray:
        n_features = v.shape[1]
        # A hash of the row picks the feature: multiply-add of its 64-bit patterns.
        patterns = v.astype(np.float64).view(np.uint64)
        hashes = (patterns * multipliers).sum(axis=1) >> np.uint64(32)
        flipped = (hashes * np.uint64(n_features)) >> np.uint64(32)
        at = np.arange(len(v)), flipped.astype(np.intp)
        corrupted = v.copy()
        corrupted[at] = 1 - corrupted[at]
        gain = self._free_energy(corrupted) - self._free_energy(v)
        return -n_features * np.logaddexp(0, -gain)

    def _report(self, epoch: int, X: Any, seconds: float) -> str:
        return (
            f"[{type(self).__name__}] Iteration {epoch}, "
            f"pseudo-likelihood = {self.score_samples(X).mean():.2f}, "
            f"time = {seconds:.2f}s, "
            f"reconstruction error = {self.reconstruction_errors_[-1]:.4g}"
        )


class GaussianRBM(_BaseRBM):
    """Restricted Boltzmann machine with real-valued visible or hidden units.

    Real-valued units are linear with Gaussian noise of unit variance. With
    ``visible_units="gaussian"`` the machine models real data, which should be
    standardised first; with ``hidden_units="gaussian"`` it makes the linear code
    at the top of a stack, as Hinton and Salakhutdinov did.

    Parameters
    ----------
    n_components : int, default=256
        Number of hidden units.

    visible_units, hidden_units : {"gaussian", "bernoulli"}
        Kinds of units, by default Gaussian visible and Bernoulli hidden ones. At
        least one of them must be Gaussian.

    learning_rate : float, default=0.001
        Step size of the updates. Linear units have no bound, so it must be ten to
        a hundred times smaller than for binary units.

    batch_size : int, default=100
        Rows in a mini-batch, and the number of persistent chains.

    n_iter : int, default=10
        Number of sweeps over the training data.

    n_gibbs_steps : int, default=1
        Gibbs steps between data and model samples: the k of CD-k.

    persistent : bool, default=False
        Whether the chains go on from one mini-batch to the next (persistent
        contrastive divergence) or start anew at the data (contrastive divergence).

    sample_visible : bool, default=False
        Whether the model's visible units are drawn, or their means are used, which
        is less noisy.

    momentum : float, default=0.9
        Momentum of the updates.

    initial_momentum : float, default=0.5
        Bound of the momentum in the first ``momentum_switch`` epochs.

    momentum_switch : int, default=5
        Epochs before the full ``momentum`` is used.

    weight_decay : float, default=0.0002
        L2 penalty on the weights.

    shuffle : bool, default=True
        Whether the rows come in a new order each epoch.

    verbose : int, default=0
        When positive, print a line an epoch.

    random_state : int, RandomState instance or None, default=None
        Initial weights, order of the rows and samples.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        Weights.

    intercept_hidden_ : ndarray of shape (n_components,)
        Biases of the hidden units.

    intercept_visible_ : ndarray of shape (n_features,)
        Biases of the visible units.

    h_samples_ : ndarray of shape (batch_size, n_components)
        The persistent chains' hidden units; only with ``persistent=True``.

    reconstruction_errors_ : list of float
        After each epoch, the squared error a row of the mean-field reconstruction
        of at most 1,000 training rows.

    n_iter_ : int
        Number of epochs run.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen during fit, where X has names that are all strings.

    See Also
    --------
    BernoulliRBM : Binary visible and hidden units.

    References
    ----------
    Hinton, G. E. and Salakhutdinov, R. R. (2006). Reducing the dimensionality of
    data with neural networks. Science 313, 504-507.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae import GaussianRBM
    >>> X = np.random.RandomState(0).normal(size=(200, 6))
    >>> rbm = GaussianRBM(n_components=3, random_state=0).fit(X)
    >>> rbm.inverse_transform(rbm.transform(X)).shape
    (200, 6)
    """

    def __init__(
        self,
        n_components: int = 256,
        *,
        visible_units: str = "gaussian",
        hidden_units: str = "bernoulli",
        learning_rate: float = 0.001,
        batch_size: int = 100,
        n_iter: int = 10,
        n_gibbs_steps: int = 1,
        persistent: bool = False,
        sample_visible: bool = False,
        momentum: float = 0.9,
        initial_momentum: float = 0.5,
        momentum_switch: int = 5,
        weight_decay: float = 2e-4,
        shuffle: bool = True,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.visible_units = visible_units
        self.hidden_units = hidden_units
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.n_gibbs_steps = n_gibbs_steps
        self.persistent = persistent
        self.sample_visible = sample_visible
        self.momentum = momentum
        self.initial_momentum = initial_momentum
        self.momentum_switch = momentum_switch
        self.weight_decay = weight_decay
        self.shuffle = shuffle
        self.verbose = verbose
        self.random_state = random_state

    @property
    def _units(self) -> tuple[str, str]:
        return self.visible_units, self.hidden_units

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_choice("visible_units", self.visible_units, _DRAWS)
        check_choice("hidden_units", self.hidden_units, _DRAWS)
        if "gaussian" not in self._units:
            raise ValueError(
                "GaussianRBM needs visible_units='gaussian' or "
                "hidden_units='gaussian'; for binary units use BernoulliRBM."
            )
