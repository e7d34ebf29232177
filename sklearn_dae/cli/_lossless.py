"""Images -> the codec that stores them without loss in the fewest bytes.

For images that no network here can predict: colours, more than 8 bits, or too many
pixels.
"""

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np

from sklearn_dae.archive._writer import default_chunk_size
from sklearn_dae.cli._options import NETWORK_OPTIONS
from sklearn_dae.codecs import Codec, GeneralCodec, JpegXLCodec, PillowCodec
from sklearn_dae.images import ImageSet, ImageSpec

#: Most pixels of images that a network learns without being asked to.
_MOST_PIXELS = 64 * 64

#: Most pixels of images that may be better off side by side.
_FEW_PIXELS = 2**18

#: Most numbers of the images that codecs are compared on.
_SAMPLE_NUMBERS = 2**20


def suits_network(images: ImageSet, arguments: argparse.Namespace) -> bool:
    """Whether a network can predict images, and should."""
    spec = images.spec
    if spec.channels > 1 or spec.dtype != np.uint8:
        return False
    wanted = any(getattr(arguments, name) is not None for name in NETWORK_OPTIONS)
    return wanted or spec.n_pixels <= _MOST_PIXELS


def smallest_codec(images: ImageSet) -> Codec:
    """Fit the codecs that can store images exactly, and return the smallest.

    They are compared on some images from all over the set.
    """
    n_most = max(1, _SAMPLE_NUMBERS // images.spec.n_numbers)
    step = -(-len(images) // min(len(images), n_most))
    X = images[::step].data
    chunk_size = default_chunk_size(images.spec.n_numbers)
    sizes = []
    for codec in _candidates(images.spec):
        codec.set_params(chunk_size=chunk_size)
        try:
            size = len(codec.fit(X).encode(X))
        except (ValueError, ImportError):
            # The format cannot hold them, or its library is not there.
            continue
        sizes.append((size, codec))
    _, best = min(sizes, key=lambda pair: pair[0])
    return best


def _candidates(spec: ImageSpec) -> Iterator[Codec]:
    shape: dict[str, Any] = {"image_shape": spec.shape}
    yield GeneralCodec("lzma")
    yield PillowCodec("png", layout="files", **shape)
    yield JpegXLCodec(lossless=True, effort=7, layout="files", **shape)
    if spec.n_pixels <= _FEW_PIXELS:
        yield JpegXLCodec(lossless=True, effort=7, **shape)
    if spec.channels > 1:
        yield PillowCodec("webp", lossless=True, layout="files", **shape)
