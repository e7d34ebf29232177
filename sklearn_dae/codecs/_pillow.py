"""Images in the formats that Pillow writes: JPEG, JPEG 2000, WebP, AVIF, PNG."""

import io
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions

from sklearn_dae._fields import Fields
from sklearn_dae._scaling import cast
from sklearn_dae._validation import check_integer, check_real
from sklearn_dae.codecs._image_format import ImageFormatCodec
from sklearn_dae.codecs._images import Kind
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec


@dataclass(frozen=True)
class Format:
    """What Pillow must be told to write a format as small as it can.

    Parameters
    ----------
    name : str
        Pillow's name for the format.

    feature : str
        What `PIL.features` calls the library that it needs.

    settings : dict
        Parameters of `PIL.Image.Image.save`.

    lossless : dict, default=None
        Such further parameters for a lossless file. None if the format is never
        lossless.

    mosaic : dict
        Such further parameters, which make large pictures smaller, small ones larger.

    quality : float, default=None
        Default quality. None if the format has no quality.

    qualities : tuple of (low, high)
        Range of the quality.

    is_whole : bool
        Whether the quality is a whole number.

    effort : int, default=None
        Default effort. None if the format has no effort.

    most_effort : int
        Largest effort; the smallest is 0.

    block : int
        Side, in pixels, of the blocks that the format transforms independently, if all
        its blocks have one size.

    channels, exact, deep : tuple of int
        How many channels a picture may have: at all, without loss, and without loss if
        it has 16 bits.

    grey : dict
        Such further parameters for pictures of one channel.
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
    channels: tuple[int, ...] = (1, 3, 4)
    exact: tuple[int, ...] = ()
    deep: tuple[int, ...] = ()
    grey: dict[str, Any] = field(default_factory=dict)

    def parameters(self, codec: "PillowCodec", is_grey: bool) -> dict[str, Any]:
        """Parameters of `PIL.Image.Image.save`."""
        parameters = {"format": self.name, **self.settings}
        if is_grey:
            parameters |= self.grey
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
        # Some formats accept no integers but Python's own.
        return parameters | {"quality": int(quality) if self.is_whole else quality}


#: How each format is saved. AVIF minimises squared errors, which takes up to a sixth
#: less than its default at equal ones; its threads and tiles are fixed, so that the
#: bytes do not depend on the number of processors.
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
        channels=(1, 3),
    ),
    "jpeg2000": Format(
        "JPEG2000",
        "jpg_2000",
        # Colours are transformed to a brightness and two differences, if asked for.
        {"no_jp2": True, "irreversible": True, "quality_mode": "dB", "mct": 1},
        grey={"mct": 0},
        lossless={"irreversible": False},
        quality=40,
        qualities=(1, 100),
        exact=(1, 3, 4),
        deep=(1,),
    ),
    "webp": Format(
        "WEBP",
        "webp",
        # Exact keeps the colours of what is transparent, too.
        lossless={"lossless": True, "quality": 100, "exact": True},
        quality=80,
        effort=6,
        most_effort=6,
        exact=(1, 3, 4),
    ),
    "avif": Format(
        "AVIF",
        "avif",
        {"max_threads": 1, "autotiling": False, "advanced": {"tune": "psnr"}},
        grey={"subsampling": "4:0:0"},
        lossless={"quality": 100},
        quality=75,
        is_whole=True,
        effort=4,
        most_effort=10,
        exact=(1,),
    ),
    "png": Format(
        "PNG",
        "zlib",
        {"optimize": True},
        lossless={},
        channels=(1, 2, 3, 4),
        exact=(1, 2, 3, 4),
        deep=(1,),
    ),
}

#: Pillow's mode for bytes in a number of channels.
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}

#: Most training images used to choose a layout.
_LAYOUT_ROWS = 1000

#: What Pillow raises, or warns of, when a file is not what it seems.
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
    """Store images in an image format, through Pillow.

    The bytes of a chunk are Pillow's own: one file of all images side by side, or one
    file per image. Grey images are written in greyscale, in AVIF as 4:0:0; WebP has
    only colour, so its two colour channels stay empty.

    Parameters
    ----------
    format : {"jpeg", "jpeg2000", "webp", "avif", "png"}, default="jpeg"
        The format.

    quality : int or float, default=None
        In the format's own units: a whole number up to 100 for "jpeg" (from 1) and
        "avif" (from 0), any number from 0 to 100 for "webp"; the peak signal-to-noise
        ratio in decibels for "jpeg2000". None means 75, 75, 80 and 40, respectively.

    lossless : bool, default=False
        Whether to restore images exactly. "jpeg" cannot, "png" always does.

    effort : int, default=None
        How long "webp" (0 to 6) and "avif" (0 to 10, ten minus the speed) search. None
        means 6 and 4, the latter for the speed that Pillow uses by default: more effort
        costs AVIF much time to save a few percent of the bytes.

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
        The range that becomes 0 to 255. For uint8 without loss, or beyond 127 anywhere,
        it is 0 to 255, and the pixels are coded as they are; smaller pixels are
        multiplied by a whole number and divided again, since lossy formats quantise as
        if pixels went up to 255. For floats it is the range of the training images.
        Values outside it are clipped.

    multiple_ : int
        Images in a mosaic are padded, both ways, to a multiple of this many pixels by
        repeating the edge. 8 for "jpeg" if that improves its `score` on the training
        images: images then share no block. 1 otherwise.

    n_features_in_ : int
        Number of values in a row.

    dtype_ : dtype
        Dtype of the rows seen in `fit`, and of what `decode` returns.

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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **ImageFormatCodec._parameter_constraints,
        "format": [StrOptions({*FORMATS})],
        "lossless": ["boolean"],
    }
    _stored_fields: ClassVar[Fields] = {}

    def __init__(
        self,
        format: str = "jpeg",  # noqa: A002 - as in PIL.Image.Image.save
        *,
        quality: float | None = None,
        lossless: bool = False,
        effort: int | None = None,
        layout: str = "mosaic",
        image_shape: tuple[int, ...] | None = None,
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
        if self._keeps_numbers:
            raise ValueError(
                f"quality == {self.quality!r}, but {self.format!r} is to be written "
                "without loss: leave quality at None."
            )
        check = check_integer if known.is_whole else check_real
        check("quality", self.quality, *known.qualities)

    @property
    def packages(self) -> tuple[str, ...]:
        return ("Pillow",)

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
    def _keeps_numbers(self) -> bool:
        return self.lossless or self.format == "png"

    @property
    def _block(self) -> int:  # type: ignore[override]
        return FORMATS[self.format].block

    def _learn_layout(self, kind: Kind) -> None:
        self.multiple_ = 1
        spec = self._coded_spec(kind.spec)
        sides = spec.height, spec.width
        if self.layout == "files" or not any(side % self._block for side in sides):
            return
        most = min(_LAYOUT_ROWS, self.images_of_chunk(spec))
        X = kind.rows[:: -(-len(kind.rows) // most)].astype(spec.dtype, copy=False)
        scores = {}
        for multiple in (1, self._block):
            self.multiple_ = multiple
            data = self._encode_chunk(X, spec).data
            restored = cast(self._decode_chunk(data, len(X), spec), spec.dtype)
            scores[multiple] = self._score(X, len(data), restored, len(X))
        self.multiple_ = max(scores, key=lambda multiple: scores[multiple])

    def _takes(self, spec: ImageSpec) -> bool:
        known = FORMATS[self.format]
        if spec.dtype == np.uint16:
            return self._keeps_numbers and spec.channels in known.deep
        channels = known.exact if self._keeps_numbers else known.channels
        return spec.dtype == np.uint8 and spec.channels in channels

    def _write(self, picture: np.ndarray) -> bytes:
        from PIL import Image

        file = io.BytesIO()
        parameters = FORMATS[self.format].parameters(self, picture.ndim == 2)
        Image.fromarray(picture).save(file, **parameters)
        return file.getvalue()

    def _read(self, data: bytes, spec: ImageSpec) -> np.ndarray:
        from PIL import Image

        name = FORMATS[self.format].name
        try:
            # This reads the size; only once that is right do pixels take memory.
            with Image.open(io.BytesIO(data), formats=[name]) as image:
                if image.size == (spec.width, spec.height):
                    is_deep = spec.dtype == np.uint16
                    shown = image if is_deep else image.convert(_MODES[spec.channels])
                    return np.asarray(shown, spec.dtype).reshape(spec.shape)
                found = "{1} x {0}".format(*image.size)
        except (*_DAMAGE, Image.DecompressionBombError) as error:
            raise BitstreamError(f"A {name} file cannot be read: {error}") from error
        raise BitstreamError(
            f"A {name} file of {found} pixels, expected {spec.height} x {spec.width}."
        )
