"""What a codec knows of the images that it has coded together."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from sklearn_dae.images import ImageSpec

#: Largest number of images in a chunk of an archive.
MAX_CHUNK_IMAGES = 65536

#: Largest number of values in it, unless it is a single image: a false claim can take
#: no more memory than that.
MAX_CHUNK_NUMBERS = 2**20

#: Numbers in it by default: 668 images of 28 x 28 pixels. Reading any of them takes ten
#: milliseconds, half of it for rANS. Half as many would take half that time, and a
#: percent more bytes, where an image has ten.
_CHUNK_NUMBERS = 2**19


def most_images_of_chunk(n_numbers: int) -> int:
    """Return how many images of ``n_numbers`` values a chunk of an archive may hold."""
    return max(1, min(MAX_CHUNK_IMAGES, MAX_CHUNK_NUMBERS // n_numbers))


def images_of_chunk(spec: ImageSpec, wanted: int | None = None) -> int:
    """Return how many images of a kind are coded together in an archive."""
    by_default = max(1, _CHUNK_NUMBERS // spec.n_numbers)
    return min(wanted or by_default, most_images_of_chunk(spec.n_numbers))


@dataclass(frozen=True, eq=False)
class CodedChunk:
    """Images coded together.

    Parameters
    ----------
    data : bytes
        What a decoder needs, besides the codec and the number of images.

    n_images : int
        Number of images.

    apart : ndarray of int, default=none
        Positions of the images that are unlike those the codec was trained on, and
        stored without loss.

    own_bits : callable, default=None
        Returns the bits that each image takes by itself: ndarray of shape (n_images,).
        None where a codec does not know them.
    """

    data: bytes
    n_images: int
    apart: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    own_bits: Callable[[], np.ndarray] | None = None

    @cached_property
    def n_bits(self) -> np.ndarray:
        """Bits of each image, its own and an equal share of all others.

        Shape (n_images,); together they are those of ``data``.
        """
        own = np.zeros(self.n_images) if self.own_bits is None else self.own_bits()
        return own + (8 * len(self.data) - own.sum()) / max(self.n_images, 1)
