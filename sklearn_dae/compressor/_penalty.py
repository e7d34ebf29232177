"""The weight of the L2 penalty: guessed from PCA's error, tried on held-out images.

No statistic of the images tells how much a network can learn beyond PCA. Where that is
a lot, as with handwriting, a light penalty is best. Where it is little, as with patches
of photographs, the same penalty lets the network memorise single images, and nothing
beats leaving it as PCA.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from sklearn_dae._blas import one_blas_thread
from sklearn_dae.compressor._fine_tuning import Settings, fine_tune
from sklearn_dae.compressor._initialization import random_parameters, start_as_pca
from sklearn_dae.compressor._principal_axes import PrincipalAxes, principal_axes
from sklearn_dae.compressor._refinement import refine_codes
from sklearn_dae.network import Layout, Objective, propagate
from sklearn_dae.rows import RowBlocks
from sklearn_dae.training import Problem

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
    objective: Objective,
    settings_for: Callable[[int], Settings],
    n_refining: int,
) -> float:
    """Choose the weight of the L2 penalty by trials on held-out images.

    A network is trained briefly on some of the rows with the guess, and then with a
    multiple of it, always with the same random numbers. What carries over to all rows
    is the multiple, not the penalty: the guess falls as the number of rows grows.

    Parameters
    ----------
    training : RowBlocks
        Rows to learn from, some of which are held out.

    pca : PrincipalAxes
        Principal axes of all rows.

    layout : Layout
        Sizes and units of a network with a linear path.

    objective : Objective
        What is minimised, apart from its ``alpha``.

    settings_for : callable
        Maps a number of rows to the settings for training on that many.

    n_refining : int
        Number of steps by which codes are refined.

    Returns
    -------
    float
        The guess, or 64 times as much, whichever first restores held-out rows clearly
        better than the start, and so than PCA. Infinity if neither does; the guess if
        there are too few rows, or iterations, to tell, or so many rows that it needs no
        trial.
    """
    n_rows = training.n_rows
    guess = guess_alpha(pca, n_rows)
    if not _FEWEST_ROWS <= n_rows <= _MOST_ROWS:
        return guess
    if settings_for(n_rows).max_iter // _SHARE < _FEWEST_ITER:
        return guess
    parts = np.array_split(np.random.default_rng(0).permutation(n_rows), _PARTS)
    folds = [
        _Fold(training, part, layout, objective, settings_for, n_refining)
        for part in parts[: _PARTS if n_rows <= _FEW_ROWS else 1]
    ]
    of_start = np.concatenate([fold.errors_at_start() for fold in folds])
    for multiple in _MULTIPLES:
        gains = of_start - np.concatenate([fold.errors(multiple) for fold in folds])
        if gains.mean() > _CLEARLY * gains.std() / math.sqrt(len(gains)):
            return multiple * guess
    return math.inf


class _Fold:
    """Rows to train on, and those held out; see `choose_alpha` for the parameters."""

    def __init__(
        self,
        rows: RowBlocks,
        held_out: np.ndarray,
        layout: Layout,
        objective: Objective,
        settings_for: Callable[[int], Settings],
        n_refining: int,
    ) -> None:
        self._held_out = rows.take(np.sort(held_out))
        self._kept = rows.take(np.setdiff1d(np.arange(rows.n_rows), held_out))
        self._layout, self._objective = layout, objective
        settings = settings_for(self._kept.n_rows)
        self._settings = replace(settings, max_iter=settings.max_iter // _SHARE)
        self._n_refining = n_refining
        pca = principal_axes(self._kept, layout.widths[layout.encoder[-1]])
        self._guess = guess_alpha(pca, self._kept.n_rows)
        self._start = random_parameters(layout, np.random.RandomState(0))
        start_as_pca(self._start, layout, pca)

    def errors_at_start(self) -> np.ndarray:
        """Squared error of each held-out row, restored as by PCA."""
        return self._errors(self._start)

    def errors(self, multiple: float) -> np.ndarray:
        """Squared error of each held-out row, after training with a penalty."""
        objective = replace(self._objective, alpha=multiple * self._guess)
        problem = Problem(self._kept, self._layout, objective)
        progress, outcome = fine_tune(
            problem, self._start, None, self._settings, lambda _: False
        )
        if outcome.interrupted:
            raise KeyboardInterrupt
        return self._errors(progress.best_theta)

    def _errors(self, theta: np.ndarray) -> np.ndarray:
        layout = self._layout

        def errors(x: np.ndarray) -> np.ndarray:
            codes = propagate(theta, x, layout, layout.encoder)
            codes = refine_codes(theta, codes, x, layout, self._n_refining)
            restored = propagate(theta, codes, layout, layout.decoder)
            return np.square(restored - x).sum(axis=1, dtype=np.float64)

        with one_blas_thread():
            return self._held_out.map(errors)
