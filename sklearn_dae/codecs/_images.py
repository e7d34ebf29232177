"""What a user gives a codec -> images by their kind.

In: rows, arrays, sequences of arrays, or an `ImageSet`. Out: rows of numbers for each
kind of images, and where each of them stood.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_dae._validation import check_integer
from sklearn_dae.images import ImageSet, ImageSpec

#: In which form images were given, and are given back.
ROWS, ARRAY, SEQUENCE = range(3)

#: Rows of which the bytes of a codec say what they are.
TOLD_ROWS = 3


@dataclass(frozen=True, eq=False)
class Kind:
    """Images of one kind.

    Parameters
    ----------
    spec : ImageSpec
        What each of them is.

    rows : ndarray of shape (n_images, spec.n_numbers)
        Their numbers.

    places : ndarray of int of shape (n_images,)
        Their positions among all images.
    """

    spec: ImageSpec
    rows: np.ndarray
    places: np.ndarray


@dataclass(frozen=True, eq=False)
class Given:
    """What a codec was given.

    Parameters
    ----------
    form : int
        As what: ``ROWS``, an ``ARRAY`` or a ``SEQUENCE``.

    kinds : list of Kind
        The images of each kind; one kind, unless it is a sequence.
    """

    form: int
    kinds: list[Kind]

    @property
    def n_images(self) -> int:
        """Number of images."""
        return sum(len(kind.rows) for kind in self.kinds)


def given_images(
    X: Any, as_rows: Callable[[Any], np.ndarray], spec_of_rows: Callable[..., ImageSpec]
) -> Given:
    """Sort images by their kinds.

    Parameters
    ----------
    X : array-like, ImageSet or sequence of arrays
        Rows of shape (n, n_features), an array of shape (n, height, width) or (n,
        height, width, channels), or images of such shapes one by one.

    as_rows : callable
        Checks rows, as scikit-learn would, and returns them as an array.

    spec_of_rows : callable
        Returns what each row is, by their number of values and their dtype.

    Raises
    ------
    ValueError
        If they are nothing of these.
    """
    if isinstance(X, ImageSet):
        return _of_set(X)
    if isinstance(X, list | tuple) and any(np.ndim(x) >= 2 for x in X[:1]):
        return _of_sequence(X)
    if getattr(X, "ndim", 2) in (3, 4):
        images = np.asarray(X)
        spec = ImageSpec.of_shape(images.shape[1:], images.dtype)
        rows = images.reshape(len(images), spec.n_numbers)
        return Given(ARRAY, [Kind(spec, rows, np.arange(len(rows)))])
    rows = as_rows(X)
    spec = spec_of_rows(rows.shape[1], rows.dtype)
    return Given(ROWS, [Kind(spec, rows, np.arange(len(rows)))])


def _of_set(images: ImageSet) -> Given:
    kinds = [
        Kind(spec, images[places].data, places)
        for spec, places in images.groups().items()
    ]
    return Given(ARRAY if len(kinds) == 1 else SEQUENCE, kinds)


def _of_sequence(images: Sequence[Any]) -> Given:
    groups: dict[ImageSpec, list[int]] = {}
    for i, image in enumerate(images):
        array = np.asarray(image)
        spec = ImageSpec.of_shape(array.shape, array.dtype)
        groups.setdefault(spec, []).append(i)
    kinds = [
        Kind(
            spec,
            np.stack([np.asarray(images[i]).ravel() for i in places]),
            np.array(places),
        )
        for spec, places in groups.items()
    ]
    return Given(SEQUENCE, kinds)


def chunks_from_all_over(n: int, size: int, share: float) -> list[slice]:
    """Choose chunks of images in a row, together a share of n images.

    Parameters
    ----------
    n : int
        Number of images.

    size : int
        Images of a chunk, at most.

    share : float
        How many to choose, relative to all; 1 or more for all.

    Examples
    --------
    >>> from sklearn_dae.codecs._images import chunks_from_all_over
    >>> chunks_from_all_over(100, 2, 0.06)
    [slice(0, 2, None), slice(49, 51, None), slice(98, 100, None)]
    """
    if share >= 1:
        return [slice(begin, begin + size) for begin in range(0, n, size)]
    size = min(size, max(1, round(n * share)))
    n_chunks = max(1, round(n * share / size))
    firsts = np.linspace(0, n - size, n_chunks).round().astype(int).tolist()
    return [slice(first, first + size) for first in firsts]


def check_image_shape(shape: Any) -> None:
    """Raise unless the shape is None, or a height, a width and perhaps channels."""
    if shape is None:
        return
    if not isinstance(shape, tuple | list) or len(shape) not in (2, 3):
        raise ValueError(
            f"image_shape == {shape!r}, expected (height, width) or (height, width, "
            "channels)."
        )
    names = "height", "width", "channels"
    for name, length in zip(names, shape, strict=False):
        check_integer(f"{name} of image_shape", length, 1)


def spec_of_rows(shape: Any, n_features: int, dtype: Any = np.uint8) -> ImageSpec:
    """Describe the images that rows are: of the shape given, or squares.

    Raises
    ------
    ValueError
        If images of that shape have a different number of values, or none is given and
        rows are no squares: a picture must not be taken for one long line.
    """
    if shape is None:
        side = math.isqrt(n_features)
        if side * side != n_features:
            raise ValueError(
                f"X has {n_features} columns, which make no square images: pass "
                "image_shape=(height, width), or image_shape=(1, n_columns) if rows "
                "are no pictures."
            )
        shape = side, side
    spec = ImageSpec.of_shape(tuple(map(int, shape)), dtype)
    if spec.n_numbers != n_features:
        raise ValueError(
            f"image_shape == {shape} has {spec.n_numbers} values, but X has "
            f"{n_features} columns."
        )
    return spec


def check_grey(spec: ImageSpec) -> None:
    """Raise unless images are shades of grey."""
    if spec.channels > 1:
        raise ValueError(
            f"Images are {spec}: {spec.channels} channels, expected shades of grey; "
            "turn colours to grey."
        )
