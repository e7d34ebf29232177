"""What a fitted codec makes of images: bytes, and how well they come back."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sklearn_dae.codecs._base import Codec, finite_range
from sklearn_dae.codecs._chunk import images_of_chunk
from sklearn_dae.codecs._guard import squared_errors
from sklearn_dae.codecs._images import chunks_from_all_over
from sklearn_dae.codecs._step import decibels
from sklearn_dae.images import ImageSet, ImageSpec


class Measured(NamedTuple):
    """Bytes of images, and how well they come back.

    Parameters
    ----------
    n_bytes : int
        Bytes, without the model.

    psnr, worst_psnr : float
        Peak signal-to-noise ratio of all images together, and of the worst of them, in
        decibels.
    """

    n_bytes: int
    psnr: float
    worst_psnr: float


def measured(codec: Codec, images: ImageSet, peak: float) -> Measured:
    """Encode and decode images, in chunks as archives have them.

    Parameters
    ----------
    codec : Codec
        The fitted codec.

    images : ImageSet
        The images.

    peak : float
        What errors are relative to.
    """
    n_bytes, total, worst = 0, 0.0, 0.0
    for rows, spec in _chunks(images):
        (chunk,) = codec.encode_chunks([(rows, spec)])
        n_bytes += len(chunk.data)
        if codec.error_bound > 0:
            restored = codec.decode_chunk(chunk.data, len(rows), spec)
            errors = squared_errors(rows, restored)
            total += float(errors.sum())
            worst = max(worst, float(errors.max()) / spec.n_numbers)
    mse = total / max(count_numbers(images), 1)
    return Measured(n_bytes, decibels(mse, peak), decibels(worst, peak))


def coded_bytes(codec: Codec, images: ImageSet) -> int:
    """Return the bytes of images in chunks as archives have them."""
    return sum(len(chunk.data) for chunk in codec.encode_chunks([*_chunks(images)]))


def model_bytes(codec: Codec) -> int:
    """Return the bytes of a codec in a file."""
    # Models know all codecs, so these cannot know models before.
    from sklearn_dae.models import model_to_bytes

    return len(model_to_bytes(codec))


def _chunks(images: ImageSet) -> Iterator[tuple[np.ndarray, ImageSpec]]:
    for spec, places in images.groups().items():
        size = images_of_chunk(spec)
        for begin in range(0, len(places), size):
            yield images[places[begin : begin + size]].data, spec


def some_of(images: ImageSet, most_numbers: int) -> ImageSet:
    """Choose chunks of images of each kind, from all over them."""
    share = most_numbers / max(count_numbers(images), 1)
    if share >= 1:
        return images
    chosen = []
    for spec, places in images.groups().items():
        chunks = chunks_from_all_over(len(places), images_of_chunk(spec), share)
        chosen += [places[chunk] for chunk in chunks]
    return images[np.unique(np.concatenate(chosen))]


def count_numbers(images: ImageSet) -> int:
    """Return how many numbers images have together."""
    return sum(len(places) * spec.n_numbers for spec, places in images.groups().items())


def peak_of(images: ImageSet) -> float:
    """Return what errors of images are relative to.

    255 for numbers of 8 bits, otherwise the largest finite one less the smallest.
    """
    specs = images.groups()
    if all(spec.dtype.itemsize == 1 and spec.dtype.kind in "iu" for spec in specs):
        return 255.0
    low, high = math.inf, -math.inf
    for rows, _ in _chunks(images):
        ends = finite_range(rows)
        low, high = min(low, ends[0]), max(high, ends[1])
    return (high - low) or 1.0
