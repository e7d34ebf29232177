"""Time until a 784-1000-500-250-30 autoencoder of MNIST is as good as PyTorch makes it.

PyTorch trains the network with Adam, for 40 epochs on all 60,000 images, on all cores,
with a rate that falls along a cosine. Its units, cost, batch size, precision, weight
decay and start, its own or our RBMs, are the best of a few by the error on 10,000
training images after 4 epochs on the others; so is its rate, but after all 40: the best
one for a short training run is too high for a long one. The time of the RBMs counts.
Then ours, with the same hidden layers, trains for the fewest epochs that on the same
split get a hundredth below that error, since errors differ by that much between seeds:

- "default": the default compressor with the refined codes that `transform` returns;
- "encoders": logistic units from RBMs, by the encoder alone, as PyTorch's network
  restores images;
- "refined": the same with refined codes, against PyTorch's network with refined codes;
- "jittered": "encoders" with four jittered copies of each image, for PyTorch too, which
  trains on them for 8 epochs, as many steps as 40 of the images alone.

The time of making copies counts. The test images are looked at once, at the end.

Needs MNIST in the folder named by SKLEARN_DAE_DATA, and torch. Takes an hour and a
half, 25 minutes less with "chosen", which uses the PyTorch settings that the trials
chose, without running them. Name races to see part of it.

    python -m benchmarks.time_to_quality [chosen] [default] [encoders] [refined]
        [jittered]
"""

import itertools
import math
import os
import sys
import time
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from benchmarks._timing import machine
from benchmarks.rbms import LOGISTIC, rbm
from sklearn_dae import PAPER_SETTINGS, DeepAutoencoderCompressor
from sklearn_dae.datasets import jitter, load_mnist

HIDDEN, N_COMPONENTS = (1000, 500, 250), 30
N_EPOCHS, N_TRIAL_EPOCHS = 40, 4
RATES = (1e-3, 2e-3, 4e-3, 8e-3)
REFINED, ALONE = 10, 0
MARGIN = 0.01

#: What the trials of PyTorch's settings chose.
CHOSEN = {
    "unit": nn.Sigmoid,
    "loss": "log_loss",
    "batch_size": 100,
    "rate": 2e-3,
    "precision": "float32",
    "decay": 0.01,
    "rbm_epochs": 5,
}

LOGISTIC_FROM_RBMS = LOGISTIC | {"alpha": 2e-4, "pretraining": rbm(5)}
LOGISTIC_JITTERED = LOGISTIC | {"alpha": 1e-4, "pretraining": rbm(1)}


class Race(NamedTuple):
    """Our settings, steps that refine our codes and theirs, epochs to try, copies."""

    settings: dict
    ours: int
    theirs: int
    n_epochs: tuple[int, ...]
    n_copies: int = 0


RACES = {
    "default": Race({}, REFINED, ALONE, (2, 3, 4, 6)),
    "encoders": Race(LOGISTIC_FROM_RBMS, ALONE, ALONE, (10, 11, 12, 13, 14, 16, 20)),
    "refined": Race(LOGISTIC_FROM_RBMS, REFINED, REFINED, (20, 24, 28, 32)),
    "jittered": Race(LOGISTIC_JITTERED, ALONE, ALONE, (2, 3, 4, 6), 4),
}


def network(unit):
    """Return the autoencoder in PyTorch: a linear code, logistic outputs."""
    sizes = [784, *HIDDEN, N_COMPONENTS]
    layers = []
    for half in (sizes, sizes[::-1]):
        for n_in, n_out in itertools.pairwise(half):
            layers += [nn.Linear(n_in, n_out), unit()]
        layers.pop()
    return nn.Sequential(*layers)


def matched_layers(model, dae):
    """Pair each layer of PyTorch's network with the weights and biases of ours."""
    linear = [layer for layer in model if isinstance(layer, nn.Linear)]
    return zip(linear, dae.coefs_, dae.intercepts_, strict=True)


@cache
def rbms(n_rows, n_epochs):
    """Learn our RBMs on the first rows of MNIST; return them and the seconds."""
    dae = DeepAutoencoderCompressor(
        N_COMPONENTS,
        **PAPER_SETTINGS | {"code_activation": "identity"},
        hidden_layer_sizes=HIDDEN,
        pretraining=rbm(n_epochs),
        max_iter=0,
        random_state=0,
    )
    X = load_mnist().data[:n_rows]
    begin = time.perf_counter()
    dae.fit(X)
    return dae, time.perf_counter() - begin


