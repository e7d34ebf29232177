"""Coordinates for codes in which all directions matter equally.

In: codes and what restores images from them. Out: a linear map to coordinates that are
uncorrelated, and in which the squared length of a small change is the squared error
that it causes in the image. A quantiser with one step for all coordinates then spends
its bits where they are seen, and an entropy coder that treats the coordinates as
independent loses less.

Let H be the mean of J^T J over codes, J being the Jacobian of the inverse transform,
and C the covariance of the codes. The map is Q^T H^1/2, where Q holds the eigenvectors
of H^1/2 C H^1/2. For PCA it is the identity, up to signs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from sklearn_dae._fields import Fields, array
from sklearn_dae._threads import multiply

#: Rows that the inverse transform is probed with, for all codes together.
_PROBED_ROWS = 20_000

#: Largest number of codes at which the Jacobian is measured.
_PROBED_CODES = 256

#: Change of a code for measuring the Jacobian, relative to its standard deviation.
_PROBE = 0.05

#: What squared lengths of changes are no more than noise.
_NOTHING = 1e-200

#: Damping of H, as a fraction of its mean eigenvalue: without it, units that the images
#: do not depend on would get no coordinates.
_DAMPING = 1e-6


@dataclass(frozen=True, eq=False)
class CodeSpace:
    """An affine map of codes.

    Parameters
    ----------
    mean : ndarray of shape (n_components,)
        The code that maps to zeros.

    forward, backward : ndarray of shape (n_components, n_components)
        ``(code - mean) @ forward`` are the coordinates; ``backward`` is the inverse of
        ``forward``.
    """

    _stored_fields: ClassVar[Fields] = {
        "mean": array("components"),
        "forward": array("components", "components"),
        "backward": array("components", "components"),
    }

    mean: np.ndarray
    forward: np.ndarray
    backward: np.ndarray

    @classmethod
    def plain(cls, codes: np.ndarray) -> Self:
        """Make the map that leaves codes as they are, but for their mean."""
        n = codes.shape[1]
        return cls(codes.mean(axis=0, dtype=np.float64), np.eye(n), np.eye(n))

    @classmethod
    def learn(
        cls, decode: Callable[[np.ndarray], np.ndarray], codes: np.ndarray
    ) -> Self:
        """Measure how images depend on codes, and how codes vary.

        Parameters
        ----------
        decode : callable
            Restores images from codes.

        codes : ndarray of shape (n_samples, n_components)
            Codes of training images.

        Raises
        ------
        ValueError
            If what it decodes from codes close to these is not finite.
        """
        mean = codes.mean(axis=0, dtype=np.float64)
        metric = _metric(decode, codes)
        if not np.isfinite(metric).all():
            raise ValueError(
                "The transformer restores images with NaN or infinity from codes close "
                "to those of training images; fit another transformer."
            )
        values, vectors = np.linalg.eigh(metric)
        mean_value = values.mean()
        # Where codes change nothing, any map will do.
        values += _DAMPING * mean_value if mean_value > _NOTHING else 1.0
        root = (vectors * np.sqrt(values)) @ vectors.T
        inverse_root = (vectors / np.sqrt(values)) @ vectors.T
        covariance = np.cov(codes.T, bias=True, dtype=np.float64).reshape(metric.shape)
        _, axes = np.linalg.eigh(root @ covariance @ root)
        # The most important coordinate first.
        axes = axes[:, ::-1]
        return cls(mean, root @ axes, axes.T @ inverse_root)

    def coordinates(self, codes: np.ndarray) -> np.ndarray:
        """Map codes to coordinates."""
        return multiply(codes - self.mean, self.forward)

    def codes(self, coordinates: np.ndarray) -> np.ndarray:
        """Map coordinates back to codes."""
        return multiply(coordinates, self.backward) + self.mean


def _metric(
    decode: Callable[[np.ndarray], np.ndarray], codes: np.ndarray
) -> np.ndarray:
    """Mean of J^T J over some of the codes, by central differences."""
    n_components = codes.shape[1]
    n_codes = max(8, min(_PROBED_CODES, _PROBED_ROWS // n_components, len(codes)))
    at = codes[np.linspace(0, len(codes) - 1, n_codes).astype(int)]
    deviation = codes.std(axis=0, dtype=np.float64)
    probes = _PROBE * np.where(deviation > 0, deviation, 1.0)
    slopes = []
    for j, probe in enumerate(probes):
        change = np.zeros(n_components, codes.dtype)
        change[j] = probe
        above = np.asarray(decode(at + change), np.float64)
        below = np.asarray(decode(at - change), np.float64)
        slopes.append(((above - below) / (2 * probe)).ravel())
    jacobian = np.array(slopes)
    return jacobian @ jacobian.T / len(at)
