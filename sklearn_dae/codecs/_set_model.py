"""What a set of images of one size has in common, and how its images differ from it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from sklearn_dae._fields import (
    TEXT,
    Fields,
    array,
    expect_equal,
    image_shape,
    instance,
    number,
)
from sklearn_dae.codecs._residuals import n_symbols, to_symbols, wrap
from sklearn_dae.codecs._set_prediction import SetPredictor
from sklearn_dae.coding import FrequencyTables
from sklearn_dae.coding._tables import check_all_codable

#: Numbers that are processed at once in learning.
_BLOCK_NUMBERS = 2**21

#: Bounds, an octave apart, of the mean difference from the prediction: places of an
#: image between the same two bounds share a table.
_CLASS_BOUNDS = 2.0 ** np.arange(-8, 17)

#: What a sighting of a symbol counts, where a symbol never seen counts 1.
_SEEN = 16


@dataclass(frozen=True, eq=False)
class SetModel:
    """A set of images of one size, as a codec knows it.

    Parameters
    ----------
    method : str
        How a pixel is predicted.

    shape : tuple of (height, width)
        Size of the images.

    references : ndarray of shape (2, n_pixels) or (1, n_pixels)
        The smallest and the largest pixel at each place, or the rounded mean.

    low, high : float
        Smallest and largest prediction.

    classes : ndarray of uint8 of shape (n_pixels,)
        The table used at each place.

    tables : FrequencyTables
        The frequency tables of the differences from the prediction.
    """

    method: str
    shape: tuple[int, int]
    references: np.ndarray
    low: float
    high: float
    classes: np.ndarray
    tables: FrequencyTables

    _stored_fields: ClassVar[Fields] = {
        "method": TEXT,
        "shape": image_shape,
        "references": array("references", "pixels", kinds="iu"),
        "low": number(),
        "high": number(),
        "classes": array("pixels", kinds="u"),
        "tables": instance(FrequencyTables),
    }

    def _check_stored(self) -> None:
        references, tables = self.references, self.tables
        n_references = 1 if self.method == "centroid" else 2
        expect_equal("References", len(references), n_references)
        if (references[0] > references[-1]).any():
            raise ValueError("A smallest pixel is larger than the largest")
        expect_equal("Pixels of an image", self.classes.size, math.prod(self.shape))
        expect_equal("Type of the classes", self.classes.dtype, np.uint8)
        last = self.classes.max()
        if last >= len(tables):
            raise ValueError(f"A place has table {last} of {len(tables)}")
        check_all_codable(tables, n_symbols(self.n_bits))

    @classmethod
    def learn(
        cls,
        method: str,
        X: np.ndarray,
        shape: tuple[int, int],
        limits: tuple[float, float],
    ) -> Self:
        """Learn from images as rows."""
        if method == "centroid":
            references = np.rint(X.mean(axis=0, keepdims=True)).astype(X.dtype)
        else:
            references = np.stack([X.min(axis=0), X.max(axis=0)])
        low, high = limits
        n_bits = 8 * references.dtype.itemsize
        predictor = SetPredictor.make(method, references, shape, (int(low), int(high)))
        sums = np.zeros(X.shape[1])
        for differences in _differences(predictor, X, n_bits):
            sums += np.abs(differences).sum(axis=0)
        classes = np.digitize(sums / len(X), _CLASS_BOUNDS)
        used, numbers = np.unique(classes, return_inverse=True)
        n = n_symbols(n_bits)
        counts = np.zeros(len(used) * n, np.int64)
        for differences in _differences(predictor, X, n_bits):
            symbols, _ = to_symbols(differences, n_bits)
            places = symbols + n * numbers.astype(np.int64)
            counts += np.bincount(places.ravel(), minlength=counts.size)
        tables = FrequencyTables.from_counts(
            list(_SEEN * counts.reshape(-1, n)), precision=16, pseudo_count=1
        )
        numbers = numbers.astype(np.uint8)
        return cls(method, shape, references, low, high, numbers, tables)

    @property
    def n_bits(self) -> int:
        """Bits of a pixel."""
        return 8 * self.references.dtype.itemsize

    @property
    def _predictor(self) -> SetPredictor:
        limits = int(self.low), int(self.high)
        return SetPredictor.make(self.method, self.references, self.shape, limits)

    def differences(self, X: np.ndarray) -> np.ndarray:
        """Return how images, as rows, differ from their prediction."""
        parts = list(_differences(self._predictor, X, self.n_bits))
        return np.concatenate([np.empty((0, X.shape[1]), np.int64), *parts])

    def restore(self, differences: np.ndarray) -> np.ndarray:
        """Undo `differences`, whose rows are here the columns."""
        predictor = self._predictor
        dtype = self.references.dtype
        lowest, mask = int(np.iinfo(dtype).min), (1 << self.n_bits) - 1
        pixels = np.empty((len(differences) + 1, differences.shape[1]), np.int64)
        pixels[-1] = predictor.before
        for place, difference in enumerate(differences):
            neighbours = pixels[predictor.neighbours[:, place]]
            prediction, direction = predictor.predict(place, neighbours)
            restored = prediction + direction * difference
            pixels[place] = (restored - lowest & mask) + lowest
        return pixels[:-1].T.astype(dtype)

    @property
    def least_bits(self) -> float:
        """Bits that an image takes at least, by the tables."""
        least = np.array([16 - np.log2(table.max()) for table in self.tables])
        return float(least[self.classes].sum())


def _differences(
    predictor: SetPredictor, X: np.ndarray, n_bits: int
) -> Iterator[np.ndarray]:
    """Yield how rows differ from their prediction, some rows at a time."""
    n_rows = max(1, _BLOCK_NUMBERS // X.shape[1])
    places = np.arange(X.shape[1])
    for start in range(0, len(X), n_rows):
        part = X[start : start + n_rows]
        pixels = np.empty((len(part), X.shape[1] + 1), np.int64)
        pixels[:, :-1], pixels[:, -1] = part, predictor.before
        neighbours = [pixels[:, before] for before in predictor.neighbours]
        predictions, directions = predictor.predict(places, neighbours)
        yield wrap(directions * (pixels[:, :-1] - predictions), n_bits)
