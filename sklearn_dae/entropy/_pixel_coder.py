"""Images <-> bytes, by networks of pixels.

In: stacks of images, and a network for each channel. Out: for each stack bytes that can
be decoded without the others. All stacks go through the networks in lockstep.

Bytes of a stack: for each channel what stands above its first rows, less the smallest
value, as LEB128; then one stream. Of each step, it has the samples of the first
channel, then those of the next.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from sklearn_dae._blas import one_blas_thread
from sklearn_dae._bytes import ByteReader, leb128
from sklearn_dae.coding._intervals import (
    MAX_LANES,
    PRECISION,
    IntervalDecoder,
    encode_intervals,
)
from sklearn_dae.entropy._context import Canvases, Context, Known, Predictors
from sklearn_dae.entropy._mixture import Cells
from sklearn_dae.entropy._pixel_network import PixelNetwork, mixture_of
from sklearn_dae.entropy._planes import Planes, Samples, Stack
from sklearn_dae.exceptions import BitstreamError

#: Lanes of a stream: one for so many bits, or for so many samples if that is more. A
#: lane costs some nine bits; more of them make a stream faster to decode.
_BITS_OF_LANE, _SAMPLES_OF_LANE = 10_000, 5_000


#: Is given a step, samples and what is known of them, returns their values.
Code = Callable[[int, Samples, Known], np.ndarray]


class CodedStack(NamedTuple):
    """A stack that was coded.

    Parameters
    ----------
    data : bytes
        What a decoder needs.

    n_bits : ndarray of float of shape (n_images,)
        Bits of each image, without its share of what all have in common.

    images : ndarray of shape (n_images, channels, height, width)
        What a decoder returns.
    """

    data: bytes
    n_bits: np.ndarray
    images: np.ndarray


class Walk:
    """Goes through stacks of images in lockstep.

    Parameters
    ----------
    stacks : sequence of Stack
        The images.

    limits : tuple of (low, high)
        The smallest and the largest value of each plane: two arrays of shape (n_images,
        channels), for the images of all stacks.

    firsts : sequence of ndarray of int
        What stands above the first rows: for each stack, a value for each channel.

    predictors : sequence of Predictors
        Weights of the predictions, for each channel.

    in_series : bool
        Whether images go by the image before them.

    max_error : int
        How far a value may be off.
    """

    def __init__(
        self,
        stacks: Sequence[Stack],
        limits: tuple[np.ndarray, np.ndarray],
        firsts: Sequence[np.ndarray],
        predictors: Sequence[Predictors],
        in_series: bool,
        max_error: int = 0,
    ) -> None:
        self.planes = Planes(stacks, in_series)
        self._max_error = max_error
        canvases = np.zeros((len(Canvases._fields), self.planes.size), np.float32)
        #: The values that are known so far, as a canvas.
        self.values = canvases[0]
        for number, values in enumerate(firsts):
            self.planes.start(self.values, number, values)
        lanes = self.planes.lanes
        self.context = Context(lanes, predictors, in_series, canvases)
        self._limits = [
            ends[lanes.numbers, lanes.channels].astype(np.float32) for ends in limits
        ]

    def run(self, code: Code) -> None:
        """Go through all samples, and learn their values from ``code``."""
        with one_blas_thread():
            for step in range(self.planes.lanes.n_steps):
                samples = self.planes.lanes.samples(step)
                if samples.at.size:
                    known = self.context.look(samples)
                    values = code(step, samples, known)
                    self.context.learn(samples, known, values)

    def cells(self, samples: Samples, known: Known) -> Cells:
        """Return what values samples may have."""
        low, high = (ends[samples.lanes] for ends in self._limits)
        return Cells.around(known.centre, low, high, self._max_error)


def stacks_of(images: Sequence[np.ndarray]) -> list[Stack]:
    """Describe arrays of shape (n_images, channels, height, width)."""
    shapes = (stack.shape for stack in images)
    return [Stack(n, height, width, channels) for n, channels, height, width in shapes]


def first_values(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return what is to stand above the first rows of each stack: for each channel."""
    return [np.rint(stack[:, :, 0].mean(axis=(0, 2))).astype(int) for stack in images]


def canvas_of(planes: Planes, images: Sequence[np.ndarray]) -> np.ndarray:
    """Lay images out in a canvas, without margins."""
    canvas = np.zeros(planes.size, np.float32)
    for number, stack in enumerate(images):
        planes.images(canvas, number)[:] = stack
    return canvas


