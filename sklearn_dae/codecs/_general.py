"""Pixels through general-purpose compressors: gzip, bz2, lzma, zstd."""

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sklearn.utils import Tags
from sklearn.utils._param_validation import StrOptions

from sklearn_dae._fields import Fields
from sklearn_dae._validation import check_integer
from sklearn_dae.codecs._base import Codec
from sklearn_dae.codecs._chunk import CodedChunk
from sklearn_dae.codecs._images import Given
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec

#: Most memory, in bytes, that a file may make the decoder of lzma or zstd use for its
#: window; and the smallest and largest dictionary that lzma is told to use.
_MOST_MEMORY = 2**27
_LEAST_DICTIONARY, _MOST_DICTIONARY = 2**12, 2**26

#: Bytes fed to zstd at a time. Every four of them can become 128 KiB.
_ZSTD_STEP = 256

#: Added to the logarithm of zlib's window, this asks for gzip's header.
_GZIP_HEADER = 16


def _lzma(data: bytes, level: int | None, itemsize: int) -> bytes:
    if level is not None:
        return lzma.compress(data, preset=level)
    # A byte depends on its place in a number, which is aligned, and on the byte before.
    n_aligned = min(itemsize.bit_length() - 1, 2)
    filters = [
        {
            "id": lzma.FILTER_LZMA2,
            "preset": 9 | lzma.PRESET_EXTREME,
            "pb": n_aligned,
            "lp": n_aligned,
            "lc": 4 - n_aligned,
            # As large as the data and no larger, since it takes memory.
            "dict_size": min(max(len(data), _LEAST_DICTIONARY), _MOST_DICTIONARY),
        }
    ]
    return lzma.compress(data, filters=filters)


def _bz2(data: bytes, level: int | None, itemsize: int) -> bytes:
    return bz2.compress(data, 9 if level is None else level)


def _gzip(data: bytes, level: int | None, itemsize: int) -> bytes:
    window = _GZIP_HEADER + zlib.MAX_WBITS
    packer = zlib.compressobj(9 if level is None else level, wbits=window)
    return packer.compress(data) + packer.flush()


def _zstd(data: bytes, level: int | None, itemsize: int) -> bytes:
    level = 22 if level is None else level
    return _zstandard().ZstdCompressor(level=level).compress(data)


def _unlzma(data: bytes, size: int) -> bytes:
    return _bounded(lzma.LZMADecompressor(lzma.FORMAT_XZ, _MOST_MEMORY), data, size)


def _unbz2(data: bytes, size: int) -> bytes:
    return _bounded(bz2.BZ2Decompressor(), data, size)


def _ungzip(data: bytes, size: int) -> bytes:
    return _bounded(zlib.decompressobj(_GZIP_HEADER + zlib.MAX_WBITS), data, size)


def _bounded(decompressor: Any, data: bytes, size: int) -> bytes:
    """Unpack with the standard library, to at most a byte more than expected."""
    content = decompressor.decompress(data, size + 1)
    if not decompressor.eof:
        raise EOFError("it is cut off, or goes on for too long")
    if decompressor.unused_data:
        raise EOFError(f"{len(decompressor.unused_data)} bytes follow it")
    return content


def _unzstd(data: bytes, size: int) -> bytes:
    zstandard = _zstandard()
    unpacker = zstandard.ZstdDecompressor(max_window_size=_MOST_MEMORY).decompressobj()
    content = bytearray()
    # Its output cannot be bounded, so its input is fed in small pieces.
    for start in range(0, len(data), _ZSTD_STEP):
        if unpacker.eof or len(content) > size:
            raise EOFError("it goes on for too long")
        try:
            content += unpacker.decompress(data[start : start + _ZSTD_STEP])
        except zstandard.ZstdError as error:
            raise EOFError(str(error)) from error
    if not unpacker.eof or unpacker.unused_data:
        raise EOFError("it is cut off, or bytes follow it")
    return bytes(content)


def _zstandard() -> Any:
    try:
        import zstandard
    except ImportError as error:
        raise ImportError(
            "GeneralCodec('zstd') needs zstandard: pip install 'sklearn-dae[zstd]'."
        ) from error
    return zstandard


