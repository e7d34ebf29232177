"""What of a folder is kept: images, and the files that they came from.

In: the images of a folder, and options. Out: what goes into an archive, and what is
coded of it.
"""

import argparse
import os
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from sklearn_dae.archive._chunk_writer import AS_THEY_ARE
from sklearn_dae.archive._kept import can_stand_alone, is_coded
from sklearn_dae.cli._input import tell_of_left_out
from sklearn_dae.images import Account, ImageSet

#: Files that hold no image, but belong to those that do, such as a DICOMDIR.
_BELONGING = "no image"


@dataclass(frozen=True)
class Keeping:
    """What goes into an archive.

    Parameters
    ----------
    images : ImageSet
        All images.

    coded : ImageSet
        Those that a codec has to code: not those in files that are kept as they are.

    files : bool or "as they are"
        Whether files are stored so that they can be made again, or all kept.

    others : sequence of (name, path)
        Files without images, to be kept as they are.

    stored : ImageSet, default=None
        The images as they are stored in their files, where these may be kept instead
        of images that have lost something.
    """

    images: ImageSet
    coded: ImageSet
    files: bool | str
    others: Sequence[tuple[str, Path]]
    stored: ImageSet | None = None

    @classmethod
    def of(
        cls, images: ImageSet, arguments: argparse.Namespace, *, is_exact: bool
    ) -> Self:
        """Decide what to keep; warn of what is left out.

        Parameters
        ----------
        images : ImageSet
            The images that were found, as they are stored.

        arguments : Namespace
            The options of ``compress``.

        is_exact : bool
            Whether nothing may be lost.
        """
        # Grey images are no longer those of the files, one array is not all of its
        # file, and names of its own are worth more than the file.
        is_part = arguments.grey or arguments.key is not None
        has_names = len(images.files) == 1 and len(images.files[0].names) > 0
        may_keep = not (is_part or has_names or not images.file_names)
        files = is_exact and may_keep
        belonging = images.account.left_out.get(_BELONGING, {}) if files else {}
        others = [
            (name, path)
            for name, path in images.others
            if (arguments.keep_others or name in belonging)
            and not _is_same(path, arguments.output)
        ]
        images = copy(images)
        images.account = _without(images.account, {name for name, _ in others})
        shown = images if is_exact else images.as_shown()
        tell_of_left_out(images.account)
        if is_exact:
            return cls(images, _coded(images) if files else images, files, others)
        # Whoever lets images lose something does not expect headers of patients.
        may_keep = may_keep and not _has_headers(images)
        return cls(shown, shown, False, others, images if may_keep else None)

    def as_they_are(self) -> Self | None:
        """Return the same with all files kept, or None if they do not say enough."""
        images = self.stored
        if images is None or not all(map(can_stand_alone, images.files)):
            return None
        return type(self)(images, images[:0], AS_THEY_ARE, self.others)

    @property
    def has_headers(self) -> bool:
        """Whether headers of DICOM files are kept, which may identify patients."""
        return bool(self.files) and _has_headers(self.images)


def _has_headers(images: ImageSet) -> bool:
    return any(file.format == "DICOM" for file in images.files)


def _without(account: Account, names: set[str]) -> Account:
    """Return an account in which some files are not left out."""
    # A folder that was left out is told as one.
    names = names | {
        "/".join(parts[:n])
        for parts in (name.split("/") for name in names)
        for n in range(1, len(parts))
    }
    left_out = {}
    for reason, named in account.left_out.items():
        others = {name: why for name, why in named.items() if name not in names}
        if others:
            left_out[reason] = others
    return replace(account, left_out=left_out)


def _is_same(path: Path, output: str) -> bool:
    """Whether a file is the one that is to be written."""
    try:
        return os.path.samefile(path, output)
    except OSError:
        return False


def _coded(images: ImageSet) -> ImageSet:
    """Return the images that are not in files that are kept as they are."""
    flags = [np.full(len(file), is_coded(file)) for file in images.files]
    return images[np.flatnonzero(np.concatenate([np.empty(0, bool), *flags]))]
