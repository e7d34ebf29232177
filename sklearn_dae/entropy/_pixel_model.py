"""How likely each value of a sample is, given all that is decoded before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from sklearn_dae._bytes import ByteReader
from sklearn_dae._fields import FLAG, Fields, array
from sklearn_dae.entropy._context import MOST_CHANNELS_BEFORE
from sklearn_dae.entropy._network_bytes import pack_network, read_network
from sklearn_dae.entropy._pixel_coder import (
    CodedStack,
    decode_stacks,
    encode_stacks,
)
from sklearn_dae.entropy._pixel_network import PixelNetwork
from sklearn_dae.entropy._planes import Stack


@dataclass(frozen=True, eq=False)
class PixelModel:
    """Networks of pixels, one for each channel of images.

    Images are given as *stacks*, arrays of whole numbers of shape (n_images, channels,
    height, width). Each is coded by itself, and all of them in lockstep. Their
    ``limits`` are two arrays of shape (n_images, channels): the smallest and the
    largest value of each plane, for the images of all stacks.

    Parameters
    ----------
    packed : ndarray of uint8 of shape (n_bytes,)
        The networks, one after another.

    in_series : bool
        Whether images go by the image before them in their stack.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae.datasets import load_digits
    >>> from sklearn_dae.entropy import Stack
    >>> from sklearn_dae.entropy._generic import generic_model
    >>> stack = load_digits().data[:100].reshape(100, 1, 8, 8).astype(int)
    >>> limits = np.zeros((100, 1), int), np.full((100, 1), 16)
    >>> model = generic_model(1)
    >>> (coded,) = model.encode([stack], limits)
    >>> (decoded,) = model.decode([coded.data], [Stack(100, 8, 8, 1)], limits)
    >>> bool((decoded == stack).all())
    True
    """

    packed: np.ndarray
    in_series: bool

    _stored_fields: ClassVar[Fields] = {
        "packed": array("bytes", kinds="u"),
        "in_series": FLAG,
    }

    def _check_stored(self) -> None:
        if not self.networks:
            raise ValueError("There are no networks")
        alike = {
            (network.n_outputs, len(network.points), network.predictors.mean.size > 0)
            for network in self.networks
        }
        if len(alike) > 1:
            raise ValueError("Networks differ in their outputs, points or means")
        for channel, network in enumerate(self.networks):
            n_others = network.predictors.n_references - self.in_series
            if not 0 <= n_others <= min(channel, MOST_CHANNELS_BEFORE):
                raise ValueError(f"Channel {channel} goes by {n_others} before it")

    @classmethod
    def of(cls, networks: Sequence[PixelNetwork], in_series: bool) -> Self:
        """Make a model of networks."""
        data = b"".join(map(pack_network, networks))
        model = cls(np.frombuffer(data, np.uint8), in_series)
        # They need not be read again.
        model.__dict__["networks"] = list(networks)
        return model

    @classmethod
    def fit(
        cls,
        stacks: Sequence[np.ndarray],
        limits: tuple[np.ndarray, np.ndarray],
        **options: Any,
    ) -> Self:
        """Train a model; see `fit_networks` for the options."""
        # Training is long enough for a module of its own.
        from sklearn_dae.entropy._pixel_training import fit_networks

        networks, _ = fit_networks(stacks, limits, **options)
        return cls.of(networks, options.get("in_series", False))

    @cached_property
    def networks(self) -> list[PixelNetwork]:
        """The network of each channel."""
        reader, networks = ByteReader(self.packed.tobytes()), []
        while reader.n_left:
            networks.append(read_network(reader))
        return networks

    def encode(
        self,
        stacks: Sequence[np.ndarray],
        limits: tuple[np.ndarray, np.ndarray],
        max_error: int = 0,
    ) -> list[CodedStack]:
        """Code stacks, every value at most ``max_error`` off."""
        return encode_stacks(self.networks, stacks, limits, self.in_series, max_error)

    def bits(
        self,
        stacks: Sequence[np.ndarray],
        limits: tuple[np.ndarray, np.ndarray],
        max_error: int = 0,
    ) -> np.ndarray:
        """Return the bits of each image: float of shape (n_images,)."""
        coded = self.encode(stacks, limits, max_error)
        return np.concatenate([stack.n_bits for stack in coded])

    def decode(
        self,
        data: Sequence[bytes],
        stacks: Sequence[Stack],
        limits: tuple[np.ndarray, np.ndarray],
        max_error: int = 0,
        *,
        means: bool = False,
    ) -> list[np.ndarray]:
        """Decode what `encode` returned.

        With ``means``, values are those expected within the bound, not those in its
        middle.

        Raises
        ------
        BitstreamError
            If the bytes cannot be those of such stacks.
        """
        return decode_stacks(
            self.networks,
            data,
            stacks,
            limits,
            self.in_series,
            max_error,
            means=means,
        )
