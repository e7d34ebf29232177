"""Images -> the codec that stores them in the fewest bytes, without loss or nearly."""

from collections.abc import Iterator

import numpy as np

from sklearn_dae.archive._contents import images_of_chunk
from sklearn_dae.codecs import (
    Codec,
    GeneralCodec,
    JpegXLCodec,
    PillowCodec,
    SetRedundancyCodec,
)
from sklearn_dae.images import ImageSet, ImageSpec
from sklearn_dae.models import model_to_bytes

#: Most pixels of images that may be better off side by side, and of those that may be
#: predicted from what their set has in common.
_FEW_PIXELS, _VERY_FEW_PIXELS = 2**18, 2**12

#: Most numbers of the images that codecs are compared on.
_SAMPLE_NUMBERS = 2**20


def smallest_codec(images: ImageSet) -> Codec:
    """Fit the codecs that can store images exactly, and return the smallest.

    They are compared on some images of each kind, from all over the set; what a model
    takes counts as it would for all images.
    """
    sample, share = _sample(images)
    sizes = []
    for codec in _candidates(sample):
        try:
            codec.fit([image for stack in sample.values() for image in stack])
            coded = _size(codec, sample) / share
            sizes.append((coded + len(model_to_bytes(codec)), codec))
        except (ValueError, ImportError):
            if isinstance(codec, GeneralCodec):
                # No other takes what this one does not.
                raise
            # The format cannot hold them, or its library is not there.
    _, best = min(sizes, key=lambda pair: pair[0])
    return best


def bounded_codec(images: ImageSet, max_abs_error: int) -> Codec:
    """Fit the codec that stores each pixel with an error of at most so many levels."""
    from sklearn_dae.codecs import PixelCodec

    codec = PixelCodec(max_abs_error=max_abs_error)
    codec.fit(images)
    return codec


def _sample(images: ImageSet) -> tuple[dict[ImageSpec, np.ndarray], float]:
    """Read some images of each kind; return also their share of all numbers."""
    groups = images.groups()
    n_numbers = _count(groups)
    step = -(-n_numbers // _SAMPLE_NUMBERS)
    chosen = {spec: places[::step] for spec, places in groups.items()}
    sample = {spec: images[places].stack() for spec, places in chosen.items()}
    return sample, _count(chosen) / n_numbers


def _count(groups: dict[ImageSpec, np.ndarray]) -> int:
    """Return how many numbers there are in groups of images."""
    return sum(len(places) * spec.n_numbers for spec, places in groups.items())


def _size(codec: Codec, sample: dict[ImageSpec, np.ndarray]) -> int:
    """Return the bytes of a sample in chunks as archives have them."""
    n_bytes = 0
    for spec, stack in sample.items():
        rows, step = stack.reshape(len(stack), spec.n_numbers), images_of_chunk(spec)
        for start in range(0, len(rows), step):
            n_bytes += len(codec.encode_chunk(rows[start : start + step], spec).data)
    return n_bytes


def _candidates(sample: dict[ImageSpec, np.ndarray]) -> Iterator[Codec]:
    yield GeneralCodec("lzma")
    yield PillowCodec("png", layout="files")
    yield JpegXLCodec(lossless=True, effort=7, layout="files")
    if any(spec.n_pixels <= _FEW_PIXELS for spec in sample):
        yield JpegXLCodec(lossless=True, effort=7)
    if any(spec.n_pixels <= _VERY_FEW_PIXELS for spec in sample):
        yield SetRedundancyCodec()
    if any(spec.channels > 1 for spec in sample):
        yield PillowCodec("webp", lossless=True, layout="files")
