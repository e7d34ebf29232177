"""Pixels predicted from what a set of images has in common.

In: the images that stand for the set, and the pixels to the left and above. Out: a
prediction, and the direction in which differences from it are counted. All in whole
numbers.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

#: Bits of a level: how far a pixel is on the way from the smallest to the largest.
_LEVEL_BITS = 16


class SetPredictor(NamedTuple):
    """Predicts the pixels of an image.

    Before the first pixel is one that every image has: the smallest, or the centroid's.
    It is the last entry of all pixel arrays here.

    Parameters
    ----------
    method : {"min_max_differential", "min_max_predictive", "centroid"}
        The method.

    references : ndarray of int64 of shape (1 or 2, n_pixels + 1)
        The smallest and the largest pixel at each place, or the centroid.

    neighbours : ndarray of int of shape (3, n_pixels)
        Places of the pixels to the left of each pixel, above it, and above to the left.
        In the first row all three are the pixel to the left, in the first column the
        pixel above, and for the first pixel the last entry.

    limits : tuple of (low, high)
        Smallest and largest prediction.
    """

    method: str
    references: np.ndarray
    neighbours: np.ndarray
    limits: tuple[int, int]

    @classmethod
    def make(
        cls,
        method: str,
        references: np.ndarray,
        shape: tuple[int, int],
        limits: tuple[int, int],
    ) -> "SetPredictor":
        """Make a predictor from images of shape (1 or 2, height * width)."""
        height, width = shape
        places = np.arange(height * width).reshape(shape)
        neighbours = np.full((3, *shape), places.size)
        neighbours[:, 0, 1:] = places[0, :-1]
        neighbours[:, 1:, 0] = places[:-1, 0]
        neighbours[0, 1:, 1:] = places[1:, :-1]
        neighbours[1, 1:, 1:] = places[:-1, 1:]
        neighbours[2, 1:, 1:] = places[:-1, :-1]
        padded = np.concatenate([references, references[:, :1]], axis=1)
        return cls(method, padded.astype(np.int64), neighbours.reshape(3, -1), limits)

    @property
    def before(self) -> int:
        """The pixel before the first."""
        return int(self.references[0, -1])

    def predict(
        self, place: np.ndarray | int, neighbours: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray | int]:
        """Predict pixels.

        Parameters
        ----------
        place : ndarray of int or int
            Places of the pixels.

        neighbours : sequence of 3 ndarrays of int64
            The neighbours of each; the last axis is that of the places, if there are
            several.

        Returns
        -------
        predictions : ndarray of int64
            Predictions.

        directions : ndarray of int64, or int
            1 where differences are counted upwards, -1 where downwards.
        """
        at = self.neighbours[:, place]
        if self.method == "centroid":
            (centroid,) = self.references
            off = [
                pixels - centroid[there]
                for pixels, there in zip(neighbours, at, strict=True)
            ]
            return np.clip(centroid[place] + _median(*off), *self.limits), 1
        low, high = self.references
        if self.method == "min_max_differential":
            downwards = 2 * neighbours[0] > low[at[0]] + high[at[0]]
            predictions = np.where(downwards, high[place], low[place])
            return predictions, 1 - 2 * downwards.astype(np.int64)
        levels = [
            self._level(there, pixels)
            for pixels, there in zip(neighbours, at, strict=True)
        ]
        half = 1 << (_LEVEL_BITS - 1)
        span = high[place] - low[place]
        return low[place] + (_median(*levels) * span + half >> _LEVEL_BITS), 1

    def _level(self, place: np.ndarray | int, pixels: np.ndarray) -> np.ndarray:
        """Return where pixels lie between smallest and largest at their place."""
        low, high = self.references
        span = np.maximum(high[place] - low[place], 1)
        above_low = np.clip(pixels - low[place], 0, span)
        return (above_low << _LEVEL_BITS) // span


def _median(left: np.ndarray, above: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """Predict from neighbours as JPEG-LS does: on their plane, within their range."""
    low, high = np.minimum(left, above), np.maximum(left, above)
    return np.clip(left + above - corner, low, high)
