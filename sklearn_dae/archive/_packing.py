"""Files that are kept -> fewer bytes: by LZMA, and JPEG files as JPEG XL.

In: a file as it is. Out: what is stored of it, and the very same file again. A stream
that claims more than it should is refused before it takes memory.
"""

import lzma
from contextlib import suppress
from math import prod
from typing import NamedTuple

from sklearn_dae._bytes import ByteReader, checksum
from sklearn_dae.codecs._image_format import require_imagecodecs
from sklearn_dae.exceptions import BitstreamError

#: How a kept file may be packed.
LZMA, JPEG_XL = 1, 2

#: Most bytes of a file that is packed, as it is all in memory then.
MOST_BYTES = 2**25

#: Most bytes of a file that LZMA is tried on, which takes some seconds for so many.
_MOST_BYTES_OF_LZMA = 2**23

#: Share of a JPEG file that JPEG XL must leave for LZMA to be tried as well: of few
#: pixels, most of the file is tables, which LZMA packs better.
_MUCH_LESS = 0.9

#: Most pixels of a JPEG file that becomes JPEG XL, which takes some 30 bytes for each.
MOST_PIXELS = 2**25

#: Bytes that it takes to say how a file is packed, in its chunk and in the index.
_BYTES_TO_SAY = 10

#: Largest and smallest window of LZMA.
_MOST_DICTIONARY, _LEAST_DICTIONARY = 2**25, 2**12

#: What a JPEG file, and a JPEG XL file and the pixels in it, begin with.
_JPEG_BEGIN = b"\xff\xd8\xff"
_JPEG_XL_BEGIN, _PIXELS_BEGIN = b"\0\0\0\x0cJXL \r\n\x87\n", b"\xff\x0a"

#: What the width of an image in JPEG XL may be to its height, from code 1 on.
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


class Packing(NamedTuple):
    """How a kept file is packed, and the CRC-32 of the file itself."""

    way: int
    checksum: bytes


def pack_file(
    content: bytes, n_pixels: int, *, jpeg_xl: bool
) -> tuple[Packing | None, bytes]:
    """Pack a file in whatever way takes the fewest bytes.

    Parameters
    ----------
    content : bytes
        The file.

    n_pixels : int
        How many pixels the images have that are read from it; 0 if there are none.

    jpeg_xl : bool
        Whether a JPEG file may become JPEG XL, which takes imagecodecs to be undone.

    Returns
    -------
    packing : Packing or None
        How it is packed; None if it takes the fewest bytes as it is.

    data : bytes
        What is to be stored.
    """
    tried: list[tuple[int, bytes]] = []
    if jpeg_xl and content.startswith(_JPEG_BEGIN) and 0 < n_pixels <= MOST_PIXELS:
        # Some JPEG files cannot be JPEG XL; and without imagecodecs, none.
        with suppress(ImportError, BitstreamError):
            tried.append((JPEG_XL, _to_jpeg_xl(content, n_pixels)))
    is_done = any(len(data) < _MUCH_LESS * len(content) for _, data in tried)
    if not is_done and len(content) <= _MOST_BYTES_OF_LZMA:
        tried.append((LZMA, pack_lzma(content)))
    way, data = min(tried, key=lambda each: len(each[1]), default=(0, content))
    if len(data) + _BYTES_TO_SAY >= len(content):
        return None, content
    return Packing(way, checksum(content)), data


def unpack_file(data: bytes, packing: Packing, size: int, n_pixels: int) -> bytes:
    """Return a file of ``size`` bytes that `pack_file` packed.

    Raises
    ------
    BitstreamError
        If these are not such bytes.

    ImportError
        If that takes imagecodecs, which is not installed.
    """
    if packing.way == JPEG_XL:
        content = _from_jpeg_xl(data, size, n_pixels)
    else:
        content = unpack_lzma(data, size)
    if checksum(content) != packing.checksum:
        raise BitstreamError("it unpacks to another file than the one that was packed")
    return content


def pack_lzma(contents: bytes) -> bytes:
    """Pack bytes by LZMA."""
    return lzma.compress(contents, lzma.FORMAT_RAW, filters=_filters(len(contents)))


