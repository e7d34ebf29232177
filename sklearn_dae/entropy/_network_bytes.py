"""Networks of pixels <-> bytes.

In: networks of whole numbers. Out: few bytes. Weights are coded as samples are: each by
a logistic distribution, as wide as the weights of its unit are large.

Bytes of a network: the number of planes that it looks at, of its points, of its layers,
and of the units of each; the points; weights and rate of the predictions; height and
width of the mean, and its pixels, each less the one before it; for each layer the
shifts, the widths and the biases of its units; and one stream of all weights. Numbers
are LEB128, those that may be negative zigzag-coded.
"""

from collections.abc import Sequence

import numpy as np

from sklearn_dae._bytes import ByteReader, frame, leb128
from sklearn_dae.coding._intervals import IntervalDecoder, encode_intervals
from sklearn_dae.entropy._context import Predictors, n_adaptive, n_neighbours
from sklearn_dae.entropy._mixture import PER_UNIT, Cells, Mixture
from sklearn_dae.entropy._pixel_network import PixelNetwork
from sklearn_dae.exceptions import BitstreamError

#: Widths have so many steps an octave.
_PER_OCTAVE = 4

#: Largest weight, and most units of a layer, points and layers.
_MOST_WEIGHT, _MOST_UNITS, _MOST_LAYERS = 2**14, 1024, 8

#: Most pixels of a mean.
_MOST_MEAN = 2**16

#: Lanes of the stream: more make networks faster to read.
_N_LANES = 32


def pack_network(network: PixelNetwork) -> bytes:
    """Write a network."""
    predictors = network.predictors
    upper = predictors.spread[np.triu_indices(len(predictors.spread))]
    parts = [
        leb128(predictors.n_references),
        leb128(len(network.points)),
        leb128(len(network.weights)),
        *(leb128(len(weights)) for weights in network.weights),
        _zigzag(np.diff(network.points, prepend=0)),
        _zigzag(predictors.linear),
        _zigzag(predictors.first),
        _zigzag(upper),
        np.float32(predictors.rate).astype("<f4").tobytes(),
        *map(leb128, predictors.mean.shape),
        _zigzag(np.diff(predictors.mean.ravel().astype(np.int64), prepend=0)),
    ]
    widths = [_widths(weights) for weights in network.weights]
    for biases, shifts, of_layer in zip(
        network.biases, network.shifts, widths, strict=True
    ):
        parts += [shifts.tobytes(), of_layer.tobytes(), _zigzag(biases)]
    numbers = np.concatenate([weights.ravel() for weights in network.weights])
    mixture = _distributions(widths, [w.shape[1] for w in network.weights])
    cells = mixture.cells.of(numbers.astype(np.float32))
    counts = np.array([[len(numbers)]])
    n_lanes = min(_N_LANES, len(numbers))
    (stream,) = encode_intervals(*mixture.intervals(cells), counts, [n_lanes])
    return b"".join([*parts, frame(stream)])


