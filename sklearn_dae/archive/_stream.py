"""Images from anywhere, as chunks of rows.

In: an array of images, an ImageSet, or an iterable of these and of single images. Out:
the shape and dtype of an image, and chunks of rows with their names, so that no more
than one chunk is in memory, besides what the caller holds.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np

from sklearn_dae.images import ImageSet
from sklearn_dae.models._format import dtype_name

#: Numbers of an ImageSet that are read at a time.
_BLOCK_NUMBERS = 2**20


class _Batch(NamedTuple):
    """Some images as rows, with the shape of each, and their names if they have any."""

    rows: np.ndarray
    shape: tuple[int, ...]
    names: list[str] | None


class ImageStream:
    """Images on their way into an archive, to be read once.

    Parameters
    ----------
    images : array, ImageSet, or iterable of these and of single images
        The images.

    n_features : int
        Number of values in an image: tells a single image from a batch of rows.

    dtype : dtype
        Dtype to use if there are no images.

    shape : tuple of int, default=None
        Shape of an image; None takes it from the images.

    names : iterable of str, default=None
        A name for each image; None uses those of an ImageSet.

    Attributes
    ----------
    shape : tuple of int
        Shape of an image.

    dtype : dtype
        Dtype of all images, in this machine's byte order.

    has_names : bool
        Whether all images have names, or none has.
    """

    def __init__(
        self,
        images: Any,
        n_features: int,
        dtype: np.dtype,
        *,
        shape: tuple[int, ...] | None = None,
        names: Iterable[str] | None = None,
    ) -> None:
        if isinstance(images, str | bytes):
            raise TypeError(
                f"images is a {type(images).__name__}; pass arrays: "
                "sklearn_dae.images.read_images reads a file or a folder."
            )
        if isinstance(names, str | bytes):
            raise TypeError("names is one string; pass a string for each image.")
        if shape is not None and math.prod(shape) != n_features:
            raise ValueError(
                f"shape == {shape}, but the codec was fitted on images of {n_features} "
                "pixels."
            )
        self._n_features = n_features
        self._batches = _batches(images, n_features)
        self._names = None if names is None else iter(names)
        first = next(self._batches, None)
        if first is None:
            first = _Batch(np.empty((0, n_features), dtype), (n_features,), None)
        self._batches = chain([first], self._batches)
        self._first_shape = first.shape
        self.shape = first.shape if shape is None else tuple(map(int, shape))
        self.dtype = first.rows.dtype.newbyteorder("=")
        dtype_name(self.dtype)
        self.has_names = self._names is not None or first.names is not None

    def chunks(self, size: int) -> Iterator[tuple[np.ndarray, list[str]]]:
        """Yield rows, ``size`` at a time but for the last ones, and their names.

        Each yield overwrites the rows of the previous one.
        """
        rows = np.empty((size, self._n_features), self.dtype)
        names: list[str] = []
        n_filled = n_images = 0
        for batch in self._batches:
            self._check(batch, n_images)
            names_of_batch = iter(batch.names or ())
            source = names_of_batch if self._names is None else self._names
            rest = batch.rows
            while len(rest):
                part, rest = np.split(rest, [size - n_filled])
                rows[n_filled : n_filled + len(part)] = part
                n_filled += len(part)
                n_images += len(part)
                if self.has_names:
                    names += _take(source, len(part), n_images)
                if n_filled == size:
                    yield rows, names
                    n_filled, names = 0, []
        if n_filled:
            yield rows[:n_filled], names
        if self._names is not None and next(self._names, None) is not None:
            raise ValueError(f"There are {n_images} images, but more names.")

    def _check(self, batch: _Batch, n_before: int) -> None:
        same_kind = batch.rows.dtype.newbyteorder("=") == self.dtype
        if batch.shape != self._first_shape or not same_kind:
            raise ValueError(
                f"Image {n_before} has shape {batch.shape} and dtype "
                f"{batch.rows.dtype}, those before have {self._first_shape} and "
                f"{self.dtype}; all images must have the same."
            )
        named = self._names is not None or batch.names is not None
        if named != self.has_names:
            raise ValueError(
                f"Image {n_before} and those before it: some have names, some have "
                "none; pass names for all."
            )


def _batches(images: Any, n_features: int) -> Iterator[_Batch]:
    if isinstance(images, ImageSet):
        block = max(1, _BLOCK_NUMBERS // n_features)
        images = images.blocks(block)
    elif hasattr(images, "__array__"):
        images = [images]
    for item in images:
        yield _batch(item, n_features)


def _batch(item: Any, n_features: int) -> _Batch:
    if isinstance(item, ImageSet):
        rows = _batch(item.data, n_features).rows
        return _Batch(rows, item.image_shape, list(item.names) or None)
    array = np.asarray(item)
    if array.ndim > 1 and math.prod(array.shape[1:]) == n_features:
        return _Batch(array.reshape(len(array), n_features), array.shape[1:], None)
    if array.size == n_features and array.ndim:
        return _Batch(array.reshape(1, n_features), array.shape, None)
    raise ValueError(
        f"Images have shape {array.shape}; expected (n_images, height, width), "
        f"(n_images, {n_features}), or a single image: the codec was fitted on images "
        f"of {n_features} pixels."
    )


def _take(names: Iterator[str], n: int, n_images: int) -> list[str]:
    taken = list(islice(names, n))
    if len(taken) < n:
        raise ValueError(
            f"There are {n_images} images or more, but names for only "
            f"{n_images - n + len(taken)}."
        )
    return taken
