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

#: Multiples of the guess that are tried, in turn, until one is better than the start.
_MULTIPLES = (1, 4, 16)

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
    the guess falls as rows grow.

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
    best, lowest = 1.0, math.inf
    for multiple in _MULTIPLES:
        tried = Problem(kept, layout, replace(objective, alpha=multiple * guess))
        progress, outcome = fine_tune(tried, start, None, settings, lambda _: False)
        if outcome.interrupted:
            raise KeyboardInterrupt
        errors = _errors(progress.best_theta, held_out, layout, n_refining)
        if errors.mean() < lowest:
            best, lowest = multiple, errors.mean()
        if _are_clear(of_start - errors):
            break
    return best


def _are_clear(gains: np.ndarray) -> bool:
    """Whether the mean is above zero by a standard error, and most gains are."""
    standard_error = gains.std() / math.sqrt(len(gains))
    return bool(gains.mean() > standard_error and np.median(gains) > 0)


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
