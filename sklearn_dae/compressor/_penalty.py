"""The weight of the L2 penalty: guessed by what PCA leaves, tried on images held out.

How much a network can learn beyond PCA, no statistic of the images tells: where it is
much, as of handwriting, a light penalty is best, where it is little, as of patches of
photographs, the same penalty lets it learn single images by heart.
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

#: Multiples of the guess that are tried in turn, until one is clearly better than the
#: start, and by how many standard errors. Where none is, the heaviest is taken that is
#: hardly worse than the best: few rows may miss those that overfitting hurts.
_MULTIPLES = (1, 4, 16)
_CLEARLY, _HARDLY = 2.0, 1.0

#: Fewest rows that can tell, most rows that leave a doubt, and the fraction held out.
_FEWEST_ROWS, _MOST_ROWS, _HELD_OUT = 50, 10_000, 0.2

#: Iterations of a fit over those of a trial, and fewest of a trial.
_SHARE, _FEWEST_ITER = 4, 3


def guess_alpha(pca: PrincipalAxes, n_rows: int) -> float:
    """Guess the weight of the L2 penalty by what PCA leaves of the rows."""
    n_components, n_features = pca.axes.shape
    wideness = max(1.0, math.sqrt(n_features / _MANY_PIXELS))
    return _GUESS * wideness * n_components * pca.residual / n_rows


def try_alpha(
    training: RowBlocks,
    layout: Layout,
    objective: Objective,
    settings_for: Callable[[int], Settings],
    n_refining: int,
) -> float:
    """Return by what multiple of the guess held-out images are restored best.

    Each multiple is given a short training on some of the rows, always with the same
    random numbers. It is the same multiple, not the same penalty, that all rows need:
    the guess falls as rows grow. In doubt it is the heaviest within a standard error of
    the best, a rule of Breiman et al. for trees.

    Parameters
    ----------
    training : RowBlocks
        Rows to learn from, and to hold some out of.

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
        One of 1, 4 and 16; 1 where there are too few rows, or iterations, to tell.

    References
    ----------
    Breiman, L., Friedman, J., Olshen, R. and Stone, C. (1984). Classification and
    Regression Trees. Wadsworth.
    """
    n_rows = training.n_rows
    if not _FEWEST_ROWS <= n_rows <= _MOST_ROWS:
        return 1.0
    order = np.random.default_rng(0).permutation(n_rows)
    held_out, kept = (
        training.take(np.sort(part))
        for part in np.split(order, [round(_HELD_OUT * n_rows)])
    )
    settings = settings_for(kept.n_rows)
    settings = replace(settings, max_iter=settings.max_iter // _SHARE)
    if settings.max_iter < _FEWEST_ITER:
        return 1.0
    pca = principal_axes(kept, layout.widths[layout.encoder[-1]])
    guess = guess_alpha(pca, kept.n_rows)
    start = random_parameters(layout, np.random.RandomState(0))
    start_as_pca(start, layout, pca)
    of_start = _errors(start, held_out, layout, n_refining)
    errors = []
    for multiple in _MULTIPLES:
        tried = Problem(kept, layout, replace(objective, alpha=multiple * guess))
        progress, outcome = fine_tune(tried, start, None, settings, lambda _: False)
        if outcome.interrupted:
            raise KeyboardInterrupt
        errors.append(_errors(progress.best_theta, held_out, layout, n_refining))
        if _is_above_zero(of_start - errors[-1], _CLEARLY):
            return multiple
    best = min(errors, key=np.mean)
    return max(
        multiple
        for multiple, of_this in zip(_MULTIPLES, errors, strict=True)
        if not _is_above_zero(of_this - best, _HARDLY)
    )


def _is_above_zero(numbers: np.ndarray, n_standard_errors: float) -> bool:
    """Whether the mean is, by more than so many of its standard errors."""
    standard_error = numbers.std() / math.sqrt(len(numbers))
    return bool(numbers.mean() > n_standard_errors * standard_error)


def _errors(
    theta: np.ndarray, rows: RowBlocks, layout: Layout, n_iter: int
) -> np.ndarray:
    """Squared error of each row, restored from a refined code."""

    def errors(x: np.ndarray) -> np.ndarray:
        codes = propagate(theta, x, layout, layout.encoder)
        codes = refine_codes(theta, codes, x, layout, n_iter)
        restored = propagate(theta, codes, layout, layout.decoder)
        return np.square(restored - x).sum(axis=1, dtype=np.float64)

    with one_blas_thread():
        return rows.map(errors)
