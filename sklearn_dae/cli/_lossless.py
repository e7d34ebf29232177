"""Images -> the codec that stores them in the fewest bytes, without loss or nearly."""

from collections.abc import Iterator

import numpy as np

from sklearn_dae.archive._contents import images_of_chunk
from sklearn_dae.cli._progress import progress_of
from sklearn_dae.codecs import (
    Codec,
    GeneralCodec,
    JpegXLCodec,
    PillowCodec,
    PixelCodec,
    SetRedundancyCodec,
)
from sklearn_dae.codecs._images import chunks_from_all_over
from sklearn_dae.images import ImageSet
from sklearn_dae.models import model_to_bytes

#: Most pixels of images that may be better off side by side, and of those that may be
#: predicted from what their set has in common.
_FEW_PIXELS, _VERY_FEW_PIXELS = 2**18, 2**12

#: Most numbers of the images that codecs are compared on, and that networks learn from.
_SAMPLE_NUMBERS, _LEARNING_NUMBERS = 2**20, 3 * 2**21


def smallest_codec(images: ImageSet, effort: int | None = None) -> Codec:
    """Fit the codecs that can store images exactly, and return the smallest.

    They are compared on some chunks of images, from all over the set; what a model
    takes counts as it would for all images. ``effort`` is that of `PixelCodec`.
    """
    sample = _sample(images, _SAMPLE_NUMBERS)
    share = _count(sample) / _count(images)
    sizes = []
    for codec in (_pixel_codec(images, effort), *_others(sample)):
        try:
            if isinstance(codec, PixelCodec):
                _learn(codec, images)
            else:
                codec.fit(sample)
            coded = _size(codec, sample) / share
            sizes.append((coded + len(model_to_bytes(codec)), codec))
        except (ValueError, ImportError):
            if isinstance(codec, GeneralCodec):
                # No other takes what this one does not.
                raise
            # The format cannot hold them, or its library is not there.
    _, best = min(sizes, key=lambda pair: pair[0])
    return best


def bounded_codec(
    images: ImageSet, max_abs_error: int, effort: int | None = None
) -> Codec:
    """Fit the codec that stores each number with an error of at most so much."""
    codec = _pixel_codec(images, effort).set_params(max_abs_error=max_abs_error)
    _learn(codec, images)
    return codec


def _pixel_codec(images: ImageSet, effort: int | None) -> PixelCodec:
    codec = PixelCodec(n_pixels=_count_pixels(images))
    return codec if effort is None else codec.set_params(effort=effort)


def _learn(codec: PixelCodec, images: ImageSet) -> None:
    learning = _sample(images, _LEARNING_NUMBERS)
    with progress_of(codec):
        codec.fit(learning)


def _sample(images: ImageSet, most_numbers: int) -> ImageSet:
    """Choose chunks of images of each kind, from all over them."""
    groups = images.groups()
    share = most_numbers / _count(images)
    if share >= 1:
        return images
    chosen = []
    for spec, places in groups.items():
        chunks = chunks_from_all_over(len(places), images_of_chunk(spec), share)
        chosen += [places[chunk] for chunk in chunks]
    return images[np.unique(np.concatenate(chosen))]


def _count(images: ImageSet) -> int:
    """Return how many numbers images have together."""
    return sum(len(places) * spec.n_numbers for spec, places in images.groups().items())


def _count_pixels(images: ImageSet) -> int:
    """Return how many pixels images have together."""
    return sum(len(places) * spec.n_pixels for spec, places in images.groups().items())


def _size(codec: Codec, sample: ImageSet) -> int:
    """Return the bytes of images in chunks as archives have them."""
    chunks = []
    for spec, places in sample.groups().items():
        rows = sample[places].data
        size = images_of_chunk(spec)
        chunks += [(rows[i : i + size], spec) for i in range(0, len(rows), size)]
    return sum(len(chunk.data) for chunk in codec.encode_chunks(chunks))


def _others(sample: ImageSet) -> Iterator[Codec]:
    yield GeneralCodec("lzma")
    yield PillowCodec("png", layout="files")
    kinds = sample.groups()
    yield JpegXLCodec(lossless=True, effort=7, layout="files")
    if any(spec.n_pixels <= _FEW_PIXELS for spec in kinds):
        yield JpegXLCodec(lossless=True, effort=7)
    if any(spec.n_pixels <= _VERY_FEW_PIXELS for spec in kinds):
        yield SetRedundancyCodec()
    if any(spec.channels > 1 for spec in kinds):
        yield PillowCodec("webp", lossless=True, layout="files")
