"""The weight of the L2 penalty: guessed by what PCA leaves, tried on images held out.

How much a network can learn beyond PCA, no statistic of the images tells: where it is
much, as of handwriting, a light penalty is best, where it is little, as of patches of
photographs, the same penalty lets it learn single images by heart, and nothing is
better than to leave it as PCA.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from sklearn_dae._threads import one_blas_thread
from sklearn_dae.blocks import RowBlocks
from sklearn_dae.compressor._fine_tuning import Settings, fine_tune
from sklearn_dae.compressor._initialization import random_parameters, start_as_pca
from sklearn_dae.compressor._principal_axes import PrincipalAxes, principal_axes
from sklearn_dae.compressor._refinement import refine_codes
from sklearn_dae.network import Layout, Objective, propagate
from sklearn_dae.training import Problem

#: The guess in units of the error that PCA leaves, times the values of a code, over the
#: rows; from so many pixels on, more: larger networks overfit sooner.
_GUESS, _MANY_PIXELS = 1 / 8, 784

#: Multiples of the guess that are tried in turn, until one is better than the start by
#: so many standard errors. With the heaviest the network hardly leaves its linear path.
_MULTIPLES = (1, 64)
_CLEARLY = 2.0

#: Fewest rows that can tell, and most that leave a doubt.
_FEWEST_ROWS, _MOST_ROWS = 20, 10_000

#: Parts that rows are cut into, one of them held out; of few rows each in its turn.
_PARTS, _FEW_ROWS = 5, 300

#: Iterations of a fit over those of a trial, and fewest of a trial.
_SHARE, _FEWEST_ITER = 4, 3


def guess_alpha(pca: PrincipalAxes, n_rows: int) -> float:
    """Guess the weight of the L2 penalty by what PCA leaves of the rows."""
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
    """Choose the weight of the L2 penalty by what images held out say.

    The guess, and then a multiple of it, is given a short training on some of the
    rows, always with the same random numbers. It is the same multiple, not the same
    penalty, that all rows need: the guess falls as rows grow.

    Parameters
    ----------
    training : RowBlocks
        Rows to learn from, and to hold some out of.

    pca : PrincipalAxes
        Of all rows.

    layout : Layout
        Sizes and units of a network with a linear path.

    objective : Objective
        What is minimised, its ``alpha`` aside.

    settings_for : callable
        Maps a number of rows to how so many are trained on.

    n_refining : int
        Steps by which codes are refined.

    Returns
    -------
    float
        The guess, or 64 times as much, whichever first restores rows held out clearly
        better than the start, thus than PCA. Infinity where neither does; the guess
        where there are too few rows, or iterations, to tell.
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
        """Squared error of each row held out, restored as by PCA."""
        return self._errors(self._start)

    def errors(self, multiple: float) -> np.ndarray:
        """Squared error of each row held out, after training with a penalty."""
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
