"""DICOM, through pydicom."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_dae.images._image_file import ImageFile, Options, Unreadable
from sklearn_dae.images._spec import ImageSpec
from sklearn_dae.images._wrapper import Kept, Raw, Wrapper

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
        return _compressed(path, pydicom, n_frames)
    dtype = np.dtype(f"{_PLAIN[syntax]}{'i' if is_signed else 'u'}{bits // 8}")
    whole = ImageSpec(height, width, channels, dtype)
    layout = Raw(b"", b"", dtype.str, planes=planes)
    size = layout.size(whole)
    n_bytes = path.stat().st_size - begin
    if n_bytes < n_frames * size:
        raise Unreadable(
            "damaged",
            f"DICOM: it has {n_bytes} bytes of pixels, but those of {n_frames} images "
            f"of {width} x {height} are {n_frames * size}",
        )

    def read(number: int) -> np.ndarray:
        with path.open("rb") as file:
            file.seek(begin + number * size)
            pixels = file.read(size)
        if len(pixels) < size:
            raise Unreadable("damaged", "DICOM: the file became shorter")
        return layout.cut(pixels, whole, 1)[0]

    def wrap() -> Wrapper:
        data = path.read_bytes()
        end = begin + n_frames * size
        return Raw(data[:begin], data[end:], layout.dtype, planes=planes)

    low, high = 0, (1 << stored) - 1
    if is_signed:
        low, high = -(1 << stored - 1), (1 << stored - 1) - 1
    # Bits that are not said to be used may be used all the same.
    frames = map(read, range(n_frames))
    is_within = all(low <= x.min() and x.max() <= high for x in frames)
    return ImageFile(
        path,
        "DICOM",
        [replace(whole, range=(low, high)) if is_within else whole] * n_frames,
        read,
        wrap,
    )


def _compressed(path: Path, pydicom: Any, n_frames: int) -> ImageFile:
    """Open a file whose pixels pydicom has to decode, if it can."""
    try:
        pixels = np.asarray(pydicom.dcmread(path).pixel_array)
    except Exception as error:
        raise Unreadable(
            "unknown kind of pixels", f"compressed DICOM: {error}"
        ) from error
    images = pixels if n_frames > 1 else pixels[np.newaxis]
    spec = ImageSpec.of_shape(images.shape[1:], images.dtype)

    def read(number: int) -> np.ndarray:
        decoded = np.asarray(pydicom.dcmread(path).pixel_array)
        return (decoded if n_frames > 1 else decoded[np.newaxis])[number]

    def wrap() -> Wrapper:
        return Kept(path.read_bytes())

    return ImageFile(path, "DICOM", [spec] * len(images), read, wrap)


def _pydicom() -> Any:
    try:
        import pydicom
    except ImportError as error:
        raise Unreadable(
            "needs pydicom",
            "reading DICOM files takes pydicom: pip install 'sklearn-dae[full]'",
        ) from error
    return pydicom
