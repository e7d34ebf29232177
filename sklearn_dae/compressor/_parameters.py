"""The compressor's parameters: what they may be, and what follows from them.

``p`` is an estimator, of which only the parameters are read.
"""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions

from sklearn_dae.network import Layout, Objective
from sklearn_dae.network._losses import LOSSES
from sklearn_dae.network._units import BOUNDED_UNITS, UNITS
from sklearn_dae.rbm import BernoulliRBM
from sklearn_dae.training import Settings
from sklearn_dae.training._train import SOLVERS

#: Units that any layer except the output may have.
_INNER_UNITS = StrOptions({unit for unit in UNITS if unit != "clipped"})

#: Output units with which a network can start as PCA.
_LINEAR_OUTPUTS = ("clipped", "identity")

#: Units that an RBM can provide for a hidden layer, and for the code layer.
_RBM_HIDDEN_UNITS, _RBM_CODE_UNITS = ("logistic",), ("logistic", "identity")

#: Sizes of the paper's hidden layers, relative to its 784 pixels, and the fewest and
#: most units that they have by default.
_PAPER_PROPORTIONS = (1000 / 784, 500 / 784)
_FEWEST_UNITS, _MOST_UNITS = (400, 200), (2000, 1000)

_AUTO = StrOptions({"auto"})
_COUNT = Interval(Integral, 0, None, closed="left")
_AT_LEAST_1 = Interval(Integral, 1, None, closed="left")
_NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
_POSITIVE = Interval(Real, 0, None, closed="neither")
_SHARE = Interval(Real, 0, 1, closed="neither")

