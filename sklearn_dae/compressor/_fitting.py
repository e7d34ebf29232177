"""A fit, from rows to a trained network: scale, pretrain, unroll, fine-tune.

In: the parameters of an estimator and validated rows. Out: a record. The estimator is
not changed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from sklearn_dae._memory import available_bytes
from sklearn_dae._scaling import PixelScaler
from sklearn_dae._warnings import warn
from sklearn_dae.compressor._initialization import pca_alone, start_as_pca
from sklearn_dae.compressor._parameters import (
    choose_layout,
    choose_settings,
    takes_linear_path,
    takes_rbms,
)
from sklearn_dae.compressor._penalty import choose_alpha
from sklearn_dae.compressor._pretraining import default_rbm, pretrain, unroll
from sklearn_dae.compressor._principal_axes import count_components, principal_axes
from sklearn_dae.compressor._report import FitReport
from sklearn_dae.network import Layout, Network
from sklearn_dae.rows import RowBlocks
from sklearn_dae.training import FitCost, Trained, train
from sklearn_dae.training._cost import fit_memory, measure_cost

#: Rows by which a network is judged. It has diverged if its error is larger by this
#: factor than that of the mean image, and what it restores varies by no more than this
#: fraction of what images do.
_JUDGED_ROWS, _WORSE, _NO_VARIETY = 500, 1.1, 1e-6

#: Why fine-tuning ended where it did not begin.
_LEFT_AS_PCA = (
    "STOP: left as PCA, as training made images held out no better; give alpha to train"
)


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit arrived at.

    Parameters
    ----------
    network : Network
        The trained network.

    trained : Trained
        How fine-tuning went.

    solver : str
        How it was done.

    alpha : float
        Weight of the L2 penalty; 0 for a network left as PCA.

    is_linear : bool
        Whether the network was left as PCA.

    pretraining_errors : list of list of float
        Reconstruction errors of each RBM.
    """

    network: Network
    trained: Trained
    solver: str
    alpha: float
    is_linear: bool
    pretraining_errors: list[list[float]]


@dataclass(frozen=True, eq=False)
class Start:
    """Where fine-tuning starts.

    Parameters
    ----------
    network : Network
        A network with its first parameters.

    alpha : float or None
        Weight of the L2 penalty; None leaves the network as it is.

    pretraining_errors : list of list of float
        Reconstruction errors of each RBM.
    """

    network: Network
    alpha: float | None
    pretraining_errors: list[list[float]]


def fit_network(
    p: Any, X: np.ndarray, report: FitReport, before: Start | None = None
) -> Fitted:
    """Fit a network.

    Parameters
    ----------
    p : estimator
        Its parameters, valid ones.

    X : ndarray of shape (n_samples, n_features)
        Training images.

    report : FitReport
        Is told how it goes.

    before : Start, default=None
        Where an earlier fit ended, to go on from there.

    Returns
    -------
    Fitted
        The network, and how it came about.

    Raises
    ------
    ValueError
        If X and the parameters do not go together, or the loss stops being finite.
    """
    rng = check_random_state(p.random_state)
    scaler = learn_range(X, p.pixel_range)
    training, validation = split(p, X, scaler, rng)
    layout = choose_layout(p, X.shape[1], _n_components(p, training))
    if before is not None and before.network.layout != layout:
        raise ValueError(
            f"warm_start=True goes on with the network {before.network.layout}, but "
            f"the parameters and X now ask for {layout}, or for other units; use "
            "warm_start=False."
        )
    pretrained = before is None and takes_rbms(p)
    _check_memory(p, layout, training)
    report.begin(n_stages=1 + pretrained)
    if before is not None:
        alpha = before.alpha if isinstance(p.alpha, str) else p.alpha
        network = Network(layout, before.network.theta, scaler)
        start = Start(network, alpha, before.pretraining_errors)
    else:
        start = _start(p, layout, scaler, training, pretrained, rng, report)
    fitted = _fine_tune(p, start, training, validation, rng, report)
    report.end(fitted.network)
    _warn_of_divergence(fitted.network, X)
    return fitted


def _check_memory(p: Any, layout: Layout, training: RowBlocks) -> None:
    """Raise MemoryError, before anything is done, if the machine has too little."""
    alpha = 0.0 if isinstance(p.alpha, str) else p.alpha
    settings = choose_settings(p, alpha, seed=0)
    needed = fit_memory(layout, settings, training.block_rows)
    free = available_bytes()
    if free is not None and needed > free:
        remedy = "give smaller images or hidden_layer_sizes"
        if settings.solver.startswith("kfac"):
            remedy += ", or solver='adam', which keeps no curvature"
        raise MemoryError(
            f"Fitting the network {layout} takes about {needed / 1e9:.1f} GB beside "
            f"the images, and {free / 1e9:.1f} GB are free: {remedy}."
        )


