"""What the numbers of an image mean: what they look like when they are shown.

Codecs see the numbers that are stored. What is lost of them, or measured, should be of
what people see; `_shown` makes that of them, as an `Appearance` says.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

#: Kinds of colours, by TIFF's names, that are neither grey nor RGB but can be shown.
WHITE_IS_ZERO, CMYK, YCBCR = "WhiteIsZero", "CMYK", "YCbCr"


@dataclass(frozen=True, slots=True, eq=False)
class Appearance:
    """How an image is to be shown.

    Parameters
    ----------
    photometric : str, default=""
        What its channels are: `WHITE_IS_ZERO`, `CMYK`, or `YCBCR` with all of the
        range, as JFIF has it. Empty for grey or RGB, perhaps with opacity. Any other
        name, such as "CIELab", is of colours that this package does not show.

    palette : ndarray of uint8 of shape (n_colours, 3 or 4), default=None
        The colours, where pixels are numbers of colours; there is nothing between two
        of them.

    transparent : tuple of int, default=None
        The colour, a number for each channel, whose pixels are transparent.

    orientation : int, default=1
        How it is to be turned, as EXIF says it.
    """

    photometric: str = ""
    palette: np.ndarray | None = None
    transparent: tuple[int, ...] | None = None
    orientation: int = 1

    @property
    def key(self) -> tuple[object, ...]:
        """What two of them have in common that look alike."""
        palette = None if self.palette is None else self.palette.tobytes()
        return self.photometric, palette, self.transparent, self.orientation


#: That of most images: grey or RGB, upright.
PLAIN = Appearance()


def shared(appearances: Iterable[Appearance]) -> tuple[Appearance, ...]:
    """Return the appearance of each image of a file; a single one if all look alike."""
    known = {PLAIN.key: PLAIN}
    found = tuple(known.setdefault(one.key, one) for one in appearances)
    return found[:1] if len(set(map(id, found))) == 1 else found