def unpack_lzma(packed: bytes, size: int) -> bytes:
    """Unpack ``size`` bytes that `pack_lzma` packed.

    Raises
    ------
    BitstreamError
        If it does not have them.
    """
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_filters(size))
    try:
        # One byte more than expected shows whether the stream goes on.
        contents = unpacker.decompress(packed, size + 1)
    except lzma.LZMAError as error:
        raise BitstreamError(f"its LZMA stream is damaged: {error}") from None
    if len(contents) != size or not unpacker.eof or unpacker.unused_data:
        raise BitstreamError(f"its LZMA stream does not have {size} bytes")
    return contents


def _filters(size: int) -> list[dict[str, int]]:
    """Tell LZMA how to pack so many bytes: with a window of all of them."""
    window = min(max(size, _LEAST_DICTIONARY), _MOST_DICTIONARY)
    preset = 9 | lzma.PRESET_EXTREME
    return [{"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": window}]


def _to_jpeg_xl(content: bytes, n_pixels: int) -> bytes:
    """Turn a JPEG file to JPEG XL, of which it has been seen that it comes back."""
    require_imagecodecs("JPEG XL", "JPEGXL")
    from imagecodecs import jpegxl_encode_jpeg

    try:
        data = bytes(jpegxl_encode_jpeg(content, numthreads=1))
    except RuntimeError as error:
        raise BitstreamError(f"It cannot be JPEG XL: {error}") from error
    if _from_jpeg_xl(data, len(content), n_pixels) != content:
        raise BitstreamError("It does not come back from JPEG XL as it was.")
    return data


def _from_jpeg_xl(data: bytes, size: int, n_pixels: int) -> bytes:
    """Return the JPEG file of ``size`` bytes that became JPEG XL."""
    n_claimed = _n_pixels_of(data)
    if n_claimed > min(n_pixels, MOST_PIXELS):
        raise BitstreamError(
            f"its JPEG XL stream claims {n_claimed} pixels, not {n_pixels}"
        )
    require_imagecodecs("JPEG XL", "JPEGXL")
    from imagecodecs import jpegxl_decode_jpeg

    try:
        # Room for so many bytes: a longer file is refused.
        content = bytes(jpegxl_decode_jpeg(data, numthreads=1, out=size))
    except (ValueError, RuntimeError) as error:
        raise BitstreamError(f"its JPEG XL stream is damaged: {error}") from error
    if len(content) != size:
        raise BitstreamError(f"its JPEG XL stream does not have {size} bytes")
    return content


def _n_pixels_of(data: bytes) -> int:
    """Return how many pixels a JPEG XL file claims to have.

    Raises
    ------
    BitstreamError
        If it claims nothing of the kind.
    """
    reader = ByteReader(data)
    parts, is_known = [], reader.take(len(_JPEG_XL_BEGIN)) == _JPEG_XL_BEGIN
    while is_known and reader.n_left:
        n_bytes, kind = int.from_bytes(reader.take(4), "big"), reader.take(4)
        # Sizes of 64 bits, and of a box that goes on to the end.
        head = 16 if n_bytes == 1 else 8
        n_bytes = int.from_bytes(reader.take(8), "big") if n_bytes == 1 else n_bytes
        content = reader.take(max(0, n_bytes - head) if n_bytes else reader.n_left)
        if kind in (b"jxlc", b"jxlp"):
            # Pixels may be in parts, each of which has its number first.
            parts.append(content if kind == b"jxlc" else content[4:])
    stream = b"".join(parts)
    if not stream.startswith(_PIXELS_BEGIN):
        raise BitstreamError("its JPEG XL stream is damaged: it holds no image")
    return prod(_sides(_Bits(stream[len(_PIXELS_BEGIN) :][:16])))


class _Bits:
    """Bits of some bytes, the lowest of each first; zeros after the last one."""

    def __init__(self, data: bytes) -> None:
        self._rest = int.from_bytes(data, "little")

    def take(self, n: int) -> int:
        taken = self._rest & (1 << n) - 1
        self._rest >>= n
        return taken


def _sides(bits: _Bits) -> tuple[int, int]:
    """Read height and width, as JPEG XL writes them (ISO/IEC 18181-1, SizeHeader)."""

    def side() -> int:
        if is_small:
            return 8 * (bits.take(5) + 1)
        return 1 + bits.take((9, 13, 18, 30)[bits.take(2)])

    is_small = bits.take(1)
    height, ratio = side(), bits.take(3)
    if not ratio:
        return height, side()
    numerator, denominator = _RATIOS[ratio - 1]
    return height, height * numerator // denominator
