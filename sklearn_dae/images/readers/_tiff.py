"""TIFF, through tifffile."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_dae.images._image_file import (
    ORIENTATION_TAG,
    ImageFile,
    Options,
    Unreadable,
    orientation_of,
)
from sklearn_dae.images._spec import ImageSpec
from sklearn_dae.images._wrapper import Kept, Raw, Wrapper

#: What a page says whose pixels are numbers of a palette.
_PALETTE = 3

#: TIFF's code for pixels that are stored as they are.
_PLAIN = 1


def open_tiff(path: Path, options: Options) -> ImageFile:
    """Open a TIFF file; each page is an image."""
    tifffile = _tifffile()
    with tifffile.TiffFile(path) as file:
        pages = list(file.pages)
        specs = [_spec(page) for page in pages]
        options.check_size(max(spec.n_pixels for spec in specs))
        first = pages[0]
        place = None
        if len(pages) == 1 and _stands_plain(first):
            place = first.dataoffsets[0], sum(first.databytecounts)
        order = ">" if file.byteorder == ">" else "<"
        orientation = orientation_of(first.tags.valueof(ORIENTATION_TAG))
        photometric = int(first.photometric)
        palette = None
        if photometric == _PALETTE:
            palette = (np.asarray(first.colormap).T >> 8).astype(np.uint8)

    def read(number: int) -> np.ndarray:
        with tifffile.TiffFile(path) as file:
            pixels = np.asarray(file.pages[number].asarray())
        spec = specs[number]
        if pixels.dtype == bool:
            pixels = pixels.astype(np.uint8)
        if pixels.shape == (spec.channels, spec.height, spec.width):
            pixels = np.moveaxis(pixels, 0, 2)
        if pixels.size != spec.n_numbers:
            raise Unreadable("damaged", f"TIFF: pixels of shape {pixels.shape}")
        return pixels.reshape(spec.shape).astype(spec.dtype, copy=False)

    def wrap() -> Wrapper:
        data = path.read_bytes()
        if place is None:
            return Kept(data)
        begin, size = place
        stored = np.dtype(order + specs[0].dtype.str[1:]).str
        raw = Raw(data[:begin], data[begin + size :], stored)
        return raw if raw.rebuild([read(0)]) == data else Kept(data)

    return ImageFile(
        path,
        "TIFF",
        specs,
        read,
        wrap,
        palette=palette,
        orientation=orientation,
    )


def _stands_plain(page: Any) -> bool:
    """Whether the pixels of a page are stored as they are, in one piece."""
    ends = [
        at + size
        for at, size in zip(page.dataoffsets, page.databytecounts, strict=True)
    ]
    return (
        page.compression == _PLAIN
        and not page.is_tiled
        and page.planarconfig == 1
        and page.bitspersample in (8, 16, 32, 64)
        and list(page.dataoffsets[1:]) == ends[:-1]
    )


def _spec(page: Any) -> ImageSpec:
    if page.dtype is None:
        raise Unreadable(
            "unknown kind of pixels", f"TIFF of {page.bitspersample} bits a number"
        )
    channels = page.samplesperpixel
    dtype = np.dtype(page.dtype)
    limits = None
    if dtype.kind == "b":
        dtype, limits = np.dtype(np.uint8), (0, 1)
    if page.imagedepth > 1 or dtype.kind not in "iuf" or not 1 <= channels <= 4:
        raise Unreadable(
            "unknown kind of pixels",
            f"TIFF of {dtype} in {channels} channels; expected grey or RGB",
        )
    spec = ImageSpec(page.imagelength, page.imagewidth, channels, dtype, limits)
    if dtype.kind == "u" and page.bitspersample not in (8, 16, 32, 64):
        spec = replace(spec, range=(0, (1 << page.bitspersample) - 1))
    return spec


def _tifffile() -> Any:
    try:
        import tifffile
    except ImportError as error:
        raise Unreadable(
            "needs tifffile",
            "reading TIFF files takes tifffile: pip install 'sklearn-dae[full]'",
        ) from error
    return tifffile
