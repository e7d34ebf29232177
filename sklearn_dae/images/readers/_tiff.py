"""TIFF, through tifffile."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_dae.images._appearance import (
    CMYK,
    WHITE_IS_ZERO,
    YCBCR,
    Appearance,
    shared,
)
from sklearn_dae.images._image_file import (
    ORIENTATION_TAG,
    ImageFile,
    Options,
    Reader,
    Unreadable,
    orientation_of,
    same_specs,
)
from sklearn_dae.images._raw import Layout, Raw
from sklearn_dae.images._spec import ImageSpec
from sklearn_dae.images._tiff import Tiff, pages_of, tifffile
from sklearn_dae.images._wrapper import Wrapper

#: What a page says whose pixels are numbers of a palette.
_PALETTE = 3

#: What pages say of their colours, and what they are: a mask is shown as grey.
_COLOURS = {0: WHITE_IS_ZERO, 1: "", 2: "", _PALETTE: "", 4: "", 5: CMYK, 6: YCBCR}

#: Kinds of compression that are fax, where white is zero, and JPEG, of which tifffile
#: gives RGB where YCbCr was stored.
_FAX, _JPEG = (2, 3, 4), (6, 7, 33007, 34892)

#: Tags that say what colours are, which inks there are, how YCbCr was made, and what
#: its ends stand for.
_PHOTOMETRIC, _INKS, _WEIGHTS, _ENDS = 262, 332, 529, 532

#: How YCbCr is usually made, of all of the range.
_BT_601, _FULL = (0.299, 0.587, 0.114), (0, 255, 128, 255, 128, 255)

#: TIFF's code for pixels that are stored as they are, and that of planes of channels.
_PLAIN, _SEPARATE = 1, 2

#: Bits of numbers that take whole bytes.
_WHOLE = (8, 16, 32, 64)


def open_tiff(path: Path, options: Options) -> ImageFile:
    """Open a TIFF file; each page is an image."""
    with tifffile().TiffFile(path) as file:
        pages = list(pages_of(file))
        specs = tuple(same_specs(_spec(page))[0] for page in pages)
        for page, spec in zip(pages, specs, strict=True):
            # A tile is read as a whole, however small the image in it is.
            options.check_size(max(spec.n_pixels, page.tilelength * page.tilewidth))
        looks = shared(map(_appearance, pages))
    specs = same_specs(specs[0]) if len(specs) == 1 else specs
    return ImageFile(os.fspath(path), "TIFF", specs, TiffReader(), appearances=looks)


def _appearance(page: Any) -> Appearance:
    """Say how a page is to be shown."""
    palette = None
    if int(page.photometric) == _PALETTE:
        palette = (np.asarray(page.colormap).T >> 8).astype(np.uint8)
    orientation = orientation_of(page.tags.valueof(ORIENTATION_TAG))
    return Appearance(_photometric(page), palette, orientation=orientation)


def _photometric(page: Any) -> str:
    """Say what the channels of a page are, as tifffile gives them."""
    code, compression = int(page.photometric), int(page.compression)
    said = page.tags.valueof
    if code == 0 and said(_PHOTOMETRIC) is None and compression not in _FAX:
        # Where a page does not say what zero is, it is black, as for libtiff.
        return ""
    if code == 5 and said(_INKS, 1) != 1:
        return "inks"
    if code == 6:
        is_rgb = compression in _JPEG and page.planarconfig != _SEPARATE
        if is_rgb and not page.extrasamples:
            return ""
        if not (_are(said(_WEIGHTS), _BT_601) and _are(said(_ENDS), _FULL)):
            return "YCbCr of another kind"
    return _COLOURS.get(code, getattr(page.photometric, "name", str(code)))


def _are(fractions: tuple[int, ...] | None, usual: tuple[float, ...]) -> bool:
    """Whether a tag has the usual numbers, as it does if it is not there."""
    if fractions is None:
        return True
    numbers = np.array(fractions, float)
    if numbers.size == 2 * len(usual):
        numbers = numbers[::2] / numbers[1::2]
    return numbers.shape == (len(usual),) and np.allclose(numbers, usual, atol=1e-3)


class TiffReader(Reader):
    """Reads the pages of a TIFF file."""

    __slots__ = ()

    def read(self, file: ImageFile, number: int) -> np.ndarray:
        """Return the pixels of a page."""
        with tifffile().TiffFile(file.location) as opened:
            return _pixels(opened.pages[number], file.specs[number])

    def images(self, file: ImageFile) -> Iterator[np.ndarray]:
        """Yield the pixels of all pages."""
        with tifffile().TiffFile(file.location) as opened:
            for page, spec in zip(pages_of(opened), file.specs, strict=True):
                yield _pixels(page, spec)

    def wrappers(self, file: ImageFile) -> Iterator[Wrapper | None]:
        """Take what stands around the pixels, or how pages are written anew."""
        with tifffile().TiffFile(file.location) as opened:
            raw = _raw(file.location, list(pages_of(opened)), opened.byteorder)
        yield raw
        try:
            rewritten = _rewritten(file)
        except (MemoryError, OSError):
            raise
        except Exception:
            # tifffile raises whatever it likes for what it cannot write.
            return
        yield rewritten


def _raw(path: str, pages: list[Any], order: str) -> Raw | None:
    """Find the pixels of all pages, if they stand in the file as they are."""
    layouts = {_layout(page, order) for page in pages}
    if len(layouts) > 1:
        return None
    (layout,) = layouts
    if layout is None:
        return None
    return Raw.around(
        path,
        layout,
        [
            place
            for page in pages
            for place in zip(page.dataoffsets, page.databytecounts, strict=True)
        ],
    )


def _layout(page: Any, order: str) -> Layout | None:
    """Say how the pixels of a page stand in the file, if they do so as they are."""
    dtype, bits = np.dtype(page.dtype), int(page.bitspersample)
    if page.compression != _PLAIN or page.is_tiled or page.fillorder != 1:
        return None
    if len(page.dataoffsets) != len(page.databytecounts):
        return None
    if dtype.kind == "b":
        dtype = np.dtype(np.uint8)
    is_whole = bits in _WHOLE
    if (is_whole and bits != 8 * dtype.itemsize) or not (is_whole or bits < 16):
        return None
    return Layout(
        dtype.newbyteorder(order).str,
        planes=page.planarconfig == _SEPARATE and page.samplesperpixel > 1,
        bits=0 if is_whole else bits,
    )


def _rewritten(file: ImageFile) -> Tiff | None:
    """Say how the pages are written anew, if they come back so."""
    with tifffile().TiffFile(file.location) as opened:
        wrapper = Tiff.of(opened)
    with (
        wrapper.written(file.images()) as written,
        tifffile().TiffFile(written) as again,
    ):
        is_same = Tiff.of(again) == wrapper and all(
            _spec(page) == spec and _pixels(page, spec).tobytes() == image.tobytes()
            for page, spec, image in zip(
                pages_of(again), file.specs, file.images(), strict=True
            )
        )
    return wrapper if is_same else None


def _pixels(page: Any, spec: ImageSpec) -> np.ndarray:
    pixels = np.asarray(page.asarray())
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8)
    if page.samplesperpixel > 1 and page.planarconfig == _SEPARATE:
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.size != spec.n_numbers:
        raise Unreadable("damaged", f"TIFF: pixels of shape {pixels.shape}")
    return pixels.reshape(spec.shape).astype(spec.dtype, copy=False)


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
