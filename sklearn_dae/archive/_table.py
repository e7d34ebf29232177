"""Which chunk an image is in, and which of its images it is.

In: what the chunks of an archive say that they hold. Out: the place of any image, what
it is, and which numbers no chunk has.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from sklearn_dae.archive._contents import Files, Images, Kept
from sklearn_dae.archive._index import Place
from sklearn_dae.images import ImageSpec


class Run(NamedTuple):
    """Consecutive images in a chunk.

    Parameters
    ----------
    start, stop : int
        Their numbers.

    spec : ImageSpec
        What each of them is.

    chunk : int
        Position of the chunk among those that are present.

    offset : int
        Which image of the chunk, or of the kept file, is the first one.
    """

    start: int
    stop: int
    spec: ImageSpec
    chunk: int
    offset: int


class Table:
    """The places of all images.

    Its memory does not grow with the number of images, but with that of their runs.

    Parameters
    ----------
    places : sequence of Place
        The chunks.

    Attributes
    ----------
    n_images, n_there : int
        Number of images, as far as the chunks know, and of those that are in one.

    runs : list of Run
        In the order of their images.
    """

    def __init__(self, places: Sequence[Place]) -> None:
        self.runs: list[Run] = []
        self.n_images = 0
        for chunk, place in enumerate(places):
            contents = place.contents
            if isinstance(contents, Files):
                end = contents.first_image + contents.n_images
                self.n_images = max(self.n_images, end)
            elif isinstance(contents, Images):
                offset = 0
                for start, stop in contents.runs:
                    self.runs.append(Run(start, stop, contents.spec, chunk, offset))
                    offset += stop - start
            elif isinstance(contents, Kept):
                start = contents.first_image
                for spec, n in contents.specs:
                    offset = start - contents.first_image
                    self.runs.append(Run(start, start + n, spec, chunk, offset))
                    start += n
        self.runs.sort(key=lambda run: run[:2])
        self._starts = [run.start for run in self.runs]
        self._ends = np.array([run.stop for run in self.runs], np.int64)
        self.n_images = max(self.n_images, int(self._ends.max(initial=0)))
        self.n_there = sum(run.stop - run.start for run in self.runs)

    def find(self, number: int) -> Run | None:
        """Return the run that an image is in, or None if no chunk has it."""
        at = bisect_right(self._starts, number) - 1
        if at < 0 or number >= self.runs[at].stop:
            return None
        return self.runs[at]

    def runs_of(self, numbers: np.ndarray) -> np.ndarray:
        """Return the positions of the runs that images are in, -1 for no run."""
        starts = np.array(self._starts, np.int64)
        at = np.searchsorted(starts, numbers, side="right") - 1
        at[numbers >= np.append(self._ends, -1)[at]] = -1
        return at

    def numbers(self) -> np.ndarray:
        """Return the numbers of all images that a chunk has, in ascending order."""
        parts = [np.arange(run.start, run.stop) for run in self.runs]
        return np.unique(np.concatenate([np.empty(0, np.int64), *parts]))

    def missing(self) -> Iterator[range]:
        """Yield the numbers of images that no chunk has."""
        at = 0
        for run in self.runs:
            if at < run.start:
                yield range(at, run.start)
            at = max(at, run.stop)
        if at < self.n_images:
            yield range(at, self.n_images)

    def specs(self) -> dict[ImageSpec, int]:
        """Return the number of images of each kind."""
        counts: dict[ImageSpec, int] = {}
        for run in self.runs:
            counts[run.spec] = counts.get(run.spec, 0) + run.stop - run.start
        return counts


def numbers_of(place: Place) -> np.ndarray:
    """Return the numbers of the images in a chunk, in ascending order."""
    contents = place.contents
    runs: Sequence[tuple[int, int]] = ()
    if isinstance(contents, Images):
        runs = contents.runs
    elif isinstance(contents, Kept):
        runs = [(contents.first_image, contents.first_image + contents.n_images)]
    parts = [np.arange(start, stop) for start, stop in runs]
    return np.concatenate([np.empty(0, np.int64), *parts])
