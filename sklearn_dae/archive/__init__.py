"""Models and images in files."""

from sklearn_dae.archive._atomic import atomic_writer
from sklearn_dae.archive._models import (
    load_model,
    model_from_bytes,
    model_hash,
    model_to_bytes,
    save_model,
)
from sklearn_dae.archive._reader import Archive, open_archive
from sklearn_dae.archive._report import ArchiveInfo, Damage, Salvaged, Verification
from sklearn_dae.archive._writer import write_archive

__all__ = [
    "Archive",
    "ArchiveInfo",
    "Damage",
    "Salvaged",
    "Verification",
    "atomic_writer",
    "load_model",
    "model_from_bytes",
    "model_hash",
    "model_to_bytes",
    "open_archive",
    "save_model",
    "write_archive",
]
