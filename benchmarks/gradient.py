"""How close `loss_and_gradient` comes to the machine's matrix-product rate.

The peer is NumPy's matrix product, with all the threads it takes, on the same layer
shapes: exactly the products that one gradient cannot do without, into arrays that
exist already, and nothing else. Both are timed in turn.

    python -m benchmarks.gradient
"""

import numpy as np

from benchmarks._timing import machine, side_by_side
from sklearn_dae.network import Layout, loss_and_gradient

SIZES = [784, 1000, 500, 196]


def products(layout, n_rows, rng):
    """Return a function that makes the products of one gradient."""
    sizes = [layout.layers[0].n_in, *layout.widths]
    inputs = [rng.random((n_rows, n), dtype=np.float32) for n in sizes]
    outputs = [np.empty_like(x) for x in inputs]
    weights = [rng.random(layer[:2], dtype=np.float32) for layer in layout.layers]
    gradients = [np.empty_like(w) for w in weights]

    def run():
        for i, w in enumerate(weights):
            np.matmul(inputs[i], w, out=outputs[i + 1])
        for i in range(len(weights) - 1, -1, -1):
            np.matmul(inputs[i].T, inputs[i + 1], out=gradients[i])
            if i > 0:
                np.matmul(inputs[i + 1], weights[i].T, out=outputs[i])

    return run


def n_flops(layout, n_rows):
    """Floating-point operations of those products."""
    n_weights = [layer.n_in * layer.n_out for layer in layout.layers]
    return 2 * n_rows * (3 * sum(n_weights) - n_weights[0])


def main():
    rng = np.random.default_rng(0)
    layout = Layout.autoencoder(SIZES)
    theta = rng.normal(scale=0.03, size=layout.n_parameters).astype(np.float32)
    print(f"{machine()}\nnetwork {layout}, float32, medians\n")
    print(
        f"{'rows':>6}  {'gradient':>15}  {'products alone':>15}  {'of that rate':>12}"
    )
    for n_rows, n_rounds in ((200, 25), (1000, 15), (5000, 7), (20000, 5)):
        X = rng.random((n_rows, SIZES[0]), dtype=np.float32)
        seconds = side_by_side(
            {
                "gradient": lambda X=X: loss_and_gradient(theta, X, layout),
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
