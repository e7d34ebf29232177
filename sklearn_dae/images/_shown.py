"""Images as they are shown: colours instead of their numbers, upright, or in grey."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from sklearn_dae.images._image_file import ImageFile, Reader, are_equal, same_specs
from sklearn_dae.images._spec import ImageSpec

#: Weights of red, green and blue in units of 2**-16, of ITU-R BT.601, as Pillow has
#: them.
_WEIGHTS = np.array([19595, 38470, 7471], np.uint64)

#: Largest numbers of 1, 2 and 4 bits; times a whole number they make a byte.
_FEW_BITS = (1, 3, 15)

#: How EXIF says that an image is turned: whether rows and columns are exchanged, and
#: then in which steps rows, and columns, are gone through.
_TURNS = {
    1: (False, 1, 1),
    2: (False, 1, -1),
    3: (False, -1, -1),
    4: (False, -1, 1),
    5: (True, 1, 1),
    6: (True, 1, -1),
    7: (True, -1, -1),
    8: (True, -1, 1),
}


def shown_file(file: ImageFile) -> ImageFile:
    """Return a file whose pixels, without anything else, are what is shown.

    Numbers of a palette become its colours, a colour that stands for transparency
    becomes a channel of opacity, numbers of 1, 2 and 4 bits bytes, and images are
    turned upright; all when they are read. Nothing that can be seen is lost by it.
    """
    specs = _changed(file.specs, lambda spec: _shown_spec(file, spec))
    if specs == tuple(file.specs) and file.orientation == 1:
        return file

    return replace(
        file,
        specs=specs,
        reader=ShownReader(file),
        palette=None,
        transparent=None,
        orientation=1,
    )


class ShownReader(Reader):
    """Reads the images of a file as they are shown."""

    __slots__ = ("_file",)

    def __init__(self, file: ImageFile) -> None:
        self._file = file

    def read(self, file: ImageFile, number: int) -> np.ndarray:
        """Return an image."""
        return self._shown(self._file.read(number), self._file.specs[number])

    def images(self, file: ImageFile) -> Iterator[np.ndarray]:
        """Yield all images."""
        return map(self._shown, self._file.images(), self._file.specs)

    def _shown(self, pixels: np.ndarray, spec: ImageSpec) -> np.ndarray:
        file = self._file
        if file.palette is not None:
            pixels = file.palette[np.minimum(pixels, len(file.palette) - 1)]
        else:
            if file.transparent is not None:
                pixels = _with_opacity(pixels, spec, file.transparent)
            pixels = pixels * pixels.dtype.type(_factor(spec))
        exchanged, rows, columns = _TURNS[file.orientation]
        pixels = pixels.swapaxes(0, 1) if exchanged else pixels
        return np.ascontiguousarray(pixels[::rows, ::columns])


class GreyReader(Reader):
    """Reads the images of a file in grey."""

    __slots__ = ("_file",)

    def __init__(self, file: ImageFile) -> None:
        self._file = file

    def read(self, file: ImageFile, number: int) -> np.ndarray:
        """Return an image."""
        return to_grey(self._file.read(number))

    def images(self, file: ImageFile) -> Iterator[np.ndarray]:
        """Yield all images."""
        return map(to_grey, self._file.images())


def _with_opacity(
    pixels: np.ndarray, spec: ImageSpec, transparent: tuple[int, ...]
) -> np.ndarray:
    """Add a channel that is zero where pixels have a colour, and else its largest."""
    pixels = pixels.reshape(spec.height, spec.width, spec.channels)
    is_opaque = (pixels != transparent).any(axis=2, keepdims=True)
    highest = (spec.range or (0, 1))[1]
    return np.concatenate([pixels, is_opaque * spec.dtype.type(highest)], axis=2)


def _factor(spec: ImageSpec) -> int:
    """Return what makes bytes of numbers of few bits; 1 for others."""
    highest = int((spec.range or (0, 0))[1])
    is_few = spec.dtype == np.uint8 and highest in _FEW_BITS
    return 255 // highest if is_few else 1


def _shown_spec(file: ImageFile, spec: ImageSpec) -> ImageSpec:
    if file.palette is not None:
        spec = ImageSpec(spec.height, spec.width, file.palette.shape[1])
    elif file.transparent is not None:
        spec = replace(spec, channels=spec.channels + 1)
    if _factor(spec) > 1:
        spec = replace(spec, range=None)
    if _TURNS[file.orientation][0]:
        spec = replace(spec, height=spec.width, width=spec.height)
    return spec


def grey_file(file: ImageFile) -> ImageFile:
    """Return a file whose images are grey, converted when they are read."""
    if all(spec.channels == 1 for spec in file.specs):
        return file

    specs = _changed(file.specs, _grey_spec)
    return replace(file, specs=specs, reader=GreyReader(file))


def _changed(
    specs: Sequence[ImageSpec], change: Callable[[ImageSpec], ImageSpec]
) -> tuple[ImageSpec, ...]:
    """Change each spec, those that are equal only once."""
    if are_equal(specs):
        return same_specs(change(specs[0]), len(specs))
    changed = {spec: same_specs(change(spec))[0] for spec in set(specs)}
    return tuple(changed[spec] for spec in specs)


def to_grey(pixels: np.ndarray) -> np.ndarray:
    """Convert pixels of shape (height, width, channels); white shines through.

    Parameters
    ----------
    pixels : ndarray of unsigned integers of shape (height, width, channels)
        Grey or red, green and blue, and perhaps how opaque each pixel is.

    Returns
    -------
    ndarray of shape (height, width)
        Of the same dtype.
    """
    if pixels.ndim == 2:
        return pixels
    highest = np.uint64(np.iinfo(pixels.dtype).max)
    numbers = pixels.astype(np.uint64)
    if pixels.shape[2] >= 3:
        grey = (numbers[..., :3] @ _WEIGHTS + np.uint64(2**15)) >> np.uint64(16)
    else:
        grey = numbers[..., 0]
    if pixels.shape[2] in (2, 4):
        opacity = numbers[..., -1]
        mixed = grey * opacity + highest * (highest - opacity)
        grey = (mixed + highest // np.uint64(2)) // highest
    return grey.astype(pixels.dtype)


def _grey_spec(spec: ImageSpec) -> ImageSpec:
    if spec.channels > 1 and spec.dtype.kind != "u":
        raise ValueError(
            f"Images of {spec} cannot be turned to grey: expected colours of 8 or 16 "
            "bits."
        )
    return replace(spec, channels=1)
