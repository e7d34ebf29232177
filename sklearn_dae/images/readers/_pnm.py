"""PGM, PPM and PBM: a few words of text, and then pixels as they are."""

import re
from pathlib import Path

import numpy as np

from sklearn_dae.images._image_file import ImageFile, Options, Unreadable
from sklearn_dae.images._spec import ImageSpec
from sklearn_dae.images._wrapper import Kept, Raw, Wrapper

#: A word, after blanks and comments.
_WORD = re.compile(rb"(?:\s|#[^\n\r]*[\n\r])*(\d+)")

#: Bytes in which the words at the beginning are looked for.
_HEAD_SIZE = 4096


def open_pnm(path: Path, options: Options) -> ImageFile:
    """Open a PNM file."""
    with path.open("rb") as file:
        head = file.read(_HEAD_SIZE)
    kind = int(head[1:2])
    at, numbers = 2, []
    for _ in range(2 if kind in (1, 4) else 3):
        match = _WORD.match(head, at)
        if match is None:
            raise Unreadable("damaged", "PNM: it does not begin with the size of it")
        numbers.append(int(match[1]))
        at = match.end()
    width, height, highest = (*numbers, 1)[:3]
    if not (width and height and 1 <= highest < 2**16):
        raise Unreadable(
            "damaged", f"PNM: {width} x {height} pixels of up to {highest}"
        )
    options.check_size(width * height)
    dtype = np.dtype(np.uint8 if highest < 256 else np.uint16)
    channels = 3 if kind in (3, 6) else 1
    spec = ImageSpec(height, width, channels, dtype, (0, highest))
    stored = "|u1" if highest < 256 else ">u2"
    # A single blank stands between the text and the pixels.
    begin = at if kind in (1, 2, 3) else at + 1

    def read(_: int) -> np.ndarray:
        data = path.read_bytes()
        if kind in (5, 6):
            raw = Raw(b"", b"", stored)
            pixels = data[begin : begin + raw.size(spec)]
            _check_length(len(pixels), raw.size(spec))
            image = raw.cut(pixels, spec, 1)[0]
        elif kind == 4:
            row = -(-width // 8)
            pixels = data[begin : begin + row * height]
            _check_length(len(pixels), row * height)
            bits = np.frombuffer(pixels, np.uint8).reshape(height, row)
            image = 1 - np.unpackbits(bits, axis=1, count=width)
        else:
            image = _from_text(data[begin:], spec, is_bits=kind == 1)
        if image.max() > highest:
            raise Unreadable("damaged", f"PNM: a number is larger than {highest}")
        return image

    def wrap() -> Wrapper:
        data = path.read_bytes()
        if kind not in (5, 6):
            return Kept(data)
        end = begin + Raw(b"", b"", stored).size(spec)
        return Raw(data[:begin], data[end:], stored)

    return ImageFile(path, "PNM", [spec], read, wrap)


def _from_text(text: bytes, spec: ImageSpec, *, is_bits: bool) -> np.ndarray:
    text = re.sub(rb"#[^\n\r]*", b"", text)
    # Bits need no blanks between them.
    words = list(re.sub(rb"\s", b"", text).decode()) if is_bits else text.split()
    _check_length(len(words), spec.n_numbers, exactly=True)
    try:
        numbers = np.array([int(word) for word in words])
    except ValueError as error:
        raise Unreadable("damaged", f"PNM: {error}") from error
    if numbers.min() < 0 or numbers.max() > np.iinfo(spec.dtype).max:
        raise Unreadable("damaged", "PNM: a number is out of range")
    pixels = numbers.reshape(spec.shape).astype(spec.dtype)
    # In files of bits, 1 is black.
    return 1 - pixels if is_bits else pixels


def _check_length(found: int, expected: int, *, exactly: bool = False) -> None:
    if found < expected or (exactly and found > expected):
        raise Unreadable(
            "damaged", f"PNM: it has {found} of {expected} bytes or numbers of pixels"
        )
