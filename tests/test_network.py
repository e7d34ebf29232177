"""The network as pure functions: gradients, losses, layout."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit

from sklearn_dae.network import Layout, Objective
from sklearn_dae.network._curvature import kronecker_factors
from sklearn_dae.network._losses import LOSSES
from sklearn_dae.network._objective import (
    error_and_slope,
    loss_and_gradient,
    reconstruction_loss,
)
from sklearn_dae.network._passes import activations
from sklearn_dae.network._units import UNITS
from sklearn_dae.rows import RowBlocks

COMBINATIONS = [
    (loss, hidden, code, output)
    for loss, hidden, code, output in itertools.product(LOSSES, UNITS, UNITS, UNITS)
    if (loss == "squared_error" or output == "logistic")
    and "clipped" not in (hidden, code)
]


def _problem(rng, layout, n_rows=6):
    theta = rng.normal(scale=0.5, size=layout.n_parameters)
    return theta, rng.uniform(0.05, 0.95, size=(n_rows, layout.n_features))


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
    _check_gradient(rng, layout, Objective(loss, alpha, sparsity))


@pytest.mark.parametrize("sizes", [[4, 5, 2], [5, 4, 3, 2]])
@pytest.mark.parametrize("output", ["identity", "clipped", "logistic"])
def test_gradient_with_a_linear_path_matches_finite_differences(rng, sizes, output):
    layout = Layout.autoencoder(
        sizes, hidden="tanh", code="identity", output=output, linear_path=True
    )
    _check_gradient(rng, layout, Objective("squared_error", 0.2, 0.3))


def _check_gradient(rng, layout, objective):
    theta, X = _problem(rng, layout)
    # Blocks of two rows, so that sums over blocks and penalties meet.
    blocks = RowBlocks(X, block_rows=2)

    def value(theta):
        return loss_and_gradient(theta, X, layout, objective)[0]

    loss, gradient = loss_and_gradient(theta, blocks, layout, objective)
    assert_allclose(loss, value(theta))
    assert_allclose(gradient, _finite_differences(value, theta), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("linear_path", [False, True])
@pytest.mark.parametrize(
    ("hidden", "code", "output"), sorted({c[1:] for c in COMBINATIONS})
)
def test_slope_by_codes_matches_finite_differences(
    rng, hidden, code, output, linear_path
):
    layout = Layout.autoencoder(
        [4, 5, 2], hidden=hidden, code=code, output=output, linear_path=linear_path
    )
    theta, X = _problem(rng, layout)
    codes = activations(theta, X, layout, layout.encoder)[-1]
    error, slope = error_and_slope(theta, codes, X, layout)
    restored = activations(theta, codes, layout, layout.decoder)[-1]
    assert_allclose(error[:, 0], np.square(restored - X).sum(axis=1))

    def total(z):
        return error_and_slope(theta, z.reshape(codes.shape), X, layout)[0].sum()

    expected = _finite_differences(total, codes.ravel())
    assert_allclose(slope.ravel(), expected, atol=1e-7)


def test_loss_without_hidden_layers_has_its_closed_form(rng):
    layout = Layout.autoencoder([3, 2], code="identity")
    theta, X = _problem(rng, layout)
    encoder, decoder = layout.split(theta)
    code = X @ encoder[:-1] + encoder[-1]
    p = expit(code @ decoder[:-1] + decoder[-1])
    log_loss = -(X * np.log(p) + (1 - X) * np.log1p(-p)).sum(axis=1).mean()
    squared = np.square(X - p).sum(axis=1).mean()
    assert_allclose(loss_and_gradient(theta, X, layout)[0], squared)
    assert_allclose(
        loss_and_gradient(theta, X, layout, Objective("log_loss"))[0], log_loss
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

    hidden = [activations(theta, X, layout)[layer] for layer in (1, 3)]
    rates = (np.concatenate([h.mean(axis=0) for h in hidden]) + 1) / 2
    divergence = 0.05 * np.log(0.05 / rates) + 0.95 * np.log(0.95 / (1 - rates))
    objective = Objective(sparsity=0.5)
    with_sparsity = loss_and_gradient(theta, X, layout, objective)[0]
    assert_allclose(with_sparsity - plain, 0.5 * divergence.sum())


def test_weights_are_what_neither_biases_nor_the_linear_path_are():
    layout = Layout.autoencoder([6, 5, 2], code="identity", linear_path=True)
    expected = np.zeros(layout.n_parameters, bool)
    for layer, parameters in zip(layout.layers, layout.split(expected), strict=True):
        parameters[: layer.n_below] = True
    assert 0 < expected.sum() < len(expected)
    for width in (1, 7, 1000):
        found = np.zeros_like(expected)
        for start in range(0, len(found), width):
            for part in layout.weights_within(slice(start, start + width)):
                assert start <= part.start < part.stop <= start + width
                found[part] = True
        assert_array_equal(found, expected)


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
    code = activations(theta, X, layout, layout.encoder)[-1]
    assert code.shape == (6, 3)
    output = activations(theta, code, layout, layout.decoder)[-1]
    assert_allclose(output, activations(theta, X, layout)[-1])


# The linear path.


def test_a_network_that_is_its_linear_path_is_linear(rng):
    layout = Layout.autoencoder(
        [6, 5, 2], code="identity", output="identity", linear_path=True
    )
    assert str(layout) == "6-5-2-5-6 with a linear path"
    assert [layer.n_direct for layer in layout.layers] == [0, 6, 0, 2]
    theta, X = _problem(rng, layout)
    _, code, _, output = layout.split(theta)
    code[:5] = output[:5] = 0
    z = X @ code[5:-1] + code[-1]
    assert_allclose(activations(theta, X, layout, layout.encoder)[-1], z)
    expected = z @ output[5:-1] + output[-1]
    assert_allclose(activations(theta, z, layout, layout.decoder)[-1], expected)
    assert_allclose(activations(theta, X, layout)[-1], expected)


def test_without_hidden_layers_there_is_no_linear_path():
    layout = Layout.autoencoder([6, 2], code="identity", linear_path=True)
    assert not layout.has_linear_path


def test_the_penalty_leaves_biases_and_the_linear_path_free(rng):
    layout = Layout.autoencoder(
        [6, 5, 2], code="identity", output="identity", linear_path=True
    )
    theta, X = _problem(rng, layout)
    losses = [
        loss_and_gradient(theta, X, layout, Objective("squared_error", alpha))[0]
        for alpha in (0.0, 1.0)
    ]
    squares = sum(
        np.square(parameters[: layer.n_below]).sum()
        for layer, parameters in zip(layout.layers, layout.split(theta), strict=True)
    )
    assert losses[1] - losses[0] == pytest.approx(squares / 2)


def test_clipped_outputs_cost_nothing_beyond_the_end_where_the_pixel_is():
    x = np.array([[0.0, 0.0, 1.0, 1.0, 0.5, 0.5]])
    z = np.array([[-3.0, 0.2, 4.0, 0.9, -1.0, 2.0]])
    loss = LOSSES["squared_error"](z, x, "clipped")
    assert_allclose(z, [[0, 0.4, 0, -0.2, -3, 3]])
    assert loss == pytest.approx(0.04 + 0.01 + 1.5**2 + 1.5**2)


# Curvature.


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_kronecker_factors_give_the_hessian_of_one_layer(rng, loss):
    """Exact where all rows are alike, and the layer is linear in its parameters."""
    output = "identity" if loss == "squared_error" else "logistic"
    layout = Layout.autoencoder([3, 2], code="identity", output=output)
    theta, X = _problem(rng, layout, n_rows=1)
    X = np.repeat(X, 40_000, axis=0)
    A, G = kronecker_factors(theta, X, layout, loss, seed=0)[-1]
    start = layout.layers[0].n_parameters

    def gradient(part):
        whole = np.concatenate([theta[:start], part])
        return loss_and_gradient(whole, X[:1], layout, Objective(loss))[1][start:]

    part = theta[start:]
    hessian = np.array(
        [
            _finite_differences(lambda t, i=i: gradient(t)[i], part)
            for i in range(len(part))
        ]
    )
    assert_allclose(
        np.kron(A[0], np.diag(G[0])), hessian, atol=0.03 * np.abs(hessian).max()
    )


def test_kronecker_factors_do_not_depend_on_blocks_of_rows_but_on_the_seed(rng):
    layout = Layout.autoencoder([6, 5, 2])
    theta, X = _problem(rng, layout, n_rows=300)
    first, again, other = (
        kronecker_factors(theta, X, layout, "log_loss", seed) for seed in (0, 0, 1)
    )
    for (A, G), (A2, G2), (A3, G3) in zip(first, again, other, strict=True):
        assert_array_equal(A[0], A2[0])
        assert_array_equal(G[0], G2[0])
        assert_array_equal(A[0], A3[0])
        assert np.abs(G[0] - G3[0]).max() > 0
        assert_allclose(A[0], A[0].T)
    inputs = np.column_stack([X, np.ones(300)])
    assert_allclose(first[0][0][0], inputs.T @ inputs / 300)


def test_large_kronecker_factors_are_cut_into_blocks(rng):
    layout = Layout.autoencoder([7, 3])
    theta, X = _problem(rng, layout, n_rows=50)
    whole = kronecker_factors(theta, X, layout, "log_loss", 0)
    blocks = kronecker_factors(theta, X, layout, "log_loss", 0, block_size=4)
    assert [[len(block) for block in A] for A, _ in blocks] == [[4, 4], [4]]
    assert [[len(block) for block in G] for _, G in blocks] == [[3], [7]]
    assert_allclose(blocks[0][0][1], whole[0][0][0][4:, 4:])
    assert_array_equal(blocks[1][1][0], whole[1][1][0])
