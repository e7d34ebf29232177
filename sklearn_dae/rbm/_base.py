"""What any kind of RBM is: an estimator that learns by contrastive divergence.

In: rows of numbers, dense or sparse. Out: weights and biases such that the hidden
units explain the rows.
"""

import math
import time
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_dae._blas import one_blas_thread
from sklearn_dae._callbacks import CallbackSupportMixin, with_callbacks
from sklearn_dae._fields import Fields, array, count, each, number, size
from sklearn_dae._warnings import warn
from sklearn_dae.rbm._divergence import Divergence, Parameters
from sklearn_dae.rbm._units import KINDS, dense, mean_units, seeded

FLOATS = (np.float64, np.float32)

_PARAMETERS = ("components_", "intercept_hidden_", "intercept_visible_")


class BaseRBM(
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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "n_iter": [Interval(Integral, 0, None, closed="left")],
        "n_gibbs_steps": [Interval(Integral, 1, None, closed="left")],
        "persistent": ["boolean"],
        "sample_visible": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "initial_momentum": [Interval(Real, 0, 1, closed="left")],
        "momentum_switch": [Interval(Integral, 0, None, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "shuffle": ["boolean"],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    _stored_fields: ClassVar[Fields] = {
        "components_": array("components", "features"),
        "intercept_hidden_": array("components"),
        "intercept_visible_": array("features"),
        "_n_features_out": size("components"),
    }
    _optional_fields: ClassVar[Fields] = {
        "reconstruction_errors_": each(number(finite=False)),
        "n_iter_": count(),
    }

    def _check_stored(self) -> None:
        self._validate_params()

    #: Momentum so far, where there is any.
    _velocity: Parameters | None = None

    @property
    def _units(self) -> tuple[str, str]:
        """Kinds of the visible and of the hidden units."""
        raise NotImplementedError

    # What a layer computes. Shapes: v (n_samples, n_features),
    # h (n_samples, n_components); components_ holds the weights between them.

    def _mean_hiddens(self, v: Any) -> np.ndarray:
        """Mean of the hidden units given the visible ones."""
        weights, biases = self.components_.T, self.intercept_hidden_
        return mean_units(v, weights, biases, self._units[1])

    def _mean_visibles(self, h: np.ndarray) -> np.ndarray:
        """Mean of the visible units given the hidden ones."""
        weights, biases = self.components_, self.intercept_visible_
        return mean_units(h, weights, biases, self._units[0])

    def _sample_hiddens(self, v: Any, random_state: Any) -> np.ndarray:
        """Draw the hidden units given the visible ones."""
        means = self._mean_hiddens(v)
        return KINDS[self._units[1]].draw(means, seeded(random_state))

    def _sample_visibles(self, h: np.ndarray, random_state: Any) -> np.ndarray:
        """Draw the visible units given the hidden ones."""
        means = self._mean_visibles(h)
        return KINDS[self._units[0]].draw(means, seeded(random_state))

    # Training.

    def _initialize(
        self, n_features: int, dtype: Any, rng: np.random.Generator
    ) -> None:
        weights = rng.normal(0, 0.01, (self.n_components, n_features))
        self.components_ = weights.astype(dtype)
        self.intercept_hidden_ = np.zeros(self.n_components, dtype)
        self.intercept_visible_ = np.zeros(n_features, dtype)
        self._n_features_out = self.n_components
        for name in ("_velocity", "h_samples_"):
            self.__dict__.pop(name, None)
        self._make_ready()

    def _make_ready(self) -> None:
        """Prepare what updates change in place: chains, parameters of our own."""
        names = [*_PARAMETERS]
        if self.persistent:
            names.append("h_samples_")
            if not hasattr(self, "h_samples_"):
                n_hidden, dtype = len(self.components_), self.components_.dtype
                self.h_samples_ = np.zeros((self.batch_size, n_hidden), dtype)
        for name in names:
            parameter = getattr(self, name)
            if not parameter.flags.writeable:  # loaded as a memory map
                setattr(self, name, parameter.copy(order="K"))

    def _update(
        self,
        X: Any,
        rows: np.ndarray,
        divergence: Divergence,
        momentum: float,
        rng: np.random.Generator,
    ) -> None:
        """Learn from one mini-batch by contrastive divergence."""
        divergence.load(X, rows)
        divergence.positive_phase(rng)
        for _ in range(self.n_gibbs_steps - 1):
            divergence.gibbs_step(rng)
        divergence.negative_phase(rng)
        divergence.update(
            self.learning_rate, self.weight_decay, momentum, self._velocity
        )

    def _sweep(self, X: Any, momentum: float, rng: np.random.Generator) -> None:
        """Update on every row of X once, mini-batch by mini-batch."""
        n_samples = X.shape[0]
        batch_size = min(self.batch_size, n_samples)
        parameters = Parameters(*(getattr(self, name) for name in _PARAMETERS))
        divergence = Divergence(
            parameters,
            self._units,
            batch_size,
            chains=self.h_samples_ if self.persistent else None,
            sample_visible=self.sample_visible,
        )
        if momentum and self._velocity is None:
            self._velocity = parameters.like()
        # In a single batch the order of the rows makes no difference.
        shuffled = self.shuffle and batch_size < n_samples
        order = rng.permutation(n_samples) if shuffled else np.arange(n_samples)
        # Too high a rate overflows; this is reported once, after the sweep.
        with np.errstate(over="ignore", invalid="ignore"), one_blas_thread():
            for start in range(0, n_samples, batch_size):
                rows = order[start : start + batch_size]
                self._update(X, rows, divergence, momentum, rng)
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
        self._validate_params()
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS)
        self._warn_of_range(X)
        rng = seeded(self.random_state)
        context = self._init_callback_context(max_subtasks=self.n_iter)
        context.call_on_fit_task_begin(estimator=self, X=X)

        self._initialize(X.shape[1], X.dtype, rng)
        self.reconstruction_errors_ = []
        watched = X[:: math.ceil(X.shape[0] / 500)]
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

    def _warn_of_range(self, X: Any) -> None:
        """Warn of numbers that visible units between 0 and 1 cannot learn."""
        if self._units[0] != "bernoulli":
            return
        low, high = float(X.min()), float(X.max())
        if low < 0 or high > 1:
            warn(
                f"X has values from {low:g} to {high:g}, but the visible units of this "
                f"{type(self).__name__} are between 0 and 1, so it will learn nothing "
                "of what lies beyond: scale X first, such as by MinMaxScaler()."
            )

    def _snapshot(self) -> dict[str, np.ndarray]:
        """Copy the parameters, which the next updates change in place."""
        return {name: getattr(self, name).copy() for name in _PARAMETERS}

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Go through the rows of X once, continuing from the current parameters.

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
        ``momentum`` applies from the first call on; ``initial_momentum`` is for `fit`.
        """
        self._validate_params()
        first = not hasattr(self, "components_")
        dtype = FLOATS if first else self.components_.dtype
        X = validate_data(self, X, accept_sparse="csr", dtype=dtype, reset=first)
        if not hasattr(self, "_partial_fit_rng") or first:
            self._partial_fit_rng = seeded(self.random_state)
        if first:
            self._initialize(X.shape[1], X.dtype, self._partial_fit_rng)
        else:
            self._make_ready()
        self._sweep(X, self.momentum, self._partial_fit_rng)
        return self

    def _reconstruction_error(self, X: Any) -> float:
        """Squared error per row of the mean-field reconstruction."""
        reconstruction = self._mean_visibles(self._mean_hiddens(X))
        errors = np.square(dense(X) - reconstruction).sum(axis=1)
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
