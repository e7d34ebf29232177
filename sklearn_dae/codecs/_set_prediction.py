"""Pixels predicted from what a set of images has in common.

In: the images that stand for the set, and the pixels to the left and above. Out: a
prediction, and the direction in which differences from it are counted. All in whole
numbers.
"""

from typing import NamedTuple

import numpy as np

#: A level is so many bits of the way from the smallest to the largest pixel.
_LEVEL_BITS = 16


class SetPredictor(NamedTuple):
    """Predicts the pixels of an image.

    Before the first pixel is one that any image has: the smallest, or the centroid's.
    It is the last entry of all arrays of pixels here.

    Parameters
    ----------
    method : {"min_max_differential", "min_max_predictive", "centroid"}
        The method.

    references : ndarray of int64 of shape (1 or 2, n_pixels + 1)
        The smallest and the largest pixel at each place, or the centroid.

    left, above : ndarray of int of shape (n_pixels,)
        Place of the pixel to the left of each, and of that above; where there is no
        such pixel, the other one, and for the first pixel the last entry.

    limits : tuple of (low, high)
        Smallest and largest prediction.
    """

    method: str
    references: np.ndarray
    left: np.ndarray
    above: np.ndarray
    limits: tuple[int, int]

    @classmethod
    def make(
        cls,
        method: str,
        references: np.ndarray,
        shape: tuple[int, int],
        limits: tuple[int, int],
    ) -> "SetPredictor":
        """Make it from images of shape (1 or 2, height * width)."""
        height, width = shape
        places = np.arange(height * width).reshape(shape)
        left, above = np.full((2, *shape), places.size)
        left[:, 1:], above[1:] = places[:, :-1], places[:-1]
        left[1:, 0], above[0, 1:] = above[1:, 0], left[0, 1:]
        padded = np.concatenate([references, references[:, :1]], axis=1)
        return cls(
            method, padded.astype(np.int64), left.ravel(), above.ravel(), limits
        )

    @property
    def before(self) -> int:
        """The pixel before the first."""
        return int(self.references[0, -1])

    def predict(
        self, place: np.ndarray | int, left: np.ndarray, above: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | int]:
        """Predict pixels.

        Parameters
        ----------
        place : ndarray of int or int
            Their places.

        left, above : ndarray of int64
            The pixels at the places ``left`` and ``above`` of each; their last axis
            is that of the places, if there are several.

        Returns
        -------
        predictions : ndarray of int64
            Predictions.

        directions : ndarray of int64, or int
            1 where differences are counted upwards, -1 where downwards.
        """
        at_left, at_above = self.left[place], self.above[place]
        if self.method == "centroid":
            (centroid,) = self.references
            off = left - centroid[at_left] + (above - centroid[at_above])
            return np.clip(centroid[place] + (off + 1 >> 1), *self.limits), 1
        low, high = self.references
        if self.method == "min_max_differential":
            downwards = 2 * left > low[at_left] + high[at_left]
            predictions = np.where(downwards, high[place], low[place])
            return predictions, 1 - 2 * downwards.astype(np.int64)
        level = self._level(at_left, left) + self._level(at_above, above) >> 1
        half = 1 << (_LEVEL_BITS - 1)
        span = high[place] - low[place]
        return low[place] + (level * span + half >> _LEVEL_BITS), 1

    def _level(self, place: np.ndarray | int, pixels: np.ndarray) -> np.ndarray:
        """Where pixels are between the smallest and the largest at their place."""
        low, high = self.references
        span = np.maximum(high[place] - low[place], 1)
        above_low = np.clip(pixels - low[place], 0, span)
        return (above_low << _LEVEL_BITS) // span
