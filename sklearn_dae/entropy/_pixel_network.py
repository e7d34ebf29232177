"""Small networks that say how likely each value of a sample is.

In: what is known of samples, as whole numbers. Out: the distributions of their values.
All weights and activations are whole numbers, so small that no sum of products reaches
2**24: single precision holds them all, and every order of addition gives the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from sklearn_dae._fields import Fields, array, each, expect_equal, instance
from sklearn_dae.entropy._arithmetic import check_sums
from sklearn_dae.entropy._context import (
    MOST,
    Known,
    Predictors,
    n_adaptive,
    n_neighbours,
)
from sklearn_dae.entropy._mixture import Cells, Mixture
from sklearn_dae.entropy._planes import Samples

#: Largest activation of a hidden unit.
MOST_ACTIVE = 255

#: Samples whose activations stay in cache.
_BLOCK = 1024

#: How many of the nearest samples have a probability to themselves.
N_COPIES = 4


@dataclass(frozen=True, eq=False)
class PixelNetwork:
    """The network of one channel, and the predictions that it starts from.

    Parameters
    ----------
    predictors : Predictors
        Weights of the predictions.

    weights : list of ndarray of int16 of shape (n_out, n_in)
        Weights of the layers.

    biases : list of ndarray of int32 of shape (n_out,)
        Their biases.

    shifts : list of ndarray of uint8 of shape (n_out,)
        How many bits of a sum are after the point.

    points : ndarray of int32 of shape (n_points,)
        Values that have a probability to themselves.
    """

    predictors: Predictors
    weights: list[np.ndarray]
    biases: list[np.ndarray]
    shifts: list[np.ndarray]
    points: np.ndarray

    _stored_fields: ClassVar[Fields] = {
        "predictors": instance(Predictors),
        "weights": each(array(None, None, kinds="i")),
        "biases": each(array(None, kinds="i")),
        "shifts": each(array(None, kinds="u")),
        "points": array("points", kinds="i"),
    }

    def _check_stored(self) -> None:
        predictors = self.predictors
        n = predictors.n_references
        expect_equal("Weights of neighbours", len(predictors.linear), n_neighbours(n))
        expect_equal("Weights that adapt", len(predictors.first), n_adaptive(n))
        check_sums(predictors.matrix(), MOST)
        if not 0 <= predictors.rate <= 1:
            raise ValueError(f"Weights adapt at a rate of {predictors.rate}")
        n_below, most = predictors.n_inputs, MOST
        for weights, biases, shifts in self._layers_stored:
            expect_equal("Inputs of a layer", weights.shape[1], n_below)
            expect_equal("Biases of a layer", len(biases), len(weights))
            expect_equal("Shifts of a layer", len(shifts), len(weights))
            check_sums(weights, most, biases.astype(np.int64))
            if shifts.max(initial=0) > 24:
                raise ValueError(f"A sum is shifted by {shifts.max()} bits")
            n_below, most = len(weights), MOST_ACTIVE
        n_logistic, rest = divmod(n_below - N_COPIES - len(self.points), 3)
        if rest or n_logistic < 1:
            raise ValueError(f"The network has {n_below} outputs")

    @property
    def _layers_stored(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        return list(zip(self.weights, self.biases, self.shifts, strict=True))

    @cached_property
    def _layers(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Weights and biases of the layers, shifted, in single precision."""
        layers = []
        for weights, biases, shifts in self._layers_stored:
            # Multiples of a power of two are as exact as whole numbers.
            unit = np.ldexp(np.float32(1), -shifts[:, np.newaxis].astype(np.int32))
            layers.append((weights * unit, biases[:, np.newaxis] * unit))
        return [(w.astype(np.float32), b.astype(np.float32)) for w, b in layers]

    @property
    def n_logistic(self) -> int:
        """Number of logistic distributions."""
        return (len(self.weights[-1]) - N_COPIES - len(self.points)) // 3

    @property
    def n_outputs(self) -> int:
        """Number of outputs."""
        return len(self.weights[-1])

    def outputs(
        self, inputs: np.ndarray, outputs: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the outputs of the network: (n_outputs, n).

        Parameters
        ----------
        inputs : ndarray of float32 of shape (n_inputs or more, n)
            Whole numbers up to ``MOST``.

        outputs : ndarray of float32 of shape (n_outputs, n), default=None
            Where to write them.
        """
        n = inputs.shape[1]
        if outputs is None:
            outputs = np.empty((self.n_outputs, n), np.float32)
        inputs = inputs[: self.predictors.n_inputs]
        *hidden, (last, last_biases) = self._layers
        for begin in range(0, n, _BLOCK):
            below = inputs[:, begin : begin + _BLOCK]
            for weights, biases in hidden:
                below = weights @ below
                below += biases
                np.rint(below, out=below)
                np.maximum(below, np.float32(0), out=below)
                np.minimum(below, np.float32(MOST_ACTIVE), out=below)
            np.matmul(last, below, out=outputs[:, begin : begin + _BLOCK])
        outputs += last_biases
        return outputs


def mixture_of(
    networks: Sequence[PixelNetwork], samples: Samples, known: Known, cells: Cells
) -> Mixture:
    """Return the distributions of samples, by the network of each channel.

    Networks must be alike in what they return.
    """
    first = networks[0]
    outputs = np.empty((first.n_outputs, len(samples.at)), np.float32)
    points = np.empty((N_COPIES + len(first.points), len(samples.at)), np.float32)
    points[:N_COPIES] = known.nearest
    for network, columns in zip(networks, samples.of_channels, strict=True):
        network.outputs(known.inputs[:, columns], outputs[:, columns])
        points[N_COPIES:, columns] = network.points[:, np.newaxis]
    return Mixture.of_outputs(
        outputs, first.n_logistic, known.centre, known.scale, points, cells
    )
