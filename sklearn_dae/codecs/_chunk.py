"""What a codec knows of the images that it has coded together."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np


@dataclass(frozen=True, eq=False)
class CodedChunk:
    """Images coded together.

    Parameters
    ----------
    data : bytes
        What a decoder needs, besides the codec and the number of images.

    n_bits : ndarray of shape (n_images,)
        Bits that each image takes. Together they are those of ``data``.

    apart : ndarray of int, default=none
        Positions of the images that are unlike those the codec was trained on, and
        stored without loss.
    """

    data: bytes
    n_bits: np.ndarray
    apart: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    @classmethod
    def share_out(
        cls, data: bytes, own_bits: np.ndarray, apart: np.ndarray | None = None
    ) -> Self:
        """Give each image the bits of its own, and an equal share of the others.

        Parameters
        ----------
        data : bytes
            The chunk.

        own_bits : ndarray of shape (n_images,)
            Bits of each image alone; zeros where that is not known.

        apart : ndarray of int, default=None
            Positions of images stored without loss.
        """
        n_images = max(len(own_bits), 1)
        n_bits = own_bits + (8 * len(data) - own_bits.sum()) / n_images
        return cls(data, n_bits) if apart is None else cls(data, n_bits, apart)
