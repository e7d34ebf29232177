"""Where training starts: PCA, an unrolled stack of RBMs, or small random weights."""

from typing import Any

import numpy as np

from sklearn_dae._blas import one_blas_thread
from sklearn_dae.compressor._principal_axes import PrincipalAxes
from sklearn_dae.network import Layer, Layout
from sklearn_dae.rbm import BernoulliRBM, GaussianRBM

#: Units that an RBM can provide for a hidden layer, and for the code layer.
RBM_HIDDEN_UNITS = ("logistic",)
RBM_CODE_UNITS = ("logistic", "identity")


def make_rbm(
    layer: Layer,
    n_rows: int,
    *,
    n_iter: int,
    learning_rate: float,
    batch_size: int | str,
    random_state: int,
    verbose: bool,
) -> BernoulliRBM | GaussianRBM:
    """Make an RBM whose hidden units are those of a layer.

    The settings are those of Hinton (2010), A practical guide to training restricted
    Boltzmann machines: CD-1 with mean visible units, momentum, weight decay and, for a
    linear layer, a tenth of the learning rate.
    """
    if isinstance(batch_size, str):  # "auto"
        batch_size = min(100, max(10, n_rows // 100))
    shared: dict[str, Any] = {
        "batch_size": batch_size,
        "n_iter": n_iter,
        "persistent": False,
        "sample_visible": False,
        "momentum": 0.9,
        "weight_decay": 2e-4,
        "random_state": random_state,
        "verbose": verbose,
    }
    if layer.unit == "logistic":
        return BernoulliRBM(layer.n_out, learning_rate=learning_rate, **shared)
    return GaussianRBM(
        layer.n_out,
        visible_units="bernoulli",
        hidden_units="gaussian",
        learning_rate=learning_rate / 10,
        **shared,
    )


def unroll(rbms: list[Any], theta: np.ndarray, layout: Layout) -> None:
    """Put the RBMs into the encoder and their transposed weights into the decoder."""
    parameters = layout.split(theta)
    for index, rbm in enumerate(rbms):
        encoder, decoder = parameters[index], parameters[-1 - index]
        encoder[:-1], encoder[-1] = rbm.components_.T, rbm.intercept_hidden_
        if not layout.layers[-1 - index].n_direct:
            decoder[:-1], decoder[-1] = rbm.components_, rbm.intercept_visible_


def start_as_pca(theta: np.ndarray, layout: Layout, pca: PrincipalAxes) -> None:
    """Set the linear path to PCA; the code and the output see nothing else.

    Without hidden layers, the whole network is linear.
    """
    with one_blas_thread():
        origin = -(pca.axes @ pca.mean)
    for index, weights, biases in (
        (layout.encoder[-1], pca.axes.T, origin),
        (-1, pca.axes, pca.mean),
    ):
        parameters = layout.split(theta)[index]
        parameters[: -1 - len(weights)] = 0
        parameters[-1 - len(weights) : -1] = weights
        parameters[-1] = biases


def pca_alone(layout: Layout, pca: PrincipalAxes) -> tuple[Layout, np.ndarray]:
    """Remove the hidden layers of a network; return its layout, and PCA for it."""
    n_components, n_features = pca.axes.shape
    code, output = layout.layers[layout.encoder[-1]], layout.layers[-1]
    linear = Layout.autoencoder(
        [n_features, n_components], code=code.unit, output=output.unit
    )
    theta = np.empty(linear.n_parameters, np.float32)
    start_as_pca(theta, linear, pca)
    return linear, theta


def random_parameters(layout: Layout, rng: Any) -> np.ndarray:
    """Draw weights as in Glorot and Bengio (2010), or He et al. (2015) for relu.

    Biases are zero.
    """
    theta = np.zeros(layout.n_parameters, np.float32)
    for layer, parameters in zip(layout.layers, layout.split(theta), strict=True):
        if layer.unit == "relu":
            bound = np.sqrt(6.0 / layer.n_in)
        else:
            factor = 2.0 if layer.unit == "logistic" else 6.0
            bound = np.sqrt(factor / (layer.n_in + layer.n_out))
        parameters[:-1] = rng.uniform(-bound, bound, (layer.n_in, layer.n_out))
    return theta
