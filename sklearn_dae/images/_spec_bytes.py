"""What an image is, as bytes: for codecs and archives."""

import math

import numpy as np

from sklearn_dae._bytes import ByteReader, leb128
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images._spec import ImageSpec

#: Kinds of numbers, and their bytes.
_DTYPES = frozenset("b1 i1 u1 i2 u2 i4 u4 i8 u8 f2 f4 f8".split())  # noqa: SIM905

#: Most numbers of an image: a false claim must not take all memory.
MOST_NUMBERS = 2**31


def pack_spec(spec: ImageSpec) -> bytes:
    r"""Write what an image is; `unpack_spec` reads it.

    Examples
    --------
    >>> from sklearn_dae.images import ImageSpec
    >>> from sklearn_dae.images._spec_bytes import pack_spec
    >>> pack_spec(ImageSpec(2, 300, 3))
    b'u1\x02\xac\x02\x03\x00'
    """
    kind = f"{spec.dtype.kind}{spec.dtype.itemsize}".encode()
    sizes = spec.height, spec.width, spec.channels
    plain = ImageSpec(*sizes, spec.dtype)
    limits = b""
    if spec.range != plain.range:
        limits = np.array(spec.range, spec.dtype).astype(_stored(spec.dtype)).tobytes()
    return b"".join([kind, *map(leb128, sizes), leb128(len(limits)), limits])


def unpack_spec(reader: ByteReader) -> ImageSpec:
    """Read what `pack_spec` wrote.

    Raises
    ------
    BitstreamError
        If it is something else, or an image of more numbers than there may be.
    """
    kind = reader.take(2).decode("latin-1")
    height, width, channels = (reader.leb128() for _ in range(3))
    limits = reader.take(reader.leb128())
    n_numbers = math.prod((height, width, channels))
    if kind not in _DTYPES or not 0 < n_numbers <= MOST_NUMBERS:
        raise BitstreamError(
            f"an image of {height} x {width} x {channels} numbers of kind {kind!r}"
        )
    dtype = np.dtype(kind)
    plain = ImageSpec(height, width, channels, dtype)
    if not limits:
        return plain
    if len(limits) != 2 * dtype.itemsize:
        raise BitstreamError(f"a range of pixels of {len(limits)} bytes")
    low, high = np.frombuffer(limits, _stored(dtype)).tolist()
    try:
        return ImageSpec(height, width, channels, dtype, (low, high))
    except ValueError as error:
        raise BitstreamError(f"pixels from {low} to {high}") from error


def _stored(dtype: np.dtype) -> np.dtype:
    return dtype.newbyteorder("<")
