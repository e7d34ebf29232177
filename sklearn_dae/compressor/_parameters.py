"""Checks of the compressor's parameters, one by one and together."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from sklearn_dae._validation import (
    check_choice,
    check_integer,
    check_real,
    check_switch,
    check_verbose,
)
from sklearn_dae.compressor._fine_tuning import SOLVERS
from sklearn_dae.compressor._initialization import RBM_CODE_UNITS, RBM_HIDDEN_UNITS
from sklearn_dae.network import BOUNDED_UNITS, LOSSES, UNITS

#: Units that any layer except the output may have.
INNER_UNITS = tuple(unit for unit in UNITS if unit != "clipped")

#: Output units with which a network can start as PCA.
LINEAR_OUTPUTS = ("clipped", "identity")


def takes_rbms(p: Any) -> bool:
    """Whether an estimator with parameters ``p`` starts from RBMs."""
    if p.pretraining == "auto" and takes_linear_path(p):
        return False
    return p.pretraining is not None and _may_take_rbms(p)


def _may_take_rbms(p: Any) -> bool:
    return p.activation in RBM_HIDDEN_UNITS and p.code_activation in RBM_CODE_UNITS


def takes_linear_path(p: Any) -> bool:
    """Whether an estimator with parameters ``p`` has a linear path."""
    if p.linear_path == "auto":
        return _may_take_linear_path(p)
    return p.linear_path


def _may_take_linear_path(p: Any) -> bool:
    return p.code_activation == "identity" and p.output_activation in LINEAR_OUTPUTS


def check_parameters(p: Any) -> None:
    """Raise TypeError or ValueError for the first invalid parameter of ``p``."""
    if p.n_components is not None:
        check_integer("n_components", p.n_components, 1)
    _check_sizes(p.hidden_layer_sizes)
    check_choice("activation", p.activation, INNER_UNITS)
    check_choice("code_activation", p.code_activation, INNER_UNITS)
    check_choice("output_activation", p.output_activation, UNITS)
    check_choice("loss", p.loss, LOSSES)
    if p.linear_path != "auto":
        check_switch("linear_path", p.linear_path)
    if p.alpha != "auto":
        check_real("alpha", p.alpha, 0)
    check_real("sparsity", p.sparsity, 0)
    check_real("target_activation", p.target_activation, 0, 1, "neither")
    check_choice("pretraining", p.pretraining, ("auto", "rbm", None))
    check_integer("pretrain_epochs", p.pretrain_epochs, 0)
    check_real("pretrain_learning_rate", p.pretrain_learning_rate, 0, None, "neither")
    for name in ("batch_size", "pretrain_batch_size"):
        if getattr(p, name) != "auto":
            check_integer(name, getattr(p, name), 1)
    check_choice("solver", p.solver, ("auto", *SOLVERS))
    for name in ("learning_rate_init", "damping"):
        if getattr(p, name) != "auto":
            check_real(name, getattr(p, name), 0, None, "neither")
    if p.max_iter is not None:
        check_integer("max_iter", p.max_iter, 0)
    check_integer("max_fun", p.max_fun, 1)
    check_real("tol", p.tol, 0)
    check_switch("early_stopping", p.early_stopping)
    check_real("validation_fraction", p.validation_fraction, 0, 1, "neither")
    check_integer("n_iter_no_change", p.n_iter_no_change, 1)
    check_switch("warm_start", p.warm_start)
    check_integer("transform_max_iter", p.transform_max_iter, 0)
    _check_range(p.pixel_range)
    if p.threshold is not None:
        check_real("threshold", p.threshold, 0, 1, "neither")
    check_switch("restore_dtype", p.restore_dtype)
    check_verbose(p.verbose)

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
    if p.pretraining == "rbm" and not _may_take_rbms(p):
        raise ValueError(
            "pretraining='rbm' needs activation='logistic' and code_activation="
            f"'logistic' or 'identity', got {p.activation!r} and "
            f"{p.code_activation!r}; use those, or pretraining=None."
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
    if sizes is None:
        return
    if isinstance(sizes, str | bytes) or not isinstance(sizes, Sequence | np.ndarray):
        raise TypeError(
            "hidden_layer_sizes must be a sequence of integers, such as (1000, 500), "
            f"got {sizes!r}."
        )
    for size in sizes:
        if isinstance(size, bool) or not isinstance(size, Integral):
            raise TypeError(f"hidden_layer_sizes must hold integers, got {sizes!r}.")
        if size < 1:
            raise ValueError(
                f"hidden_layer_sizes must hold positive integers, got {sizes!r}."
            )


def _check_range(pixel_range: Any) -> None:
    if pixel_range is None:
        return
    is_sequence = isinstance(pixel_range, Sequence | np.ndarray)
    if isinstance(pixel_range, str) or not is_sequence or len(pixel_range) != 2:
        raise TypeError(
            f"pixel_range must be a pair (low, high) or None, got {pixel_range!r}."
        )
    low, high = pixel_range
    check_real("pixel_range[0]", low)
    check_real("pixel_range[1]", high)
    if low >= high:
        raise ValueError(f"pixel_range must have low < high, got {pixel_range!r}.")
