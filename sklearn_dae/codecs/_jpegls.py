"""Images in JPEG-LS, through imagecodecs."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from sklearn_dae._fields import Fields
from sklearn_dae.codecs._image_format import ImageFormatCodec, require_imagecodecs
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec

#: Largest errors that the standard allows, by the bytes of a number.
_LARGEST_ERROR = {1: 127, 2: 255}

#: The marker at the end of a file.
_END = b"\xff\xd9"


class JpegLSCodec(ImageFormatCodec):
    """Store images in JPEG-LS, without loss or nearly, through imagecodecs.

    The bytes of a chunk are those of the encoder CharLS: one picture of all images side
    by side, or one per image. Images are grey, of three or of four channels, and have 8
    or 16 bits, signed or not. The standard has no transform of colours; channels share
    what the encoder learns on its way.

    Parameters
    ----------
    max_abs_error : int, default=0
        How far a restored number may be off, ``NEAR`` in the standard: at most 127 for
        8 bits, 255 for 16.

    layout : {"mosaic", "files"}, default="mosaic"
        "mosaic" lays the images of a chunk out in one nearly square picture, or several
        if it would be too large, since a small image file is mostly header. "files"
        writes one file per image.

    image_shape : tuple of (height, width[, channels]), default=None
        Size of the images. None treats them as grey squares, and refuses rows that are
        none.

    chunk_size : int, default=None
        Images coded together; each chunk can be decoded without the others. None means
        as many as have four million pixels.

    Attributes
    ----------
    scaler_ : PixelScaler
        Always 0 to 255: numbers are coded as they are.

    multiple_ : int
        Always 1: images in a mosaic are not padded.

    n_features_in_ : int
        Number of values in a row.

    dtype_ : dtype
        Dtype of the rows seen in `fit`, and of what `decode` returns.

    low_, high_ : float
        Range of the rows: that of the dtype for 8-bit integers, else that of the
        training rows.

    See Also
    --------
    PixelCodec : Takes fewer bytes, and more time.
    JpegXLCodec : The same for JPEG XL.

    References
    ----------
    Weinberger, M. J., Seroussi, G. and Sapiro, G. (2000). The LOCO-I lossless image
    compression algorithm: principles and standardization into JPEG-LS. IEEE
    Transactions on Image Processing 9, 1309-1324.

    Examples
    --------
    >>> from sklearn_dae.codecs import JpegLSCodec
    >>> from sklearn_dae.datasets import load_digits
    >>> X = load_digits().data
    >>> codec = JpegLSCodec(max_abs_error=1).fit(X[:1500])
    >>> data = codec.encode(X[1500:])
    >>> abs(codec.decode(data).astype(int) - X[1500:]).max()
    np.int64(1)
    >>> len(data) < 0.7 * len(JpegLSCodec().fit(X[:1500]).encode(X[1500:]))
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **ImageFormatCodec._parameter_constraints,
        "max_abs_error": [Interval(Integral, 0, 255, closed="both")],
    }
    _stored_fields: ClassVar[Fields] = {}
    _most_side = 2**16 - 1
    _keeps_numbers = True

    def __init__(
        self,
        max_abs_error: int = 0,
        *,
        layout: str = "mosaic",
        image_shape: tuple[int, ...] | None = None,
        chunk_size: int | None = None,
    ) -> None:
        self.max_abs_error = max_abs_error
        self.layout = layout
        self.image_shape = image_shape
        self.chunk_size = chunk_size

    @property
    def packages(self) -> tuple[str, ...]:
        return ("imagecodecs",)

    def _require(self) -> None:
        require_imagecodecs("JPEG-LS", "JPEGLS")

    @property
    def error_bound(self) -> float:
        return float(self.max_abs_error)

    def _takes(self, spec: ImageSpec) -> bool:
        return spec.dtype in (np.uint8, np.uint16) and spec.channels in (1, 3, 4)

    def _check_kind(self, spec: ImageSpec) -> None:
        super()._check_kind(spec)
        largest = _LARGEST_ERROR[spec.dtype.itemsize]
        if self.max_abs_error > largest:
            raise ValueError(
                f"max_abs_error == {self.max_abs_error}, but JPEG-LS allows at most "
                f"{largest} for images of {spec}."
            )

    def _write(self, picture: np.ndarray) -> bytes:
        from imagecodecs import jpegls_encode

        return bytes(jpegls_encode(picture, level=int(self.max_abs_error)))

    def _read(self, data: bytes, spec: ImageSpec) -> np.ndarray:
        from imagecodecs import JpeglsError, jpegls_decode

        picture = np.empty(spec.shape, spec.dtype)
        try:
            if not data.endswith(_END):
                # Which takes seconds to find out otherwise.
                raise ValueError("it is cut off")
            # A picture of another size is refused before it is decoded.
            return jpegls_decode(data, out=picture)
        except (JpeglsError, ValueError, RuntimeError) as error:
            raise BitstreamError(f"A JPEG-LS file cannot be read: {error}") from error
