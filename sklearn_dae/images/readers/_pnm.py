"""PGM, PPM and PBM: a few words of text, and then pixels as they are."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sklearn_dae.images._bits import packed_size
from sklearn_dae.images._image_file import (
    ImageFile,
    Options,
    Reader,
    Unreadable,
    same_specs,
)
from sklearn_dae.images._raw import Layout, Raw
from sklearn_dae.images._spec import ImageSpec

#: A word, after blanks and comments.
_WORD = re.compile(rb"(?:\s|#[^\n\r]*[\n\r])*(\d+)")

#: Bytes in which the words at the beginning are looked for.
_HEAD_SIZE = 4096

#: Numbers of the kinds of files that are text, and of that whose pixels are bits.
_TEXT, _BITS = (1, 2, 3), 4


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
    # A single blank stands between the text and the pixels.
    begin = at if kind in _TEXT else at + 1
    return ImageFile(os.fspath(path), "PNM", same_specs(spec), PnmReader(kind, begin))


@dataclass(frozen=True, slots=True)
class PnmReader(Reader):
    """Reads the image of a PNM file.

    Parameters
    ----------
    kind : int
        Number of the kind of file, 1 to 6.

    begin : int
        Where pixels begin, in bytes.
    """

    kind: int
    begin: int

    def read(self, file: ImageFile, number: int) -> np.ndarray:
        """Return the image."""
        spec = file.specs[number]
        is_text = self.kind in _TEXT
        size = -1 if is_text else _layout(self.kind, spec).size(spec)
        with open(file.location, "rb") as opened:
            opened.seek(self.begin)
            data = opened.read(size)
        if is_text:
            image = _from_text(data, spec, is_bits=self.kind == 1)
        else:
            _check_length(len(data), size)
            image = _cut(data, spec, self.kind)
        highest = (spec.range or (0, 0))[1]
        if image.max() > highest:
            raise Unreadable("damaged", f"PNM: a number is larger than {highest}")
        return image

    def wrappers(self, file: ImageFile) -> Iterator[Raw | None]:
        """Take what stands around the pixels; text may be written in many ways."""
        if self.kind not in _TEXT:
            spec = file.specs[0]
            layout = _layout(self.kind, spec)
            yield Raw.around(file.location, layout, [(self.begin, layout.size(spec))])


def _layout(kind: int, spec: ImageSpec) -> Layout:
    if kind == _BITS:
        # In files of bits, 1 is black.
        return Layout("|u1", bits=1, inverted=True)
    return Layout("|u1" if spec.dtype == np.uint8 else ">u2")


def _cut(data: bytes, spec: ImageSpec, kind: int) -> np.ndarray:
    if kind != _BITS:
        return _layout(kind, spec).cut(data, spec)
    rows = np.frombuffer(data, np.uint8).reshape(-1, packed_size(spec.width, 1))
    return 1 - np.unpackbits(rows, axis=1, count=spec.width)


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
