"""What a codec knows of the images that it has coded together."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np


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
