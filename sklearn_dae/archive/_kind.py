"""How the objects of one class are stored.

An estimator is stored as its parameters and its fitted attributes: those that are
needed to use it, and some that describe its training. A value, such as a frequency
table, is stored as what it is made from.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sklearn.base import BaseEstimator

from sklearn_dae.archive._fields import Check, anything


def _nothing(_value: Any) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Kind:
    """How the objects of a class are stored.

    Parameters
    ----------
    cls : type
        The class. Its name is the one used in the file.

    fields, optional : mapping of str to check
        The attributes that are always stored, and those stored if an object has them.

    parameters : mapping of str to check, default=None
        The parameters of an estimator that are stored; the others must have their
        defaults. None stores all.

    check : callable, default does nothing
        Raises ValueError or TypeError for an object whose parts do not fit together.

    finish : callable, default does nothing
        Sets what is derived from the attributes of an estimator that was read.

    get, make : callable, default=None
        For a value: return its fields as a dict, and make a value from them. None uses
        the attributes, and the constructor.

    version : int, default=1
        Version of the fields.
    """

    cls: type
    fields: Mapping[str, Check] = field(default_factory=dict)
    optional: Mapping[str, Check] = field(default_factory=dict)
    parameters: Mapping[str, Check] | None = None
    check: Callable[[Any], None] = _nothing
    finish: Callable[[Any], None] = _nothing
    get: Callable[[Any], dict[str, Any]] | None = None
    make: Callable[..., Any] | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """Name in the file."""
        return self.cls.__name__

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
        """Return the attributes to store."""
        if self.get is not None:
            return self.get(value)
        present = [name for name in self.optional if hasattr(value, name)]
        return {name: getattr(value, name) for name in [*self.fields, *present]}
