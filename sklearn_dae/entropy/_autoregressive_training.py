"""Training of the network of `AutoregressiveMixtures`.

In: symbols, and the distribution of each column alone. Out: distributions and a network
that together take the fewest bits, themselves counted: by Adam, on rows drawn at
random, with a penalty on weights for the bits that they take. At last, training goes on
with weights that are rounded as they will be, coarsely or finely, and those are kept
that pay.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol, Self, TypeVar

import numpy as np

from sklearn_dae._blas import one_blas_thread
from sklearn_dae.entropy._adam import Adam
from sklearn_dae.entropy._arithmetic import MOST_SUM
from sklearn_dae.entropy._code_network import (
    ACTIVE_BITS,
    INPUT_BITS,
    MOST,
    MOST_ACTIVE,
    MOST_WEIGHT,
    N_KINDS,
    CodeNetwork,
    inputs_of,
    masks,
    order_of,
)
from sklearn_dae.entropy._column_mixtures import ColumnMixtures, pack_column
from sklearn_dae.entropy._logistic import N_LOGISTIC, Values, bits_and_slopes
from sklearn_dae.entropy._mixture import PER_FOLD, PER_OCTAVE

#: Bits of all symbols for which there is a weight; most hidden units.
_BITS_OF_WEIGHT, _MOST_HIDDEN = 80, 128

#: Steps of training, and of those with rounded weights; largest rates; about how many
#: symbols a step looks at.
_N_STEPS, _N_ROUNDED, _RATE, _ROUNDED_RATE, _N_OF_STEP = 600, 300, 0.02, 0.03, 2**14

#: Bits that a weight is taken to cost, times its size.
_PENALTY = 4.0

#: Where distributions begin that a column did not need alone: their logarithm of the
#: share, and how far apart their centres are.
_LEAST_SHARE, _APART = -2.0, 0.8

#: Bits after the point that are tried, of weights of hidden units and of outputs, and
#: on how many rows.
_BITS, _TRIED_ROWS = ((2, 3), (3, 4)), 2_000


class _Model(Protocol):
    """What is made of distributions and a network."""

    @property
    def n_bytes(self) -> int: ...

    def bits(self, symbols: np.ndarray) -> np.ndarray: ...


Model = TypeVar("Model", bound=_Model)


def _n_hidden_for(n_bits: float, n_columns: int) -> int:
    """Return how many hidden units may pay for so many bits of all symbols."""
    # A unit sees half of the columns, and changes what half of them are given.
    of_unit = (1 + N_KINDS) * (n_columns - 1) / 2
    return min(int(n_bits / _BITS_OF_WEIGHT / of_unit), _MOST_HIDDEN)


def fit_model(
    symbols: np.ndarray,
    columns: ColumnMixtures,
    n_rows: int,
    make: Callable[[ColumnMixtures, np.ndarray], Model],
) -> Model:
    """Learn from symbols; see `AutoregressiveMixtures.fit`.

    ``make`` makes a model of distributions and the bytes of a network.
    """
    n_bits = float(columns.bits(symbols).mean()) * n_rows
    n_hidden = max(_n_hidden_for(n_bits, columns.n_columns), 1)
    rng = np.random.default_rng(0)
    learner = _Learner.of(columns, n_hidden, rng)
    in_order = symbols.T[order_of(columns)].astype(np.float32)
    n = int(np.clip(_N_OF_STEP // len(in_order), 1, len(symbols)))
    batches = _batches(in_order, n, rng)
    penalty = _PENALTY * np.log(2) / (n_rows * len(in_order))
    few = symbols[rng.permutation(len(symbols))[:_TRIED_ROWS]]
    models = []
    with one_blas_thread():
        learner.learn(batches, _N_STEPS, _RATE, penalty)
        for bits in _BITS:
            rounded = deepcopy(replace(learner, bits=bits))
            rounded.learn(batches, _N_ROUNDED, _ROUNDED_RATE, penalty)
            packed = np.frombuffer(rounded.network().to_bytes(), np.uint8)
            models.append(make(rounded.columns(columns), packed))
    return min(models, key=lambda model: _total_bits(model, few, n_rows))


def _total_bits(model: _Model, symbols: np.ndarray, n_rows: int) -> float:
    return float(model.bits(symbols).mean()) * n_rows + 8 * model.n_bytes


def _batches(
    symbols: np.ndarray, size: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Draw rows, which are columns here, endlessly, each as often as every other."""
    n_rows = symbols.shape[1]
    while True:
        order = rng.permutation(n_rows)
        for begin in range(0, n_rows - size + 1, size):
            yield symbols[:, order[begin : begin + size]]


