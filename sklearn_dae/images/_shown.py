"""Images as they are shown: colours instead of their numbers, upright, or in grey."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from sklearn_dae.images._appearance import PLAIN, Appearance
from sklearn_dae.images._colours import (
    grey_spec,
    rgb_spec,
    to_grey,
    to_rgb,
    with_opacity,
)
from sklearn_dae.images._image_file import (
    ImageFile,
    Reader,
    Unreadable,
    are_equal,
    same_specs,
)
from sklearn_dae.images._spec import ImageSpec

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

    Numbers of a palette become its colours, CMYK and YCbCr become RGB, grey whose zero
    is white is turned round, a colour that stands for transparency becomes a channel of
    opacity, numbers of 1, 2 and 4 bits bytes, and images are turned upright; all when
    they are read.

    Raises
    ------
    Unreadable
        If the file has colours of another kind.
    """
    if len(file.appearances) == 1:
        (one,) = file.appearances
        specs = _changed(file.specs, lambda spec: _shown_spec(file, spec, one))
    else:
        pairs = zip(file.specs, file.appearances, strict=True)
        changed = (_shown_spec(file, *pair) for pair in pairs)
        specs = tuple(same_specs(spec)[0] for spec in changed)
    if specs == tuple(file.specs) and all(one is PLAIN for one in file.appearances):
        return file
    return replace(file, specs=specs, reader=ShownReader(file), appearances=(PLAIN,))


class ShownReader(Reader):
    """Reads the images of a file as they are shown."""

    __slots__ = ("_file",)

    def __init__(self, file: ImageFile) -> None:
        self._file = file

    def read(self, file: ImageFile, number: int) -> np.ndarray:
        """Return an image."""
        return self._shown(self._file.read(number), number)

    def images(self, file: ImageFile) -> Iterator[np.ndarray]:
        """Yield all images."""
        return map(self._shown, self._file.images(), range(len(file)))

    def _shown(self, pixels: np.ndarray, number: int) -> np.ndarray:
        spec, look = self._file.specs[number], self._file.appearance_of(number)
        if look.palette is not None:
            pixels = look.palette[np.minimum(pixels, len(look.palette) - 1)]
        else:
            pixels = to_rgb(pixels, spec, look.photometric)
            if look.transparent is not None:
                pixels = with_opacity(pixels, spec, look.transparent)
            pixels = pixels * pixels.dtype.type(_factor(spec))
        exchanged, rows, columns = _TURNS[look.orientation]
        pixels = pixels.swapaxes(0, 1) if exchanged else pixels
        return np.ascontiguousarray(pixels[::rows, ::columns])


def _factor(spec: ImageSpec) -> int:
    """Return what makes bytes of numbers of few bits; 1 for others."""
    highest = int((spec.range or (0, 0))[1])
    is_few = spec.dtype == np.uint8 and highest in _FEW_BITS
    return 255 // highest if is_few else 1


def _shown_spec(file: ImageFile, spec: ImageSpec, look: Appearance) -> ImageSpec:
    shown = rgb_spec(spec, look.photometric)
    is_number = spec.channels == 1 and spec.dtype.kind == "u"
    if shown is None or (look.palette is not None and not is_number):
        kind = "a palette" if look.palette is not None else look.photometric
        raise Unreadable(
            "unknown kind of colours",
            f"{kind} in {spec.channels} channels of {spec.dtype} cannot be shown; "
            "convert it to RGB, leave it out, or store it without loss",
            file.location,
        )
    if look.palette is not None:
        shown = ImageSpec(spec.height, spec.width, look.palette.shape[1])
    elif look.transparent is not None:
        shown = replace(shown, channels=spec.channels + 1)
    if _factor(shown) > 1:
        shown = replace(shown, range=None)
    if _TURNS[look.orientation][0]:
        shown = replace(shown, height=spec.width, width=spec.height)
    return shown


class GreyReader(Reader):
    """Reads the images of a file in grey."""

    __slots__ = ("_file",)

    def __init__(self, file: ImageFile) -> None:
        self._file = file

    def read(self, file: ImageFile, number: int) -> np.ndarray:
        """Return an image."""
        return self._grey(self._file.read(number), self._file.specs[number])

    def images(self, file: ImageFile) -> Iterator[np.ndarray]:
        """Yield all images."""
        return map(self._grey, self._file.images(), self._file.specs)

    @staticmethod
    def _grey(pixels: np.ndarray, spec: ImageSpec) -> np.ndarray:
        return to_grey(pixels, int((spec.range or (0, 0))[1]))


def grey_file(file: ImageFile) -> ImageFile:
    """Return a file whose images are grey, converted when they are read."""
    if all(spec.channels == 1 for spec in file.specs):
        return file

    specs = _changed(file.specs, grey_spec)
    return replace(file, specs=specs, reader=GreyReader(file))


def _changed(
    specs: Sequence[ImageSpec], change: Callable[[ImageSpec], ImageSpec]
) -> tuple[ImageSpec, ...]:
    """Change each spec, those that are equal only once."""
    if are_equal(specs):
        return same_specs(change(specs[0]), len(specs))
    changed = {spec: same_specs(change(spec))[0] for spec in set(specs)}
    return tuple(changed[spec] for spec in specs)
