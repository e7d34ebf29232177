"""How close `loss_and_gradient` comes to the machine's matrix-product rate.

The peer is NumPy's matrix product, with all the threads it takes, on the same layer
shapes: exactly the products that one gradient cannot do without, into arrays that
exist already, and nothing else. Both are timed in turn.

    python -m benchmarks.gradient
"""

import numpy as np

from benchmarks._timing import machine, side_by_side
from sklearn_dae.network import Layout, Objective, loss_and_gradient

NETWORKS = {
    "of the paper": (Layout.autoencoder([784, 1000, 500, 196]), Objective()),
    "of the defaults": (
        Layout.autoencoder(
            [784, 1000, 500, 250, 30],
            code="identity",
            output="clipped",
            linear_path=True,
        ),
        Objective(loss="squared_error"),
    ),
}


def products(layout, n_rows, rng):
    """Return a function that makes the products of one gradient."""

    def random(*shape):
        return rng.random(shape, dtype=np.float32)

    layers = [
        (
            random(n_rows, layer.n_in),
            random(layer.n_in, layer.n_out),
            random(n_rows, layer.n_out),
            # To the input of the network nothing is passed back.
            slice(0, n_passed_back(layout, index)),
        )
        for index, layer in enumerate(layout.layers)
    ]
    out = [
        (np.empty_like(above), np.empty_like(weights), np.empty_like(below[:, back]))
        for below, weights, above, back in layers
    ]

    def run():
        for (below, weights, _, _), (activations, _, _) in zip(
            layers, out, strict=True
        ):
            np.matmul(below, weights, out=activations)
        for (below, weights, above, back), (_, gradient, signal) in zip(
            reversed(layers), reversed(out), strict=True
        ):
            np.matmul(below.T, above, out=gradient)
            if signal.size:
                np.matmul(above, weights[back].T, out=signal)

    return run


def n_passed_back(layout, index):
    """Inputs of a layer that an error signal is passed back to."""
    layer = layout.layers[index]
    if index == 0:
        return 0
    return layer.n_in if index >= layout.n_encoder_layers else layer.n_below


def n_flops(layout, n_rows):
    """Floating-point operations of those products."""
    return sum(
        2 * n_rows * (2 * layer.n_in + n_passed_back(layout, index)) * layer.n_out
        for index, layer in enumerate(layout.layers)
    )


def main():
    print(f"{machine()}\nfloat32, medians")
    for name, (layout, objective) in NETWORKS.items():
        print(f"\nnetwork {name}: {layout}, {objective.loss}")
        print(
            f"{'rows':>6}  {'gradient':>15}  {'products alone':>15}  "
            f"{'of that rate':>12}"
        )
        for n_rows, n_rounds in ((200, 25), (1000, 15), (5000, 7), (20000, 5)):
            race(layout, objective, n_rows, n_rounds)


def race(layout, objective, n_rows, n_rounds):
    """Time both; print their rates and how they compare."""
    rng = np.random.default_rng(0)
    theta = rng.normal(scale=0.03, size=layout.n_parameters).astype(np.float32)
    # As in images, some pixels are black and some white.
    X = np.clip(rng.normal(0.3, 0.5, (n_rows, layout.layers[0].n_in)), 0, 1)
    X = X.astype(np.float32)
    seconds = side_by_side(
        {
            "gradient": lambda: loss_and_gradient(theta, X, layout, objective),
            "products": products(layout, n_rows, rng),
        },
        n_rounds,
    )
    flops = n_flops(layout, n_rows)
    ours, theirs = (flops / np.median(times) / 1e9 for times in seconds.values())
    ratio = np.median(seconds["products"] / seconds["gradient"])
    print(f"{n_rows:6d}  {ours:7.0f} GFLOP/s  {theirs:7.0f} GFLOP/s  {ratio:12.1%}")


if __name__ == "__main__":
    main()
