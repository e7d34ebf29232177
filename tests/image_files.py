"""Files of images as tests need them: of all formats, sound or damaged."""

import gzip
import io
import struct
import zlib

import numpy as np
from PIL import Image

from sklearn_dae.images.readers import open_file

IDX_CODES = {"u1": 8, "i1": 9, ">i2": 11, ">i4": 12, ">f4": 13, ">f8": 14}


def idx_bytes(array):
    code = next(code for name, code in IDX_CODES.items() if array.dtype == name)
    sizes = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, code, array.ndim]) + sizes + array.tobytes()


def pillow_bytes(pixels, format, **options):  # noqa: A002
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format, **options)
    return file.getvalue()


def palette_bytes(rng, format, **options):  # noqa: A002
    image = Image.fromarray(rng.integers(0, 9, (7, 9), dtype=np.uint8), "P")
    image.putpalette(rng.integers(0, 256, 27, dtype=np.uint8).tobytes())
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def numbers(rng, *shape, bits=8):
    return rng.integers(0, 1 << bits, shape, dtype=np.uint8 if bits <= 8 else np.uint16)


def deep_png_bytes(pixels):
    """Write PNG of 16 bits in several channels, which Pillow cannot."""
    height, width, channels = pixels.shape
    kind = {2: 4, 3: 2, 4: 6}[channels]
    rows = pixels.astype(">u2").reshape(height, -1).view(np.uint8)
    content = zlib.compress(np.pad(rows, ((0, 0), (1, 0))).tobytes())
    head = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", content), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4)
        for name, data in parts
    )


def pnm_bytes(pixels, highest):
    kind = "P6" if pixels.ndim == 3 else "P5"
    height, width = pixels.shape[:2]
    dtype = np.uint8 if highest < 256 else ">u2"
    head = f"{kind}\n# a comment\n{width} {height}\n{highest}\n".encode()
    return head + pixels.astype(dtype).tobytes()


def tiff_bytes(pixels, **options):
    import tifffile

    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def dicom_bytes(
    pixels,
    *,
    bits=None,
    photometric="MONOCHROME2",
    big_endian=False,
    packed=False,
    **said,
):
    """Write a DICOM file of one image, or of frames; ``said`` replaces what it says."""
    import pydicom
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, RLELossless

    meta = FileMetaDataset()
    syntax = ExplicitVRBigEndian if big_endian else ExplicitVRLittleEndian
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    data_set = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data_set.PatientName = "Nobody^At All"
    is_grey = photometric.startswith("MONOCHROME")
    frames = pixels if pixels.ndim == 3 and is_grey else pixels[np.newaxis]
    if len(frames) > 1:
        data_set.NumberOfFrames = len(frames)
    size = 8 * pixels.itemsize
    data_set.Rows, data_set.Columns = frames.shape[1:3]
    data_set.SamplesPerPixel = 1 if is_grey else 3
    data_set.PhotometricInterpretation = photometric
    if not is_grey:
        data_set.PlanarConfiguration = 0
    data_set.BitsAllocated = size
    data_set.BitsStored = bits or size
    data_set.HighBit = data_set.BitsStored - 1
    data_set.PixelRepresentation = int(pixels.dtype.kind == "i")
    stored = pixels.astype(pixels.dtype.newbyteorder(">" if big_endian else "<"))
    data_set.PixelData = stored.tobytes()
    data_set["PixelData"].VR = "OW" if size == 16 else "OB"
    if packed:
        data_set.compress(RLELossless)
    for name, value in said.items():
        setattr(data_set, name, value)
    file = io.BytesIO()
    pydicom.dcmwrite(file, data_set, enforce_file_format=True)
    return file.getvalue()


def npz_bytes(arrays, deflated=True):
    file = io.BytesIO()
    (np.savez_compressed if deflated else np.savez)(file, **arrays)
    return file.getvalue()


def gif_bytes(frames, **options):
    """Write an animation of grey images."""
    first, *others = map(Image.fromarray, frames)
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=others, **options)
    return file.getvalue()


