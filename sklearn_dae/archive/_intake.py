"""Images from anywhere -> batches that are coded together.

In: an array, an `ImageSet`, or an iterable of images or sets. Out: rows of images of
one kind, as many as a chunk holds, with their numbers.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from sklearn_dae.codecs import Codec
from sklearn_dae.codecs._chunk import MAX_CHUNK_NUMBERS
from sklearn_dae.images import ImageSet, ImageSpec

#: Most channels of an image, which tell it from an array of several.
_MOST_CHANNELS = 4

#: Numbers of images that wait for others of their kind.
_MOST_WAITING = 4 * MAX_CHUNK_NUMBERS


class Batch(NamedTuple):
    """Images of one kind: what they are, their numbers, and their rows."""

    spec: ImageSpec
    numbers: np.ndarray
    rows: np.ndarray


def batches_of_set(
    images: ImageSet, coded: np.ndarray, size_of: Callable[[ImageSpec], int]
) -> Iterator[Batch]:
    """Yield the images of a set, kind by kind.

    Parameters
    ----------
    images : ImageSet
        The images.

    coded : ndarray of bool of shape (n_images,)
        Which of them to yield.

    size_of : callable
        Returns how many images of a kind go together.
    """
    for spec, places in images.groups().items():
        chosen = places[coded[places]]
        size = size_of(spec)
        for start in range(0, len(chosen), size):
            numbers = chosen[start : start + size]
            yield Batch(spec, numbers, images[_as_slice(numbers)].data)


def _as_slice(numbers: np.ndarray) -> slice | np.ndarray:
    """Return consecutive numbers as a slice, which copies nothing of an array."""
    first, last = int(numbers[0]), int(numbers[-1])
    return slice(first, last + 1) if last - first == len(numbers) - 1 else numbers


class Waiting:
    """Images that wait until there are enough of their kind.

    Parameters
    ----------
    size_of : callable
        Returns how many images of a kind go together.
    """

    def __init__(self, size_of: Callable[[ImageSpec], int]) -> None:
        self._size_of = size_of
        self._kinds: dict[ImageSpec, list[tuple[np.ndarray, np.ndarray]]] = {}
        self._counts: dict[ImageSpec, int] = {}

    def add(self, batch: Batch) -> Iterator[Batch]:
        """Take images; yield those of which there are enough."""
        spec, size = batch.spec, self._size_of(batch.spec)
        at = 0
        while at < len(batch.rows):
            stop = at + size - self._counts.get(spec, 0)
            # A generator may use the memory of its images again.
            part = batch.numbers[at:stop], batch.rows[at:stop].copy()
            self._kinds.setdefault(spec, []).append(part)
            self._counts[spec] = self._counts.get(spec, 0) + len(part[0])
            at = stop
            if self._counts[spec] == size:
                yield self._take(spec)
        while self._n_numbers() > _MOST_WAITING:
            yield self._take(max(self._counts, key=self._n_numbers_of))

    def rest(self) -> Iterator[Batch]:
        """Yield what is left."""
        for spec in list(self._kinds):
            yield self._take(spec)

    def _take(self, spec: ImageSpec) -> Batch:
        numbers, rows = zip(*self._kinds.pop(spec), strict=True)
        del self._counts[spec]
        return Batch(spec, np.concatenate(numbers), np.concatenate(rows))

    def _n_numbers_of(self, spec: ImageSpec) -> int:
        return self._counts[spec] * spec.n_numbers

    def _n_numbers(self) -> int:
        return sum(map(self._n_numbers_of, self._counts))


def sets_of(
    images: Any, codec: Codec | None, image_shape: tuple[int, ...] | None
) -> Iterator[ImageSet]:
    """Yield whatever images are given as, as sets of images.

    Parameters
    ----------
    images : array, ImageSet, or iterable of images, arrays of images, or ImageSets
        The images.

    codec : Codec
        What they are to be coded by: it knows how many numbers an image has, unless it
        takes any size.

    image_shape : tuple of int, default=None
        What a row is.

    Raises
    ------
    TypeError
        If they are text.

    ValueError
        If an array holds no images.
    """
    if isinstance(images, str | bytes):
        raise TypeError(
            f"images is a {type(images).__name__}; pass arrays: "
            "sklearn_dae.images.read_images reads a file or a folder."
        )
    shape = image_shape if codec is None else image_shape or codec.image_shape_
    if isinstance(images, ImageSet):
        yield images
    elif hasattr(images, "__array__"):
        yield _set_of(np.asarray(images), image_shape, codec)
    else:
        n_numbers = None
        if codec is not None and not codec.takes_any_size:
            n_numbers = codec.n_features_in_
        for item in images:
            if isinstance(item, ImageSet):
                yield item
                continue
            array = np.asarray(item)
            if _is_image(array, n_numbers, shape):
                array = array[np.newaxis]
            yield _set_of(array, image_shape, codec)


def _is_image(
    array: np.ndarray, n_numbers: int | None, shape: tuple[int, ...] | None
) -> bool:
    """Whether an array is a single image, and not several."""
    if shape in (array.shape, array.shape[1:]):
        return array.shape == shape
    if n_numbers is not None:
        is_several = array.ndim > 1 and math.prod(array.shape[1:]) == n_numbers
        return array.size == n_numbers and not is_several
    is_colour = array.ndim == 3 and array.shape[2] <= _MOST_CHANNELS
    return array.ndim < 3 or is_colour


def _set_of(
    array: np.ndarray, image_shape: tuple[int, ...] | None, codec: Codec | None
) -> ImageSet:
    if array.ndim == 2 and image_shape is None and codec is not None:
        image_shape = _shape_of_rows(array.shape[1], codec)
    return ImageSet.from_array(array, image_shape=image_shape)


def _shape_of_rows(n_numbers: int, codec: Codec) -> tuple[int, ...] | None:
    """Return what rows are to a codec: pictures, or a line of numbers each."""
    if codec.image_shape_ is not None:
        return codec.image_shape_
    is_square = math.isqrt(n_numbers) ** 2 == n_numbers
    return None if is_square or n_numbers != codec.n_features_in_ else (1, n_numbers)


class NameSource:
    """Names that go with images: given ones, or those that sets have.

    Parameters
    ----------
    names : iterable of str, default=None
        A name for each image. None takes those of the sets.

    Raises
    ------
    TypeError
        If it is one string.
    """

    def __init__(self, names: Iterable[str] | None) -> None:
        if isinstance(names, str | bytes):
            raise TypeError("names is one string; pass a string for each image.")
        self._names = None if names is None else iter(names)
        self._are_named: bool | None = None

    @property
    def is_given(self) -> bool:
        """Whether names were given, and not those of sets are taken."""
        return self._names is not None

    def of(self, images: ImageSet, first: int) -> list[str]:
        """Return the names of images, of which the first has the number ``first``."""
        if not len(images):
            return []
        if self._names is not None:
            names = list(islice(self._names, len(images)))
            if len(names) < len(images):
                raise ValueError(
                    f"There are {first + len(images)} images or more, but names for "
                    f"only {first + len(names)}."
                )
            return names
        names = list(images.names)
        if self._are_named not in (None, bool(names)):
            raise ValueError(
                f"Image {first} and those before it: some have names, some have none; "
                "pass names for all."
            )
        self._are_named = bool(names)
        return names

    def finish(self, n_images: int) -> None:
        """Raise ValueError if names are left over."""
        if self._names is not None and next(self._names, None) is not None:
            raise ValueError(f"There are {n_images} images, but more names.")
