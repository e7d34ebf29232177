"""DICOM, through pydicom."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_dae.images._appearance import (
    WHITE_IS_ZERO,
    YCBCR,
    Appearance,
    shared,
)
from sklearn_dae.images._image_file import (
    ImageFile,
    Options,
    Reader,
    Unreadable,
    same_specs,
)
from sklearn_dae.images._raw import Layout, Raw
from sklearn_dae.images._spec import ImageSpec
from sklearn_dae.images.readers._arrays import read_bytes

#: Transfer syntaxes whose pixels stand in the file as they are, and their order of
#: bytes.
_PLAIN = {
    "1.2.840.10008.1.2": "<",
    "1.2.840.10008.1.2.1": "<",
    "1.2.840.10008.1.2.2": ">",
}


#: Kinds of colours in which pixels share numbers.
_PACKED = ("YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420")

#: What files say of their colours, and what they are.
_COLOURS = {
    "MONOCHROME1": WHITE_IS_ZERO,
    "MONOCHROME2": "",
    "RGB": "",
    "YBR_FULL": YCBCR,
}

#: Kinds of colours of which pydicom gives RGB where it decodes them.
_DECODED = ("YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")


def open_dicom(path: Path, options: Options) -> ImageFile:
    """Open a DICOM file; codecs see its numbers as they are stored."""
    data_set = _pydicom().dcmread(path, defer_size=1024)
    if "PixelData" not in data_set:
        raise Unreadable("no image", "DICOM without pixels")
    photometric = str(data_set.PhotometricInterpretation)
    if photometric == "PALETTE COLOR":
        raise Unreadable(
            "unknown kind of pixels", "DICOM with a palette: export it as PNG"
        )
    n_frames = _n_frames(data_set)
    options.check_size(int(data_set.Rows) * int(data_set.Columns))
    syntax, bits = str(data_set.file_meta.TransferSyntaxUID), data_set.BitsAllocated
    colours = _COLOURS.get(photometric, photometric)
    if syntax in _PLAIN and bits in (8, 16, 32) and photometric not in _PACKED:
        file = _plain(path, data_set, n_frames)
        images: Iterable[np.ndarray] = file.reader.images(file)
    else:
        file, images = _compressed(path, n_frames)
        colours = "" if photometric in _DECODED else colours
    specs = _with_range(file.specs, images, data_set)
    return replace(file, specs=specs, appearances=shared([Appearance(colours)]))


def _n_frames(data_set: Any) -> int:
    """Return the number of images: one where a file does not say it."""
    said = data_set.get("NumberOfFrames")
    n_frames = 1 if said in (None, "") else int(said)
    if n_frames < 1:
        raise Unreadable("damaged", f"DICOM: it claims {n_frames} images")
    return n_frames


def _plain(path: Path, data_set: Any, n_frames: int) -> ImageFile:
    """Open a file whose pixels stand in it as they are."""
    height, width = int(data_set.Rows), int(data_set.Columns)
    channels = int(data_set.SamplesPerPixel)
    kind = "i" if int(data_set.PixelRepresentation) else "u"
    order = _PLAIN[str(data_set.file_meta.TransferSyntaxUID)]
    dtype = np.dtype(f"{order}{kind}{int(data_set.BitsAllocated) // 8}")
    planes = channels > 1 and int(data_set.get("PlanarConfiguration") or 0) == 1
    spec = ImageSpec(height, width, channels, dtype)
    layout = Layout(dtype.str, planes=planes)
    size = layout.size(spec)
    begin = int(data_set.get_item("PixelData", keep_deferred=True).value_tell)
    n_bytes = path.stat().st_size - begin
    if n_bytes < n_frames * size:
        raise Unreadable(
            "damaged",
            f"DICOM: it has {n_bytes} bytes of pixels, but those of {n_frames} images "
            f"of {width} x {height} are {n_frames * size}",
        )
    reader = PlainReader(begin, layout)
    return ImageFile(os.fspath(path), "DICOM", same_specs(spec, n_frames), reader)


def _with_range(
    specs: Sequence[ImageSpec], images: Iterable[np.ndarray], data_set: Any
) -> Sequence[ImageSpec]:
    """Say which numbers there may be: those of the bits that are used."""
    spec, stored = specs[0], int(data_set.get("BitsStored") or 0)
    # A wrong number of bits says nothing; the dtype does.
    if not 1 <= stored < 8 * spec.dtype.itemsize:
        return specs
    low, high = 0, (1 << stored) - 1
    if spec.dtype.kind == "i":
        low, high = -(1 << stored - 1), (1 << stored - 1) - 1
    # Bits that are not said to be used may be used all the same.
    if not all(low <= image.min() and image.max() <= high for image in images):
        return specs
    return same_specs(replace(spec, range=(low, high)), len(specs))


@dataclass(frozen=True, slots=True)
class PlainReader(Reader):
    """Reads images that stand in a file as they are, one after another.

    Parameters
    ----------
    begin : int
        Where the first one begins, in bytes.

    layout : Layout
        How pixels are stored.
    """

    begin: int
    layout: Layout

    def read(self, file: ImageFile, number: int) -> np.ndarray:
        """Return an image."""
        spec = file.specs[number]
        size = self.layout.size(spec)
        data = read_bytes(file.location, self.begin + number * size, size)
        return self.layout.cut(data, spec)

    def wrappers(self, file: ImageFile) -> Iterator[Raw | None]:
        """Take what stands around the pixels."""
        size = sum(map(self.layout.size, file.specs))
        yield Raw.around(file.location, self.layout, [(self.begin, size)])


class CompressedReader(Reader):
    """Reads images that pydicom has to decode, all at once."""

    __slots__ = ()

    def read(self, file: ImageFile, number: int) -> np.ndarray:
        """Return an image."""
        return _decoded(file.location, len(file))[number]

    def images(self, file: ImageFile) -> Iterator[np.ndarray]:
        """Yield all images."""
        return iter(_decoded(file.location, len(file)))


def _decoded(path: str, n_frames: int) -> np.ndarray:
    pixels = np.asarray(_pydicom().dcmread(path).pixel_array)
    return pixels if n_frames > 1 else pixels[np.newaxis]


def _compressed(path: Path, n_frames: int) -> tuple[ImageFile, np.ndarray]:
    """Open a file whose pixels pydicom has to decode, if it can; decode it once."""
    try:
        images = _decoded(os.fspath(path), n_frames)
    except Exception as error:
        raise Unreadable(
            "unknown kind of pixels", f"compressed DICOM: {error}"
        ) from error
    spec = ImageSpec.of_shape(images.shape[1:], images.dtype)
    specs = same_specs(spec, len(images))
    return ImageFile(os.fspath(path), "DICOM", specs, CompressedReader()), images


def _pydicom() -> Any:
    try:
        import pydicom
    except ImportError as error:
        raise Unreadable(
            "needs pydicom",
            "reading DICOM files takes pydicom: pip install 'sklearn-dae[full]'",
        ) from error
    return pydicom
