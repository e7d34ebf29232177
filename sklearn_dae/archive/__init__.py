"""Models and images in files."""

from sklearn_dae.archive._atomic import atomic_writer
from sklearn_dae.archive._models import (
    load_model,
    model_from_bytes,
    model_hash,
    model_to_bytes,
    save_model,
)

__all__ = [
    "atomic_writer",
    "load_model",
    "model_from_bytes",
    "model_hash",
    "model_to_bytes",
    "save_model",
]
