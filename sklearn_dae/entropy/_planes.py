"""Where the samples of images lie while they are coded, and in which order.

In: how many images of which sizes. Out: for each step, the samples that are coded in
it, and where to look for what is around them.

A *plane* is one channel of one image, a *lane* one row of one plane. Lanes go from left
to right in lockstep, each three steps behind the row above it, so that of that row two
more samples to the right are known. A channel follows those before it, and an image the
one before it where that is looked at, far enough behind for all eight neighbours of the
same place to be known. So a step has samples of many rows of all images.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

#: How far around a sample one may look: above it, to the left and to the right.
REACH = 3

#: Distances of the places of a margin to the left and right.
_MARGIN = np.arange(1, REACH + 1)

#: Steps by which a row follows the one above it, and by which a plane follows another
#: of which all neighbours of a place are looked at.
_ROW_LAG, _PLANE_LAG = 3, 5


class Stack(NamedTuple):
    """Images that are coded together: how many, and what each of them is."""

    n_images: int
    height: int
    width: int
    channels: int

    @property
    def n_samples(self) -> int:
        """Number of samples of all images."""
        return self.n_images * self.height * self.width * self.channels

    @property
    def n_steps(self) -> int:
        """Steps that it takes, about: channels and images in a series add a few."""
        return self.width + _ROW_LAG * self.height

    @property
    def n_rows(self) -> int:
        """Number of rows of a channel of all images."""
        return self.n_images * self.height

    @property
    def _shape(self) -> tuple[int, int, int, int]:
        """Shape of all planes with margins above and below, to the left and right."""
        height, width = self.height + REACH + 1, self.width + 2 * REACH
        return self.n_images, self.channels, height, width


class Samples(NamedTuple):
    """Samples of some lanes, channel by channel; those of a step are independent.

    Parameters
    ----------
    at : ndarray of int of shape (n,)
        Where each lies in a canvas.

    lanes : ndarray of int of shape (n,)
        The lane of each.

    bounds : list of int of length n_channels + 1
        Where the samples of each channel begin, and where the last ones end.
    """

    at: np.ndarray
    lanes: np.ndarray
    bounds: list[int]

    @property
    def of_channels(self) -> list[slice]:
        """Where the samples of each channel are."""
        return [slice(*ends) for ends in pairwise(self.bounds)]


class Planes:
    """The planes of several stacks of images, each with a margin around it.

    A *canvas* is an array of ``size`` numbers in which each sample has a place.

    Parameters
    ----------
    stacks : sequence of Stack
        The images, all with the same number of channels.

    in_series : bool, default=False
        Whether images wait for the one before them in their stack.

    Attributes
    ----------
    size : int
        Number of places of a canvas.

    lanes : Lanes
        The lanes of all planes.
    """

    def __init__(self, stacks: Sequence[Stack], in_series: bool = False) -> None:
        self.stacks = list(stacks)
        self.in_series = in_series
        self.n_channels = stacks[0].channels
        sizes = [int(np.prod(stack._shape)) for stack in stacks]
        ends = np.cumsum(sizes).tolist()
        self.size = ends[-1]
        self._places = [
            slice(end - size, end) for end, size in zip(ends, sizes, strict=True)
        ]
        self.lanes = Lanes(self)

    def _with_margins(self, canvas: np.ndarray, number: int) -> np.ndarray:
        return canvas[self._places[number]].reshape(self.stacks[number]._shape)

    def images(self, canvas: np.ndarray, number: int) -> np.ndarray:
        """View the samples of a stack: (n_images, channels, height, width)."""
        inner = slice(REACH, -REACH)
        return self._with_margins(canvas, number)[:, :, REACH:-1, inner]

    def start(self, canvas: np.ndarray, number: int, values: np.ndarray) -> None:
        """Set what stands above the first rows of a stack, a value for each channel."""
        for channel, value in enumerate(values):
            margin = self._with_margins(canvas, number)[:, channel]
            margin[:, :REACH] = value
            margin[:, REACH, :REACH] = value

    def surround(self, canvas: np.ndarray) -> None:
        """Fill in all margins, as `Lanes.fill` does bit by bit."""
        for number in range(len(self.stacks)):
            planes = self._with_margins(canvas, number)
            planes[:, :, REACH:-1, -REACH:] = planes[:, :, REACH:-1, -REACH - 1, None]
            planes[:, :, REACH + 1 :, :REACH] = planes[:, :, REACH:-1, REACH, None]
            planes[:, :, -1, REACH:] = planes[:, :, -2, REACH:]


class Lanes:
    """The lanes of planes: channel by channel, in these stack by stack and row by row.

    Parameters
    ----------
    planes : Planes
        The planes.

    Attributes
    ----------
    above : ndarray of int of shape (n_lanes,)
        The lane of the row above; for a first row, the lane itself.

    channels, images, numbers, rows : ndarray of int of shape (n_lanes,)
        Number of the channel, of the image in its stack and among all images, and of
        the row in it.

    bounds : list of int of length n_channels + 1
        Where the lanes of each channel begin, and where the last ones end.
    """

    def __init__(self, planes: Planes) -> None:
        self._planes = planes
        n_stacks, n_channels = len(planes.stacks), planes.n_channels
        parts, n_lanes, self.bounds = [], 0, [0]
        for channel in range(n_channels):
            for stack in range(n_stacks):
                parts.append(self._of_stack(stack, channel, n_lanes))
                n_lanes += len(parts[-1][0])
            self.bounds.append(n_lanes)
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        self.images, self.rows, self._begins, self.above = columns
        of_channel = np.repeat(range(n_stacks), [s.n_rows for s in planes.stacks])
        self._stacks = np.tile(of_channel, n_channels)
        self.channels = np.repeat(range(n_channels), np.diff(self.bounds))
        n_images = np.array([stack.n_images for stack in planes.stacks])
        self.numbers = self.images + (np.cumsum(n_images) - n_images)[self._stacks]
        of_lane = np.array([stack._shape for stack in planes.stacks])[self._stacks]
        self._plane_sizes = of_lane[:, 2] * of_lane[:, 3]
        self._image_sizes = of_lane[:, 1] * self._plane_sizes
        self._strides = of_lane[:, 3]
        is_even = (self._strides == self._strides[0]).all()
        self._stride = int(self._strides[0]) if is_even else 0
        self._widths = self._strides - 2 * REACH
        self._is_lowest = self.rows == of_lane[:, 2] - REACH - 2
        self._starts = self.rows * _ROW_LAG + self.channels * _PLANE_LAG
        if planes.in_series:
            self._starts += self.images * _PLANE_LAG
        self._stops = self._starts + self._widths

    def _of_stack(
        self, number: int, channel: int, n_before: int
    ) -> tuple[np.ndarray, ...]:
        stack, planes = self._planes.stacks[number], self._planes
        n_images, _, height, width = stack._shape
        lanes = np.arange(stack.n_rows)
        rows, images = np.divmod(lanes, n_images)
        begins = (images * stack.channels + channel) * height + rows + REACH
        begins = planes._places[number].start + begins * width + REACH
        above = n_before + lanes - np.where(rows, n_images, 0)
        return images, rows, begins, above

    def __len__(self) -> int:
        return len(self._begins)

    @property
    def n_steps(self) -> int:
        """Number of steps until all are done."""
        return int(self._stops.max())

    @property
    def counts(self) -> np.ndarray:
        """Samples of each channel of each stack: (n_steps, n_channels, n_stacks)."""
        shape = self.n_steps + 1, self._planes.n_channels, len(self._planes.stacks)
        changes = np.zeros(shape, int)
        np.add.at(changes, (self._starts, self.channels, self._stacks), 1)
        np.add.at(changes, (self._stops, self.channels, self._stacks), -1)
        return np.cumsum(changes, axis=0)[:-1]

    def samples(self, step: int) -> Samples:
        """Return the samples of a step."""
        lanes = ((self._starts <= step) & (step < self._stops)).nonzero()[0]
        at = self._begins[lanes] + (step - self._starts[lanes])
        return Samples(at, lanes, np.searchsorted(lanes, self.bounds).tolist())

    def draw(self, n: int, channel: int, rng: np.random.Generator) -> Samples:
        """Draw samples of a channel at random, with equal probability."""
        of_channel = slice(*self.bounds[channel : channel + 2])
        ends = np.cumsum(self._widths[of_channel])
        drawn = np.sort(rng.integers(ends[-1], size=n))
        lanes = np.searchsorted(ends, drawn, side="right")
        x = drawn - (ends - self._widths[of_channel])[lanes]
        lanes += of_channel.start
        return self.of_channel(self._begins[lanes] + x, lanes, channel)

    def of_channel(self, at: np.ndarray, lanes: np.ndarray, channel: int) -> Samples:
        """Return samples that are all of the same channel."""
        bounds = [len(at) * (i > channel) for i in range(len(self.bounds))]
        return Samples(at, lanes, bounds)

    def strides_of(self, samples: Samples) -> np.ndarray | int:
        """Return places from samples to those below them: one number, if all agree."""
        return self._stride or self._strides[samples.lanes]

    def columns(self, samples: Samples) -> np.ndarray:
        """Return how many samples of its row stand before each sample."""
        return samples.at - self._begins[samples.lanes]

    def previous(self, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
        """Return where the same places of the images before are, and whether any are.

        Where there is none, the place is that of the sample itself.
        """
        known = self.images[samples.lanes] > 0
        return samples.at - known * self._image_sizes[samples.lanes], known

    def channel_before(self, samples: Samples, back: int) -> np.ndarray:
        """Return where the same places ``back`` channels before are.

        Only samples have any that are of the channels from ``back`` on.
        """
        begin = samples.bounds[back]
        lanes = samples.lanes[begin:]
        return samples.at[begin:] - back * self._plane_sizes[lanes]

    def fill(self, canvases: np.ndarray, samples: Samples, numbers: np.ndarray) -> None:
        """Set numbers of samples, and what of the margins follows from them.

        To the right of a row stands its last number, to the left of it the first of the
        row above it, and below the last row what is above.

        Parameters
        ----------
        canvases : ndarray of shape (n_canvases, size)
            Where to set them.

        samples : Samples
            Samples of one step.

        numbers : ndarray of shape (n_canvases, n)
            The numbers.
        """
        at, lanes, _ = samples
        size = canvases.shape[1]
        flat, rows = canvases.reshape(-1), np.arange(len(canvases))[:, None] * size
        flat[rows + at] = numbers
        column, below = at - self._begins[lanes], at + self.strides_of(samples)
        is_last, is_lowest = column == self._widths[lanes] - 1, self._is_lowest[lanes]
        first, last, lowest = (
            x.nonzero()[0] for x in (column == 0, is_last, is_lowest)
        )
        sides = (first, below, -_MARGIN), (last, at, _MARGIN)
        for chosen, places, margin in sides:
            if chosen.size:
                beside = places[chosen, np.newaxis] + margin
                flat[rows[:, :, None] + beside] = numbers[:, chosen, np.newaxis]
        if lowest.size:
            flat[rows + below[lowest]] = numbers[:, lowest]
            corner = lowest[is_last[lowest]]
            flat[rows + below[corner] + 1] = numbers[:, corner]