#: What scikit-learn can say of single parameters.
CONSTRAINTS: dict[str, list[Any]] = {
    "n_components": [_AT_LEAST_1, Interval(RealNotInt, 0, 1, closed="neither"), None],
    "hidden_layer_sizes": ["array-like", None],
    "activation": [_INNER_UNITS],
    "code_activation": [_INNER_UNITS],
    "output_activation": [StrOptions({*UNITS})],
    "linear_path": ["boolean", _AUTO],
    "loss": [StrOptions({*LOSSES})],
    "alpha": [_NOT_NEGATIVE, _AUTO],
    "sparsity": [_NOT_NEGATIVE],
    "pretraining": [StrOptions({"auto", "rbm"}), BernoulliRBM, None],
    "solver": [StrOptions({"auto", *SOLVERS})],
    "max_iter": [_COUNT, None],
    "tol": [_NOT_NEGATIVE],
    "batch_size": [_AT_LEAST_1, _AUTO],
    "learning_rate_init": [_POSITIVE, _AUTO],
    "early_stopping": ["boolean"],
    "validation_fraction": [_SHARE],
    "n_iter_no_change": [_AT_LEAST_1],
    "warm_start": ["boolean"],
    "transform_max_iter": [_COUNT],
    "pixel_range": ["array-like", None],
    "threshold": [_SHARE, None],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


def check_together(p: Any) -> None:
    """Raise for what scikit-learn's constraints cannot say of parameters."""
    _check_sizes(p.hidden_layer_sizes)
    _check_range(p.pixel_range)
    if p.loss == "log_loss" and p.output_activation != "logistic":
        raise ValueError(
            f"loss='log_loss' needs output_activation='logistic', got "
            f"{p.output_activation!r}; use that, or loss='squared_error'."
        )
    if takes_linear_path(p) and not _may_take_linear_path(p):
        raise ValueError(
            "linear_path=True needs code_activation='identity' and output_activation="
            f"'clipped' or 'identity', got {p.code_activation!r} and "
            f"{p.output_activation!r}; use those, or linear_path=False."
        )
    if p.pretraining not in (None, "auto") and not _may_take_rbms(p):
        raise ValueError(
            f"pretraining={p.pretraining!r} needs activation='logistic' and "
            f"code_activation='logistic' or 'identity', got {p.activation!r} and "
            f"{p.code_activation!r}; use those, or pretraining=None."
        )
    if isinstance(p.pretraining, BernoulliRBM):
        p.pretraining._validate_params()
    if hasattr(p.pretraining, "components_"):
        raise ValueError(
            f"pretraining={p.pretraining!r} is fitted already, but each layer learns "
            "an RBM of its own with these parameters; pass an unfitted one, such as "
            "sklearn.base.clone of it."
        )
    has_hidden_layers = p.hidden_layer_sizes is None or len(p.hidden_layer_sizes)
    hidden_units = {p.activation} if has_hidden_layers else set()
    if p.sparsity and not (hidden_units | {p.code_activation}) & {*BOUNDED_UNITS}:
        raise ValueError(
            f"sparsity={p.sparsity} needs units with a bounded activation, "
            f"'logistic' or 'tanh'; got activation={p.activation!r}, code_activation="
            f"{p.code_activation!r} and hidden_layer_sizes={p.hidden_layer_sizes!r}."
        )


def _check_sizes(sizes: Any) -> None:
    for size in () if sizes is None else sizes:
        if isinstance(size, bool) or not isinstance(size, Integral):
            raise TypeError(f"hidden_layer_sizes must hold integers, got {sizes!r}.")
        if size < 1:
            raise ValueError(
                f"hidden_layer_sizes must hold positive integers, got {sizes!r}."
            )


def _check_range(pixel_range: Any) -> None:
    if pixel_range is None:
        return
    numbers = [float(end) for end in pixel_range if isinstance(end, Real)]
    if len(pixel_range) != 2 or len(numbers) != 2:
        raise TypeError(
            f"pixel_range must be a pair (low, high) or None, got {pixel_range!r}."
        )
    if not (np.isfinite(numbers).all() and numbers[0] < numbers[1]):
        raise ValueError(
            f"pixel_range must have low < high, both finite, got {pixel_range!r}."
        )


def takes_rbms(p: Any) -> bool:
    """Whether the hidden layers start from RBMs."""
    if p.pretraining == "auto" and takes_linear_path(p):
        return False
    return p.pretraining is not None and _may_take_rbms(p)


def _may_take_rbms(p: Any) -> bool:
    return p.activation in _RBM_HIDDEN_UNITS and p.code_activation in _RBM_CODE_UNITS


def takes_linear_path(p: Any) -> bool:
    """Whether the network has a linear path, if it has hidden layers."""
    return _may_take_linear_path(p) if p.linear_path == "auto" else bool(p.linear_path)


def _may_take_linear_path(p: Any) -> bool:
    return p.code_activation == "identity" and p.output_activation in _LINEAR_OUTPUTS


def choose_layout(p: Any, n_features: int, n_components: int | None) -> Layout:
    """Lay out the network for images of some size."""
    if n_components is None:
        n_components = max(1, n_features // 4)
    if n_components > n_features:
        raise ValueError(
            f"n_components={n_components} must be at most n_features={n_features}: "
            "a code larger than the image compresses nothing."
        )
    hidden: Sequence[int] | None = p.hidden_layer_sizes
    if hidden is None:
        hidden = [
            max(n_components, min(max(round(n_features * share), fewest), most))
            for share, fewest, most in zip(
                _PAPER_PROPORTIONS, _FEWEST_UNITS, _MOST_UNITS, strict=True
            )
        ]
    return Layout.autoencoder(
        [n_features, *map(int, hidden), int(n_components)],
        hidden=p.activation,
        code=p.code_activation,
        output=p.output_activation,
        linear_path=takes_linear_path(p),
    )


def choose_settings(p: Any, alpha: float, seed: int) -> Settings:
    """Return how to train."""

    def given(value: Any) -> Any:
        return None if isinstance(value, str) else value

    return Settings(
        Objective(p.loss, alpha, p.sparsity),
        solver="kfac" if p.solver == "auto" else p.solver,
        max_iter=p.max_iter,
        tol=p.tol,
        n_iter_no_change=p.n_iter_no_change,
        learning_rate=given(p.learning_rate_init),
        batch_size=given(p.batch_size),
        seed=seed,
    )
