"""A page of a TIFF file: how it is written, and what else it says.

What a page says of itself stands in tags. Those that say how its pixels are stored
become options of tifffile's writer; all others are kept as they are. Pages with tags
that may point to other places of the file are not taken, as everything moves.
"""

from fractions import Fraction
from typing import Any, NamedTuple, Self

import numpy as np

from sklearn_dae._bytes import ByteReader, leb128

#: Kinds of compression that lose nothing, and as which they are written: without any,
#: CCITT's three, LZW, deflate (two names), PackBits, LZMA, Zstandard.
_COMPRESSIONS = {
    1: 1,
    2: 8,
    3: 8,
    4: 8,
    5: 5,
    8: 8,
    32946: 32946,
    32773: 32773,
    34925: 34925,
    50000: 50000,
}

#: Kinds of colours: white is zero, black is zero, RGB, palette, CMYK, CIELAB.
_PHOTOMETRICS = (0, 1, 2, 3, 5, 8)

#: Tags that say how pixels are stored: size, bits, compression, order, strips, tiles;
#: the writer makes them. Those of its options are read by `form_of`.
_LAYOUT = frozenset(
    {*range(256, 260), 262, 266, 273, *range(277, 280), 282, 283, 284, 292, 293, 296}
    | {317, *range(322, 326), 338, 339}
)

#: Tags that say something else, and stand for themselves: subfile type, thresholds,
#: names, orientation, smallest and largest numbers, pages, software, dates, transfer
#: functions, palettes, inks, XMP, copyright, IPTC, places on earth, ICC profiles.
_KEPT = frozenset(
    {254, 255, *range(263, 266), *range(269, 273), 274, 280, 281, *range(285, 288)}
    | {290, 291, 297, 301, 305, 306, 315, 316, *range(318, 322), *range(332, 338)}
    | {340, 341, 700, 33432, 33550, 33723, 33922, 34264, 34377, 34675, 34735, 34736}
    | {34737, 42112, 42113}
)

#: Bytes of a value of each kind that tags have.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_SIZES |= {16: 8, 17: 8}

_ASCII = 2

#: Kinds that are two numbers each.
_FRACTIONS = {5: "u4", 10: "i4"}

#: Most pixels on a side of a tile, that no false claim takes all memory.
_LARGEST_TILE = 2**13


class Unusual(ValueError):
    """A file cannot be written anew as it is."""


class Tag(NamedTuple):
    """Something that a page says; the value is in the order of bytes of the file."""

    code: int
    kind: int
    n_values: int
    value: bytes

    def written(self, byteorder: str) -> tuple[int, int, int, Any, bool]:
        """Return it as tifffile's writer takes it: fractions as numbers."""
        value: Any = self.value
        if self.kind in _FRACTIONS:
            value = np.frombuffer(value, f"{byteorder}{_FRACTIONS[self.kind]}").tolist()
        return self.code, self.kind, self.n_values, value, False