class Method(NamedTuple):
    """A compressor: its lowest and highest levels, and its two directions."""

    lowest: int
    highest: int
    compress: Callable[[bytes, int | None, int], bytes]
    decompress: Callable[[bytes, int], bytes]


METHODS = {
    "lzma": Method(0, 9, _lzma, _unlzma),
    "bz2": Method(1, 9, _bz2, _unbz2),
    "gzip": Method(0, 9, _gzip, _ungzip),
    "zstd": Method(1, 22, _zstd, _unzstd),
}

#: What these raise for a stream that is not what it seems.
_DAMAGE = (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError)


class GeneralCodec(Codec):
    """Store images without loss, with a general-purpose compressor.

    The pixels of a chunk form one stream, lowest byte of each number first. The bytes
    of a chunk are a file of the compressor: .xz, .bz2, .gz or .zst.

    Parameters
    ----------
    method : {"lzma", "bz2", "gzip", "zstd"}, default="lzma"
        The compressor.

    level : int, default=None
        How hard it tries: 0 to 9 for "lzma" and "gzip", 1 to 9 for "bz2", 1 to 22 for
        "zstd". None tries hardest, which for "lzma" means 9 with its "extreme" flag and
        a model of bytes that suits numbers of the dtype.

    chunk_size : int, default=None
        Images coded together; each chunk can be decoded without the others. None means
        as many as have four million pixels.

    Attributes
    ----------
    n_features_in_ : int
        Number of values in a row.

    dtype_ : dtype
        Dtype of the rows seen in `fit`, and of what `decode` returns.

    low_, high_ : float
        Range of the rows: that of the dtype for 8-bit integers, else that of the
        training rows.

    Examples
    --------
    >>> from sklearn_dae.codecs import GeneralCodec
    >>> from sklearn_dae.datasets import load_digits
    >>> X = load_digits().data
    >>> codec = GeneralCodec("bz2").fit(X[:1500])
    >>> data = codec.encode(X[1500:])
    >>> (codec.decode(data) == X[1500:]).all()
    np.True_
    >>> print(round(8 * len(data) / X[1500:].size, 2))  # bits a pixel
    2.75
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Codec._parameter_constraints,
        "method": [StrOptions({*METHODS})],
    }
    takes_any_size = True
    _takes_nan = True

    _stored_fields: ClassVar[Fields] = {}

    def __init__(
        self,
        method: str = "lzma",
        *,
        level: int | None = None,
        chunk_size: int | None = None,
    ) -> None:
        self.method = method
        self.level = level
        self.chunk_size = chunk_size

    @property
    def error_bound(self) -> float:
        return 0.0

    def _learn_kinds(self, given: Given) -> None:
        if self.method == "zstd":
            _zstandard()

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.level is not None:
            method = METHODS[self.method]
            check_integer("level", self.level, method.lowest, method.highest)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _coded_spec(self, spec: ImageSpec) -> ImageSpec:
        return spec

    @property
    def packages(self) -> tuple[str, ...]:
        return ("zstandard",) if self.method == "zstd" else ()

    def _encode_chunk(self, X: np.ndarray, spec: ImageSpec) -> CodedChunk:
        method = METHODS[self.method]
        level = None if self.level is None else int(self.level)
        pixels = X.astype(_stored(spec.dtype), copy=False).tobytes()
        data = method.compress(pixels, level, X.itemsize)
        return CodedChunk(data, len(X))

    def _decode_chunk(self, data: bytes, n_images: int, spec: ImageSpec) -> np.ndarray:
        size = n_images * spec.n_bytes
        try:
            content = METHODS[self.method].decompress(data, size)
        except _DAMAGE as error:
            raise BitstreamError(
                f"The {self.method} stream is bad: {error}."
            ) from error
        if len(content) != size:
            raise BitstreamError(
                f"The {self.method} stream has {len(content)} bytes when unpacked, "
                f"expected {size}."
            )
        numbers = np.frombuffer(content, _stored(spec.dtype))
        return numbers.reshape(n_images, spec.n_numbers)


def _stored(dtype: np.dtype) -> np.dtype:
    """Return the dtype of the stream, the same on every machine."""
    return dtype.newbyteorder("<")
