"""How the objects of one class are stored, as the class itself declares it.

In: a class with `_stored_fields`. Out: its name in files, what is stored for each of
its objects, and how an object is made again.

A class declares, all of it inherited and added to by subclasses:

- `_stored_fields`: the attributes that are always stored, each with a check. It has to
  stand in the class itself, if only as an empty mapping.
- `_optional_fields`: those stored if an object has them.
- `_check_stored(self)`: raises ValueError or TypeError if parts do not fit together.
- `_complete_stored(self)`: sets what an estimator derives from what was read.
- `_stored_parameters(self)`: for an estimator, the parameters to store where these are
  not those that `get_params` returns.
- `_to_stored(self)`, `_from_stored(cls, **fields)`: for a value, such as a table, that
  is stored as what it is made from. Without them its attributes are stored, and given
  to its constructor.
- `_stored_version`: 1 unless it says otherwise.

An estimator is stored as its parameters, its fields, and what each estimator knows of
its training data: `n_features_in_`, and `feature_names_in_` if it has them.
"""

import inspect
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

from sklearn.base import BaseEstimator

from sklearn_dae._fields import Check, Fields, anything, briefly, names, size


def stored_name(attribute: str) -> str:
    """Return the name of an attribute in a file."""
    return attribute.strip("_")


def _nothing(_value: Any) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Kind:
    """How the objects of a class are stored.

    Parameters
    ----------
    cls : type
        The class.

    name : str
        Its name in files.

    fields, optional : mapping of str to check
        The attributes that are always stored, and those stored if an object has them.

    parameters : mapping of str to check, default=None
        The parameters of an estimator that are stored; the others must have their
        defaults. None stores all.

    check : callable, default does nothing
        Raises ValueError or TypeError for an object whose parts do not fit together.
    """

    cls: type
    name: str
    fields: Fields
    optional: Fields = field(default_factory=dict)
    parameters: Fields | None = None
    check: Callable[[Any], None] = _nothing

    @classmethod
    def declared(cls, stored: type, name: str) -> Self:
        """Read what a class declares.

        Raises
        ------
        TypeError
            If it declares nothing itself, or what it declares is not a mapping.
        """
        if "_stored_fields" not in vars(stored):
            raise TypeError("it has no _stored_fields of its own")
        fields = _inherited(stored, "_stored_fields")
        optional = _inherited(stored, "_optional_fields")
        if issubclass(stored, BaseEstimator):
            fields = {"n_features_in_": size("features"), **fields}
            optional = {"feature_names_in_": names("features"), **optional}
        in_files = Counter(stored_name(field) for field in [*fields, *optional])
        twice = [field for field, n in in_files.items() if n > 1]
        if twice:
            raise TypeError(f"two of its fields are both stored as {twice[0]!r}")
        check = getattr(stored, "_check_stored", _nothing)
        return cls(stored, name, fields, optional, check=check)

    @property
    def version(self) -> int:
        """Version of the fields."""
        return getattr(self.cls, "_stored_version", 1)

    @property
    def is_estimator(self) -> bool:
        """Whether objects have parameters."""
        return issubclass(self.cls, BaseEstimator)

    @cached_property
    def checked_parameters(self) -> Mapping[str, Check]:
        """Names of the parameters that are stored, and their checks."""
        if self.parameters is not None:
            return self.parameters
        return dict.fromkeys(inspect.signature(self.cls).parameters, anything)

    @property
    def attributes(self) -> Mapping[str, Check]:
        """Names of all attributes that may be stored, and their checks."""
        return {**self.fields, **self.optional}

    def parameters_of(self, estimator: Any) -> dict[str, Any]:
        """Return the parameters to store.

        Raises
        ------
        TypeError
            If a parameter, such as one of a later scikit-learn, would lose its value.
        """
        if hasattr(estimator, "_stored_parameters"):
            parameters = estimator._stored_parameters()
        else:
            parameters = estimator.get_params(deep=False)
        for name, parameter in inspect.signature(self.cls).parameters.items():
            known = name in self.checked_parameters
            if not known and parameters[name] is not parameter.default:
                raise TypeError(
                    f"{self.name} has {name}={parameters[name]!r}, a parameter that "
                    "this version of sklearn-dae cannot store: leave it at its default."
                )
        return {name: parameters[name] for name in self.checked_parameters}

    def attributes_of(self, value: Any) -> dict[str, Any]:
        """Return the attributes to store.

        Raises
        ------
        TypeError
            If its class makes others of it than it declares.
        """
        if not hasattr(value, "_to_stored"):
            present = [name for name in self.optional if hasattr(value, name)]
            return {name: getattr(value, name) for name in [*self.fields, *present]}
        stored = value._to_stored()
        if not isinstance(stored, Mapping):
            raise TypeError(f"_to_stored returned {briefly(stored)}, expected a dict")
        if not self.fields.keys() <= stored.keys() <= self.attributes.keys():
            raise TypeError(
                f"_to_stored returned {', '.join(map(str, stored)) or 'nothing'}, "
                f"expected {', '.join(self.attributes)}"
            )
        return dict(stored)

    def make(self, fields: dict[str, Any]) -> Any:
        """Make a value from what was stored."""
        return getattr(self.cls, "_from_stored", self.cls)(**fields)


def _inherited(stored: type, attribute: str) -> dict[str, Check]:
    """Merge what a class and its bases declare."""
    merged: dict[str, Check] = {}
    for cls in reversed(stored.__mro__):
        if attribute not in vars(cls):
            continue
        declared = getattr(cls, attribute)
        if not isinstance(declared, Mapping) or not all(
            isinstance(name, str) and callable(check)
            for name, check in declared.items()
        ):
            raise TypeError(f"its {attribute} is not a mapping of names to checks")
        merged.update(declared)
    return merged
