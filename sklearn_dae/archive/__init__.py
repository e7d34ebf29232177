"""Images <-> one file on disk.

In: images, of one kind or of many, and a fitted codec; and the files that they came
from. Out: an archive with the model in it, which is read from any position, verified,
and salvaged if damaged. One more kind of chunk belongs in `_contents.py`, one more
thing to do with an open archive in `_reader.py`. The bytes of the model inside are
those of `sklearn_dae.models`.
"""

from sklearn_dae.archive._append import append_to_archive
from sklearn_dae.archive._reader import Archive, open_archive
from sklearn_dae.archive._report import (
    ArchivedFile,
    ArchiveInfo,
    Damage,
    Parts,
    Salvaged,
    Verification,
)
from sklearn_dae.archive._writer import write_archive

__all__ = [
    "Archive",
    "ArchiveInfo",
    "ArchivedFile",
    "Damage",
    "Parts",
    "Salvaged",
    "Verification",
    "append_to_archive",
    "open_archive",
    "write_archive",
]
