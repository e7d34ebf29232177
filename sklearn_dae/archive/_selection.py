"""What is in brackets after an archive -> numbers of images.

In: a slice, integers or a mask. Out: the numbers that it selects, as a NumPy array
would understand it, none of them negative.
"""

from typing import Any

import numpy as np


def selected_numbers(key: Any, n_images: int) -> np.ndarray:
    """Return the numbers of the images that a key selects.

    Parameters
    ----------
    key : slice, or array-like of int or bool of one dimension
        What to select.

    n_images : int
        How many images there are.

    Returns
    -------
    numbers : ndarray of intp of shape (n_selected,)
        Counted from 0, in the order of the key.

    Raises
    ------
    IndexError
        If the key is of another kind, or selects what does not exist.

    Examples
    --------
    >>> from sklearn_dae.archive._selection import selected_numbers
    >>> selected_numbers(slice(None, None, -2), 5), selected_numbers([1, -1], 5)
    (array([4, 2, 0]), array([1, 4]))
    """
    if isinstance(key, slice):
        return np.arange(*key.indices(n_images))
    numbers = np.asarray(key)
    if numbers.shape == (0,) and numbers.dtype != bool:
        return np.empty(0, np.intp)
    if numbers.ndim != 1 or numbers.dtype.kind not in "biu":
        raise IndexError(
            "Images are selected by an integer, a slice, integers or a mask, got "
            f"{type(key).__name__} of shape {numbers.shape} and {numbers.dtype}."
        )
    if numbers.dtype == bool:
        if len(numbers) != n_images:
            raise IndexError(
                f"The mask has {len(numbers)} entries for {n_images} images."
            )
        return np.flatnonzero(numbers)
    if numbers.min() < -n_images or numbers.max() >= n_images:
        raise IndexError(
            f"There are no images {numbers.min()} to {numbers.max()}: the archive has "
            f"{n_images}."
        )
    return np.where(numbers < 0, numbers + n_images, numbers).astype(np.intp)
