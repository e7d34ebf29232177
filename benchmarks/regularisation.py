"""What keeps the default network from memorising single images.

The default compressor either uses the L2 penalty that "auto" starts from, the guess, or
64 times as much, or leaves its network as PCA. Every other row uses the guess, and
changes one thing: the penalty, to none or a multiple of the guess; the size of
mini-batches; early stopping; four jittered copies of each image for a fifth of the
epochs, with alpha falling as rows grow; and what the package does not offer because of
what this prints: masked pixels, noise on codes, weights averaged over about an epoch.
Sparsity needs bounded units: it is tried on a network of logistic units from RBMs.
Images are held out from the training images, and test images are never used; where
there are few, errors are means over three seeds. MNIST with 20,000 and with 50,000
images trains for 20 and 10 epochs, not 40.

Needs the X-rays and MNIST in the folder named by SKLEARN_DAE_DATA. The whole takes
an hour and a half; name sets to see part of it.

    python -m benchmarks.regularisation [digits] [photographs] [xray] [mnist-2000]
        [mnist-20000] [mnist-50000]
"""

import itertools
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
from sklearn.model_selection import train_test_split

from benchmarks import against_pca
from benchmarks._timing import machine
from benchmarks.against_pca import error
from benchmarks.rbms import LOGISTIC
from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.compressor._pretraining import default_rbm
from sklearn_dae.datasets import jitter, load_mnist
from sklearn_dae.evaluation._shape import shape_of_rows
from sklearn_dae.network import Network
from sklearn_dae.network._losses import LOSSES
from sklearn_dae.network._objective import add_l2_penalty
from sklearn_dae.network._passes import backward_pass, forward_pass
from sklearn_dae.training import Settings, _train
from sklearn_dae.training._minibatch import Step
from sklearn_dae.training._problem import Problem


class Trial(NamedTuple):
    """A set of images, how it is learned, and with how many seeds."""

    name: str
    n_components: int
    n_epochs: int
    n_seeds: int
    rbm_rate: float = 0.1  # higher ones make all units of an RBM alike


TRIALS = (
    Trial("digits", 16, 40, 3),
    Trial("photographs", 32, 40, 3),
    Trial("xray", 32, 40, 1, rbm_rate=0.003),
    Trial("mnist-2000", 30, 40, 1),
    Trial("mnist-20000", 30, 20, 1),
    Trial("mnist-50000", 30, 10, 1),
)


@dataclass(frozen=True)
class NoisyProblem(Problem):
    """Disturbed images, or codes, from which the clean images are to be restored."""

    masked: float = 0.0
    code_noise: float = 0.0
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def take(self, rows):
        """Return the same problem on some of the rows."""
        return replace(self, rows=self.rows.take(rows))

    def loss_and_gradient(self, theta):
        """Return value and gradient of the objective, with fresh noise each time."""
        layout, objective = self.layout, self.objective
        number = next(self.numbers)

        def sums(start, x):
            rng = np.random.Generator(np.random.SFC64([number, start]))
            kept = rng.random(x.shape, dtype=np.float32) >= self.masked
            below, codes = forward_pass(theta, x * kept, layout, layout.encoder)
            noise = rng.standard_normal(codes.shape, dtype=np.float32)
            codes += self.code_noise * codes.std(axis=0) * noise
            above, delta = forward_pass(theta, codes, layout, layout.decoder)
            loss = LOSSES[objective.loss](delta, x, layout.layers[-1].unit)
            gradient = np.empty_like(theta)
            parts, inputs = layout.split(gradient), below + above
            for index, signal in backward_pass(theta, inputs, delta, layout):
                layout.layers[index].gradient(inputs[index], signal, parts[index])
            return loss, gradient

        loss, gradient = self.rows.sum(sums, with_start=True)
        gradient /= self.rows.n_rows
        whole = slice(0, len(theta))
        penalty = add_l2_penalty(theta, gradient, layout, objective.alpha, whole)
        return loss / self.rows.n_rows + penalty, gradient


class AveragedStep:
    """A step that also keeps an exponential average of the parameters."""

    def __init__(self, step: Step, n_steps: int) -> None:
        self.average: np.ndarray | None = None
        self._step = step
        self._weight = np.float32(1 / n_steps)

    def init(self, n_parameters):
        """Start like the other step."""
        return self._step.init(n_parameters)

    def update(self, *arguments):
        """Move theta, and bring the average closer to it."""
        theta, state = self._step.update(*arguments)
        if self.average is None:
            self.average = theta.copy()
        self.average += self._weight * (theta - self.average)
        return theta, state

    def restart(self, state):
        """Forget the direction of the last steps, and the average."""
        self.average = None
        return self._step.restart(state)


