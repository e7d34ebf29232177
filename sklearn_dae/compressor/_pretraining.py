"""Pretraining: a stack of RBMs, each learned on the hidden units of the one below."""

from typing import Any

import numpy as np
from sklearn.base import clone

from sklearn_dae.compressor._report import FitReport
from sklearn_dae.network import Layer, Layout
from sklearn_dae.rbm import BernoulliRBM, GaussianRBM


def pretrain(
    rows: np.ndarray, layout: Layout, rbm: BernoulliRBM, rng: Any, report: FitReport
) -> list[BernoulliRBM | GaussianRBM]:
    """Learn an RBM for each layer of the encoder.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_features)
        Pixels scaled to [0, 1].

    layout : Layout
        The layers. A code layer on a linear path has no RBM, as it starts as PCA.

    rbm : BernoulliRBM
        Parameters of the RBMs, apart from their sizes and random numbers.

    rng : RandomState
        Seeds the RBMs.

    report : FitReport
        Is told of each layer.

    Returns
    -------
    list of fitted RBMs
        From the input up.
    """
    layers = [layout.layers[index] for index in layout.encoder]
    if layout.has_linear_path:
        layers.pop()
    rbms: list[BernoulliRBM | GaussianRBM] = []
    with report.pretraining(len(layers)):
        for number, layer in enumerate(layers, start=1):
            seed = rng.randint(np.iinfo(np.int32).max)
            one = make_rbm(layer, rbm).set_params(random_state=seed)
            with report.layer(layer, one):
                try:
                    one.fit(rows)
                except ValueError as error:
                    raise ValueError(
                        f"Pretraining of layer {number} ({layer}) failed with "
                        f"learning_rate={one.learning_rate}: lower it. {error}"
                    ) from error
            rows = one.transform(rows)
            rbms.append(one)
    return rbms


def default_rbm(n_rows: int) -> BernoulliRBM:
    """Return RBM parameters for so many rows.

    They are those of Hinton (2010), A practical guide to training restricted Boltzmann
    machines: CD-1 with mean visible units, momentum and weight decay. An RBM needs
    enough updates, so mini-batches of few rows are small.
    """
    return BernoulliRBM(
        n_iter=20,
        learning_rate=0.1,
        batch_size=min(100, max(10, n_rows // 100)),
        persistent=False,
        sample_visible=False,
        momentum=0.9,
        weight_decay=2e-4,
    )


def make_rbm(layer: Layer, rbm: BernoulliRBM) -> BernoulliRBM | GaussianRBM:
    """Make an RBM whose hidden units are those of a layer.

    Linear units are unbounded, so they learn at a tenth of the rate.
    """
    settings = rbm.get_params() | {"n_components": layer.n_out}
    if layer.unit == "logistic":
        return clone(rbm).set_params(**settings)
    settings["learning_rate"] /= 10
    return GaussianRBM(visible_units="bernoulli", hidden_units="gaussian", **settings)


def unroll(
    rbms: list[BernoulliRBM | GaussianRBM], theta: np.ndarray, layout: Layout
) -> None:
    """Put the RBMs into the encoder and their transposed weights into the decoder."""
    parameters = layout.split(theta)
    for index, rbm in enumerate(rbms):
        mirrored = -1 - index
        layer, mirror = layout.layers[index], layout.layers[mirrored]
        weights, biases = layer.weights_and_biases(parameters[index])
        weights[...], biases[...] = rbm.components_.T, rbm.intercept_hidden_
        if not mirror.n_direct:
            weights, biases = mirror.weights_and_biases(parameters[mirrored])
            weights[...], biases[...] = rbm.components_, rbm.intercept_visible_
