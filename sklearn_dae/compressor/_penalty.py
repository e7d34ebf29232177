"""The weight of the L2 penalty: guessed from PCA's error, tried on held-out images.

No statistic of the images tells how much a network can learn beyond PCA. Where that is
a lot, as with handwriting, a light penalty is best. Where it is little, as with patches
of photographs, the same penalty lets the network memorise single images, and nothing
beats leaving it as PCA.
"""

import math
from dataclasses import replace
from functools import partial

import numpy as np

from sklearn_dae._blas import one_blas_thread
from sklearn_dae._scaling import PixelScaler
from sklearn_dae.compressor._initialization import start_as_pca
from sklearn_dae.compressor._principal_axes import PrincipalAxes, principal_axes
from sklearn_dae.network import Layout, Network
from sklearn_dae.rows import RowBlocks
from sklearn_dae.training import Settings, train

#: The guess, in units of the error that PCA leaves times the values of a code over the
#: number of rows, and the pixels above which it grows: larger networks overfit sooner.
_GUESS, _MANY_PIXELS = 1 / 8, 784

#: Multiples of the guess that are tried in turn, and by how many standard errors one
#: must be better than the start to be chosen. With the larger one the network hardly
#: leaves its linear path.
_MULTIPLES = (1, 64)
_CLEARLY = 2.0

#: Fewest rows that a trial can judge by, and most that need one.
_FEWEST_ROWS, _MOST_ROWS = 20, 10_000

#: Parts that the rows are cut into, one of them held out, and the number of rows up to
#: which each part is held out in turn.
_PARTS, _FEW_ROWS = 5, 300

#: Iterations of a fit relative to those of a trial, and fewest iterations of a trial.
_SHARE, _FEWEST_ITER = 4, 3


def guess_alpha(pca: PrincipalAxes, n_rows: int) -> float:
    """Guess the weight of the L2 penalty from the error that PCA leaves."""
    n_components, n_features = pca.axes.shape
    wideness = max(1.0, math.sqrt(n_features / _MANY_PIXELS))
    return _GUESS * wideness * n_components * pca.residual / n_rows


def choose_alpha(
    training: RowBlocks,
    pca: PrincipalAxes,
    layout: Layout,
    settings: Settings,
    n_refining: int,
) -> float | None:
    """Choose the weight of the L2 penalty by trials on held-out images.

    A network is trained briefly on some of the rows with the guess, and then with a
    multiple of it, always with the same random numbers. What carries over to all rows
    is the multiple, not the penalty: the guess falls as the number of rows grows.

    Parameters
    ----------
    training : RowBlocks
        Rows to learn from, scaled to [0, 1], some of which are held out.

    pca : PrincipalAxes
        Principal axes of all rows.

    layout : Layout
        A network with a linear path.

    settings : Settings
        How to train on all rows, apart from the penalty.

    n_refining : int
        Number of steps by which codes are refined.

    Returns
    -------
    float or None
        The guess, or 64 times as much, whichever first restores held-out rows clearly
        better than the start, and so than PCA. None if neither does, so that training
        would not help. The guess if there are too few rows, or iterations, to tell, or
        so many rows that it needs no trial.
    """
    n_rows = training.n_rows
    guess = guess_alpha(pca, n_rows)
    brief = replace(settings, max_iter=settings.n_iter // _SHARE, seed=0)
    if not _FEWEST_ROWS <= n_rows <= _MOST_ROWS or brief.n_iter < _FEWEST_ITER:
        return guess
    parts = np.array_split(np.random.default_rng(0).permutation(n_rows), _PARTS)
    folds = [
        _Fold(training, part, layout, brief, n_refining)
        for part in parts[: _PARTS if n_rows <= _FEW_ROWS else 1]
    ]
    of_start = np.concatenate([fold.errors_at_start() for fold in folds])
    for multiple in _MULTIPLES:
        gains = of_start - np.concatenate([fold.errors(multiple) for fold in folds])
        if gains.mean() > _CLEARLY * gains.std() / math.sqrt(len(gains)):
            return multiple * guess
    return None


class _Fold:
    """Rows to train on, and those held out; see `choose_alpha` for the parameters."""

    def __init__(
        self,
        rows: RowBlocks,
        held_out: np.ndarray,
        layout: Layout,
        settings: Settings,
        n_refining: int,
    ) -> None:
        self._held_out = rows.take(np.sort(held_out))
        self._kept = rows.take(np.setdiff1d(np.arange(rows.n_rows), held_out))
        self._layout, self._settings = layout, settings
        self._n_refining = n_refining
        pca = principal_axes(self._kept, layout.n_components)
        self._guess = guess_alpha(pca, self._kept.n_rows)
        self._start = layout.initial(np.random.RandomState(0))
        start_as_pca(self._start, layout, pca)

    def errors_at_start(self) -> np.ndarray:
        """Squared error of each held-out row, restored as by PCA."""
        return self._errors(self._start)

    def errors(self, multiple: float) -> np.ndarray:
        """Squared error of each held-out row, after training with a penalty."""
        penalised = replace(self._settings.objective, alpha=multiple * self._guess)
        settings = replace(self._settings, objective=penalised)
        trained = train(self._kept, self._layout, settings, self._start)
        if trained.interrupted:
            raise KeyboardInterrupt
        return self._errors(trained.theta)

    def _errors(self, theta: np.ndarray) -> np.ndarray:
        network = Network(self._layout, theta, PixelScaler(0, 1))
        with one_blas_thread():
            return self._held_out.map(
                partial(network.squared_errors, n_refining=self._n_refining)
            )