@dataclass(frozen=True, eq=False)
class _Learner:
    """Distributions and a network in single precision.

    Parameters
    ----------
    start : ndarray of shape (3 * N_LOGISTIC, n_columns)
        Distributions of the columns, in the order of these: logarithms of shares,
        centres in deviations, logarithms of widths.

    hidden : ndarray of shape (n_hidden, n_columns - 1)
        Weights of hidden units.

    biases : ndarray of shape (n_hidden, 1)
        Their biases.

    outputs : ndarray of shape (n_columns - 1, N_KINDS, n_hidden)
        Weights of what is changed.

    deviations : ndarray of shape (n_columns,)
        Standard deviations of the columns.

    bits : tuple of (hidden_bits, output_bits), default=None
        How many bits of weights are after the point.
    """

    start: np.ndarray
    hidden: np.ndarray
    biases: np.ndarray
    outputs: np.ndarray
    deviations: np.ndarray
    bits: tuple[int, int] | None = None

    @classmethod
    def of(
        cls, columns: ColumnMixtures, n_hidden: int, rng: np.random.Generator
    ) -> Self:
        """Begin with what is known of each column alone."""
        order = order_of(columns)
        logits, centres, octaves = np.split(columns.outputs[:, order], 3)
        is_new = logits < -1000
        logits = np.where(is_new, _LEAST_SHARE, logits / PER_FOLD)
        apart = np.linspace(-_APART, _APART, N_LOGISTIC)[:, np.newaxis]
        centres = np.where(is_new, apart, centres)
        widths = octaves * np.log(2) / PER_OCTAVE
        seen, used = masks(len(order) - 1, n_hidden)
        hidden = rng.normal(size=seen.shape) * np.sqrt(2 / seen.sum(axis=1))[:, None]
        parameters = (
            np.concatenate([logits, centres, widths]),
            hidden * seen,
            rng.normal(size=(n_hidden, 1)) / 2,
            np.zeros((len(used), N_KINDS, n_hidden)),
            columns.deviations[order],
        )
        start, *others = (each.astype(np.float32) for each in parameters)
        hidden, biases, outputs, deviations = others
        return cls(start, hidden, biases, outputs, deviations)

    def learn(
        self, batches: Iterator[np.ndarray], n_steps: int, rate: float, penalty: float
    ) -> None:
        """Take steps of Adam, with a penalty on the size of weights."""
        parameters = [self.start, self.hidden, self.biases, self.outputs]
        adam = Adam(parameters, n_steps, rate)
        for batch in islice(batches, n_steps):
            slopes = self._slopes(batch)
            slopes[1] += np.float32(penalty) * np.sign(self.hidden)
            slopes[3] += np.float32(penalty) * np.sign(self.outputs)
            adam.step(slopes)

    def columns(self, columns: ColumnMixtures) -> ColumnMixtures:
        """Return the distributions of the columns, rounded."""
        packed = {
            column: pack_column(float(deviation), *np.split(of_column, 3))
            for column, deviation, of_column in zip(
                order_of(columns), self.deviations, self.start.T, strict=True
            )
        }
        joined = b"".join(packed[column] for column in range(len(packed)))
        return ColumnMixtures(columns.limit, np.frombuffer(joined, np.uint8))

    def network(self) -> CodeNetwork:
        """Return the network, rounded."""
        assert self.bits is not None
        hidden_bits, output_bits = self.bits
        return CodeNetwork(
            _whole(self.hidden, hidden_bits, MOST),
            _whole(self.biases[:, 0], ACTIVE_BITS, 1),
            _whole(self.outputs, output_bits, MOST_ACTIVE),
            hidden_bits,
            output_bits,
        )

    @property
    def _used(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights of hidden units, biases, and weights of outputs, maybe rounded."""
        if self.bits is None:
            return self.hidden, self.biases, self.outputs
        network = self.network()
        return (
            np.ldexp(network.hidden.astype(np.float32), -network.hidden_bits),
            np.ldexp(network.biases[:, np.newaxis].astype(np.float32), -ACTIVE_BITS),
            np.ldexp(network.outputs.astype(np.float32), -network.output_bits),
        )

    def _slopes(self, symbols: np.ndarray) -> list[np.ndarray]:
        """Return the slopes of the mean nats of a symbol by all parameters.

        Parameters
        ----------
        symbols : ndarray of float32 of shape (n_columns, n_rows)
            Symbols, in the order of the columns.
        """
        n_columns, n = symbols.shape
        inputs = inputs_of(symbols[:-1], self.deviations[:-1])
        inputs = np.ldexp(inputs, -INPUT_BITS)
        hidden, biases, outputs = self._used
        most = np.float32(MOST_ACTIVE / 2**ACTIVE_BITS)
        active = np.clip(hidden @ inputs + biases, 0, most)
        changes = outputs @ active
        mixtures = np.repeat(self.start[:, :, np.newaxis], n, axis=2)
        logits, centres, widths = np.split(mixtures, 3)
        logits[0, 1:] += changes[:, 0]
        logits[-1, 1:] += changes[:, 1]
        centres[:, 1:] += changes[:, 2]
        widths[:, 1:] += changes[:, 3]
        values = _values(symbols, self.deviations)
        _, slopes = bits_and_slopes(mixtures.reshape(len(mixtures), -1), values)
        slopes = slopes.reshape(mixtures.shape)
        logits, centres, widths = np.split(slopes[:, 1:], 3)
        of_changes = np.stack(
            [logits[0], logits[-1], centres.sum(axis=0), widths.sum(axis=0)], axis=1
        )
        seen, used = masks(n_columns - 1, len(hidden))
        of_outputs = (of_changes @ active.T) * used[:, np.newaxis]
        flat = outputs.reshape(-1, len(active))
        of_active = flat.T @ of_changes.reshape(len(flat), n)
        of_active *= (active > 0) & (active < most)
        return [
            slopes.sum(axis=2),
            (of_active @ inputs.T) * seen,
            of_active.sum(axis=1, keepdims=True),
            of_outputs,
        ]


def _values(symbols: np.ndarray, deviations: np.ndarray) -> Values:
    """Return symbols, column after column, relative to deviations."""
    per_deviation = 1 / deviations[:, np.newaxis]
    half = np.broadcast_to(per_deviation / 2, symbols.shape)
    no, none = np.zeros(symbols.size, bool), np.empty((0, symbols.size), np.float32)
    return Values((symbols * per_deviation).ravel(), half.ravel(), no, no, none)


def _whole(weights: np.ndarray, n_bits: int, most: int) -> np.ndarray:
    """Round weights of units whose inputs are up to ``most``: sums stay exact."""
    whole = np.rint(np.ldexp(weights, n_bits)).astype(np.int64)
    largest = min(MOST_WEIGHT, MOST_SUM // (2 * most * weights.shape[-1]))
    return np.clip(whole, -largest, largest)
