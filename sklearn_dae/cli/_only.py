"""What ``--only`` asks for -> numbers of images.

In: numbers, slices and names as text, and the archive. Out: the numbers, in the order
asked for, none twice.
"""

import re
from collections.abc import Sequence

import numpy as np

from sklearn_dae.archive import Archive

_NUMBER = re.compile(r"-?\d+")
_SLICE = re.compile(r"(-?\d*):(-?\d*)(?::(-?\d*))?")


def chosen_numbers(
    terms: Sequence[str], archive: Archive, available: np.ndarray
) -> np.ndarray:
    """Return the numbers of the images that are asked for and can be read.

    Parameters
    ----------
    terms : sequence of str
        Numbers such as ``3`` or ``-1``, slices such as ``10:20``, names.

    archive : Archive
        Where they are.

    available : ndarray of shape (n_available,)
        Numbers of the images that can be read, in ascending order.

    Returns
    -------
    ndarray
        Some of these.

    Raises
    ------
    ValueError
        If there is no such image.
    """
    names = {term for term in terms if not _is_number_or_slice(term)}
    by_name = _find_names(names, archive, available)
    found = [
        by_name[term] if term in names else _numbers(term, len(archive), available)
        for term in terms
    ]
    numbers = np.concatenate(found)
    _, firsts = np.unique(numbers, return_index=True)
    return numbers[np.sort(firsts)]


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
) -> dict[str, np.ndarray]:
    """Look for names; several images may have the same."""
    if not names:
        return {}
    if not len(archive.names):
        raise ValueError(
            f"--only {min(names)}: the images of this archive have no names; give "
            "numbers, such as 3, or slices, such as 10:20."
        )
    found: dict[str, list[int]] = {name: [] for name in names}
    for number in available.tolist():
        name = archive.names[number]
        if name in found:
            found[name].append(number)
    for name, numbers in found.items():
        if not numbers:
            raise ValueError(
                f"--only {name}: no image of that name can be read; "
                "'sklearn-dae inspect --names' lists all."
            )
    return {name: np.array(numbers) for name, numbers in found.items()}
