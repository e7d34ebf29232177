"""Fitted estimators <-> bytes, without pickle.

In: a fitted estimator of this package, of a plug-in, or one of the few of scikit-learn
that go with them. Out: a model file, and back; equal models have equal bytes.

What is stored for a class stands in the class itself, as `_stored_fields`; one more of
ours is then named in `_registry.py`, and one of another package by an entry point.
`fields` has the checks that such declarations are made of.
"""

from sklearn_dae.models._files import (
    load_model,
    model_from_bytes,
    model_hash,
    model_to_bytes,
    save_model,
)

__all__ = [
    "load_model",
    "model_from_bytes",
    "model_hash",
    "model_to_bytes",
    "save_model",
]
