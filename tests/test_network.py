"""The network as pure functions: gradients, losses, layout."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit

from sklearn_dae.blocks import RowBlocks
from sklearn_dae.network import (
    LOSSES,
    UNITS,
    Layout,
    Objective,
    forward,
    loss_and_gradient,
    propagate,
    reconstruction_loss,
)

COMBINATIONS = [
    (loss, hidden, code, output)
    for loss, hidden, code, output in itertools.product(LOSSES, UNITS, UNITS, UNITS)
    if loss == "squared_error" or output == "logistic"
]


def _problem(rng, layout, n_rows=6):
    theta = rng.normal(scale=0.5, size=layout.n_parameters)
    return theta, rng.uniform(0.05, 0.95, size=(n_rows, layout.layers[0].n_in))


def _finite_differences(function, theta, step=1e-5):
    """Central differences along every coordinate."""
    gradient = np.empty_like(theta)
    for index in range(len(theta)):
        shift = np.zeros_like(theta)
        shift[index] = step
        gradient[index] = (function(theta + shift) - function(theta - shift)) / (
            2 * step
        )
    return gradient


@pytest.mark.parametrize(("alpha", "sparsity"), [(0.0, 0.0), (0.3, 0.0), (0.1, 0.7)])
@pytest.mark.parametrize(("loss", "hidden", "code", "output"), COMBINATIONS)
def test_gradient_matches_finite_differences(
    rng, loss, hidden, code, output, alpha, sparsity
):
    layout = Layout.autoencoder([4, 5, 2], hidden=hidden, code=code, output=output)
    theta, X = _problem(rng, layout)
    # Blocks of two rows, so that sums over blocks and penalties meet.
    blocks = RowBlocks(X, block_rows=2)
    objective = Objective(loss, alpha, sparsity, target_activation=0.2)

    def value(theta):
        return loss_and_gradient(theta, blocks, layout, objective)[0]

    gradient = loss_and_gradient(theta, blocks, layout, objective)[1]
    assert_allclose(gradient, _finite_differences(value, theta), rtol=1e-5, atol=1e-7)


def test_loss_without_hidden_layers_has_its_closed_form(rng):
    layout = Layout.autoencoder([3, 2], code="identity")
    theta, X = _problem(rng, layout)
    encoder, decoder = layout.split(theta)
    code = X @ encoder[:-1] + encoder[-1]
    p = expit(code @ decoder[:-1] + decoder[-1])
    log_loss = -(X * np.log(p) + (1 - X) * np.log1p(-p)).sum(axis=1).mean()
    squared = np.square(X - p).sum(axis=1).mean()
    assert_allclose(loss_and_gradient(theta, X, layout)[0], log_loss)
    assert_allclose(
        loss_and_gradient(theta, X, layout, Objective("squared_error"))[0], squared
    )
    assert_allclose(reconstruction_loss(theta, X, layout, "log_loss"), log_loss)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_loss_stays_finite_for_saturated_outputs(dtype):
    z = np.array([[-200.0, 200.0, -200.0, 200.0, 0.0]], dtype)
    x = np.array([[0.0, 1.0, 1.0, 0.0, 0.5]], dtype)
    loss = LOSSES["log_loss"](z, x)
    assert_allclose(loss, 400 + np.log(2))
    assert_allclose(z, [[0, 0, -1, 1, 0]], atol=1e-30)


def test_penalties_add_what_their_formulas_say(rng):
    layout = Layout.autoencoder([4, 3, 2], hidden="tanh", code="identity")
    theta, X = _problem(rng, layout)
    plain = loss_and_gradient(theta, X, layout)[0]
    weights = np.concatenate([p[:-1].ravel() for p in layout.split(theta)])
    with_l2 = loss_and_gradient(theta, X, layout, Objective(alpha=0.4))[0]
    assert_allclose(with_l2 - plain, 0.2 * np.square(weights).sum())

    hidden = [forward(theta, X, layout)[layer] for layer in (1, 3)]
    rates = (np.concatenate([h.mean(axis=0) for h in hidden]) + 1) / 2
    divergence = 0.1 * np.log(0.1 / rates) + 0.9 * np.log(0.9 / (1 - rates))
    objective = Objective(sparsity=0.5, target_activation=0.1)
    with_sparsity = loss_and_gradient(theta, X, layout, objective)[0]
    assert_allclose(with_sparsity - plain, 0.5 * divergence.sum())


@pytest.mark.parametrize("hidden", UNITS)
def test_float32_agrees_with_float64(rng, hidden):
    layout = Layout.autoencoder([20, 30, 5], hidden=hidden)
    theta, X = _problem(rng, layout, n_rows=50)
    theta *= 0.3
    loss, gradient = loss_and_gradient(theta, X, layout)
    loss32, gradient32 = loss_and_gradient(
        theta.astype(np.float32), X.astype(np.float32), layout
    )
    assert gradient32.dtype == np.float32
    assert_allclose(loss32, loss, rtol=1e-6)
    assert_allclose(gradient32, gradient, rtol=1e-3, atol=1e-5)


def test_inputs_are_left_alone(rng):
    layout = Layout.autoencoder([4, 3, 2])
    theta, X = _problem(rng, layout)
    theta.flags.writeable = X.flags.writeable = False
    objective = Objective("squared_error", alpha=0.1, sparsity=0.1)
    first = loss_and_gradient(theta, X, layout, objective)
    second = loss_and_gradient(theta, X, layout, objective)
    assert first[0] == second[0]
    assert_array_equal(first[1], second[1])


def test_block_size_does_not_matter(rng):
    layout = Layout.autoencoder([6, 4, 2])
    theta, X = _problem(rng, layout, n_rows=23)
    objective = Objective(sparsity=0.3)
    loss, gradient = loss_and_gradient(theta, X, layout, objective)
    for block_rows in (1, 4, 23, 100):
        blocks = RowBlocks(X, block_rows=block_rows)
        block_loss, block_gradient = loss_and_gradient(theta, blocks, layout, objective)
        assert_allclose(block_loss, loss)
        assert_allclose(block_gradient, gradient)


def test_layout_splits_the_vector_from_input_to_output():
    layout = Layout.autoencoder([5, 4, 2], hidden="relu", code="identity")
    assert str(layout) == "5-4-2-4-5"
    assert [layer.unit for layer in layout.layers] == [
        "relu",
        "identity",
        "relu",
        "logistic",
    ]
    assert layout.n_parameters == 6 * 4 + 5 * 2 + 3 * 4 + 5 * 5
    theta = np.arange(layout.n_parameters, dtype=float)
    parts = layout.split(theta)
    assert [part.shape for part in parts] == [(6, 4), (5, 2), (3, 4), (5, 5)]
    assert_array_equal(np.concatenate([part.ravel() for part in parts]), theta)
    parts[1][...] = 0  # views, not copies
    assert theta[24:34].sum() == 0


def test_encoder_and_decoder_make_the_whole(rng):
    layout = Layout.autoencoder([6, 5, 3])
    theta, X = _problem(rng, layout)
    code = propagate(theta, X, layout, layout.encoder)
    assert code.shape == (6, 3)
    output = propagate(theta, code, layout, layout.decoder)
    assert_allclose(output, forward(theta, X, layout)[-1])
