"""Images <-> one file on disk.

In: images and a fitted codec. Out: an archive with the model in it, which is read from
any position, verified, and salvaged if damaged. One more part of the file belongs in
`_container.py`, one more thing to do with an open archive in `_reader.py`. The bytes of
the model inside are those of `sklearn_dae.models`.
"""

from sklearn_dae.archive._reader import Archive, open_archive
from sklearn_dae.archive._report import ArchiveInfo, Damage, Salvaged, Verification
from sklearn_dae.archive._writer import write_archive

__all__ = [
    "Archive",
    "ArchiveInfo",
    "Damage",
    "Salvaged",
    "Verification",
    "open_archive",
    "write_archive",
]
