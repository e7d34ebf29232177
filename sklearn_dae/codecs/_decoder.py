"""What a codec keeps of a transformer: what turns codes into images.

Of a network, that is the decoder alone, its weights in a few bits each; an encoder is
not needed, since codes can be found by refining a linear guess. What is linear, such as
PCA, is a network too. Any other transformer is kept as it is, whole.
"""

import math
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar, Self

import numpy as np

from sklearn_dae._bytes import ByteReader
from sklearn_dae._fields import (
    NONE,
    Fields,
    array,
    dtype,
    estimator,
    expect_equal,
    image_shape,
    instance,
    number,
    one_of,
)
from sklearn_dae._scaling import PixelScaler
from sklearn_dae.codecs._code_space import CodeSpace
from sklearn_dae.codecs._transformer import encoded, n_inputs, n_outputs, restored
from sklearn_dae.entropy import pack_layer, read_layer
from sklearn_dae.network import Dense, Layout, Network
from sklearn_dae.quantizers import RoundedLayer, with_layers
from sklearn_dae.rows import RowBlocks

#: How far from linear a linear transformer may be, relative to the range of pixels.
_LINEAR = 1e-5


@dataclass(frozen=True, eq=False)
class CompactDecoder:
    """A decoder in few bits.

    Parameters
    ----------
    layout : Layout
        Its layers; there is no encoder.

    scaler : PixelScaler
        The range of pixels.

    picture : tuple of (height, width, channels)
        What an image is, which makes its weights easier to pack.

    packed : ndarray of uint8 of shape (n_bytes,)
        The layers.

    threshold : float or None
        Where outputs are thresholded; see `Network.decode`.
    """

    layout: Layout
    scaler: PixelScaler
    picture: tuple[int, int, int]
    packed: np.ndarray
    threshold: float | None = None

    _stored_fields: ClassVar[Fields] = {
        "layout": instance(Layout),
        "scaler": instance(PixelScaler),
        "picture": image_shape,
        "packed": array("bytes", kinds="u"),
        "threshold": one_of(NONE, number()),
    }

    def _check_stored(self) -> None:
        expect_equal("Layers that encode", self.layout.n_encoder_layers, 0)
        expect_equal("Sides of a picture", len(self.picture), 3)
        n_pixels = math.prod(self.picture)
        expect_equal("Pixels of an image", n_pixels, self.layout.n_features)
        # Weights are read, so that damage is noticed before they are used.
        self.network._check_stored()

    @classmethod
    def of(
        cls,
        network: Network,
        layers: list[RoundedLayer],
        picture: tuple[int, int, int],
        threshold: float | None,
    ) -> Self:
        """Pack the rounded layers of a decoder."""
        shapes = _pictures(network.layout, picture)
        data = b"".join(map(pack_layer, layers, shapes))
        packed = np.frombuffer(data, np.uint8)
        decoder = cls(network.layout, network.scaler, picture, packed, threshold)
        # It need not be read again.
        decoder.__dict__["network"] = with_layers(
            network.astype(np.dtype(np.float32)), layers
        )
        return decoder

    @cached_property
    def network(self) -> Network:
        """The decoder, in single precision."""
        reader = ByteReader(self.packed.tobytes())
        layers = [
            read_layer(reader, layer.shape, picture)
            for layer, picture in zip(
                self.layout.layers, _pictures(self.layout, self.picture), strict=True
            )
        ]
        reader.finish()
        empty = np.empty(self.layout.n_parameters, np.float32)
        return with_layers(Network(self.layout, empty, self.scaler), layers)

    @property
    def n_values(self) -> int:
        """Values of a code."""
        return self.layout.n_components

    @property
    def n_features(self) -> int:
        """Numbers of an image."""
        return self.layout.n_features

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Restore images from codes."""
        decode = partial(self.network.decode, threshold=self.threshold)
        return RowBlocks(codes.astype(np.float32, copy=False)).map(decode)


def _pictures(
    layout: Layout, picture: tuple[int, int, int]
) -> list[tuple[int, int, int] | None]:
    """Return what the rows of weights of each layer are, if they are pictures."""
    return [*[None] * (len(layout.layers) - 1), picture]


@dataclass(frozen=True, eq=False)
class WholeDecoder:
    """A transformer that is no network, kept whole, and the map from its codes.

    Parameters
    ----------
    transformer : transformer
        The fitted transformer.

    space : CodeSpace
        Maps its codes to what is stored.

    code_dtype : dtype
        Of the codes.
    """

    transformer: Any
    space: CodeSpace
    code_dtype: np.dtype

    _stored_fields: ClassVar[Fields] = {
        "transformer": estimator("transform", "inverse_transform"),
        "space": instance(CodeSpace),
        "code_dtype": dtype,
    }

    def _check_stored(self) -> None:
        expect_equal("Values of a code", n_outputs(self.transformer), self.n_values)
        if self.code_dtype.kind != "f":
            raise ValueError(f"Codes are {self.code_dtype}, expected floating point")

    @property
    def n_values(self) -> int:
        """Values of a code."""
        return len(self.space.mean)

    @property
    def n_features(self) -> int:
        """Numbers of an image."""
        return n_inputs(self.transformer)

    def encode(self, X: np.ndarray) -> np.ndarray:
        """Return the codes of images."""
        return self.space.coordinates(encoded(self.transformer, X))

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Restore images from codes."""
        codes = self.space.codes(codes).astype(self.code_dtype, copy=False)
        return restored(self.transformer, codes)


#: What decodes in a codec.
Decoder = CompactDecoder | WholeDecoder


def network_of(
    transformer: Any, codes: np.ndarray, low: float, high: float
) -> Network | None:
    """Return what restores images from the codes of a transformer, as a network.

    Parameters
    ----------
    transformer : transformer
        A fitted transformer.

    codes : ndarray of shape (n_samples, n_components)
        Codes of images.

    low, high : float
        The range of pixels, beyond which those of a linear transformer are clipped.

    Returns
    -------
    Network or None
        None if it neither has one nor is linear.
    """
    network = getattr(transformer, "network_", None)
    if isinstance(network, Network):
        return network
    scaler = PixelScaler(low, high)
    if not np.isfinite([scaler.span, 1 / scaler.span]).all():
        return None
    n = codes.shape[1]
    # Probes as large as codes are.
    size = np.abs(codes).max(axis=0) + np.finfo(codes.dtype).tiny
    probes = np.concatenate([np.zeros((1, n)), np.diag(size)]).astype(codes.dtype)
    images = restored(transformer, probes).astype(np.float64)
    origin, axes = images[0], (images[1:] - images[0]) / size[:, np.newaxis]
    expected = codes.astype(np.float64) @ axes + origin
    error = np.abs(expected - restored(transformer, codes)).max()
    if not error <= _LINEAR * scaler.span:
        return None
    parameters = np.vstack([axes, origin - scaler.low]) / scaler.span
    layout = Layout((Dense(n, axes.shape[1], "clipped"),), 0)
    return Network(layout, parameters.ravel(), scaler)
