"""What an attribute of a model must be like.

A check takes the value and the sizes known so far, by names such as "features". It
raises TypeError or ValueError for a value that does not fit, and records the sizes that
it is the first to see, so that all attributes of a model agree on them.

What is written and what is read must pass the same checks. So what was saved can be
loaded, and what was loaded can be used.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

Sizes = dict[str, int]
Check = Callable[[Any, Sizes], None]

#: What a class declares as its `_stored_fields`: a check for each attribute.
Fields = Mapping[str, Check]

#: Bound on claimed sizes that no array of the file confirms.
_MAX_SIZE = 2**31


def array(*shape: str | None, kinds: str = "f", finite: bool = True) -> Check:
    """Accept arrays of some kinds of numbers, with axes of named or any (None) size."""

    def check(value: Any, sizes: Sizes) -> None:
        if not isinstance(value, np.ndarray):
            raise TypeError(f"must be an array, got {briefly(value)}")
        if value.ndim != len(shape) or value.dtype.kind not in kinds:
            raise ValueError(
                f"is an array of {value.dtype} of shape {value.shape}, expected "
                f"{len(shape)} dimensions and numbers of kind {kinds!r}"
            )
        for axis, n in zip(shape, value.shape, strict=True):
            _agree(axis, n, sizes)
        if finite and value.dtype.kind == "f" and not np.isfinite(value).all():
            raise ValueError("has numbers that are not finite")

    return check


def size(axis: str) -> Check:
    """Accept the size of a named axis."""

    def check(value: Any, sizes: Sizes) -> None:
        count(1, _MAX_SIZE)(value, sizes)
        _agree(axis, int(value), sizes)

    return check


def count(low: int = 0, high: int | None = None) -> Check:
    """Accept integers in a range."""

    def check(value: Any, sizes: Sizes) -> None:
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise TypeError(f"must be an integer, got {briefly(value)}")
        if value < low or (high is not None and value > high):
            raise ValueError(f"is {value}, expected {low} to {high or 'any number'}")

    return check


def number(finite: bool = True) -> Check:
    """Accept real numbers."""

    def check(value: Any, sizes: Sizes) -> None:
        kinds = int | float | np.integer | np.floating
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise TypeError(f"must be a number, got {briefly(value)}")
        if finite and not np.isfinite(value):
            raise ValueError(f"is {value}, must be finite")

    return check


def names(axis: str) -> Check:
    """Accept an object array of strings, as many as the named axis has entries."""

    def check(value: Any, sizes: Sizes) -> None:
        array(axis, kinds="O")(value, sizes)
        if not all(isinstance(name, str) for name in value):
            raise TypeError("must hold strings")

    return check


def instance(*classes: type) -> Check:
    """Accept objects of some classes, but not of their subclasses."""

    def check(value: Any, sizes: Sizes) -> None:
        """Accept objects of these classes."""
        if type(value) not in classes:
            expected = " or ".join(cls.__name__ for cls in classes)
            raise TypeError(f"must be {expected}, got {briefly(value)}")

    return check


def estimator(*methods: str) -> Check:
    """Accept estimators that have some methods."""

    def check(value: Any, sizes: Sizes) -> None:
        if not isinstance(value, BaseEstimator):
            raise TypeError(f"must be an estimator, got {briefly(value)}")
        for method in methods:
            if not hasattr(value, method):
                raise TypeError(f"is {briefly(value)}, which has no {method}")

    return check


def dtype(value: Any, sizes: Sizes) -> None:
    """Accept dtypes of numbers."""
    if not isinstance(value, np.dtype) or value.kind not in "biuf":
        raise TypeError(f"must be a dtype of numbers, got {briefly(value)}")


def one_of(*checks: Check) -> Check:
    """Accept what any of the checks accepts."""

    def check(value: Any, sizes: Sizes) -> None:
        for one in checks[:-1]:
            try:
                return one(value, sizes)
            except (TypeError, ValueError):
                pass
        return checks[-1](value, sizes)

    return check


def interval(value: Any, sizes: Sizes) -> None:
    """Accept two numbers, the lower one first."""
    instance(tuple, list)(value, sizes)
    for end in value:
        number()(end, sizes)
    if len(value) != 2 or not value[0] < value[1]:
        raise ValueError(f"is {briefly(value)}, expected (low, high)")


def image_shape(value: Any, sizes: Sizes) -> None:
    """Accept the height and width of an image, and perhaps its channels."""
    instance(tuple)(value, sizes)
    if len(value) not in (2, 3):
        raise ValueError(f"is {briefly(value)}, expected (height, width[, channels])")
    for length in value:
        count(1, _MAX_SIZE)(length, sizes)


def steps(value: Any, sizes: Sizes) -> None:
    """Accept the steps of a Pipeline."""
    instance(list)(value, sizes)
    for step in value:
        if not isinstance(step, tuple | list) or len(step) != 2:
            raise TypeError(f"has {briefly(step)}, expected a name and a transformer")
        name, transformer = step
        TEXT(name, sizes)
        skipped = isinstance(transformer, str) and transformer == "passthrough"
        if not skipped and not isinstance(transformer, BaseEstimator | None):
            raise TypeError(f"has {briefly(transformer)}, expected a transformer")


def each(item: Check) -> Check:
    """Accept lists of what a check accepts."""

    def check(value: Any, sizes: Sizes) -> None:
        instance(list)(value, sizes)
        for entry in value:
            item(entry, sizes)

    return check


def anything(value: Any, sizes: Sizes) -> None:
    """Accept whatever can be stored."""


TEXT, FLAG, NONE = instance(str), instance(bool, np.bool_), instance(type(None))


def _agree(axis: str | None, n: int, sizes: Sizes) -> None:
    expected = n if axis is None else sizes.setdefault(axis, n)
    if n != expected:
        raise ValueError(f"has {n} {axis}, where the rest of the model has {expected}")


def expect_equal(what: str, got: Any, expected: Any) -> None:
    """Raise ValueError unless two parts of a model are equal."""
    if not np.array_equal(got, expected):
        raise ValueError(f"{what}: {got}, where the rest of the model has {expected}")


def briefly(value: Any) -> str:
    """Show a value, but not all of a long one."""
    text = repr(value)
    return text if len(text) <= 60 else f"{type(value).__name__} {text[:50]}..."