def read_network(reader: ByteReader) -> PixelNetwork:
    """Read a network.

    Raises
    ------
    BitstreamError
        If it is none.
    """
    n_references, n_points, n_layers = (reader.leb128() for _ in range(3))
    if n_references > 8 or n_points > _MOST_UNITS or not 1 <= n_layers <= _MOST_LAYERS:
        raise BitstreamError(f"A network has {n_layers} layers and {n_points} points.")
    sizes = [reader.leb128() for _ in range(n_layers)]
    if not all(1 <= size <= _MOST_UNITS for size in sizes):
        raise BitstreamError(f"Layers of a network have {sizes} units.")
    points = np.cumsum(_unzigzag(reader, n_points, 2**18)).astype(np.int32)
    linear = _unzigzag(reader, n_neighbours(n_references))
    n = n_adaptive(n_references)
    first = _unzigzag(reader, n)
    spread = np.zeros((n, n), np.int64)
    rows, columns = np.triu_indices(n)
    spread[rows, columns] = spread[columns, rows] = _unzigzag(reader, len(rows))
    (rate,) = np.frombuffer(reader.take(4), "<f4")
    height, width = reader.leb128(), reader.leb128()
    if height * width > _MOST_MEAN:
        raise BitstreamError(f"A mean of {height} x {width} pixels.")
    mean = np.cumsum(_unzigzag(reader, height * width, 2**16))
    if mean.size and not 0 <= mean.min() <= mean.max() < 2**16:
        raise BitstreamError("A mean is out of range.")
    predictors = Predictors(
        linear.astype(np.int16),
        first.astype(np.int16),
        spread.astype(np.int16),
        float(rate),
        mean.reshape(height, width).astype(np.uint16),
    )
    shifts, widths, biases = [], [], []
    for size in sizes:
        shifts.append(np.frombuffer(reader.take(size), np.uint8))
        widths.append(np.frombuffer(reader.take(size), np.uint8))
        biases.append(_unzigzag(reader, size, 2**24).astype(np.int32))
    n_in = [predictors.n_inputs, *sizes[:-1]]
    mixture = _distributions(widths, n_in)
    numbers = np.empty(len(mixture.cells.n), np.float32)
    decoder = IntervalDecoder([reader.frame("Weights")], np.array([[len(numbers)]]))
    for part in decoder.parts(0):
        of_part = mixture.take(part)
        cells, *interval = of_part.find(decoder.slots())
        decoder.take(*interval)
        numbers[part] = of_part.cells.values(cells)
    decoder.finish()
    weights, at = [], 0
    for size, n_below in zip(sizes, n_in, strict=True):
        part = numbers[at : at + size * n_below]
        weights.append(part.reshape(size, n_below).astype(np.int16))
        at += part.size
    network = PixelNetwork(predictors, weights, biases, shifts, points)
    try:
        network._check_stored()
    except ValueError as error:
        raise BitstreamError(f"A network cannot be: {error}.") from None
    return network


def _widths(weights: np.ndarray) -> np.ndarray:
    """Return the binary logarithms of widths of units, in steps: uint8."""
    typical = np.sqrt((weights.astype(np.float64) ** 2).mean(axis=1))
    # The width of a logistic distribution, relative to its standard deviation.
    octaves = np.log2(typical * np.sqrt(3) / np.pi + 0.25)
    return np.rint(np.maximum(octaves, 0) * _PER_OCTAVE).astype(np.uint8)


def _distributions(widths: Sequence[np.ndarray], n_below: Sequence[int]) -> Mixture:
    """Return the distributions of all weights, layer by layer and unit by unit."""
    steps = np.concatenate(
        [np.repeat(of_layer, n) for of_layer, n in zip(widths, n_below, strict=True)]
    )
    # On a coarse grid, so that all machines have the same widths.
    table = np.rint(2.0 ** (np.arange(256) / _PER_OCTAVE) * 16) / 16
    none = np.zeros((0, len(steps)), np.float32)
    limit = np.full(len(steps), _MOST_WEIGHT, np.float32)
    cells = Cells.around(np.zeros_like(limit), -limit, limit, 0)
    per_width = np.float32(PER_UNIT) / table[steps].astype(np.float32)
    ones = np.ones((1, len(steps)), np.float32)
    return Mixture(ones, np.zeros_like(ones), per_width[np.newaxis], none, cells)


def _zigzag(numbers: np.ndarray) -> bytes:
    return b"".join(
        leb128((n << 1) ^ (n >> 63)) for n in numbers.astype(np.int64).tolist()
    )


def _unzigzag(reader: ByteReader, n: int, limit: int = 2**15) -> np.ndarray:
    """Read numbers; raises BitstreamError for those that are too large."""
    folded = np.array([reader.leb128() for _ in range(n)], dtype=object)
    if any(number >= 2 * limit for number in folded):
        raise BitstreamError(f"A number is larger than {limit}.")
    folded = folded.astype(np.int64)
    return (folded >> 1) ^ -(folded & 1)
