"""Images in the formats that Pillow writes: JPEG, JPEG 2000, WebP, AVIF, PNG."""

import io
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sklearn_dae._scaling import cast
from sklearn_dae._validation import check_choice, check_integer, check_real
from sklearn_dae.codecs._image_format import ImageFormatCodec
from sklearn_dae.codecs._images import choose_image_shape
from sklearn_dae.exceptions import BitstreamError


@dataclass(frozen=True)
class Format:
    """What Pillow has to be told to write a format as small as it can.

    Parameters
    ----------
    name : str
        Pillow's.

    feature : str
        What `PIL.features` calls the library that it needs.

    settings : dict
        Parameters of `PIL.Image.Image.save`.

    lossless : dict, default=None
        Such parameters for a file without loss. None if the format has none.

    mosaic : dict
        Such parameters that make large pictures smaller, and small ones larger.

    quality : float, default=None
        Quality by default. None if the format knows none.

    qualities : tuple of (low, high)
        Range of the quality.

    is_whole : bool
        Whether the quality is a whole number.

    effort : int, default=None
        Effort by default. None if the format knows none.

    most_effort : int
        Of which the least is 0.

    block : int
        Pixels, both ways, of the blocks that the format transforms on their own, if
        it has blocks of one size.
    """

    name: str
    feature: str
    settings: dict[str, Any] = field(default_factory=dict)
    lossless: dict[str, Any] | None = None
    mosaic: dict[str, Any] = field(default_factory=dict)
    quality: float | None = None
    qualities: tuple[int, int] = (0, 100)
    is_whole: bool = False
    effort: int | None = None
    most_effort: int = 0
    block: int = 1

    def parameters(self, codec: "PillowCodec") -> dict[str, Any]:
        """Parameters of `PIL.Image.Image.save`."""
        parameters = {"format": self.name, **self.settings}
        if codec.layout == "mosaic":
            parameters |= self.mosaic
        if self.effort is not None:
            effort = self.effort if codec.effort is None else int(codec.effort)
            if self.name == "AVIF":
                parameters["speed"] = self.most_effort - effort
            else:
                parameters["method"] = effort
        if self.quality is None or (codec.lossless and self.lossless is not None):
            return parameters | (self.lossless or {})
        quality = self.quality if codec.quality is None else codec.quality
        if self.name == "JPEG2000":
            return parameters | {"quality_layers": [float(quality)]}
        # Some formats take no integers but Python's own.
        return parameters | {"quality": int(quality) if self.is_whole else quality}


#: What each format is saved with. AVIF's threads and tiles are fixed, so that the bytes
#: do not depend on the number of processors.
FORMATS = {
    "jpeg": Format(
        "JPEG",
        "jpg",
        {"optimize": True},
        mosaic={"progressive": True},
        quality=75,
        qualities=(1, 100),
        is_whole=True,
        block=8,
    ),
    "jpeg2000": Format(
        "JPEG2000",
        "jpg_2000",
        {"no_jp2": True, "irreversible": True, "quality_mode": "dB"},
        lossless={"irreversible": False},
        quality=40,
        qualities=(1, 100),
    ),
    "webp": Format(
        "WEBP",
        "webp",
        lossless={"lossless": True, "quality": 100},
        quality=80,
        effort=6,
        most_effort=6,
    ),
    "avif": Format(
        "AVIF",
        "avif",
        {"subsampling": "4:0:0", "max_threads": 1, "autotiling": False},
        lossless={"quality": 100},
        quality=75,
        is_whole=True,
        effort=4,
        most_effort=10,
    ),
    "png": Format("PNG", "zlib", {"optimize": True}, lossless={}),
}

#: Most training images on which a layout is chosen.
_LAYOUT_ROWS = 1000

#: What Pillow raises when a file is not what it seems, or warns of.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
    Warning,
)