def encode_stacks(
    networks: Sequence[PixelNetwork],
    images: Sequence[np.ndarray],
    limits: tuple[np.ndarray, np.ndarray],
    in_series: bool = False,
    max_error: int = 0,
) -> list[CodedStack]:
    """Code stacks of images.

    Parameters
    ----------
    networks : sequence of PixelNetwork
        The network of each channel.

    images : sequence of ndarray of int of shape (n_images, channels, height, width)
        The stacks.

    limits : tuple of (low, high)
        The smallest and the largest value of each plane, for all images: two arrays of
        shape (n_images, channels).

    in_series : bool, default=False
        Whether images go by the image before them.

    max_error : int, default=0
        How far a value may be off.
    """
    stacks, firsts = stacks_of(images), first_values(images)
    predictors = [network.predictors for network in networks]
    walk = Walk(stacks, limits, firsts, predictors, in_series, max_error)
    planes = walk.planes
    originals = canvas_of(planes, images)
    starts: list[np.ndarray] = []
    frequencies: list[np.ndarray] = []
    n_bits = np.zeros(len(limits[0]))

    def code(step: int, samples: Samples, known: Known) -> np.ndarray:
        cells = walk.cells(samples, known)
        mixture = mixture_of(networks, samples, known, cells)
        numbers = cells.of(originals.take(samples.at))
        start, frequency = mixture.intervals(numbers)
        starts.append(start.astype(np.uint32))
        frequencies.append(frequency.astype(np.uint32))
        of_image = planes.lanes.numbers[samples.lanes]
        bits = PRECISION - np.log2(frequency)
        n_bits[:] += np.bincount(of_image, bits, len(n_bits))
        return cells.values(numbers)

    walk.run(code)
    counts = planes.lanes.counts
    of_steps = counts.sum(axis=1)
    ends = np.cumsum([0, *(stack.n_images for stack in stacks)])
    n_lanes = np.maximum(
        np.add.reduceat(n_bits, ends[:-1]) // _BITS_OF_LANE,
        of_steps.sum(axis=0) // _SAMPLES_OF_LANE,
    )
    n_lanes = np.clip(n_lanes, 1, np.minimum(of_steps.max(axis=0), MAX_LANES))
    streams = encode_intervals(
        np.concatenate(starts), np.concatenate(frequencies), counts, n_lanes
    )
    coded = []
    for number, first in enumerate(firsts):
        first = first - limits[0][ends[number] : ends[number + 1]].min(axis=0)
        head = b"".join(map(leb128, first.tolist()))
        own = n_bits[ends[number] : ends[number + 1]]
        restored = planes.images(walk.values, number)
        coded.append(CodedStack(head + streams[number], own, restored))
    return coded


def decode_stacks(
    networks: Sequence[PixelNetwork],
    data: Sequence[bytes],
    stacks: Sequence[Stack],
    limits: tuple[np.ndarray, np.ndarray],
    in_series: bool = False,
    max_error: int = 0,
    *,
    means: bool = False,
) -> list[np.ndarray]:
    """Decode what `encode_stacks` coded: arrays (n_images, channels, height, width).

    With ``means``, values are those expected within the bound, not those in its middle.

    Raises
    ------
    BitstreamError
        If the bytes cannot be those of such images.
    """
    ends = np.cumsum([0, *(stack.n_images for stack in stacks)])
    firsts, streams = [], []
    for number, of_stack in enumerate(data):
        reader = ByteReader(of_stack)
        low = limits[0][ends[number] : ends[number + 1]].min(axis=0)
        high = limits[1][ends[number] : ends[number + 1]].max(axis=0)
        first = low + [reader.leb128() for _ in networks]
        if (first > high).any():
            raise BitstreamError(f"Images begin with {first}, above {high}.")
        firsts.append(first)
        streams.append(reader.take(reader.n_left))
    predictors = [network.predictors for network in networks]
    walk = Walk(stacks, limits, firsts, predictors, in_series, max_error)
    planes = walk.planes
    expected = np.zeros_like(walk.values) if means else walk.values
    decoder = IntervalDecoder(streams, planes.lanes.counts)

    def code(step: int, samples: Samples, known: Known) -> np.ndarray:
        mixture = mixture_of(networks, samples, known, walk.cells(samples, known))
        cells = np.empty(samples.at.size, np.float32)
        for part in decoder.parts(step):
            is_all = part.size == cells.size and (np.diff(part) == 1).all()
            of_part = mixture if is_all else mixture.take(part)
            cells[part], *interval = of_part.find(decoder.slots())
            decoder.take(*interval)
        if means:
            expected[samples.at] = mixture.means(cells)
        return mixture.cells.values(cells)

    walk.run(code)
    decoder.finish()
    return [planes.images(expected, number) for number in range(len(stacks))]
