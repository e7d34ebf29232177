"""Formats that Pillow reads: PNG, JPEG, WebP, GIF, BMP."""

import io
import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_dae.images._appearance import CMYK, Appearance, shared
from sklearn_dae.images._image_file import (
    ORIENTATION_TAG,
    ImageFile,
    Options,
    Reader,
    Unreadable,
    orientation_of,
    same_specs,
)
from sklearn_dae.images._png import Head, Png, chunks, read_head
from sklearn_dae.images._raw import Layout, Raw
from sklearn_dae.images._spec import ImageSpec

#: What pixels are by Pillow's mode: channels, kind, range.
_MODES: dict[str, tuple[int, Any, tuple[int, int]]] = {
    "1": (1, np.uint8, (0, 1)),
    "L": (1, np.uint8, (0, 255)),
    "P": (1, np.uint8, (0, 255)),
    "LA": (2, np.uint8, (0, 255)),
    "RGB": (3, np.uint8, (0, 255)),
    "RGBA": (4, np.uint8, (0, 255)),
    "CMYK": (4, np.uint8, (0, 255)),
}

#: Formats whose files may hold several frames.
_ANIMATED = ("GIF", "WEBP")

#: Pillow's limit of pixels is that of all threads.
_one_at_a_time = threading.RLock()


def open_png(path: Path, options: Options) -> ImageFile:
    """Open a PNG file."""
    with path.open("rb") as file:
        head = read_head(file.read(64))
    options.check_size(head.width * head.height)
    with _opened(path, "PNG") as image:
        palette, orientation = _palette(image), _turned(image)
        transparent = _transparent(image) if palette is None else None

    look = Appearance("", palette, transparent, orientation)
    specs, looks = same_specs(head.spec), shared([look])
    return ImageFile(os.fspath(path), "PNG", specs, PngReader(), appearances=looks)


class PngReader(Reader):
    """Reads the image of a PNG file."""

    __slots__ = ()

    def read(self, file: ImageFile, number: int) -> np.ndarray:
        """Return the image."""
        data = file.path.read_bytes()
        Png.of(data)  # This checks all of it.
        return _decode_png(data, read_head(data))

    def wrappers(self, file: ImageFile) -> Iterator[Png]:
        """Take what stands around the pixels."""
        data = file.path.read_bytes()
        # Only the first image of an animation was read.
        if not any(kind == b"acTL" for kind, _, _ in chunks(data)):
            yield Png.of(data)


def _decode_png(data: bytes, head: Head) -> np.ndarray:
    spec = head.spec
    if spec.depth == 16 and spec.channels > 1:
        # Pillow gives 8 of the 16 bits.
        try:
            from imagecodecs import png_decode
        except ImportError as error:
            raise Unreadable(
                "needs imagecodecs",
                "PNG of 16 bits in colour: pip install 'sklearn-dae[full]'",
            ) from error
        return np.asarray(png_decode(data)).reshape(spec.shape)
    with _opened(io.BytesIO(data), "PNG") as image:
        pixels = np.asarray(image)
    if spec.depth in (2, 4) and not head.has_palette:
        pixels = pixels // (255 // ((1 << spec.depth) - 1))
    return pixels.astype(spec.dtype).reshape(spec.shape)


def open_pillow(path: Path, options: Options, format: str) -> ImageFile:  # noqa: A002
    """Open a file of a format that only Pillow knows to read."""
    with _opened(path, format) as image:
        # What other formats hold beside their first image is not shown.
        n_frames = image.n_frames if format in _ANIMATED else 1
        # Later frames of an animation may have colours that the first one lacks.
        mode = image.mode if n_frames == 1 else "RGBA"
        if mode not in _MODES:
            raise Unreadable(
                "unknown kind of pixels",
                f"{format} of mode {mode}: convert it to 8 bits of grey or to RGB",
            )
        channels, dtype, limits = _MODES[mode]
        spec = ImageSpec(image.height, image.width, channels, np.dtype(dtype), limits)
        # Frames are counted in the file, and read one at a time.
        options.check_size(spec.n_pixels)
        palette = _palette(image) if n_frames == 1 else None
        photometric = CMYK if mode == "CMYK" else ""
        look = Appearance(photometric, palette, orientation=_turned(image))

    specs, reader = same_specs(spec, n_frames), _READERS[format, mode]
    return ImageFile(os.fspath(path), format, specs, reader, appearances=shared([look]))


