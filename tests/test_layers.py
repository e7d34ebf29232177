"""Kinds of layers: ours, and one that only this file knows."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_dae._scaling import PixelScaler
from sklearn_dae.models.fields import count
from sklearn_dae.network import Dense, Layer, Layout, Network, Objective
from sklearn_dae.network._curvature import kronecker_factors
from sklearn_dae.network._objective import loss_and_gradient
from sklearn_dae.rows import RowBlocks
from sklearn_dae.training import Settings, train
from sklearn_dae.training._cost import measure_cost


@dataclass(frozen=True)
class Gain(Layer):
    """Multiply each activation by a number of its own."""

    n_below: int
    unit: str = "identity"

    _stored_fields: ClassVar = {"n_below": count(1)}

    @property
    def n_out(self):
        return self.n_below

    @property
    def shape(self):
        return 1, self.n_below

    @property
    def n_penalised(self):
        return 0

    def initial(self, rng):
        return np.ones(self.shape, np.float32)

    def forward(self, parameters, inputs, out=None):
        return np.multiply(inputs, parameters, out=out)

    def backward(self, parameters, signal):
        return signal * parameters

    def gradient(self, inputs, signal, out=None):
        return np.einsum(
            "ij,ij->j", inputs, signal, out=None if out is None else out[0]
        )

    def input_moments(self, inputs, block_size):
        return [np.full(1, len(inputs), inputs.dtype)]

    def signal_moments(self, inputs, signal, block_size, independent):
        return [np.square(inputs * signal).sum(axis=0)]


def _layout(unit="tanh"):
    layers = Dense(6, 5, unit), Gain(5), Dense(5, 2, "identity"), Dense(2, 6, "clipped")
    return Layout(layers, 3)


def test_gradient_matches_finite_differences(rng):
    layout = _layout()
    theta = rng.normal(scale=0.5, size=layout.n_parameters)
    rows = RowBlocks(rng.uniform(0.05, 0.95, size=(7, 6)), block_rows=2)
    objective = Objective("squared_error", alpha=0.1, sparsity=0.3)

    def loss(theta):
        return loss_and_gradient(theta, rows, layout, objective)[0]

    shifts = 1e-5 * np.eye(len(theta))
    slopes = [(loss(theta + shift) - loss(theta - shift)) / 2e-5 for shift in shifts]
    gradient = loss_and_gradient(theta, rows, layout, objective)[1]
    assert_allclose(gradient, slopes, rtol=1e-5, atol=1e-7)


def test_curvature_of_the_last_layer_is_the_hessian(rng):
    """Exact where all rows are alike, and the layer is linear in its parameters."""
    layout = Layout((Dense(4, 3, "tanh"), Dense(3, 4, "tanh"), Gain(4)), 1)
    theta = rng.normal(size=layout.n_parameters)
    X = np.repeat(rng.random((1, 4)), 40_000, axis=0)
    (A,), (G,) = kronecker_factors(theta, X, layout, "squared_error", seed=0)[-1]
    assert_array_equal(A, [1])

    def slope(gains):
        whole = np.concatenate([theta[:-4], gains])
        objective = Objective("squared_error")
        return loss_and_gradient(whole, X[:1], layout, objective)[1][-4:]

    hessian = np.array([(slope(theta[-4:] + s) - slope(theta[-4:])) for s in np.eye(4)])
    assert_allclose(np.diag(G), hessian, rtol=0.03, atol=1e-12)


@pytest.mark.parametrize("solver", ["kfac", "kfac-lbfgs", "adam", "lbfgs"])
def test_every_solver_trains_it(digits, solver):
    scaler = PixelScaler(0, 16)
    X = digits[:500, 18:24]
    rows = RowBlocks(X, convert=scaler.to_unit)
    settings = Settings(Objective("squared_error", alpha=1e-4), solver, max_iter=30)
    if solver == "adam":
        settings = replace(settings, learning_rate=0.01, batch_size=50)
    layout = _layout("relu")
    trained = train(rows, layout, settings)
    assert trained.loss_curve[-1] < 0.7 * trained.loss_curve[0]
    gains = layout.split(trained.theta)[1]
    assert gains.shape == (1, 5)
    assert (gains != 1).any()
    network = Network(layout, trained.theta, scaler)
    errors = network.squared_errors(X, n_refining=5)
    variance = np.square(X - X.mean(axis=0)).sum(axis=1)
    assert errors.mean() < 0.6 * variance.mean()
    assert network.encode(X).shape == (500, 2)
    assert network.activations(X, 2).shape == (500, 5)
    cost = measure_cost(rows, layout, settings, trained.theta)
    assert cost.n_parameters == layout.n_parameters == 35 + 5 + 12 + 18


def test_a_layer_off_the_linear_path_says_so():
    with pytest.raises(NotImplementedError, match="Gain has no linear path"):
        Gain(3).direct(np.ones((2, 3)))


def test_dense_says_what_it_is():
    assert str(Dense(9, 4, "relu", 3)) == "9 + 3 -> 4, relu"
    assert Dense(9, 4, "relu", 3).n_parameters == 13 * 4
    assert Dense(9, 4, "relu", 3).n_penalised == 9 * 4
