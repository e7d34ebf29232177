"""How to recognise an image that a codec was not made for.

In: squared errors of restored training images. Out: the largest error that an image of
their kind may have.
"""

import numpy as np

#: An image is unlike the training images if its squared error exceeds all of theirs and
#: also twice the error whose logarithm is this many standard deviations above their
#: mean; twice, since overfitted networks make twice the error on new images.
_DEVIATIONS, _OVERFITTING = 4.0, 2.0

#: Root mean squared error that is never too large, as a fraction of the pixel range:
#: four grey levels.
_UNSEEN_ERROR = 4 / 255


def error_limit(errors: np.ndarray, n_features: int, span: float) -> float:
    """Squared error beyond which an image is unlike the training images.

    Parameters
    ----------
    errors : ndarray of shape (n_samples,)
        Squared errors of training images.

    n_features : int
        Number of pixels in an image.

    span : float
        Width of the pixel range.
    """
    unseen = n_features * (_UNSEEN_ERROR * span) ** 2
    # Smaller errors, some of them zero, say nothing about how large others may be.
    errors = errors[errors > unseen / _OVERFITTING]
    if not errors.size:
        return unseen
    logarithms = np.log(errors)
    usual = np.exp(logarithms.mean() + _DEVIATIONS * logarithms.std())
    return max(_OVERFITTING * float(usual), float(errors.max()), unseen)


def squared_errors(X: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Squared error of each row."""
    difference = np.subtract(X, Y, dtype=np.float64)
    return np.square(difference, out=difference).sum(axis=1)
