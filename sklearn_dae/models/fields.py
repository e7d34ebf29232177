"""Checks from which a class of another package makes its `_stored_fields`."""

from sklearn_dae._fields import array, count, dtype, each, instance, number, size

__all__ = ["array", "count", "dtype", "each", "instance", "number", "size"]
