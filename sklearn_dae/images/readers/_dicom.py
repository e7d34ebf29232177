"""DICOM, through pydicom."""

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
    if syntax in _PLAIN and bits in (8, 16, 32) and photometric != "YBR_FULL_422":
        dtype = np.dtype(f"{'i' if is_signed else 'u'}{bits // 8}")
        spec = ImageSpec(height, width, channels, dtype, None)
    else:
        spec = None
    options.check_size(height * width)
    order = _PLAIN.get(syntax, "<")
    if spec is None:
        return _compressed(path, pydicom, n_frames, options)
    assert begin is not None
    stored_as = np.dtype(order + spec.dtype.str[1:]).str
    layout = Raw(b"", b"", stored_as, planes=planes)
    size = layout.size(spec)
    if path.stat().st_size < begin + n_frames * size:
        raise Unreadable(
            "damaged",
            f"DICOM: it has {path.stat().st_size - begin} bytes of pixels, but "
            f"{n_frames} images of {width} x {height} take {n_frames * size}",
        )

    def read(number: int) -> np.ndarray:
        with path.open("rb") as file:
            file.seek(begin + number * size)
            pixels = file.read(size)
        if len(pixels) < size:
            raise Unreadable("damaged", "DICOM: the file became shorter")
        return layout.cut(pixels, spec, 1)[0]

    def wrap() -> Wrapper:
        data = path.read_bytes()
        end = begin + n_frames * size
        return Raw(data[:begin], data[end:], layout.dtype, planes=planes)

    low, high = (-(1 << stored - 1), 1 << stored - 1) if is_signed else (0, 1 << stored)
    limits = low, high - 1
    narrow = ImageSpec(height, width, channels, spec.dtype, limits)
    within = all(
        limits[0] <= read(i).min() and read(i).max() <= limits[1]
        for i in range(n_frames)
    )
    return ImageFile(
        path,
        "DICOM",
        [narrow if within else spec] * n_frames,
        read,
        wrap,
        is_inverted=photometric == "MONOCHROME1",
    )


def _compressed(path: Path, pydicom: Any, n_frames: int, options: Options) -> ImageFile:
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
