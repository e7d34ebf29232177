"""Codes better than the encoder's: those that the decoder turns into the best images.

The encoder guesses a code in one pass. From there, L-BFGS over the code lowers the
squared error of each image, with the decoder fixed: one small problem for each image,
those of a block all in step.
"""

from collections import deque

import numpy as np

from sklearn_dae.network._layout import Layout
from sklearn_dae.network._objective import error_and_slope

#: Length of the first step, which only measures curvature, relative to the code's.
_PROBE = 1e-3

#: Number of steps whose curvature is remembered.
_HISTORY = 5


def refine_codes(
    theta: np.ndarray,
    codes: np.ndarray,
    X: np.ndarray,
    layout: Layout,
    n_iter: int,
    penalty: np.ndarray | None = None,
) -> np.ndarray:
    """Lower the error of each image by changing its code.

    A step that raises the error of an image is not taken, but its curvature is used,
    and the next one is half as long: no image gets worse.

    Parameters
    ----------
    theta : ndarray of shape (n_parameters,)
        The parameter vector.

    codes : ndarray of shape (n_samples, n_components)
        Where to start.

    X : ndarray of shape (n_samples, n_features)
        The images, scaled to [0, 1].

    layout : Layout
        The layers of the network.

    n_iter : int
        Number of steps after the first, short one; with 0 the codes stay as they are.

    penalty : ndarray of shape (n_components,), default=None
        What the square of each value of a code adds to the error.

    Returns
    -------
    ndarray of shape (n_samples, n_components)
        The refined codes.

    References
    ----------
    Liu, D. and Nocedal, J. (1989). On the limited memory BFGS method for large scale
    optimization. Mathematical Programming 45, 503-528.
    """
    if n_iter == 0:
        return codes
    low, high = layout.code_range
    weights = np.zeros(codes.shape[1]) if penalty is None else penalty
    weights = weights.astype(codes.dtype)

    def measured(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        error, slope = error_and_slope(theta, codes, X, layout)
        return error + _dot(codes, weights * codes), slope + 2 * weights * codes

    error, slope = measured(codes)
    tiny, epsilon = np.finfo(codes.dtype).tiny, np.finfo(codes.dtype).eps
    size, length = _norm(codes), _norm(slope)
    scale = _PROBE * np.where(size > 0, size, 1)
    # Where no code makes a difference there is no slope, and no step.
    scale /= np.where(length > np.sqrt(tiny), length, 1)
    rate = np.ones_like(scale)
    pairs: deque[tuple[np.ndarray, ...]] = deque(maxlen=_HISTORY)
    for _ in range(1 + n_iter):
        tried = codes - rate * _newton(slope, pairs, scale)
        np.clip(tried, low, high, out=tried)
        tried_error, tried_slope = measured(tried)
        step, change = tried - codes, tried_slope - slope
        curvature = _dot(step, change)
        # A direction of zero or negative curvature tells nothing.
        known = curvature > epsilon * _norm(step) * _norm(change)
        weight = np.where(known, 1 / np.maximum(curvature, tiny), 0)
        newest = curvature / np.maximum(_dot(change, change), tiny)
        scale = np.where(known, newest, scale)
        pairs.append((step, change, weight))
        better = tried_error < error
        codes = np.where(better, tried, codes)
        slope = np.where(better, tried_slope, slope)
        error = np.where(better, tried_error, error)
        rate = np.where(better, 1, rate / 2).astype(codes.dtype)
    return codes


def _newton(
    slope: np.ndarray, pairs: deque[tuple[np.ndarray, ...]], scale: np.ndarray
) -> np.ndarray:
    """Multiply slopes by the inverse Hessians that pairs and scale stand for."""
    direction = slope.copy()
    shares = []
    for step, change, weight in reversed(pairs):
        shares.append(weight * _dot(step, direction))
        direction -= shares[-1] * change
    direction *= scale
    for (step, change, weight), share in zip(pairs, reversed(shares), strict=True):
        direction += (share - weight * _dot(change, direction)) * step
    return direction


def _norm(rows: np.ndarray) -> np.ndarray:
    return np.sqrt(_dot(rows, rows))


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Scalar product of each row of a with the same row of b, as a column."""
    return np.einsum("ij,ij->i", a, b)[:, None]
