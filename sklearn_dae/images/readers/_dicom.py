"""DICOM, through pydicom."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

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


def open_dicom(path: Path, options: Options) -> ImageFile:
    """Open a DICOM file; codecs see its numbers as they are stored."""
    pydicom = _pydicom()
    data_set = pydicom.dcmread(path, defer_size=1024)
    if "PixelData" not in data_set:
        raise Unreadable("no image", "DICOM without pixels")
    syntax = str(data_set.file_meta.TransferSyntaxUID)
    n_frames = int(data_set.get("NumberOfFrames", 1) or 1)
    bits, stored = int(data_set.BitsAllocated), int(data_set.BitsStored)
    is_signed = bool(int(data_set.PixelRepresentation))
    channels = int(data_set.SamplesPerPixel)
    height, width = int(data_set.Rows), int(data_set.Columns)
    planes = channels > 1 and int(data_set.get("PlanarConfiguration", 0)) == 1
    photometric = str(data_set.PhotometricInterpretation)
    begin = int(data_set.get_item("PixelData", keep_deferred=True).value_tell)
    if photometric == "PALETTE COLOR":
        raise Unreadable(
            "unknown kind of pixels", "DICOM with a palette: export it as PNG"
        )
    options.check_size(height * width)
    if syntax not in _PLAIN or bits not in (8, 16, 32) or photometric in _PACKED:
        return _compressed(path, n_frames)
    dtype = np.dtype(f"{_PLAIN[syntax]}{'i' if is_signed else 'u'}{bits // 8}")
    whole = ImageSpec(height, width, channels, dtype)
    layout = Layout(dtype.str, planes=planes)
    size = layout.size(whole)
    n_bytes = path.stat().st_size - begin
    if n_bytes < n_frames * size:
        raise Unreadable(
            "damaged",
            f"DICOM: it has {n_bytes} bytes of pixels, but those of {n_frames} images "
            f"of {width} x {height} are {n_frames * size}",
        )

    low, high = 0, (1 << stored) - 1
    if is_signed:
        low, high = -(1 << stored - 1), (1 << stored - 1) - 1
    reader = PlainReader(begin, layout)
    specs = same_specs(whole, n_frames)
    file = ImageFile(os.fspath(path), "DICOM", specs, reader)
    # Bits that are not said to be used may be used all the same.
    if not all(low <= x.min() and x.max() <= high for x in reader.images(file)):
        return file
    return replace(file, specs=same_specs(replace(whole, range=(low, high)), n_frames))


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


def _compressed(path: Path, n_frames: int) -> ImageFile:
    """Open a file whose pixels pydicom has to decode, if it can."""
    try:
        images = _decoded(os.fspath(path), n_frames)
    except Exception as error:
        raise Unreadable(
            "unknown kind of pixels", f"compressed DICOM: {error}"
        ) from error
    spec = ImageSpec.of_shape(images.shape[1:], images.dtype)
    specs = same_specs(spec, len(images))
    return ImageFile(os.fspath(path), "DICOM", specs, CompressedReader())


def _pydicom() -> Any:
    try:
        import pydicom
    except ImportError as error:
        raise Unreadable(
            "needs pydicom",
            "reading DICOM files takes pydicom: pip install 'sklearn-dae[full]'",
        ) from error
    return pydicom
