"""What ``--only`` asks for -> numbers of images, and of files.

In: numbers, slices and names as text, and the archive. Out: the numbers, in the order
asked for, none twice.
"""

import re
from collections.abc import Sequence

import numpy as np

from sklearn_dae.archive import Archive

_NUMBER = re.compile(r"-?\d+")
_SLICE = re.compile(r"(-?\d*):(-?\d*)(?::(-?\d*))?")


def chosen(
    terms: Sequence[str], archive: Archive, available: np.ndarray
) -> tuple[np.ndarray, set[int]]:
    """Return the numbers of the images that are asked for and can be read.

    Parameters
    ----------
    terms : sequence of str
        Numbers such as ``3`` or ``-1``, slices such as ``10:20``, names of images or of
        files.

    archive : Archive
        Where they are.

    available : ndarray of shape (n_available,)
        Numbers of the images that can be read, in ascending order.

    Returns
    -------
    numbers : ndarray of int
        Some of these.

    files : set of int
        Numbers of the files that are asked for by their names.

    Raises
    ------
    ValueError
        If there is no such image or file.
    """
    names = {term for term in terms if not _is_number_or_slice(term)}
    by_name, files = _find_names(names, archive, available)
    found = [
        by_name[term] if term in names else _numbers(term, len(archive), available)
        for term in terms
    ]
    numbers = np.concatenate(found)
    _, firsts = np.unique(numbers, return_index=True)
    return numbers[np.sort(firsts)], files


def _is_number_or_slice(term: str) -> bool:
    return bool(_NUMBER.fullmatch(term) or _SLICE.fullmatch(term))


def _numbers(term: str, n_images: int, available: np.ndarray) -> np.ndarray:
    if _NUMBER.fullmatch(term):
        number = int(term)
        if not -n_images <= number < n_images:
            raise ValueError(
                f"--only {term}: there is no such image, the archive has {n_images}: "
                f"0 to {n_images - 1}."
            )
        return available[available == number % n_images]
    parts = [int(part) if part else None for part in term.split(":")]
    if parts[2:] == [0]:
        raise ValueError(f"--only {term}: the step of a slice must not be 0.")
    wanted = range(n_images)[slice(*parts)]
    ascending = wanted if wanted.step > 0 else wanted[::-1]
    offset = available - ascending.start
    inside = (offset >= 0) & (available < ascending.stop)
    found = available[inside & (offset % ascending.step == 0)]
    return found if wanted.step > 0 else found[::-1]


def _find_names(
    names: set[str], archive: Archive, available: np.ndarray
) -> tuple[dict[str, np.ndarray], set[int]]:
    """Look for names, of images and of files; several may have the same."""
    if not names:
        return {}, set()
    images: dict[str, list[int]] = {name: [] for name in names}
    files: dict[str, list[int]] = {name: [] for name in names}
    numbers = set(available.tolist())
    for file in archive.files(salvage=True):
        if file.name in files:
            files[file.name].append(file.number)
            images[file.name] += [n for n in file.images if n in numbers]
    for number in available.tolist() if archive.names else ():
        name = archive.names[number]
        if name in images and number not in images[name]:
            images[name].append(number)
    for name in names:
        if not images[name] and not files[name]:
            raise ValueError(
                f"--only {name}: nothing of that name can be read; "
                "'sklearn-dae inspect --names' lists all names, and numbers, such as "
                "3, or slices, such as 10:20, will do too."
            )
    found = {name: np.array(of_name, np.int64) for name, of_name in images.items()}
    return found, {number for of_name in files.values() for number in of_name}
