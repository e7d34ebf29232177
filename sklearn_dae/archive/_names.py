"""Names of images, read when they are asked for, and images by their names."""

import re
import unicodedata
from collections.abc import Sequence
from typing import overload

from sklearn_dae.archive._chunks import FileTable

#: The name of a file that holds several images, and which of them it is.
_IN_FILE = re.compile(r"(.*)\[(0|[1-9][0-9]{0,17})\]", re.DOTALL)

#: For each name, the first image of each file that has it, and how many it holds.
_Known = dict[str, list[tuple[int, int]]]


class Names(Sequence[str]):
    """A name for each image.

    An image of a file that holds several has its name and its number in it.

    Parameters
    ----------
    n_names : int
        How many there are.

    files : FileTable
        The files that the images are in.
    """

    def __init__(self, n_names: int, files: FileTable) -> None:
        self._n_names = n_names
        self._files = files
        self._known: tuple[_Known, _Known] | None = None

    def __len__(self) -> int:
        return self._n_names

    @overload
    def __getitem__(self, key: int) -> str: ...

    @overload
    def __getitem__(self, key: slice) -> list[str]: ...

    def __getitem__(self, key: int | slice) -> str | list[str]:
        if isinstance(key, slice):
            return [self[i] for i in range(self._n_names)[key]]
        entry, place = self._files.of_image(range(self._n_names)[key])
        return entry.name if entry.n_images == 1 else f"{entry.name}[{place}]"

    def __repr__(self) -> str:
        return f"<{self._n_names} names>"

    def find(self, name: str) -> int:
        """Return the number of the image of a name.

        Some file systems change how letters are composed, or whether they are capitals;
        so a name that is the same but for that will do, if it is the only one.

        Raises
        ------
        KeyError
            If there is none, or there are several.
        """
        if self._known is None:
            self._known = self._learned()
        exact, alike = self._known
        numbers = _numbers(name, exact) or _numbers(folded(name), alike)
        if len(numbers) != 1:
            raise KeyError(
                f"{len(numbers) or 'No'} images have the name {name!r}"
                + ("." if not numbers else f": {numbers[:5]}; give a number.")
            )
        return numbers[0]

    def _learned(self) -> tuple[_Known, _Known]:
        exact: _Known = {}
        alike: _Known = {}
        for first, entry in self._files.intact():
            of_file = first, entry.n_images
            exact.setdefault(entry.name, []).append(of_file)
            alike.setdefault(folded(entry.name), []).append(of_file)
        return exact, alike


def _numbers(name: str, known: _Known) -> list[int]:
    """Return the numbers of the images that have a name."""
    numbers = [first for first, n in known.get(name, ()) if n == 1]
    in_file = _IN_FILE.fullmatch(name)
    if in_file is not None:
        place = int(in_file[2])
        files = known.get(in_file[1], ())
        numbers += [first + place for first, n in files if n > 1 and place < n]
    return sorted(numbers)


def folded(name: str) -> str:
    """Return what names have in common that a file system may take for the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