def with_copies(X, n_copies):
    """Append jittered copies to the images, to have more to learn from."""
    copies = (jitter(X, (28, 28), random_state=number) for number in range(n_copies))
    return np.concatenate([X, *copies])


def peer(
    X,
    n_passes,
    n_copies=0,
    *,
    unit,
    loss,
    batch_size,
    rate,
    precision,
    decay,
    rbm_epochs,
):
    """Train with Adam and decoupled weight decay; return the network and seconds.

    A pass has as many images as there are without copies.
    """
    begin = time.perf_counter()
    torch.manual_seed(0)
    model = network(unit)
    if rbm_epochs:
        dae, seconds = rbms(len(X), rbm_epochs)
        begin = time.perf_counter() - seconds
        with torch.no_grad():
            for layer, weights, biases in matched_layers(model, dae):
                layer.weight.copy_(torch.from_numpy(weights.T.copy()))
                layer.bias.copy_(torch.from_numpy(biases.copy()))
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay)
    n_epochs = n_passes // (1 + n_copies)
    X = torch.from_numpy(with_copies(X, n_copies))
    n_steps = n_epochs * math.ceil(len(X) / batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    reduced = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")
    for _ in range(n_epochs):
        for rows in torch.randperm(len(X)).split(batch_size):
            x = X[rows]
            with reduced:
                z = model(x)
            z = z.float()
            if loss == "log_loss":
                cost = nn.functional.binary_cross_entropy_with_logits(
                    z, x, reduction="sum"
                )
            else:
                cost = (torch.sigmoid(z) - x).square().sum()
            optimizer.zero_grad()
            (cost / len(rows)).backward()
            optimizer.step()
            schedule.step()
    return model, time.perf_counter() - begin


def peer_error(model, X, settings, n_steps):
    """Return the squared error per image, with codes refined by our steps."""
    if n_steps == ALONE:
        with torch.no_grad():
            restored = torch.sigmoid(model(torch.from_numpy(X))).numpy()
        return float(np.square(restored - X).sum(axis=1).mean())
    unit = {nn.ReLU: "relu", nn.Sigmoid: "logistic"}[settings["unit"]]
    dae = DeepAutoencoderCompressor(
        N_COMPONENTS,
        hidden_layer_sizes=HIDDEN,
        activation=unit,
        output_activation="logistic",
        pretraining=None,
        max_iter=0,
    ).fit(X)
    for layer, weights, biases in matched_layers(model, dae):
        weights[...] = layer.weight.detach().numpy().T
        biases[...] = layer.bias.detach().numpy()
    return our_error(dae, X, n_steps)


def ours(X, n_epochs, n_copies, settings):
    """Train our network; return it and the seconds it took."""
    begin = time.perf_counter()
    dae = DeepAutoencoderCompressor(
        N_COMPONENTS,
        hidden_layer_sizes=HIDDEN,
        **settings | {"max_iter": n_epochs, "random_state": 0},
    )
    dae.fit(with_copies(X, n_copies))
    return dae, time.perf_counter() - begin


def our_error(dae, X, n_steps):
    """Return the squared error per image, with codes refined by ``n_steps`` steps."""
    return -dae.set_params(transform_max_iter=n_steps).score(X)


def best_settings(X, held_out):
    """Choose the peer's settings, except its rate, by a short training run."""
    errors = {}
    relu, sigmoid = (nn.ReLU, "squared_error"), (nn.Sigmoid, "log_loss")
    for (unit, loss), batch_size, rate, precision, decay, rbm_epochs in (
        (relu, 100, 1e-3, "float32", 0.01, 0),
        (sigmoid, 100, 1e-3, "float32", 0.01, 0),
        (sigmoid, 100, 4e-3, "float32", 0.01, 5),
        (sigmoid, 250, 4e-3, "float32", 0.01, 5),
        (sigmoid, 100, 4e-3, "float32", 0.0, 5),
        (sigmoid, 100, 4e-3, "bfloat16", 0.01, 5),
    ):
        settings = {
            "unit": unit,
            "loss": loss,
            "batch_size": batch_size,
            "rate": rate,
            "precision": precision,
            "decay": decay,
            "rbm_epochs": rbm_epochs,
        }
        model, seconds = peer(X, N_TRIAL_EPOCHS, **settings)
        error = peer_error(model, held_out, settings, ALONE)
        errors[error] = settings
        print(
            f"  {unit.__name__:8s}{loss:14s} batch {batch_size:4d} rate {rate:.0e} "
            f"{precision:9s}decay {decay:.2f} RBMs {rbm_epochs} epochs {seconds:6.1f} "
            f"s, error {error:.3f}",
            flush=True,
        )
    return errors[min(errors)]


def peer_errors(model, X, settings):
    """Return squared errors per image, by the encoder alone and with refined codes."""
    return {n: peer_error(model, X, settings, n) for n in (ALONE, REFINED)}


def best_rate(X, held_out, settings):
    """Choose the peer's rate by whole training runs; return settings and the errors."""
    best = None
    for rate in RATES:
        tried = settings | {"rate": rate}
        model, seconds = peer(X, N_EPOCHS, **tried)
        errors = peer_errors(model, held_out, tried)
        report(f"rate {rate:.0e}", seconds, errors)
        if best is None or errors[ALONE] < best[1][ALONE]:
            best = tried, errors
    return best


def report(what, seconds, errors):
    """Print what a training run of the peer has reached."""
    print(
        f"  {what} {seconds:6.1f} s, error {errors[ALONE]:.3f}, "
        f"with refined codes {errors[REFINED]:.3f}",
        flush=True,
    )


def main():
    torch.set_num_threads(os.cpu_count())
    X = load_mnist().data.astype(np.float32) / 255
    test = load_mnist("test").data.astype(np.float32) / 255
    training, held_out = X[:50000], X[50000:]
    races = {name: RACES[name] for name in sys.argv[1:] if name != "chosen"} or RACES
    print(f"{machine()}, PyTorch {torch.__version__}")
    settings, goals = CHOSEN, {}
    if "chosen" not in sys.argv:
        print(f"\nPyTorch, {N_TRIAL_EPOCHS} epochs on 50,000 images:")
        settings = best_settings(training, held_out)
        print(f"The best of them, {N_EPOCHS} epochs:")
        settings, goals[0] = best_rate(training, held_out, settings)
    all_copies = sorted({race.n_copies for race in races.values()})
    for n_copies in all_copies:
        if n_copies not in goals:
            print(f"\nPyTorch, {N_EPOCHS} passes over 50,000 images:")
            model, seconds = peer(training, N_EPOCHS, n_copies, **settings)
            goals[n_copies] = peer_errors(model, held_out, settings)
            report(f"jittered copies: {n_copies},", seconds, goals[n_copies])
    tried = {}
    needed = {}
    for name, race in races.items():
        print(f"\nOurs, {name}:")
        for n_epochs in race.n_epochs:
            key = *race.settings.items(), race.n_copies, n_epochs
            if key not in tried:
                tried[key] = ours(training, n_epochs, race.n_copies, race.settings)
            dae, seconds = tried[key]
            error = our_error(dae, held_out, race.ours)
            print(f"  {n_epochs:2d} epochs {seconds:6.1f} s, {error:.3f}", flush=True)
            if error <= (1 - MARGIN) * goals[race.n_copies][race.theirs]:
                needed[name] = n_epochs
                break
        else:
            print("  not reached")

    print("\nAll 60,000 images, error of the test images:")
    their_seconds = {}
    for n_copies in all_copies:
        model, their_seconds[n_copies] = peer(X, N_EPOCHS, n_copies, **settings)
        errors = peer_errors(model, test, settings)
        report(
            f"PyTorch, jittered copies: {n_copies},", their_seconds[n_copies], errors
        )
    for name, n_epochs in needed.items():
        race = races[name]
        dae, seconds = ours(X, n_epochs, race.n_copies, race.settings)
        print(
            f"  ours, {name}: {dae.n_iter_} epochs, {seconds:.0f} s, "
            f"{our_error(dae, test, race.ours):.3f}; "
            f"our time over theirs {seconds / their_seconds[race.n_copies]:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
