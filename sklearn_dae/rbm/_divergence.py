"""The phases of contrastive divergence, and the arrays that they work in.

In: rows of a mini-batch, and the parameters of an RBM. Out: the parameters, moved in
place. Each phase lets one kind of units respond to the other; how that is shared among
threads stays in here.
"""

from typing import Any, NamedTuple

import numpy as np

from sklearn_dae._threads import lanes_if_worth, map_in_threads
from sklearn_dae.rbm._units import KINDS, dense, mean_units

#: Rows of the weight matrix that a step moves at a time; they stay in cache from one
#: operation to the next.
_SLAB_ROWS = 128


class Parameters(NamedTuple):
    """Weights of shape (n_hidden, n_visible), and biases; or steps in them."""

    weights: np.ndarray
    hidden_biases: np.ndarray
    visible_biases: np.ndarray

    def like(self) -> "Parameters":
        """Return zeros of the same shapes."""
        return Parameters(*map(np.zeros_like, self))


class _Lane(NamedTuple):
    """Some of the hidden units, in an array of their own.

    Threads that write side by side into the same rows slow each other down.
    """

    units: slice
    hidden: np.ndarray


class Divergence:
    """The phases of one mini-batch after the other.

    The rows of the data and those of the model's samples lie in one array, the data
    above, so that the two products of the gradient become one.

    Parameters
    ----------
    parameters : Parameters
        What is learned, changed in place.

    units : tuple of str
        Kinds of the visible and of the hidden units.

    n_rows : int
        Number of rows of the largest mini-batch.

    chains : ndarray of shape (n_chains, n_hidden), default=None
        Hidden units of persistent chains, changed in place. Without them, chains start
        at the data.

    sample_visible : bool, default=True
        Whether the model's visible units are sampled; their means are used otherwise.
    """

    def __init__(
        self,
        parameters: Parameters,
        units: tuple[str, str],
        n_rows: int,
        *,
        chains: np.ndarray | None = None,
        sample_visible: bool = True,
    ) -> None:
        n_hidden, n_visible = parameters.weights.shape
        dtype = parameters.weights.dtype
        n_both = n_rows + (n_rows if chains is None else len(chains))
        self._parameters = parameters
        self._units = units
        self._persistent = chains is not None
        self._sample_visible = sample_visible
        self._all_chains = np.empty((n_rows, n_hidden), dtype)
        if chains is not None:
            self._all_chains = chains
        self._all_visible = np.empty((n_both, n_visible), dtype)
        self._all_lanes = [
            _Lane(part, np.empty((n_both, part.stop - part.start), dtype))
            for part in lanes_if_worth(n_hidden, n_both * n_hidden * n_visible)
        ]
        self._gradient = parameters.like()
        self._make_room(n_rows)

    def _make_room(self, n_rows: int) -> None:
        """Take the parts of all arrays that a mini-batch of some size needs."""
        n_chains = len(self._all_chains) if self._persistent else n_rows
        n_both = n_rows + n_chains
        self._data, self._model = slice(0, n_rows), slice(n_rows, n_both)
        self._chains = self._all_chains[:n_chains]
        self._visible = self._all_visible[:n_both]
        self._lanes = [
            _Lane(units, hidden[:n_both]) for units, hidden in self._all_lanes
        ]

    def load(self, X: Any, rows: np.ndarray) -> None:
        """Begin with a mini-batch: some rows of X."""
        if self._data.stop != len(rows):
            self._make_room(len(rows))
        if isinstance(X, np.ndarray):
            np.take(X, rows, axis=0, out=self._visible[self._data], mode="clip")
        else:
            self._visible[self._data] = dense(X[rows])

    def positive_phase(self, rng: np.random.Generator) -> None:
        """Let the hidden units respond to the data, where chains then start.

        Persistent chains start where they ended, and need not wait for the data, which
        `negative_phase` puts in one product with the model.
        """
        if not self._persistent:
            self._respond(self._data, self._data, rng)

    def gibbs_step(self, rng: np.random.Generator) -> None:
        """Draw visible units from the chains' hidden ones, and these from them."""
        self._reconstruct(rng)
        self._respond(self._model, self._model, rng)

    def negative_phase(self, rng: np.random.Generator) -> None:
        """Take the last Gibbs step, and let the hidden units respond to the model."""
        self._reconstruct(rng)
        if self._persistent:
            self._respond(slice(0, self._model.stop), self._model, rng)
        else:
            self._respond(self._model)

    def update(
        self,
        learning_rate: float,
        weight_decay: float,
        momentum: float,
        velocity: Parameters | None,
    ) -> None:
        """Move the parameters along <v h> of the data less <v h> of the model.

        The data term is averaged over the rows of the batch and the model term over the
        chains, so a short batch takes a step of the same size.
        """
        visible, gradient = self._visible, self._gradient
        velocity = velocity if momentum and velocity else gradient
        weights, hidden_biases, visible_biases = zip(
            self._parameters, gradient, velocity, strict=True
        )
        decay = learning_rate * weight_decay
        rates = np.empty(len(visible), visible.dtype)
        for phase, rate in ((self._data, learning_rate), (self._model, -learning_rate)):
            rates[phase] = rate / (phase.stop - phase.start)

        # A hidden unit needs no other unit's weights to learn ...
        def go_along(lane: _Lane) -> None:
            units, hidden = lane
            hidden *= rates[:, None]
            np.matmul(hidden.T, visible, out=gradient.weights[units])
            np.sum(hidden, axis=0, out=gradient.hidden_biases[units])
            take_step(*weights, momentum, decay, units)
            take_step(*hidden_biases, momentum, 0.0, units)

        map_in_threads(go_along, self._lanes)
        np.matmul(rates, visible, out=gradient.visible_biases)
        take_step(*visible_biases, momentum, 0.0, slice(0, len(visible[0])))

    def _respond(
        self,
        phase: slice,
        drawn: slice | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        """Let the hidden units respond to the rows of a phase; draw the chains' units.

        ``drawn`` are those of the rows that the chains are drawn from, if any.
        """
        kind = KINDS[self._units[1]]
        weights, biases, _ = self._parameters
        noise = None if rng is None else kind.noise(self._chains.shape, rng)

        # ... nor to respond and to be drawn.
        def go_along(lane: _Lane) -> None:
            units, hidden = lane
            means = hidden[phase]
            np.matmul(self._visible[phase], weights[units].T, out=means)
            means += biases[units]
            kind.activate(means)
            if noise is not None:
                kind.settle(hidden[drawn], noise[:, units], self._chains[:, units])

        map_in_threads(go_along, self._lanes)

    def _reconstruct(self, rng: np.random.Generator) -> None:
        """Let the model's visible units follow the chains' hidden ones."""
        weights, _, biases = self._parameters
        kind, out = self._units[0], self._visible[self._model]
        mean_units(self._chains, weights, biases, kind, out)
        if self._sample_visible:
            KINDS[kind].draw(out, rng, out=out)


def take_step(
    parameter: np.ndarray,
    gradient: np.ndarray,
    velocity: np.ndarray,
    momentum: float,
    decay: float,
    part: slice,
) -> None:
    """Move part of a parameter along its gradient, with momentum and weight decay.

    Without momentum ``velocity`` is the gradient itself.
    """
    for start in range(part.start, part.stop, _SLAB_ROWS):
        slab = slice(start, min(start + _SLAB_ROWS, part.stop))
        if decay:
            gradient[slab] -= decay * parameter[slab]
        if momentum:
            velocity[slab] *= momentum
            velocity[slab] += gradient[slab]
        parameter[slab] += velocity[slab]
