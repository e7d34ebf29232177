"""Images -> codes: those that a decoder restores them from well, in few bits.

From a linear guess, the squared error of each image is lowered by changing its code. A
penalty on large values stands for the bits that they take: where pixels are clipped,
values can change without changing the image, and would go astray. An image that comes
out far worse than others has ended in a poor minimum, and is tried from elsewhere.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from sklearn_dae._blas import one_blas_thread
from sklearn_dae._threads import cut, map_in_threads
from sklearn_dae.codecs._code_model import CodeModel, RoundedCodes
from sklearn_dae.codecs._guard import squared_errors
from sklearn_dae.network import Network

#: Steps by which a code is refined, from a linear guess, and from the code for a
#: decoder that is hardly another.
_N_STEPS, _N_STEPS_FROM_CLOSE = 30, 15

#: The penalty, as a share of what would be best for Gaussian values and outputs that
#: are not clipped. On MNIST, shares from a fifth to a half take about as few bits.
_SHARE = 0.25

#: How often the usual error an image must make to be tried again, and from how many
#: starts at most.
_ALARMING, _MOST_STARTS = 4, 4

#: Rows that a thread refines at a time.
_ROWS_OF_PART = 512


@dataclass(frozen=True, eq=False)
class CodeSearch:
    """How codes of images are found.

    Parameters
    ----------
    network : Network
        A decoder without an encoder.

    usual_error : float
        Squared error that an image usually makes.

    deviations : ndarray of shape (n_values,)
        Standard deviations of the values of codes.

    penalty : ndarray of shape (n_values,), default=None
        How much squared error the square of each value costs.
    """

    network: Network
    usual_error: float
    deviations: np.ndarray
    penalty: np.ndarray | None = None

    @classmethod
    def of(
        cls, network: Network, model: CodeModel, usual_error: float, *, rotated: bool
    ) -> Self:
        """Find codes that are to be rounded and coded in a certain way.

        Parameters
        ----------
        network : Network
            A decoder without an encoder.

        model : RoundedCodes or QuantizedCodes
            How codes are rounded.

        usual_error : float
            Squared error that an image usually makes.

        rotated : bool
            Whether small changes of codes are as long as those of images, so that the
            error of rounding is known.
        """
        if not isinstance(model, RoundedCodes):
            return cls(network, usual_error, np.zeros(model.n_values))
        deviations = model.step * model.mixtures.deviations.astype(np.float64)
        return cls._for_step(
            network, model.step, usual_error, deviations, rotated=rotated
        )

    @classmethod
    def before_rounding(
        cls,
        network: Network,
        usual_error: float,
        deviations: np.ndarray,
        added_error: float,
        *,
        rotated: bool,
    ) -> Self:
        """Find codes of which it is known what error their rounding adds to an image.

        Parameters
        ----------
        network, usual_error, rotated
            See `of`.

        deviations : ndarray of shape (n_values,)
            Standard deviations of the values of codes, about.

        added_error : float
            Error that rounding is to add to an image, not squared, relative to the
            range of pixels.
        """
        step = added_error * math.sqrt(12 / len(deviations))
        return cls._for_step(network, step, usual_error, deviations, rotated=rotated)

    @classmethod
    def _for_step(
        cls,
        network: Network,
        step: float,
        usual_error: float,
        deviations: np.ndarray,
        *,
        rotated: bool,
    ) -> Self:
        if not (rotated and step > 0):
            return cls(network, usual_error, deviations)
        # What is rounded to zero has a deviation too.
        variances = np.maximum(np.square(deviations / step), 1 / 12)
        # A nat less for a value is worth twice its error of rounding, and a Gaussian
        # value takes half the square of its ratio to its deviation in nats.
        penalty = _SHARE / (12 * variances)
        return cls(network, usual_error, deviations, penalty)

    def codes(self, X: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
        """Find codes of images.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Images.

        start : ndarray of shape (n_samples, n_values), default=None
            Codes of these images for a decoder that is hardly another.

        Returns
        -------
        ndarray of shape (n_samples, n_values)
            Codes, each of which depends on its image alone.
        """

        def find(part: slice) -> np.ndarray:
            if start is not None:
                return self._refined(start[part], X[part], _N_STEPS_FROM_CLOSE)
            return self._found(X[part])

        parts = cut(len(X), max(1, -(-len(X) // _ROWS_OF_PART)))
        with one_blas_thread():
            return np.concatenate(map_in_threads(find, parts))

    def _refined(self, codes: np.ndarray, X: np.ndarray, n_steps: int) -> np.ndarray:
        return self.network.refine(codes, X, n_steps, self.penalty)

    def _found(self, X: np.ndarray) -> np.ndarray:
        codes = self._refined(self.network.encode(X), X, _N_STEPS)
        errors = squared_errors(X, self.network.decode(codes))
        bad = np.flatnonzero(errors > _ALARMING * self.usual_error)
        if not len(bad):
            return codes
        axes = np.diag(self.deviations)
        starts = np.concatenate([axes[:1] * 0, axes, -axes]).astype(codes.dtype)
        images = self.network.decode(starts)
        X, errors = X[bad], errors[bad]
        # One start after another, the most similar image first.
        distances = [squared_errors(X, image) for image in images]
        order = np.argsort(distances, axis=0, kind="stable")[:_MOST_STARTS]
        for chosen in order:
            tried = self._refined(starts[chosen], X, _N_STEPS)
            tried_errors = squared_errors(X, self.network.decode(tried))
            better = tried_errors < errors
            codes[bad[better]] = tried[better]
            errors = np.where(better, tried_errors, errors)
        return codes
