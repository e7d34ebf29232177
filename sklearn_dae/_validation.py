"""Checks of constructor parameters, with messages that say what to do."""

from collections.abc import Collection
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_scalar


def check_integer(name: str, value: Any, low: int, high: int | None = None) -> None:
    """Raise unless ``low <= value <= high`` and value is an integer, not a bool."""
    _refuse_bool(name, value, "an integer")
    check_scalar(value, name, Integral, min_val=low, max_val=high)


def check_real(
    name: str,
    value: Any,
    low: float | None = None,
    high: float | None = None,
    boundaries: str = "both",
) -> None:
    """Raise unless value is a finite number between low and high.

    ``boundaries`` says which of these bounds are themselves allowed: "left", "right",
    "both" or "neither".
    """
    _refuse_bool(name, value, "a number")
    check_scalar(
        value, name, Real, min_val=low, max_val=high, include_boundaries=boundaries
    )
    if not np.isfinite(value):
        raise ValueError(f"{name} == {value}, must be finite.")


def check_choice(name: str, value: Any, choices: Collection[Any]) -> None:
    """Raise unless value is one of the choices."""
    if not any(value is choice or value == choice for choice in choices):
        allowed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} == {value!r}, must be one of {allowed}.")


def _refuse_bool(name: str, value: Any, expected: str) -> None:
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be {expected}, got {value!r}.")