class Form(NamedTuple):
    """How a page is written.

    Numbers are TIFF's own; ``tile`` is (0, 0) for strips, ``bits`` those of a number,
    and ``resolution`` two fractions and their unit.
    """

    compression: int
    predictor: int
    photometric: int
    planes: int
    rows: int
    tile: tuple[int, int]
    bits: int
    resolution: tuple[int, int, int, int, int]
    extra: tuple[int, ...]
    tags: tuple[Tag, ...]

    def options(self, byteorder: str) -> dict[str, Any]:
        """Return what tifffile's writer is to be told."""
        x, x_below, y, y_below, unit = self.resolution
        return {
            "photometric": self.photometric,
            "planarconfig": self.planes or None,
            "extrasamples": self.extra or None,
            "compression": self.compression,
            "predictor": self.predictor,
            "tile": self.tile if any(self.tile) else None,
            "rowsperstrip": self.rows or None,
            # A compressor takes whole bytes, and bits as booleans.
            "bitspersample": self.bits if self.compression == 1 else None,
            "resolution": ((x, x_below), (y, y_below)),
            "resolutionunit": unit,
            "extratags": [tag.written(byteorder) for tag in self.tags],
            "metadata": None,
            "software": False,
        }

    def arranged(self, image: np.ndarray) -> np.ndarray:
        """Return an image as tifffile's writer takes it."""
        if self.bits == 1:
            image = image.astype(bool)
        if self.planes == 2:
            image = np.moveaxis(image, 2, 0)
        return np.ascontiguousarray(image)

    def to_bytes(self) -> bytes:
        """Write it."""
        numbers = [*self[:5], *self.tile, self.bits, *self.resolution]
        numbers += [len(self.extra), *self.extra, len(self.tags)]
        tags = (
            b"".join([*map(leb128, (*tag[:3], len(tag.value))), tag.value])
            for tag in self.tags
        )
        return b"".join([*map(leb128, numbers), *tags])

    @classmethod
    def read(cls, reader: ByteReader) -> Self:
        """Read what `to_bytes` wrote; raises ValueError if it is something else."""
        compression, predictor, photometric, planes, rows, length, width, bits = (
            reader.leb128() for _ in range(8)
        )
        x, x_below, y, y_below, unit = (reader.leb128() for _ in range(5))
        extra = tuple(reader.leb128() for _ in range(_at_most(reader.leb128(), 4)))
        tags = []
        for _ in range(_at_most(reader.leb128(), len(_KEPT))):
            code, kind, count = (reader.leb128() for _ in range(3))
            tag = Tag(code, kind, count, reader.take(reader.leb128()))
            tags.append(_checked(tag))
        _at_most(max(length, width), _LARGEST_TILE)
        if compression not in _COMPRESSIONS or photometric not in _PHOTOMETRICS:
            raise ValueError("it does not say how pixels are compressed")
        resolution = x, x_below, y, y_below, unit
        storage = compression, predictor, photometric, planes, rows, (length, width)
        return cls(*storage, bits, resolution, extra, tuple(tags))


def form_of(page: Any) -> Form:
    """Take what a `tifffile.TiffPage` says.

    Raises
    ------
    Unusual
        If it says what cannot be written anew.
    """
    tags = list(page.tags)
    codes = {tag.code for tag in tags}
    if len(codes) < len(tags) or not codes <= _LAYOUT | _KEPT:
        raise Unusual(f"tags {sorted(codes - _LAYOUT - _KEPT)}")
    compression = _COMPRESSIONS.get(int(page.compression), 0)
    photometric, bits = int(page.photometric), int(page.bitspersample)
    if not compression or photometric not in _PHOTOMETRICS:
        raise Unusual(f"compression {page.compression}, photometric {photometric}")
    predictor = int(page.predictor)
    kept = sorted(_value(tag) for tag in tags if tag.code in _KEPT)
    form = Form(
        compression,
        predictor if compression == page.compression else 1,
        photometric,
        int(page.planarconfig) if page.samplesperpixel > 1 else 0,
        0 if page.is_tiled else min(int(page.rowsperstrip), page.imagelength),
        (page.tilelength, page.tilewidth) if page.is_tiled else (0, 0),
        bits,
        _resolution(page),
        tuple(map(int, page.extrasamples)),
        tuple(_checked(tag) for tag in kept),
    )
    if max(form.tile) > _LARGEST_TILE:
        raise Unusual(f"tiles of {form.tile} pixels")
    return form


def _value(tag: Any) -> Tag:
    """Read the bytes of a tag; text without the zeros that end it."""
    file = tag.parent.filehandle
    file.seek(tag.valueoffset)
    value, count = file.read(tag.valuebytecount), int(tag.count)
    if tag.dtype == _ASCII:
        value = value.rstrip(b"\0")
        count = len(value)
    return Tag(int(tag.code), int(tag.dtype), count, value)


def _resolution(page: Any) -> tuple[int, int, int, int, int]:
    """Return how many pixels a unit has, as two fractions, and the unit."""
    numbers: list[int] = []
    for code in (282, 283):
        above, below = page.tags.valueof(code, (1, 1))
        numbers += Fraction(above, below).as_integer_ratio()
    x, x_below, y, y_below = numbers
    # Without a unit, TIFF's is the inch; without a resolution, there is none.
    unit = page.tags.valueof(296, 2 if 282 in page.tags else 1)
    return x, x_below, y, y_below, int(unit)


def _checked(tag: Tag) -> Tag:
    """Make sure that a tag is one that is kept, and has the bytes that it claims."""
    size = _SIZES.get(tag.kind, 0)
    if tag.code not in _KEPT or not size or tag.n_values * size != len(tag.value):
        raise Unusual(f"tag {tag.code} of kind {tag.kind}")
    return tag


def _at_most(number: int, most: int) -> int:
    if number > most:
        raise ValueError(f"it claims {number} where at most {most} may be")
    return number