def _warn_of_divergence(network: Network, X: np.ndarray) -> None:
    """Warn of a network that restores all images alike, and none of them well."""
    some = X[:: -(-len(X) // _JUDGED_ROWS)]
    images = network.activations(some, 0)
    restored = network.activations(some, len(network.layout.layers))
    error = np.square(images - restored).sum(dtype=np.float64)
    spread, variety = (
        np.square(rows - rows.mean(axis=0)).sum(dtype=np.float64)
        for rows in (images, restored)
    )
    if error > _WORSE * spread > 0 and variety <= _NO_VARIETY * spread:
        warn(
            "Training ended with a network that turns all images into the same one, "
            f"with {error / spread:.3g} times the error that their mean would have: "
            "lower learning_rate_init, or leave solver and activations at their "
            "defaults.",
            ConvergenceWarning,
        )


def forecast(p: Any, X: np.ndarray) -> FitCost:
    """Forecast what fine-tuning would cost; see `fit_network` for the parameters."""
    rng = check_random_state(p.random_state)
    training, _ = split(p, X, learn_range(X, p.pixel_range), rng)
    layout = choose_layout(p, X.shape[1], _n_components(p, training))
    _check_memory(p, layout, training)
    alpha = 0.0 if isinstance(p.alpha, str) else p.alpha
    settings = choose_settings(p, alpha, seed=0)
    return measure_cost(training, layout, settings, layout.initial(rng))


def learn_range(X: np.ndarray, pixel_range: Any) -> PixelScaler:
    """Return the range of pixels that the network sees as [0, 1]."""
    learned = PixelScaler.from_data(X)
    if pixel_range is None:
        return learned
    low, high = (float(end) for end in pixel_range)
    if learned.low < low or learned.high > high:
        raise ValueError(
            f"X has values in [{learned.low:g}, {learned.high:g}], outside "
            f"pixel_range=({low:g}, {high:g}); widen it, or leave it None to "
            "learn it from X."
        )
    return PixelScaler(low, high)


def split(
    p: Any, X: np.ndarray, scaler: PixelScaler, rng: Any
) -> tuple[RowBlocks, RowBlocks | None]:
    """Return training and, with early stopping, validation rows, both scaled."""
    if not p.early_stopping:
        return RowBlocks(X, convert=scaler.to_unit), None
    n_validation = max(1, round(p.validation_fraction * len(X)))
    if n_validation >= len(X):
        raise ValueError(
            f"early_stopping=True with validation_fraction={p.validation_fraction} "
            f"leaves no training row of n_samples={len(X)}; give more rows, or a "
            "smaller fraction."
        )
    order = rng.permutation(len(X))
    # In the order of X, so that reading from a file goes forwards.
    held_out, kept = np.sort(order[:n_validation]), np.sort(order[n_validation:])
    return (
        RowBlocks(X, rows=kept, convert=scaler.to_unit),
        RowBlocks(X, rows=held_out, convert=scaler.to_unit),
    )


def _n_components(p: Any, training: RowBlocks) -> int | None:
    """Return the number of values of a code, where a share of variance may name it."""
    if isinstance(p.n_components, float):
        return count_components(training, p.n_components)
    return p.n_components


def _start(
    p: Any,
    layout: Layout,
    scaler: PixelScaler,
    training: RowBlocks,
    pretrained: bool,
    rng: Any,
    report: FitReport,
) -> Start:
    """Choose the penalty, and begin at PCA, at a stack of RBMs, or at random."""
    pca = None
    alpha = 0.0 if isinstance(p.alpha, str) else p.alpha
    if layout.has_linear_path or (takes_linear_path(p) and not pretrained):
        pca = principal_axes(training, layout.n_components)
        if isinstance(p.alpha, str) and layout.has_linear_path:
            settings = choose_settings(p, alpha=0.0, seed=0)
            chosen = choose_alpha(training, pca, layout, settings, p.transform_max_iter)
            if chosen is None:
                report.say("No penalty makes training better than PCA")
                return Start(pca_alone(layout, pca, scaler), None, [])
            alpha = chosen
            report.say(f"alpha = {alpha:.3g}")
    rbms = []
    if pretrained:
        template = p.pretraining
        if isinstance(template, str):
            template = default_rbm(training.n_rows).set_params(verbose=p.verbose > 1)
        rbms = pretrain(training.map(lambda x: x), layout, template, rng, report)
    theta = layout.initial(rng)
    unroll(rbms, theta, layout)
    if pca is not None:
        start_as_pca(theta, layout, pca)
    errors = [rbm.reconstruction_errors_ for rbm in rbms]
    return Start(Network(layout, theta, scaler), alpha, errors)


def _fine_tune(
    p: Any,
    start: Start,
    training: RowBlocks,
    validation: RowBlocks | None,
    rng: Any,
    report: FitReport,
) -> Fitted:
    network, is_linear = start.network, start.alpha is None
    seed = rng.randint(np.iinfo(np.int32).max)
    settings = choose_settings(p, start.alpha or 0.0, seed)

    def with_parameters(theta: np.ndarray) -> Network:
        return Network(network.layout, theta, network.scaler)

    with report.training(settings.n_iter, with_parameters) as on_iteration:
        if is_linear:
            trained = Trained(network.theta, message=_LEFT_AS_PCA)
        else:
            trained = train(
                training,
                network.layout,
                settings,
                network.theta,
                validation=validation,
                on_iteration=on_iteration,
            )
    return Fitted(
        with_parameters(trained.theta),
        trained,
        settings.solver,
        start.alpha or 0.0,
        is_linear,
        start.pretraining_errors,
    )
