"""Images -> the codec that stores them without loss in the fewest bytes.

For images that no network here can predict: colours, more than 8 bits, or too many
pixels.
"""

import argparse
from collections.abc import Iterator

from sklearn_dae.archive._writer import images_of_chunk
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
    spec, *others = images.groups()
    if others or spec.channels > 1 or spec.dtype != "uint8":
        return False
    wanted = any(getattr(arguments, name) is not None for name in NETWORK_OPTIONS)
    return wanted or spec.n_pixels <= _MOST_PIXELS


def smallest_codec(images: ImageSet) -> Codec:
    """Fit the codecs that can store images exactly, and return the smallest.

    They are compared on some images of each kind, from all over the set.
    """
    sample = _sample(images)
    sizes = []
    for codec in _candidates(sample):
        try:
            codec.fit([part[0] for part in sample.values()])
            sizes.append((_size(codec, sample), codec))
        except (ValueError, ImportError):
            # The format cannot hold them, or its library is not there.
            continue
    _, best = min(sizes, key=lambda pair: pair[0])
    return best


def _sample(images: ImageSet) -> dict[ImageSpec, ImageSet]:
    """Return some images of each kind; a share of each that is that of all."""
    groups = images.groups()
    n_numbers = sum(len(places) * spec.n_numbers for spec, places in groups.items())
    step = -(-n_numbers // _SAMPLE_NUMBERS)
    return {spec: images[places[::step]] for spec, places in groups.items()}


def _size(codec: Codec, sample: dict[ImageSpec, ImageSet]) -> int:
    """Return the bytes of a sample in chunks as archives have them."""
    return sum(
        len(codec.encode_chunk(block.data, spec).data)
        for spec, images in sample.items()
        for block in images.blocks(images_of_chunk(spec))
    )


def _candidates(sample: dict[ImageSpec, ImageSet]) -> Iterator[Codec]:
    yield GeneralCodec("lzma")
    yield PillowCodec("png", layout="files")
    yield JpegXLCodec(lossless=True, effort=7, layout="files")
    if any(spec.n_pixels <= _FEW_PIXELS for spec in sample):
        yield JpegXLCodec(lossless=True, effort=7)
    if any(spec.channels > 1 for spec in sample):
        yield PillowCodec("webp", lossless=True, layout="files")