def cmyk_bytes(rng, format="JPEG", **options):  # noqa: A002
    pixels = np.linspace(0, 255, 7 * 9 * 4).astype(np.uint8).reshape(7, 9, 4)
    image = Image.fromarray(rng.permuted(pixels, axis=2), "CMYK")
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def text_bytes(pixels, highest):
    """Write PGM or PPM as text; or PBM, where 1 is black."""
    kind = "P1" if highest == 1 else "P3" if pixels.ndim == 3 else "P2"
    height, width = pixels.shape[:2]
    head = f"{kind} {width} {height}" + (f" {highest}" if highest > 1 else "")
    written = 1 - pixels if highest == 1 else pixels
    return f"{head}\n{' '.join(map(str, written.ravel()))}\n".encode()


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def read_all(path):
    file = open_file(path)
    return [file.read(i) for i in range(len(file))]


def joined(file):
    """Make a file again from its pixels."""
    return b"".join(file.wrap().rebuild(file.images()))


def npy_bytes(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def tiff_files(rng):
    """Return TIFF files in which pixels are stored in one way and another."""
    grey, frames = numbers(rng, 40, 33), numbers(rng, 3, 40, 33)
    bits, twelve = numbers(rng, 40, 33, bits=1), numbers(rng, 40, 33, bits=12)
    colour, opaque = numbers(rng, 40, 33, 3), numbers(rng, 40, 33, 4, bits=16)
    planes = np.moveaxis(colour, 2, 0)
    signed = rng.integers(-99, 99, (40, 33), dtype=np.int16)
    real = rng.random((40, 33), dtype=np.float32)
    indices = numbers(rng, 40, 33)
    colours = numbers(rng, 3, 256, bits=16)
    separate = {"photometric": "rgb", "planarconfig": "separate"}
    rgb = {"photometric": "rgb"}
    made = {
        "strips": (grey, grey, {"rowsperstrip": 7}),
        "bits": (bits.astype(bool), bits, {}),
        "twelve": (twelve, twelve, {"bitspersample": 12}),
        "planes": (planes, colour, separate),
        "big": (frames, frames, {"bigtiff": True}),
        "tiles": (grey, grey, {"tile": (16, 32)}),
        "tiled-planes": (planes, colour, {"tile": (16, 16), **separate}),
        "lzw": (colour, colour, {"compression": "lzw", "predictor": True, **rgb}),
        "packbits": (grey, grey, {"compression": "packbits", "rowsperstrip": 5}),
        "zstd": (opaque, opaque, {"compression": "zstd", **rgb}),
        "deflated-planes": (planes, colour, {"compression": "zlib", **separate}),
        "deflated-bits": (bits.astype(bool), bits, {"compression": "zlib"}),
        "deflated-signed": (signed, signed, {"compression": "zlib", "byteorder": ">"}),
        "deflated-real": (real, real, {"compression": "zlib", "predictor": True}),
        "palette": (indices, None, {"compression": "lzw", "colormap": colours}),
        "deflated-stack": (frames, frames, {"compression": "zlib", "tile": (16, 16)}),
    }
    for _, _, options in made.values():
        kind = "palette" if "colormap" in options else "minisblack"
        options.setdefault("photometric", kind)
    return {
        f"{name}.tif": (
            tiff_bytes(pixels, **options),
            None if "palette" in name else read,
        )
        for name, (pixels, read, options) in made.items()
    }


def files_of_all_formats(rng):
    """Return, by a name, the bytes of a file, and the pixels in it (None: lossy)."""
    grey, deep = numbers(rng, 7, 9), numbers(rng, 7, 9, bits=16)
    colour, opaque = numbers(rng, 7, 9, 3), numbers(rng, 7, 9, 4)
    both, bits = numbers(rng, 7, 9, 2), numbers(rng, 7, 9, bits=1)
    twelve = numbers(rng, 7, 9, bits=12)
    signed = rng.integers(-1500, 2000, (7, 9), dtype=np.int16)
    real = rng.random((7, 9), dtype=np.float32)
    frames = numbers(rng, 3, 7, 9)
    return {
        "grey.png": (pillow_bytes(grey, "PNG", dpi=(100, 100)), grey),
        "grey-alpha.png": (pillow_bytes(both, "PNG"), both),
        "colour.png": (pillow_bytes(colour, "PNG", icc_profile=b"profile"), colour),
        "opaque.png": (pillow_bytes(opaque, "PNG"), opaque),
        "transparent.png": (pillow_bytes(grey, "PNG", transparency=3), grey),
        "bits.png": (pillow_bytes(bits.astype(bool), "PNG"), bits),
        "palette.png": (palette_bytes(rng, "PNG"), None),
        "deep.png": (pillow_bytes(deep, "PNG"), deep),
        "deep-colour.png": (deep_png_bytes(numbers(rng, 7, 9, 3, bits=16)), None),
        "grey.jpg": (pillow_bytes(grey, "JPEG"), None),
        "colour.jpg": (pillow_bytes(colour, "JPEG"), None),
        "cmyk.jpg": (cmyk_bytes(rng), None),
        "colour.webp": (pillow_bytes(colour, "WEBP", lossless=True), colour),
        "grey.gif": (pillow_bytes(grey, "GIF"), grey),
        "frames.gif": (gif_bytes(frames), None),
        "grey.bmp": (pillow_bytes(grey, "BMP"), grey),
        "colour.bmp": (pillow_bytes(colour, "BMP"), colour),
        "bits.bmp": (pillow_bytes(bits.astype(bool), "BMP"), bits),
        "grey.pgm": (pnm_bytes(grey, 255), grey),
        "twelve.pgm": (pnm_bytes(twelve, 4095), twelve),
        "colour.ppm": (pnm_bytes(colour, 255), colour),
        "grey-text.pgm": (text_bytes(grey, 255), grey),
        "colour-text.ppm": (text_bytes(colour, 255), colour),
        "bits-text.pbm": (text_bytes(bits, 1), bits),
        "palette.bmp": (palette_bytes(rng, "BMP"), None),
        "bits.pbm": (pillow_bytes(bits.astype(bool), "PPM"), bits),
        "grey.tif": (tiff_bytes(grey), grey),
        "deep.tif": (tiff_bytes(deep, byteorder=">"), deep),
        "colour.tif": (tiff_bytes(colour, photometric="rgb"), colour),
        "real.tif": (tiff_bytes(real), real),
        "packed.tif": (tiff_bytes(deep, compression="zlib"), deep),
        "white.tif": (tiff_bytes(grey, photometric="miniswhite"), grey),
        "cmyk.tif": (tiff_bytes(opaque, photometric="separated"), opaque),
        "lab.tif": (tiff_bytes(colour, photometric="cielab"), colour),
        "stack.tif": (tiff_bytes(frames, photometric="minisblack"), frames),
        **tiff_files(rng),
        "twelve.dcm": (dicom_bytes(twelve, bits=12), twelve),
        "signed.dcm": (dicom_bytes(signed), signed),
        "white.dcm": (dicom_bytes(grey, photometric="MONOCHROME1"), grey),
        "ybr.dcm": (dicom_bytes(colour, photometric="YBR_FULL"), colour),
        "frames.dcm": (dicom_bytes(frames), frames),
        "big-endian.dcm": (dicom_bytes(deep, big_endian=True), deep),
        "packed.dcm": (dicom_bytes(deep, packed=True), deep),
        "packed-frames.dcm": (dicom_bytes(frames, packed=True), frames),
        "stack.npy": (npy_bytes(frames), frames),
        "columns.npy": (npy_bytes(np.asfortranarray(frames)), frames),
        "colours.npy": (npy_bytes(numbers(rng, 2, 7, 9, 3)), None),
        "stack.npz": (npz_bytes({"images": frames}), frames),
        "stored.npz": (npz_bytes({"images": frames}, deflated=False), frames),
        "named.npz": (npz_bytes({"images": frames, "names": [*"abc"]}), frames),
        "stack-idx3-ubyte": (idx_bytes(frames), frames),
        "stack-idx3-ubyte.gz": (gzip.compress(idx_bytes(frames)), frames),
    }
