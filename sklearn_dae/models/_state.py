"""Objects <-> a tree of JSON types, and arrays.

Numbers, text, None and lists stand for themselves. All else is a dict whose keys say
what it is:

    {"array": 3}                          the array with that number
    {"dtype": "<f4"}                      a dtype
    {"dtype": "<f4", "number": 0.5}       a NumPy number
    {"float": "inf"}                      inf, -inf or nan
    {"names": ["a", "b"]}                 an object array of strings
    {"tuple": [1, 2]}                     a tuple
    {"class": ..., "version": ..., "state": ...}                 a value
    {"class": ..., "version": ..., "params": ..., "state": ...}  an estimator
    {"same": 0}                           the estimator that ended with that number

The state of an estimator that is not fitted is None. Arrays are numbered in the order
in which they occur, each of them once. In a file, the names of attributes lose their
outer underscores.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from sklearn_dae._fields import Check, Sizes, briefly
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.models._format import dtype_name, native_dtype
from sklearn_dae.models._kind import Kind, stored_name
from sklearn_dae.models._registry import GROUP, kind_named, kind_of, supported

Checks = Mapping[str, Check]

#: What stands for itself.
_PLAIN = frozenset({type(None), bool, int, float, str})

#: Deepest nesting: a Pipeline in a Pipeline takes four levels.
_MAX_DEPTH = 64


def is_fitted(estimator: Any) -> bool:
    """Whether an estimator is fitted."""
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True


class Writer:
    """Turns objects into trees, and collects their arrays."""

    def __init__(self) -> None:
        self.arrays: list[np.ndarray] = []
        self._numbers: dict[int, int] = {}

    def write(self, value: Any, where: str, depth: int = 0) -> Any:
        """Return the tree of an object; ``where`` is what to call it in errors."""
        if depth > _MAX_DEPTH:
            raise ValueError(f"{where} is nested too deeply to be stored.")
        if kind := kind_of(type(value)):
            return self._write_object(value, kind, where, depth)
        if isinstance(value, np.ndarray):
            return self._write_array(value, where)
        if isinstance(value, np.generic):
            dtype = _dtype_name(value.dtype, where)
            return {"dtype": dtype, "number": self.write(value.item(), where, depth)}
        if isinstance(value, np.dtype):
            return {"dtype": _dtype_name(value, where)}
        if type(value) in (list, tuple):
            items = [
                self.write(item, f"{where}[{i}]", depth + 1)
                for i, item in enumerate(value)
            ]
            return items if type(value) is list else {"tuple": items}
        if type(value) is float and not math.isfinite(value):
            return {"float": repr(value)}
        if type(value) in _PLAIN:
            return value
        raise TypeError(_cannot_store(value, where))

    def _write_array(self, value: np.ndarray, where: str) -> Any:
        if value.dtype == object:
            if value.ndim != 1 or not all(type(name) is str for name in value):
                raise TypeError(f"{where} is an array of objects that are not strings.")
            return {"names": value.tolist()}
        _dtype_name(value.dtype, where)
        self.arrays.append(value)
        return {"array": len(self.arrays) - 1}

    def _write_object(self, value: Any, kind: Kind, where: str, depth: int) -> Any:
        if id(value) in self._numbers:
            return {"same": self._numbers[id(value)]}
        tree: dict[str, Any] = {"class": kind.name, "version": kind.version}
        state = None
        if kind.is_estimator:
            parameters = kind.parameters_of(value)
            tree["params"] = self._write_fields(
                parameters, kind.checked_parameters, where, depth
            )
        if not kind.is_estimator or is_fitted(value):
            state = self._write_state(value, kind, where, depth)
        if kind.is_estimator:
            self._numbers[id(value)] = len(self._numbers)
        return {**tree, "state": state}

    def _write_state(self, value: Any, kind: Kind, where: str, depth: int) -> Any:
        try:
            attributes = kind.attributes_of(value)
        except AttributeError as error:
            raise ValueError(f"{where} cannot be stored: {error}.") from error
        except Exception as error:
            raise ValueError(f"{where} cannot be stored: {_fault(error)}.") from error
        state = self._write_fields(attributes, kind.attributes, where, depth)
        try:
            kind.check(value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{where} cannot be stored: {error}") from error
        except Exception as error:
            raise ValueError(f"{where} cannot be stored: {_fault(error)}.") from error
        return state

    def _write_fields(
        self, fields: dict[str, Any], checks: Checks, where: str, depth: int
    ) -> dict[str, Any]:
        sizes: Sizes = {}
        tree = {}
        for name in sorted(fields, key=stored_name):
            path = f"{where}.{name}"
            _check(checks[name], fields[name], sizes, path)
            tree[stored_name(name)] = self.write(fields[name], path, depth + 1)
        return tree


class Reader:
    """Turns trees into objects, trusting nothing in them."""

    def __init__(self, arrays: list[np.ndarray]) -> None:
        self._arrays = arrays
        self._n_read = 0
        self._estimators: list[Any] = []

    def read(self, tree: Any, where: str, depth: int = 0) -> Any:
        """Return the object of a tree.

        Raises
        ------
        BitstreamError
            If it is not the tree of an object that can be stored.
        """
        if depth > _MAX_DEPTH:
            raise BitstreamError(f"{where} is nested too deeply.")
        if isinstance(tree, list):
            return self._read_items(tree, where, depth)
        if type(tree) in _PLAIN:
            return tree
        match sorted(tree):
            case ["array"]:
                return self._read_array(tree["array"], where)
            case ["dtype"]:
                return native_dtype(tree["dtype"])
            case ["dtype", "number"]:
                number = self.read(tree["number"], where, depth + 1)
                return _numpy_number(native_dtype(tree["dtype"]), number, where)
            case ["float"] if tree["float"] in ("inf", "-inf", "nan"):
                return float(tree["float"])
            case ["names"]:
                return _names(tree["names"], where)
            case ["tuple"] if isinstance(tree["tuple"], list):
                return tuple(self._read_items(tree["tuple"], where, depth))
            case ["same"]:
                return self._same(tree["same"], where)
            case ["class", *_, "version"]:
                return self._read_object(tree, where, depth)
        raise BitstreamError(f"{where} is nothing known: {briefly(tree)}.")

    def finish(self) -> None:
        """Make sure that no array is left."""
        if self._n_read < len(self._arrays):
            raise BitstreamError(
                f"The model file has {len(self._arrays)} arrays, but uses "
                f"{self._n_read} of them."
            )

    def _read_items(self, items: list[Any], where: str, depth: int) -> list[Any]:
        return [
            item
            if type(item) in _PLAIN
            else self.read(item, f"{where}[{i}]", depth + 1)
            for i, item in enumerate(items)
        ]

    def _read_array(self, number: Any, where: str) -> np.ndarray:
        # An array used twice would take memory twice.
        if type(number) is not int or number != self._n_read:
            raise BitstreamError(
                f"{where} is array {briefly(number)}, expected {self._n_read}."
            )
        if number >= len(self._arrays):
            raise BitstreamError(f"{where}: there is no array {number}.")
        self._n_read += 1
        return self._arrays[number]

    def _same(self, number: Any, where: str) -> Any:
        if type(number) is not int or not 0 <= number < len(self._estimators):
            raise BitstreamError(
                f"{where} is the estimator {briefly(number)}: there is none."
            )
        return self._estimators[number]

    def _read_object(self, tree: dict[str, Any], where: str, depth: int) -> Any:
        kind = _kind(tree, where)
        if not kind.is_estimator:
            state = self._read_fields(tree["state"], kind.attributes, {}, where, depth)
            value = kind.make(state)
            kind.check(value)
            return value
        parameters = self._read_fields(
            tree["params"], kind.checked_parameters, {}, where, depth
        )
        estimator = kind.cls(**parameters)
        if tree["state"] is not None:
            state = self._read_fields(
                tree["state"], kind.fields, kind.optional, where, depth
            )
            for name, value in state.items():
                setattr(estimator, name, value)
            if hasattr(estimator, "_complete_stored"):
                estimator._complete_stored()
            kind.check(estimator)
        elif is_fitted(estimator):
            # Such as a pipeline whose last step does nothing.
            raise BitstreamError(f"{where} is fitted, but said not to be.")
        self._estimators.append(estimator)
        return estimator

    def _read_fields(
        self, tree: Any, required: Checks, optional: Checks, where: str, depth: int
    ) -> dict[str, Any]:
        if not isinstance(tree, dict):
            raise BitstreamError(f"{where} has no attributes.")
        known = {stored_name(name): name for name in (*required, *optional)}
        for name in tree:
            if name not in known:
                raise BitstreamError(
                    f"{where} has the unknown field {briefly(name)}: {_UPGRADE}"
                )
        for name in required:
            if stored_name(name) not in tree:
                raise BitstreamError(f"{where} lacks the field {stored_name(name)!r}.")
        checks = {**required, **optional}
        sizes: Sizes = {}
        fields = {}
        for stored, subtree in tree.items():
            name, path = known[stored], f"{where}.{stored}"
            fields[name] = self.read(subtree, path, depth + 1)
            _check(checks[name], fields[name], sizes, path)
        return fields


#: What may have happened if a file has more than we know.
_UPGRADE = "it was written by a newer version; upgrade sklearn-dae."


def _kind(tree: dict[str, Any], where: str) -> Kind:
    name, version = tree["class"], tree["version"]
    kind = kind_named(name) if isinstance(name, str) else None
    if kind is None:
        raise BitstreamError(
            f"{where} is of the class {briefly(name)}, which is neither one of this "
            "version of sklearn-dae nor of an installed plug-in: install the package "
            f"that adds it to {GROUP!r}, or upgrade sklearn-dae."
        )
    if type(version) is not int or version != kind.version:
        raise BitstreamError(
            f"{where} is {name} of version {briefly(version)}, and only version "
            f"{kind.version} is known: {_UPGRADE}"
        )
    parts = {"class", "state", "version"} | ({"params"} if kind.is_estimator else set())
    if set(tree) != parts:
        raise BitstreamError(f"{where} has not {sorted(parts)}: {briefly(tree)}.")
    return kind


def _numpy_number(dtype: np.dtype, number: Any, where: str) -> Any:
    if not isinstance(number, int | float):
        raise BitstreamError(f"{where} is {briefly(number)}, expected a number.")
    with np.errstate(over="ignore"):
        value = dtype.type(number)
    if value.item() != number and number == number:
        raise BitstreamError(f"{where} is {number}, which {dtype} cannot hold.")
    return value


def _names(values: Any, where: str) -> np.ndarray:
    if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
        raise BitstreamError(f"{where} has names that are not strings.")
    return np.array(values, dtype=object)


def _dtype_name(dtype: np.dtype, where: str) -> str:
    try:
        return dtype_name(dtype)
    except TypeError as error:
        raise TypeError(f"{where}: {error}") from None


def _check(check: Check, value: Any, sizes: Sizes, path: str) -> None:
    try:
        check(value, sizes)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{path} {error}.") from error
    except Exception as error:
        raise ValueError(f"{path} cannot be checked: {_fault(error)}.") from error


def _fault(error: Exception) -> str:
    return f"its class raised {type(error).__name__}: {error}; tell its authors"


def _cannot_store(value: Any, where: str) -> str:
    kind = type(value).__name__
    if isinstance(value, BaseEstimator):
        return (
            f"{where}: a model file cannot hold a {kind}; it can hold "
            f"{', '.join(supported())}."
        )
    return (
        f"{where} is a {kind}; a model file holds numbers, text, None, arrays, lists "
        "and tuples of such, and no code or random generators. If this is a parameter, "
        "set_params(...) to one of these before saving leaves what is fitted as it is."
    )
