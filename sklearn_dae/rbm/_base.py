"""Contrastive divergence: how any kind of RBM learns.

In: rows of numbers, dense or sparse. Out: weights and biases such that the hidden
units explain the rows.
"""

import math
import time
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_dae._callbacks import CallbackSupportMixin, with_callbacks
from sklearn_dae._fields import Fields, array, count, each, number, size
from sklearn_dae._threads import lanes_if_worth, map_in_lanes, one_blas_thread, slabs
from sklearn_dae._validation import (
    check_integer,
    check_real,
    check_switch,
    check_verbose,
)
from sklearn_dae.rbm._units import (
    KINDS,
    Random,
    dense,
    is_sparse,
    mean_units,
    random_source,
)

FLOATS = (np.float64, np.float32)

#: Rows of the weight matrix that are updated together.
_SLAB_ROWS = 128


class Workspace:
    """Arrays that one mini-batch update works in, made once per sweep.

    The rows of both phases of contrastive divergence are in one array, the data above
    the model's samples, so that the two gradient products become one. Each lane has an
    array of its own for its hidden units, as threads that write side by side into the
    same rows slow each other down.
    """

    def __init__(
        self, n_rows: int, n_chains: int, n_visible: int, n_hidden: int, dtype: Any
    ) -> None:
        n_both = n_rows + n_chains
        self.visible = np.empty((n_both, n_visible), dtype)
        self.lanes = [
            (units, np.empty((n_both, units.stop - units.start), dtype))
            for units in lanes_if_worth(n_hidden, n_both * n_hidden * n_visible)
        ]
        self.samples = np.empty((n_chains, n_hidden), dtype)
        # For the weights, the hidden and the visible biases.
        self.steps = [
            np.empty(shape, dtype)
            for shape in ((n_hidden, n_visible), n_hidden, n_visible)
        ]


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

    @property
    def _units(self) -> tuple[str, str]:
        """Kinds of the visible and of the hidden units."""
        raise NotImplementedError

    # What a layer computes. Shapes: v (n_samples, n_features),
    # h (n_samples, n_components); components_ holds the weights between them.

    def _mean_hiddens(self, v: Any, out: np.ndarray | None = None) -> np.ndarray:
        """Mean of the hidden units given the visible ones."""
        weights, biases = self.components_.T, self.intercept_hidden_
        return mean_units(v, weights, biases, self._units[1], out)

    def _mean_visibles(
        self, h: np.ndarray, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Mean of the visible units given the hidden ones."""
        weights, biases = self.components_, self.intercept_visible_
        return mean_units(h, weights, biases, self._units[0], out)

    def _sample_hiddens(self, v: Any, rng: Random) -> np.ndarray:
        """Draw the hidden units given the visible ones."""
        return KINDS[self._units[1]].draw(self._mean_hiddens(v), rng)

    def _sample_visibles(self, h: np.ndarray, rng: Random) -> np.ndarray:
        """Draw the visible units given the hidden ones."""
        return KINDS[self._units[0]].draw(self._mean_visibles(h), rng)

    # Training.

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
        self._check_parameters()

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

    def _initialize(self, n_features: int, dtype: Any, rng: Random) -> None:
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
        names = ["components_", "intercept_hidden_", "intercept_visible_"]
        if self.persistent:
            names.append("h_samples_")
            if not hasattr(self, "h_samples_"):
                n_hidden, dtype = len(self.components_), self.components_.dtype
                self.h_samples_ = np.zeros((self.batch_size, n_hidden), dtype)
        for name in names:
            parameter = getattr(self, name)
            if not parameter.flags.writeable:  # loaded as a memory map
                setattr(self, name, parameter.copy(order="K"))

    def _make_workspace(self, n_rows: int) -> Workspace:
        n_hidden, n_visible = self.components_.shape
        n_chains = len(self.h_samples_) if self.persistent else n_rows
        return Workspace(n_rows, n_chains, n_visible, n_hidden, self.components_.dtype)

    def _update(
        self,
        X: Any,
        rows: np.ndarray,
        workspace: Workspace,
        momentum: float,
        rng: Random,
    ) -> None:
        """Move the parameters along the contrastive divergence of one mini-batch.

        The data term is averaged over the rows of the batch and the model term over
        the chains, so a short batch takes a step of the same size.
        """
        n_rows = len(rows)
        n_chains = len(self.h_samples_) if self.persistent else n_rows
        rate = self.learning_rate / n_rows
        model_rate = self.learning_rate / n_chains
        data, model = slice(0, n_rows), slice(n_rows, n_rows + n_chains)
        both = slice(0, model.stop)
        visible, steps = workspace.visible[both], workspace.steps
        samples = self.h_samples_ if self.persistent else workspace.samples[:n_chains]
        kind = KINDS[self._units[1]]

        def respond(part: slice, drawn: slice | None, learn: bool = False) -> None:
            """Let the hidden units respond to part of the rows."""
            noise = None if drawn is None else kind.noise(samples.shape, rng)

            # A hidden unit needs no other unit's weights to respond, to be drawn and
            # to learn, so all is done in one go: threads meet only once.
            def go_along(lane: tuple[slice, np.ndarray]) -> None:
                units, hidden = lane
                means = hidden[part]
                np.matmul(visible[part], self.components_[units].T, out=means)
                means += self.intercept_hidden_[units]
                kind.activate(means)
                if noise is not None:
                    kind.settle(hidden[drawn], noise[:, units], samples[:, units])
                if learn:
                    hidden[data] *= rate
                    hidden[model] *= -model_rate
                    np.matmul(hidden[both].T, visible, out=steps[0][units])
                    np.sum(hidden[both], axis=0, out=steps[1][units])
                    for which in (0, 1):
                        self._move(which, steps[which], units, momentum)

            map_in_lanes(go_along, workspace.lanes)

        if is_sparse(X):
            visible[data] = dense(X[rows])
        else:
            np.take(X, rows, axis=0, out=visible[data], mode="clip")
        if not self.persistent:
            respond(data, drawn=data)
        self._step_visibles(samples, visible[model], rng)
        for _ in range(self.n_gibbs_steps - 1):
            respond(model, drawn=model)
            self._step_visibles(samples, visible[model], rng)
        if self.persistent:
            # The chains did not wait for the data: both phases in one product.
            respond(both, drawn=model, learn=True)
        else:
            respond(model, drawn=None, learn=True)
        rates = np.full(len(visible), rate, visible.dtype)
        rates[model] = -model_rate
        np.matmul(rates, visible, out=steps[2])
        self._move(2, steps[2], slice(0, len(steps[2])), momentum)

    def _step_visibles(self, h: np.ndarray, out: np.ndarray, rng: Random) -> None:
        """Let the model's visible units follow its hidden ones."""
        self._mean_visibles(h, out=out)
        if self.sample_visible:
            KINDS[self._units[0]].draw(out, rng, out=out)

    def _move(self, which: int, step: np.ndarray, part: slice, momentum: float) -> None:
        """Take a step in part of the weights (0), hidden (1) or visible biases (2)."""
        parameter = (
            self.components_,
            self.intercept_hidden_,
            self.intercept_visible_,
        )[which]
        decay = self.learning_rate * self.weight_decay if which == 0 else 0.0
        velocity = self._velocity[which] if momentum else step
        # Slabs that stay in cache from one operation to the next.
        for slab in slabs(part, _SLAB_ROWS):
            if decay:
                step[slab] -= decay * parameter[slab]
            if momentum:
                velocity[slab] *= momentum
                velocity[slab] += step[slab]
            parameter[slab] += velocity[slab]

    def _sweep(self, X: Any, momentum: float, rng: Random) -> None:
        """Update on every row of X once, mini-batch by mini-batch."""
        n_samples = X.shape[0]
        batch_size = min(self.batch_size, n_samples)
        workspace = self._make_workspace(batch_size)
        if momentum and not hasattr(self, "_velocity"):
            self._velocity = [np.zeros_like(step) for step in workspace.steps]
        # In a single batch the order of the rows makes no difference.
        shuffled = self.shuffle and batch_size < n_samples
        order = rng.permutation(n_samples) if shuffled else np.arange(n_samples)
        # Too high a rate overflows; this is reported once, after the sweep.
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
        rng = random_source(self.random_state)
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

    def _snapshot(self) -> dict[str, np.ndarray]:
        """Copy the parameters, which the next updates change in place."""
        names = ("components_", "intercept_hidden_", "intercept_visible_")
        return {name: getattr(self, name).copy() for name in names}

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
        self._check_parameters()
        first = not hasattr(self, "components_")
        dtype = FLOATS if first else self.components_.dtype
        X = validate_data(self, X, accept_sparse="csr", dtype=dtype, reset=first)
        if not hasattr(self, "_partial_fit_rng") or first:
            self._partial_fit_rng = random_source(self.random_state)
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