@dataclass(frozen=True, slots=True)
class PillowReader(Reader):
    """Reads what Pillow reads.

    Parameters
    ----------
    format : str
        What the file is.

    mode : str
        As what Pillow is to give pixels.
    """

    format: str
    mode: str

    def read(self, file: ImageFile, number: int) -> np.ndarray:
        """Return an image, or a frame."""
        with _opened(file.location, self.format) as image:
            return self._frame(image, file, number)

    def images(self, file: ImageFile) -> Iterator[np.ndarray]:
        """Yield all images; a frame may be made from the one before it."""
        with closing(_open(file.location, self.format)) as image:
            for number in range(len(file)):
                with _limit_of_pixels(None):
                    frame = self._frame(image, file, number)
                yield frame

    def _frame(self, image: Any, file: ImageFile, number: int) -> np.ndarray:
        spec = file.specs[number]
        if number:
            # No frame may claim more pixels than the first one.
            with _limit_of_pixels(spec.n_pixels):
                image.seek(number)
        pixels = image if image.mode == self.mode else image.convert(self.mode)
        return np.asarray(pixels, spec.dtype).reshape(spec.shape)


class BmpReader(PillowReader):
    """Reads BMP files, whose pixels mostly stand in them as they are."""

    __slots__ = ()

    def wrappers(self, file: ImageFile) -> Iterator[Raw | None]:
        """Take what stands around the pixels; a different kind is found out later."""
        with open(file.location, "rb") as opened:
            head = opened.read(30)
        begin = int.from_bytes(head[10:14], "little")
        bits, spec = int.from_bytes(head[28:30], "little"), file.specs[0]
        if bits not in (1, 4, 8 * spec.channels):
            return
        layout = Layout(
            "|u1",
            # A negative height means that the first row comes first.
            upwards=int.from_bytes(head[22:26], "little", signed=True) > 0,
            reversed_colours=spec.channels > 2,
            multiple=4,
            bits=bits if bits < 8 else 0,
        )
        yield Raw.around(file.location, layout, [(begin, layout.size(spec))])


#: What reads a format, of a mode; shared by all files.
_READERS = {
    (format, mode): (BmpReader if format == "BMP" else PillowReader)(format, mode)
    for format in ("JPEG", "WEBP", "GIF", "BMP")  # noqa: A001
    for mode in _MODES
}


@contextmanager
def _opened(source: Any, format: str) -> Iterator[Any]:  # noqa: A002
    """Open a file as this format and no other; see `_open`."""
    with _limit_of_pixels(None), _open(source, format) as image:
        yield image


def _open(source: Any, format: str) -> Any:  # noqa: A002
    """Open a file as this format and no other.

    Raises
    ------
    Unreadable
        If Pillow is missing.
    """
    with _limit_of_pixels(None):
        return _pillow().open(source, formats=[format])


@contextmanager
def _limit_of_pixels(limit: int | None) -> Iterator[None]:
    """Set how large Pillow lets an image be; by default that is decided here."""
    pillow = _pillow()
    with _one_at_a_time:
        before, pillow.MAX_IMAGE_PIXELS = pillow.MAX_IMAGE_PIXELS, limit
        try:
            yield
        finally:
            pillow.MAX_IMAGE_PIXELS = before


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise Unreadable(
            "needs Pillow",
            "reading image files takes Pillow: pip install 'sklearn-dae[full]'",
        ) from error
    return Image


def _turned(image: Any) -> int:
    return orientation_of(image.getexif().get(ORIENTATION_TAG))


def _transparent(image: Any) -> tuple[int, ...] | None:
    """Return the colour that is transparent, in a file without a palette."""
    colour = image.info.get("transparency")
    if colour is None:
        return None
    # A single bit is 0 or 255 to Pillow.
    numbers = colour if isinstance(colour, tuple) else (colour,)
    return tuple(int(n) >> 7 if image.mode == "1" else int(n) for n in numbers)


def _palette(image: Any) -> np.ndarray | None:
    """Return the colours that pixels are numbers of, opaque or not."""
    if image.mode != "P":
        return None
    image.apply_transparency()
    kind = "RGBA" if image.palette.mode == "RGBA" else "RGB"
    return np.array(image.getpalette(kind), np.uint8).reshape(-1, len(kind))
