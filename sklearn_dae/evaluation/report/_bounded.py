"""Which codecs are compared that promise how far a number may be off, if at all.

In: what images are. Out: trials, as in `_contenders`, of codecs that are to code all
images as they are: none is held out, since models are counted with the bytes.

Every contender has the settings that its own users would choose. Several trials of one
without loss are settings of which the smallest counts.
"""

from collections.abc import Collection, Iterator
from typing import Any

from sklearn_dae.codecs import (
    Codec,
    GeneralCodec,
    HuffmanCodec,
    JpegLSCodec,
    JpegXLCodec,
    PillowCodec,
    PixelCodec,
    SetRedundancyCodec,
)
from sklearn_dae.codecs._image_format import ImageFormatCodec
from sklearn_dae.evaluation._measurement import Measurement
from sklearn_dae.evaluation.report._contenders import Trial
from sklearn_dae.images import ImageSpec

#: The one that the others are compared with.
OURS = "PixelCodec"

#: The setting that says how far a number may be off, and its values beside 0.
BOUND, BOUNDS = "max_abs_error", (1, 2, 4)

#: Most pixels of an image that is small: a file of its own would be mostly header, and
#: a set may have in common what stands at each place.
SMALL = 2**14


def bound_of(point: Measurement) -> int:
    """Return how far a number may be off."""
    return int(point.setting.get(BOUND, 0))


def bounded_trials(kinds: Collection[ImageSpec]) -> Iterator[Trial]:
    """Yield the trials of all contenders that can hold such images.

    Parameters
    ----------
    kinds : collection of ImageSpec
        What the images are.

    Yields
    ------
    Trial
        Without loss, ours first; then, of integers, at each bound, ours first.
    """
    yield Trial(OURS, {}, PixelCodec())
    formats = _formats(kinds)
    for name, codecs in formats.items():
        for codec in codecs:
            effort = {"effort": codec.effort} if len(codecs) > 1 else {}
            yield Trial(name, effort, codec)
    for name, other in _others(kinds).items():
        yield Trial(name, {}, other)
    if any(spec.dtype.kind not in "iu" for spec in kinds):
        return
    for bound in BOUNDS:
        yield Trial(OURS, {BOUND: bound}, PixelCodec(bound))
        if "JPEG-LS" in formats:
            codec = JpegLSCodec(bound, **_layout(kinds))
            yield Trial("JPEG-LS", {BOUND: bound}, codec)


def formats_left_out(kinds: Collection[ImageSpec]) -> list[str]:
    """Return the names of formats that lack bits or channels of such images."""
    return [name for name in _all_formats({}) if name not in _formats(kinds)]


def are_small(kinds: Collection[ImageSpec]) -> bool:
    """Whether images have few pixels."""
    return all(spec.n_pixels <= SMALL for spec in kinds)


def _layout(kinds: Collection[ImageSpec]) -> dict[str, Any]:
    return {"layout": "mosaic" if are_small(kinds) else "files"}


def _formats(kinds: Collection[ImageSpec]) -> dict[str, list[Any]]:
    """Return those that hold such images, each at one or more settings."""
    return {
        name: codecs
        for name, codecs in _all_formats(_layout(kinds)).items()
        if all(codecs[0].holds(spec) for spec in kinds)
    }


def _all_formats(layout: dict[str, Any]) -> dict[str, list[ImageFormatCodec]]:
    return {
        # On some images, more effort makes files larger.
        "JPEG XL": [
            JpegXLCodec(lossless=True, effort=effort, **layout) for effort in (7, 9)
        ],
        "JPEG-LS": [JpegLSCodec(**layout)],
        "JPEG 2000": [PillowCodec("jpeg2000", lossless=True, **layout)],
        # The largest effort takes ten times as long, to save a thousandth.
        "WebP": [PillowCodec("webp", lossless=True, effort=5, **layout)],
        "PNG": [PillowCodec("png", **layout)],
    }


def _others(kinds: Collection[ImageSpec]) -> dict[str, Codec]:
    codecs: dict[str, Codec] = {
        "LZMA": GeneralCodec("lzma"),
        "Zstandard": GeneralCodec("zstd"),
        "bzip2": GeneralCodec("bz2"),
        "gzip": GeneralCodec("gzip"),
    }
    if are_small(kinds) and len(kinds) == 1:
        codecs["Huffman"] = HuffmanCodec()
        if all(spec.channels == 1 for spec in kinds):
            codecs |= {
                "Min-Max Differential": SetRedundancyCodec("min_max_differential"),
                "Min-Max Predictive": SetRedundancyCodec("min_max_predictive"),
                "Centroid": SetRedundancyCodec("centroid"),
            }
    return codecs
