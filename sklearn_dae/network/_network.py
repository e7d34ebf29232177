"""A trained network: from images to codes, and back.

Encoding, refining and decoding are here and nowhere else.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import numpy as np

from sklearn_dae._blas import one_blas_thread
from sklearn_dae._fields import Fields, array, expect_equal, instance
from sklearn_dae._scaling import PixelScaler
from sklearn_dae.network._layout import Layout
from sklearn_dae.network._passes import activations, forward_pass
from sklearn_dae.network._refinement import refine_codes

#: How far codes are moved to measure what they do, relative to what makes a pixel go
#: through its range.
_PROBE = 1e-4

#: Damping of the linear start, relative to the mean square of what a value does.
_DAMPING = 1e-6


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

    def without_encoder(self, mean: np.ndarray, axes: np.ndarray) -> Self:
        """Return the decoder alone, with an affine map before it.

        Parameters
        ----------
        mean : ndarray of shape (n_components,)
            The code that zeros stand for.

        axes : ndarray of shape (n_components, n_components)
            ``values @ axes + mean`` are the codes.

        Returns
        -------
        Network
            Restores from values what this one does from the codes. Where it encodes, it
            refines values from a linear start.
        """
        layers = self.layout.layers[self.layout.n_encoder_layers :]
        matrices = [
            matrix.astype(np.float64)
            for matrix in self.layout.split(self.theta)[-len(layers) :]
        ]
        for index, (layer, matrix) in enumerate(zip(layers, matrices, strict=True)):
            reads = [slice(0, layer.n_below)] if index == 0 else []
            if layer.n_direct:
                reads.append(slice(layer.n_below, layer.n_below + layer.n_direct))
            with one_blas_thread():
                for rows in reads:
                    matrix[-1] += mean @ matrix[rows]
                    matrix[rows] = axes @ matrix[rows]
        theta = np.concatenate([matrix.ravel() for matrix in matrices])
        layout = Layout(layers, 0)
        return replace(self, layout=layout, theta=theta.astype(self.theta.dtype))

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
        if self.layout.n_encoder_layers:
            codes = activations(self.theta, x, self.layout, self.layout.encoder)[-1]
        else:
            codes = self._linear_codes(x)
        return refine_codes(self.theta, codes, x, self.layout, n_refining)

    def refine(
        self,
        codes: np.ndarray,
        X: np.ndarray,
        n_refining: int,
        penalty: np.ndarray | None = None,
    ) -> np.ndarray:
        """Improve codes of images, as `encode` does, from any others.

        Parameters
        ----------
        codes : ndarray of shape (n_samples, n_components)
            Where to start.

        X : ndarray of shape (n_samples, n_features)
            Images.

        n_refining : int
            Number of steps.

        penalty : ndarray of shape (n_components,), default=None
            What the square of each value of a code adds to the squared error of an
            image whose pixels are scaled to [0, 1].

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Codes.
        """
        x = self.scaler.to_unit(X, self.theta.dtype)
        codes = codes.astype(self.theta.dtype, copy=False)
        return refine_codes(self.theta, codes, x, self.layout, n_refining, penalty)

    def _linear_codes(self, x: np.ndarray) -> np.ndarray:
        """Guess codes as if the decoder were linear, as it is around the zero code."""
        origin, inverse = self._linear_start
        with one_blas_thread():
            return (x - origin) @ inverse

    @cached_property
    def _linear_start(self) -> tuple[np.ndarray, np.ndarray]:
        """The image of the zero code, and from changes of images to those of codes."""
        n = self.layout.n_components
        probes = np.concatenate([np.zeros((1, n)), np.eye(n), -np.eye(n)]) * _PROBE
        theta = self.theta.astype(np.float64)
        with one_blas_thread():
            _, outputs = forward_pass(theta, probes, self.layout, self.layout.decoder)
            last = self.layout.layers[-1]
            if last.unit != "clipped":
                # Beyond the range, its slope says more than what comes out.
                last.activate(outputs)
            slopes = (outputs[1 : n + 1] - outputs[n + 1 :]) / (2 * _PROBE)
            squares = slopes @ slopes.T
            damping = _DAMPING * np.trace(squares) / n or 1.0
            inverse = np.linalg.solve(squares + damping * np.eye(n), slopes).T
        dtype = self.theta.dtype
        return outputs[0].astype(dtype), inverse.astype(dtype)

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

    def layer_inputs(self, codes: np.ndarray, index: int) -> np.ndarray:
        """Return what a layer of the decoder reads, ones included.

        Parameters
        ----------
        codes : ndarray of shape (n_samples, n_components)
            Codes.

        index : int
            Which layer; 0 is the first of the decoder.

        Returns
        -------
        ndarray of shape (n_samples, n_inputs)
        """
        first = self.layout.n_encoder_layers
        layers = range(first, first + index + 1)
        return forward_pass(self.theta, codes, self.layout, layers).inputs[-1]

    def output_curvatures(self, codes: np.ndarray) -> list[np.ndarray]:
        """Return what an error of each unit adds to the squared error of an image.

        Errors of units are taken to be independent of each other, and pixels scaled to
        [0, 1].

        Parameters
        ----------
        codes : ndarray of shape (n_samples, n_components)
            Codes of images.

        Returns
        -------
        list of ndarray of shape (n_units,)
            For each layer of the decoder, the mean over images, relative to the square
            of the error before the unit.
        """
        layers, decoder = self.layout.layers, self.layout.decoder
        inputs, outputs = forward_pass(self.theta, codes, self.layout, decoder)
        layers[-1].activate(outputs)
        squares = self.layout.split(self.theta * self.theta)
        signal, curvatures = np.ones_like(outputs), []
        for index in reversed(decoder):
            # Squares of slopes go back through squared weights.
            for _ in range(2):
                layers[index].backpropagate(outputs.copy(), signal)
            curvatures.append(signal.mean(axis=0, dtype=np.float64))
            outputs = layers[index].below(inputs[index - decoder.start])
            signal = layers[index].backward(squares[index], signal)
        return curvatures[::-1]

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