class PillowCodec(ImageFormatCodec):
    """Store images in an image format, by Pillow.

    The bytes of a chunk are Pillow's own: one file of all images side by side, or a
    file an image. JPEG, JPEG 2000, AVIF and PNG are written in shades of grey, AVIF as
    4:0:0; WebP has only colour, and its two channels of colour stay empty.

    Parameters
    ----------
    format : {"jpeg", "jpeg2000", "webp", "avif", "png"}, default="jpeg"
        The format.

    quality : int or float, default=None
        In the format's own units: a whole number up to 100 for "jpeg" (from 1) and
        "avif" (from 0), any number from 0 to 100 for "webp"; the peak signal-to-noise
        ratio in decibels for "jpeg2000". None takes 75, 75, 80 and 40.

    lossless : bool, default=False
        Whether images are restored exactly. "jpeg" cannot, "png" always does.

    effort : int, default=None
        How long "webp" (0 to 6) and "avif" (0 to 10, ten less the speed) search. None
        takes 6 and 4, which is the speed that Pillow takes: more effort costs AVIF much
        time for some percent of the bytes.

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
        The range that becomes 0 to 255. For uint8 without loss, and where pixels go
        beyond 127, that is 0 to 255, and the bytes are those of the pixels as they are;
        smaller pixels are multiplied by a whole number and divided again, as lossy
        formats quantise for pixels up to 255. For floats it is that of the training
        images. What is outside is clipped.

    multiple_ : int
        Pixels, both ways, that an image in a mosaic is padded to a multiple of, by
        repeating its edge. 8 for "jpeg" if that makes its `score` better on training
        images: so images share no block. 1 otherwise.

    n_features_in_ : int
        Numbers in a row.

    dtype_ : dtype
        Of the rows seen in `fit`; what `decode` returns.

    low_, high_ : float
        Range of the rows: that of the dtype for 8-bit integers, else that of the
        training rows.

    See Also
    --------
    JpegXLCodec : The same for JPEG XL.

    Examples
    --------
    >>> from sklearn_dae.codecs import PillowCodec
    >>> from sklearn_dae.datasets import load_digits
    >>> X = load_digits().data
    >>> codec = PillowCodec("png").fit(X[:1500])
    >>> data = codec.encode(X[1500:])
    >>> (codec.decode(data) == X[1500:]).all()
    np.True_
    >>> files = PillowCodec("png", layout="files").fit(X[:1500])
    >>> len(data) < 0.3 * len(files.encode(X[1500:]))
    True
    """

    def __init__(
        self,
        format: str = "jpeg",  # noqa: A002 - as in PIL.Image.Image.save
        *,
        quality: float | None = None,
        lossless: bool = False,
        effort: int | None = None,
        layout: str = "mosaic",
        image_shape: tuple[int, int] | None = None,
        chunk_size: int | None = None,
    ) -> None:
        self.format = format
        self.quality = quality
        self.lossless = lossless
        self.effort = effort
        self.layout = layout
        self.image_shape = image_shape
        self.chunk_size = chunk_size

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_choice("format", self.format, FORMATS)
        known = FORMATS[self.format]
        if self.lossless and known.lossless is None:
            able = [name for name, each in FORMATS.items() if each.lossless is not None]
            raise ValueError(
                f"{self.format!r} is never lossless: take one of {', '.join(able)}."
            )
        if self.effort is not None:
            if known.effort is None:
                raise ValueError(
                    f"effort == {self.effort!r}, but {self.format!r} knows none: leave "
                    "it at None."
                )
            check_integer("effort", self.effort, 0, known.most_effort)
        if self.quality is None:
            return
        if self._is_lossless:
            raise ValueError(
                f"quality == {self.quality!r}, but {self.format!r} is to be written "
                "without loss: leave quality at None."
            )
        check = check_integer if known.is_whole else check_real
        check("quality", self.quality, *known.qualities)

    def _require(self) -> None:
        known = FORMATS[self.format]
        try:
            from PIL import features
        except ImportError as error:
            raise ImportError(
                f"Writing and reading {known.name} needs Pillow: "
                "pip install 'sklearn-dae[full]'."
            ) from error
        if not features.check(known.feature):
            raise ImportError(
                f"This Pillow was built without {known.name}: "
                "pip install --upgrade 'sklearn-dae[full]'."
            )

    @property
    def _is_lossless(self) -> bool:
        return self.lossless or self.format == "png"

    @property
    def _block(self) -> int:  # type: ignore[override]
        return FORMATS[self.format].block

    def _learn_layout(self, X: np.ndarray) -> None:
        self.multiple_ = 1
        shape = choose_image_shape(self.image_shape, self.n_features_in_)
        if self.layout == "files" or not any(side % self._block for side in shape):
            return
        X = X[:: -(-len(X) // min(_LAYOUT_ROWS, self.rows_of_chunk))]
        scores = {}
        for multiple in (1, self._block):
            self.multiple_ = multiple
            data = self._encode_chunk(X)
            restored = cast(self._decode_chunk(data, len(X)), self.dtype_)
            scores[multiple] = self._score(X, len(data), restored)
        self.multiple_ = max(scores, key=lambda multiple: scores[multiple])

    def _write(self, picture: np.ndarray) -> bytes:
        from PIL import Image

        file = io.BytesIO()
        parameters = FORMATS[self.format].parameters(self)
        Image.fromarray(picture).save(file, **parameters)
        return file.getvalue()

    def _read(self, data: bytes, size: tuple[int, int]) -> np.ndarray:
        from PIL import Image

        name = FORMATS[self.format].name
        try:
            # Reads the size; pixels take memory only after that is known to be right.
            with Image.open(io.BytesIO(data), formats=[name]) as image:
                if image.size == size[::-1]:
                    return np.asarray(image.convert("L"))
                found = "{1} x {0}".format(*image.size)
        except (*_DAMAGE, Image.DecompressionBombError) as error:
            raise BitstreamError(f"A {name} file cannot be read: {error}") from error
        raise BitstreamError(
            f"A {name} file of {found} pixels, expected {size[0]} x {size[1]}."
        )