def fit(
    X,
    settings,
    *,
    times_alpha=1.0,
    n_copies=0,
    masked=0.0,
    code_noise=0.0,
    averaged=False,
):
    """Fit a compressor, with the guess unless told otherwise, and extras it lacks."""
    dae = DeepAutoencoderCompressor(**settings)
    if n_copies:
        shape = shape_of_rows(None, X.shape[1])
        copies = (jitter(X, shape, random_state=number) for number in range(n_copies))
        dae.set_params(
            max_iter=dae.max_iter // (1 + n_copies),
            batch_size=Settings().batch_rows(len(X)),  # that of the images alone
        )
        X = np.concatenate([X, *copies])
    if "alpha" not in settings:
        dae.set_params(alpha=times_alpha * guessed_alpha(dae.n_components, X))
    steps = []
    make_step = Settings.make_step

    def make_averaged(self):
        n_steps = len(X) // self.batch_rows(len(X))  # an epoch
        steps.append(AveragedStep(make_step(self), n_steps))
        return steps[-1]

    def make_noisy(*arguments):
        return NoisyProblem(*arguments, masked, code_noise)

    with ExitStack() as changes:
        if masked or code_noise:
            changes.enter_context(mock.patch.object(_train, "Problem", make_noisy))
        if averaged:
            changes.enter_context(
                mock.patch.object(Settings, "make_step", make_averaged)
            )
        dae.fit(X)
    if averaged:
        network = dae.network_
        dae.network_ = Network(network.layout, steps[-1].average, network.scaler)
    return dae


def guessed_alpha(n_components, X):
    """Return the weight of the L2 penalty that "auto" tries first."""
    return DeepAutoencoderCompressor(n_components, max_iter=0).fit(X).alpha_


def variants(n_rows, rbm_rate):
    """Name each change: to settings, and to what settings do not reach."""
    batch_size = Settings().batch_rows(n_rows)
    alpha = 5 / n_rows
    logistic: dict[str, Any] = LOGISTIC | {
        "alpha": alpha,
        "pretraining": default_rbm(n_rows).set_params(
            n_iter=10, learning_rate=rbm_rate
        ),
    }
    return {
        "default": ({"alpha": "auto"}, {}),
        "the guess": ({}, {}),
        "no L2 penalty": ({"alpha": 0.0}, {}),
        "a quarter of the guess": ({}, {"times_alpha": 0.25}),
        "four times the guess": ({}, {"times_alpha": 4}),
        "eight times the guess": ({}, {"times_alpha": 8}),
        "sixteen times the guess": ({}, {"times_alpha": 16}),
        "64 times the guess": ({}, {"times_alpha": 64}),
        "half the mini-batch": ({"batch_size": batch_size // 2}, {}),
        "twice the mini-batch": ({"batch_size": batch_size * 2}, {}),
        "early stopping": ({"early_stopping": True}, {}),
        "four jittered copies": ({}, {"n_copies": 4}),
        "10% of the pixels masked": ({}, {"masked": 0.1}),
        "noise on codes, 5%": ({}, {"code_noise": 0.05}),
        "noise on codes, 20%": ({}, {"code_noise": 0.2}),
        "weights averaged": ({}, {"averaged": True}),
        "logistic from RBMs": (logistic, {}),
        "  no L2 penalty": (logistic | {"alpha": 0.0}, {}),
        "  sparsity 0.001": (logistic | {"sparsity": 1e-3}, {}),
        "  sparsity 0.01": (logistic | {"sparsity": 1e-2}, {}),
        "  four jittered copies": (logistic | {"alpha": alpha / 2}, {"n_copies": 4}),
    }


def load(name):
    """Return training rows, and rows held out from them."""
    if name.startswith("mnist"):
        n_rows = int(name.removeprefix("mnist-"))
        X = load_mnist().data.astype(np.float32)
        return X[:n_rows], X[-10_000:]
    training, _ = against_pca.load(name)
    return train_test_split(training.astype(np.float32), test_size=0.2, random_state=1)


def main():
    print(machine())
    names = sys.argv[1:]
    for name, n_components, n_epochs, n_seeds, rbm_rate in TRIALS:
        if names and name not in names:
            continue
        X, held_out = load(name)
        high = float(X.max())
        print(
            f"\n{name}, {len(X):,} images, {n_components} values, {n_epochs} epochs\n"
            f"{'':28s}training   held out, encoder alone   refined   over default"
        )
        default = None
        guess = guessed_alpha(n_components, X)
        for what, (settings, beyond) in variants(len(X), rbm_rate).items():
            errors = []
            for seed in range(n_seeds):
                basis = {
                    "n_components": n_components,
                    "max_iter": n_epochs,
                    "random_state": seed,
                }
                dae = fit(X, basis | settings, **beyond)
                dae.set_params(transform_max_iter=0)
                alone = error(dae, held_out, high)
                dae.set_params(transform_max_iter=10)
                errors.append((error(dae, X, high), alone, error(dae, held_out, high)))
            training, alone, refined = np.mean(errors, axis=0)
            if default is None:
                default = refined
                multiple = dae.alpha_ / guess
                left = ", left as PCA" if dae.is_linear_ else ""
                what += left or f", {multiple:g} x the guess"
            print(
                f"{what:28s}{training:8.3f} {alone:25.3f} {refined:9.3f} "
                f"{refined / default:14.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
