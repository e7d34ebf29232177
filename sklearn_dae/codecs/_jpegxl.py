"""Images in JPEG XL, by imagecodecs."""

import numpy as np

from sklearn_dae._validation import check_integer, check_real
from sklearn_dae.codecs._image_format import ImageFormatCodec
from sklearn_dae.exceptions import BitstreamError


class JpegXLCodec(ImageFormatCodec):
    """Store images in JPEG XL, by imagecodecs.

    The bytes of a chunk are those of the reference encoder, without a container: one
    picture of all images side by side, or one an image, in shades of grey.

    Parameters
    ----------
    distance : float, default=1.0
        Perceptual distance from the original that is aimed at, from 0.01 to 25; at 1 a
        viewer sees hardly a difference.

    lossless : bool, default=False
        Whether images are restored exactly, instead.

    effort : int, default=9
        From 1 to 9: how long the encoder searches.

    layout : {"mosaic", "files"}, default="mosaic"
        "mosaic" lays all images of a chunk out in one picture, nearly square, as a
        small image is mostly header. "files" writes one file an image.

    image_shape : tuple of (height, width), default=None
        Size of the images. None takes them for squares if the number of pixels is a
        square, else for single lines.

    chunk_size : int, default=None
        Images that are coded together; each chunk can be decoded without the others.
        None takes as many as have four million pixels.

    Attributes
    ----------
    scaler_ : PixelScaler
        The range that becomes 0 to 255, as that of `PillowCodec`.

    multiple_ : int
        1: images in a mosaic are not padded.

    n_features_in_ : int
        Numbers in a row.

    dtype_ : dtype
        Of the rows seen in `fit`; what `decode` returns.

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

    def __init__(
        self,
        *,
        distance: float = 1.0,
        lossless: bool = False,
        effort: int = 9,
        layout: str = "mosaic",
        image_shape: tuple[int, int] | None = None,
        chunk_size: int | None = None,
    ) -> None:
        self.distance = distance
        self.lossless = lossless
        self.effort = effort
        self.layout = layout
        self.image_shape = image_shape
        self.chunk_size = chunk_size

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_real("distance", self.distance, 0.01, 25)
        check_integer("effort", self.effort, 1, 9)

    def _require(self) -> None:
        try:
            from imagecodecs import JPEGXL
        except ImportError as error:
            raise ImportError(
                "JPEG XL needs imagecodecs: pip install 'sklearn-dae[jpegxl]'."
            ) from error
        if not JPEGXL.available:
            raise ImportError(
                "This imagecodecs was built without JPEG XL: "
                "pip install --upgrade 'sklearn-dae[jpegxl]'."
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

    def _read(self, data: bytes, size: tuple[int, int]) -> np.ndarray:
        from imagecodecs import JpegxlError, jpegxl_decode

        picture = np.empty(size, np.uint8)
        try:
            # Refuses a picture of another size before it decodes it.
            return jpegxl_decode(data, numthreads=1, out=picture)
        except (JpegxlError, ValueError, RuntimeError) as error:
            raise BitstreamError(f"A JPEG XL file cannot be read: {error}") from error
