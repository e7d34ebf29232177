"""How close `loss_and_gradient` comes to the machine's matrix-product rate.

The peer is NumPy's matrix product, with all the threads it uses, on the same layer
shapes: exactly the products that one gradient cannot do without, into existing arrays,
and nothing else. Both are timed in turn.

    python -m benchmarks.gradient
"""

import numpy as np

from benchmarks._timing import machine, side_by_side
from sklearn_dae.network import Layout, Objective
from sklearn_dae.network._objective import loss_and_gradient

NETWORKS = {
    "of the paper": (Layout.autoencoder([784, 1000, 500, 196]), Objective("log_loss")),
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
    """Return the products of one gradient: two factors, and an array for the result."""

    def random(*shape):
        return rng.random(shape, dtype=np.float32)

    forward, backward = [], []
    for index, layer in enumerate(layout.layers):
        n_in = layer.n_below + layer.n_direct
        below, above = random(n_rows, n_in), random(n_rows, layer.n_out)
        weights = random(n_in, layer.n_out)
        forward.append((below, weights))
        backward.append((below.T, above))
        if index > 0:  # Nothing is passed back to the input of the network.
            is_decoder = index >= layout.n_encoder_layers
            passed_back = n_in if is_decoder else layer.n_below
            backward.append((above, weights[:passed_back].T))
    return [
        (a, b, np.empty((len(a), b.shape[1]), np.float32))
        for a, b in (*forward, *backward)
    ]


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
    X = np.clip(rng.normal(0.3, 0.5, (n_rows, layout.n_features)), 0, 1)
    X = X.astype(np.float32)
    factors = products(layout, n_rows, rng)

    def multiply():
        for a, b, out in factors:
            np.matmul(a, b, out=out)

    seconds = side_by_side(
        {
            "gradient": lambda: loss_and_gradient(theta, X, layout, objective),
            "products": multiply,
        },
        n_rounds,
    )
    flops = sum(2 * a.size * b.shape[1] for a, b, _ in factors)
    ours, theirs = (flops / np.median(times) / 1e9 for times in seconds.values())
    ratio = np.median(seconds["products"] / seconds["gradient"])
    print(f"{n_rows:6d}  {ours:7.0f} GFLOP/s  {theirs:7.0f} GFLOP/s  {ratio:12.1%}")


if __name__ == "__main__":
    main()
