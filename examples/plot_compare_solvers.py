"""
Compare solvers
===============

The loss of the default network against time, for each solver, from the same start:
PCA. Digits take half a minute; ``--data mnist`` takes 10,000 images of MNIST, and some
minutes.
"""

import argparse
import time
from pathlib import Path

import matplotlib.pyplot as plt

from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.datasets import load_digits, load_mnist

parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
parser.add_argument("--data", choices=["digits", "mnist"], default="digits")
parser.add_argument("--output", type=Path, default=".", help="for the picture")
arguments = parser.parse_args()


class Clock:
    """A callback that notes when each iteration ends."""

    def setup(self, estimator, context):
        self.seconds = []

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        if context.task_name == "fine-tune":
            self.begin = time.perf_counter()

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "iteration":
            self.seconds.append(time.perf_counter() - self.begin)


# Iterations, or epochs, that take the solvers about the same time.
if arguments.data == "mnist":
    X, n_components = load_mnist().data[:10000], 30
    n_iter = {"kfac-lbfgs": 60, "kfac": 40, "adam": 60, "lbfgs": 70}
else:
    X, n_components = load_digits().data, 8
    n_iter = {"kfac-lbfgs": 300, "kfac": 40, "adam": 100, "lbfgs": 500}

start = DeepAutoencoderCompressor(n_components, max_iter=0).fit(X)
figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
for (solver, max_iter), style in zip(
    n_iter.items(), ("-", "--", "-.", ":"), strict=True
):
    clock = Clock()
    dae = DeepAutoencoderCompressor(
        n_components,
        alpha=start.alpha_,  # one objective for all
        solver=solver,
        max_iter=max_iter,
        random_state=0,
    )
    dae.set_callbacks(clock).fit(X)
    axes.plot(clock.seconds, dae.loss_curve_, style, label=solver)
    print(
        f"{solver:10s} {clock.seconds[-1]:6.1f} s, {dae.n_iter_:4d} iterations, "
        f"loss {dae.loss_curve_[-1]:.3f}, squared error an image {-dae.score(X):.1f}"
    )
axes.set(
    xlabel="seconds",
    ylabel="objective: squared error and L2 penalty of an image",
    yscale="log",
    title=f"{len(X):,} images of {X.shape[1]} pixels, {n_components} values each",
)
axes.legend()
for axis_format in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
    axis_format("{x:g}")
axes.grid(which="both", alpha=0.3)
figure.savefig(arguments.output / "compare_solvers.png", dpi=120)
