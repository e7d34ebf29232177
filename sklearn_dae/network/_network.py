"""A trained network: from images to codes, and back.

Encoding, refining and decoding are here and nowhere else.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from sklearn_dae._blas import one_blas_thread
from sklearn_dae._fields import Fields, array, expect_equal, instance
from sklearn_dae._scaling import PixelScaler
from sklearn_dae.network._layout import Layout
from sklearn_dae.network._passes import activations
from sklearn_dae.network._refinement import refine_codes


@dataclass(frozen=True, eq=False)
class Network:
    """An autoencoder with its parameters and the range of its pixels.

    Nothing in it changes; a fit makes another one. It computes in the precision of its
    parameters, on as many rows as it is given; ``RowBlocks(X).map(network.decode)``
    goes through many in blocks and threads.

    Parameters
    ----------
    layout : Layout
        The layers.

    theta : ndarray of shape (n_parameters,)
        All parameters.

    scaler : PixelScaler
        The range of pixels, which the layers see as [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae import DeepAutoencoderCompressor
    >>> X = np.random.default_rng(0).uniform(0, 5, size=(30, 9)).astype(np.float32)
    >>> network = DeepAutoencoderCompressor(2, max_iter=3).fit(X).network_
    >>> codes = network.encode(X)
    >>> codes.shape, network.decode(codes).shape
    ((30, 2), (30, 9))
    """

    layout: Layout
    theta: np.ndarray
    scaler: PixelScaler

    _stored_fields: ClassVar[Fields] = {
        "layout": instance(Layout),
        "theta": array("parameters"),
        "scaler": instance(PixelScaler),
    }

    def _check_stored(self) -> None:
        n_parameters = self.layout.n_parameters
        expect_equal("Length of the parameter vector", len(self.theta), n_parameters)

    @classmethod
    def linear(
        cls,
        axes: np.ndarray,
        mean: np.ndarray,
        scaler: PixelScaler,
        *,
        code: str = "identity",
        output: str = "identity",
    ) -> Self:
        """Make a network without hidden layers: PCA.

        Parameters
        ----------
        axes : ndarray of shape (n_components, n_features)
            Orthonormal directions.

        mean : ndarray of shape (n_features,)
            The image, scaled to [0, 1], whose code is all zeros.

        scaler : PixelScaler
            The range of pixels.

        code, output : str, default="identity"
            Kinds of units.

        Returns
        -------
        Network
            Of the precision of the axes.
        """
        n_components, n_features = axes.shape
        layout = Layout.autoencoder(
            [n_features, n_components], code=code, output=output
        )
        theta = np.empty(layout.n_parameters, axes.dtype)
        encoder, decoder = layout.split(theta)
        decoder[:-1], decoder[-1] = axes, mean
        with one_blas_thread():
            encoder[:-1], encoder[-1] = axes.T, -(axes @ mean)
        return cls(layout, theta, scaler)

    def astype(self, dtype: np.dtype) -> Self:
        """Return a network that computes in another precision."""
        return replace(self, theta=self.theta.astype(dtype, copy=False))

    def encode(self, X: np.ndarray, n_refining: int = 0) -> np.ndarray:
        """Encode images, and improve each code with the decoder fixed.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Images. Values outside the range of pixels are clipped to it.

        n_refining : int, default=0
            Number of steps that lower the squared error of each image.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Codes.
        """
        x = self.scaler.to_unit(X, self.theta.dtype)
        codes = activations(self.theta, x, self.layout, self.layout.encoder)[-1]
        return refine_codes(self.theta, codes, x, self.layout, n_refining)

    def decode(self, codes: np.ndarray, threshold: float | None = None) -> np.ndarray:
        """Decode images.

        Parameters
        ----------
        codes : ndarray of shape (n_samples, n_components)
            Codes.

        threshold : float, default=None
            Value between 0 and 1 at which to threshold outputs to the two ends of the
            range of pixels.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Images within the range of pixels, of the dtype of the codes.
        """
        output = activations(self.theta, codes, self.layout, self.layout.decoder)[-1]
        if threshold is not None:
            output = (output >= threshold).astype(output.dtype)
        return self.scaler.from_unit(output).astype(codes.dtype, copy=False)

    def squared_errors(
        self, X: np.ndarray, n_refining: int = 0, threshold: float | None = None
    ) -> np.ndarray:
        """Squared error of each image, encoded and decoded, in double precision.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Images.

        n_refining : int, default=0
            Number of steps by which codes are refined.

        threshold : float, default=None
            See `decode`.

        Returns
        -------
        ndarray of shape (n_samples,)
            In squared units of pixels, summed over the pixels of an image.
        """
        restored = self.decode(self.encode(X, n_refining), threshold)
        return np.square(np.subtract(X, restored, dtype=np.float64)).sum(axis=1)

    def activations(self, X: np.ndarray, n_layers: int) -> np.ndarray:
        """Return the activations after the first ``n_layers`` layers.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Images.

        n_layers : int
            0 gives the images scaled to [0, 1].

        Returns
        -------
        ndarray of shape (n_samples, n_units)
            Activations of the layer's units.
        """
        x = self.scaler.to_unit(X, self.theta.dtype)
        return activations(self.theta, x, self.layout, range(n_layers))[-1]
