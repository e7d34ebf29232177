"""Images in JPEG XL, through imagecodecs."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from sklearn_dae._fields import Fields
from sklearn_dae.codecs._image_format import ImageFormatCodec, require_imagecodecs
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec


class JpegXLCodec(ImageFormatCodec):
    """Store images in JPEG XL, through imagecodecs.

    The bytes of a chunk come from the reference encoder, without a container: one
    picture of all images side by side, or one per image. They may have up to four
    channels, and without loss up to 16 bits, signed or not.

    Parameters
    ----------
    distance : float, default=1.0
        Target for the perceptual distance from the original, from 0.01 to 25; at 1 a
        viewer hardly sees a difference.

    lossless : bool, default=False
        Whether to restore images exactly instead.

    effort : int, default=9
        How long the encoder searches, from 1 to 9.

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
        The range that becomes 0 to 255, as for `PillowCodec`.

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
    PillowCodec : The same for older formats.

    Examples
    --------
    >>> from sklearn_dae.codecs import JpegXLCodec
    >>> from sklearn_dae.datasets import load_digits
    >>> X = load_digits().data
    >>> codec = JpegXLCodec(lossless=True).fit(X[:1500])
    >>> data = codec.encode(X[1500:])
    >>> (codec.decode(data) == X[1500:]).all()
    np.True_
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **ImageFormatCodec._parameter_constraints,
        "lossless": ["boolean"],
        "distance": [Interval(Real, 0.01, 25, closed="both")],
        "effort": [Interval(Integral, 1, 9, closed="both")],
    }
    _stored_fields: ClassVar[Fields] = {}
    _most_side = 2**16

    def __init__(
        self,
        *,
        distance: float = 1.0,
        lossless: bool = False,
        effort: int = 9,
        layout: str = "mosaic",
        image_shape: tuple[int, ...] | None = None,
        chunk_size: int | None = None,
    ) -> None:
        self.distance = distance
        self.lossless = lossless
        self.effort = effort
        self.layout = layout
        self.image_shape = image_shape
        self.chunk_size = chunk_size

    @property
    def packages(self) -> tuple[str, ...]:
        return ("imagecodecs",)

    def _require(self) -> None:
        require_imagecodecs("JPEG XL", "JPEGXL")

    @property
    def _keeps_numbers(self) -> bool:
        return self.lossless

    def _takes(self, spec: ImageSpec) -> bool:
        return spec.channels <= 4 and (
            spec.dtype == np.uint8 or (spec.dtype == np.uint16 and self.lossless)
        )

    def _write(self, picture: np.ndarray) -> bytes:
        from imagecodecs import jpegxl_encode

        quality = {"lossless": True} if self.lossless else {"distance": self.distance}
        return bytes(
            jpegxl_encode(
                picture,
                effort=int(self.effort),
                usecontainer=False,
                numthreads=1,
                **quality,
            )
        )

    def _read(self, data: bytes, spec: ImageSpec) -> np.ndarray:
        from imagecodecs import JpegxlError, jpegxl_decode

        picture = np.empty(spec.shape, spec.dtype)
        try:
            # A picture of another size is refused before it is decoded.
            return jpegxl_decode(data, numthreads=1, out=picture)
        except (JpegxlError, ValueError, RuntimeError) as error:
            raise BitstreamError(f"A JPEG XL file cannot be read: {error}") from error
