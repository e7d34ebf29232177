"""Where a linear path starts: at PCA."""

import numpy as np

from sklearn_dae._scaling import PixelScaler
from sklearn_dae.compressor._principal_axes import PrincipalAxes
from sklearn_dae.network import Layout, Network


def pca_alone(layout: Layout, pca: PrincipalAxes, scaler: PixelScaler) -> Network:
    """Return PCA as a network with the code and output units of a layout."""
    return Network.linear(
        pca.axes,
        pca.mean,
        scaler,
        code=layout.code_layer.unit,
        output=layout.layers[-1].unit,
    )


def start_as_pca(theta: np.ndarray, layout: Layout, pca: PrincipalAxes) -> None:
    """Set the linear path to PCA; the code and the output see nothing else.

    Without hidden layers, the whole network is linear.
    """
    linear = pca_alone(layout, pca, PixelScaler(0, 1))
    layers = layout.split(theta)
    encoder, decoder = linear.layout.split(linear.theta)
    for parameters, path in (
        (layers[layout.encoder[-1]], encoder),
        (layers[-1], decoder),
    ):
        parameters[: -len(path)] = 0
        parameters[-len(path) :] = path
