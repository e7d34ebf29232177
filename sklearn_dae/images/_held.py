"""Files in a row: which image is in which of them, what it is, what it is called."""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any, overload

import numpy as np

from sklearn_dae.images._image_file import ImageFile, are_equal
from sklearn_dae.images._spec import ImageSpec


class Held:
    """Files that hold images, numbered through; sets share it with their parts.

    Parameters
    ----------
    files : sequence of ImageFile
        What holds the images.

    names : sequence of str
        A name for each file; empty if they have none.
    """

    def __init__(self, files: Sequence[ImageFile], names: Sequence[str]) -> None:
        self.files = files
        self.names = names
        self._ends = array("q", accumulate(map(len, files)))

    @property
    def n_images(self) -> int:
        """Number of images of all files."""
        return self._ends[-1] if self._ends else 0

    def _at(self, number: int) -> tuple[int, int]:
        at = bisect_right(self._ends, number)
        return at, int(number) - (self._ends[at - 1] if at else 0)

    def place(self, number: int) -> tuple[ImageFile, int]:
        """Return the file that an image is in, and which of its images it is."""
        at, place = self._at(number)
        return self.files[at], place

    def name_of(self, number: int) -> str:
        """Return the name of an image."""
        at, place = self._at(number)
        file = self.files[at]
        if len(file.names):
            return str(file.names[place])
        name = self.names[at]
        return name if len(file) == 1 else f"{name}[{place}]"

    @cached_property
    def kinds(self) -> tuple[list[ImageSpec], np.ndarray]:
        """Each kind of images, and the number of its kind for each image."""
        numbers: dict[ImageSpec, int] = {}
        # Files that are alike share their specs.
        known: dict[int, np.ndarray] = {}
        for file in self.files:
            if id(file.specs) not in known:
                known[id(file.specs)] = _numbered(file.specs, numbers)
        of_files = [known[id(file.specs)] for file in self.files]
        return list(numbers), np.concatenate([np.empty(0, np.intp), *of_files])


def _numbered(specs: Sequence[ImageSpec], numbers: dict[ImageSpec, int]) -> np.ndarray:
    """Return the number of each spec; new ones are added to the numbers."""
    if are_equal(specs):
        return np.full(len(specs), numbers.setdefault(specs[0], len(numbers)))
    return np.array([numbers.setdefault(spec, len(numbers)) for spec in specs], np.intp)


class Names(Sequence[str]):
    """Names of images, made when they are asked for.

    Parameters
    ----------
    held : Held
        What the images are in.

    numbers : sequence of int
        Which of them.
    """

    def __init__(self, held: Held, numbers: Sequence[int] | np.ndarray) -> None:
        self._held, self._numbers = held, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, key: int) -> str: ...

    @overload
    def __getitem__(self, key: slice) -> "Names": ...

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return Names(self._held, self._numbers[key])
        return self._held.name_of(self._numbers[key])

    def __repr__(self) -> str:
        return f"<{len(self)} names>"
