"""Networks of pixels <-> bytes.

In: networks of whole numbers. Out: few bytes. Weights are coded as samples are: each by
a logistic distribution, as wide as the weights of its unit are large.

Bytes of a network: the number of planes that it looks at, of its points, of its layers,
and of the units of each; the points; weights and rate of the predictions; height and
width of the mean, and its pixels, each less the one before it; for each layer the
shifts, the widths and the biases of its units; and one stream of all weights. Numbers
are LEB128, those that may be negative zigzag-coded.
"""

import numpy as np

from sklearn_dae._bytes import ByteReader, frame, leb128, zigzag
from sklearn_dae.entropy._context import Predictors, n_adaptive, n_neighbours
from sklearn_dae.entropy._pixel_network import PixelNetwork
from sklearn_dae.entropy._row_bytes import decode_rows, encode_rows, widths_of
from sklearn_dae.exceptions import BitstreamError

#: Largest weight, and most units of a layer, points and layers.
_MOST_WEIGHT, _MOST_UNITS, _MOST_LAYERS = 2**14, 1024, 8

#: Most pixels of a mean.
_MOST_MEAN = 2**16


def pack_network(network: PixelNetwork) -> bytes:
    """Write a network."""
    predictors = network.predictors
    upper = predictors.spread[np.triu_indices(len(predictors.spread))]
    parts = [
        leb128(predictors.n_references),
        leb128(len(network.points)),
        leb128(len(network.weights)),
        *(leb128(len(weights)) for weights in network.weights),
        zigzag(np.diff(network.points, prepend=0)),
        zigzag(predictors.linear),
        zigzag(predictors.first),
        zigzag(upper),
        np.float32(predictors.rate).astype("<f4").tobytes(),
        *map(leb128, predictors.mean.shape),
        zigzag(np.diff(predictors.mean.ravel().astype(np.int64), prepend=0)),
    ]
    widths = [widths_of(weights) for weights in network.weights]
    for biases, shifts, of_layer in zip(
        network.biases, network.shifts, widths, strict=True
    ):
        parts += [shifts.tobytes(), of_layer.tobytes(), zigzag(biases)]
    stream = encode_rows(network.weights, widths, _MOST_WEIGHT)
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
    points = np.cumsum(reader.zigzag(n_points, 2**18)).astype(np.int32)
    linear = reader.zigzag(n_neighbours(n_references))
    n = n_adaptive(n_references)
    first = reader.zigzag(n)
    spread = np.zeros((n, n), np.int64)
    rows, columns = np.triu_indices(n)
    spread[rows, columns] = spread[columns, rows] = reader.zigzag(len(rows))
    (rate,) = np.frombuffer(reader.take(4), "<f4")
    height, width = reader.leb128(), reader.leb128()
    if height * width > _MOST_MEAN:
        raise BitstreamError(f"A mean of {height} x {width} pixels.")
    mean = np.cumsum(reader.zigzag(height * width, 2**16))
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
        biases.append(reader.zigzag(size, 2**24).astype(np.int32))
    n_in = [predictors.n_inputs, *sizes[:-1]]
    shapes = list(zip(sizes, n_in, strict=True))
    numbers = decode_rows(reader.frame("Weights"), shapes, widths, _MOST_WEIGHT)
    weights = [matrix.astype(np.int16) for matrix in numbers]
    network = PixelNetwork(predictors, weights, biases, shifts, points)
    try:
        network._check_stored()
    except ValueError as error:
        raise BitstreamError(f"A network cannot be: {error}.") from None
    return network
