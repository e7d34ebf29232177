"""Display of a training run: the loss after each iteration, and pretraining errors.

In: a fitted autoencoder, RBM or other network. Out: one Axes, or one for pretraining
and one for fine-tuning.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from sklearn_dae.evaluation._drawing import (
    curve_style,
    import_matplotlib,
    plain_numbers,
)
from sklearn_dae.evaluation._inside import find_with

#: Beyond this many points a curve has no markers.
_MOST_MARKERS = 40

#: The ratio of the largest loss to the smallest above which the axis is logarithmic.
_LOGARITHMIC_FROM = 5.0

#: What the loss of an image is called.
_LOSS_NAMES = {
    "squared_error": "squared error of an image",
    "log_loss": "cross-entropy of an image",
}

#: Solvers that count epochs.
_MINIBATCH_SOLVERS = ("kfac", "adam", "sgd")


class LossCurveDisplay:
    """The loss after each iteration, and the errors of pretraining, if there was any.

    Create it with `from_estimator`, or from numbers at hand.

    Parameters
    ----------
    loss_curve : sequence of float
        The loss after each iteration; empty if there was none.

    validation_loss_curve : sequence of float, default=()
        The loss on the held-out rows.

    pretraining_errors : mapping of str to sequence of float, default=None
        For each layer, its label and its error after each epoch.

    loss_name : str, default="loss"
        What the loss is called.

    iteration_name : str, default="iteration"
        What an iteration is called.

    Attributes
    ----------
    ax_ : matplotlib Axes or None
        The Axes of fine-tuning, once `plot` has been called.

    pretraining_ax_ : matplotlib Axes or None
        The Axes of pretraining.

    figure_ : matplotlib Figure
        Their figure.

    line_, validation_line_ : matplotlib Line2D or None
        The curves of the loss.

    pretraining_lines_ : list of matplotlib Line2D
        A curve for each layer.

    Raises
    ------
    ValueError
        If there is nothing to draw.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_dae import DeepAutoencoderCompressor
    >>> from sklearn_dae.evaluation import LossCurveDisplay
    >>> dae = DeepAutoencoderCompressor(8, max_iter=5, early_stopping=True)
    >>> display = LossCurveDisplay.from_estimator(dae.fit(load_digits().data))
    >>> display.line_.get_xdata().tolist()
    [1, 2, 3, 4, 5]
    """

    def __init__(
        self,
        loss_curve: Sequence[float],
        *,
        validation_loss_curve: Sequence[float] = (),
        pretraining_errors: Mapping[str, Sequence[float]] | None = None,
        loss_name: str = "loss",
        iteration_name: str = "iteration",
    ) -> None:
        self.loss_curve = loss_curve
        self.validation_loss_curve = validation_loss_curve
        self.pretraining_errors = {
            label: errors
            for label, errors in (pretraining_errors or {}).items()
            if len(errors)
        }
        self.loss_name = loss_name
        self.iteration_name = iteration_name
        if not len(loss_curve) and not self.pretraining_errors:
            raise ValueError(
                "There is no iteration to draw: loss_curve and pretraining_errors are "
                "empty."
            )

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, ax: Any = None, pretraining_ax: Any = None
    ) -> Self:
        """Draw how a fitted estimator was trained.

        Parameters
        ----------
        estimator : estimator
            A fitted `DeepAutoencoderCompressor` or another network with
            ``loss_curve_``, an RBM of this package, or a Pipeline or a codec with one
            of these in it.

        ax, pretraining_ax : matplotlib Axes, default=None
            The Axes to draw fine-tuning and pretraining in. If only one is given, only
            that is drawn. If neither is, a figure is made.

        Returns
        -------
        display : LossCurveDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If the estimator records no loss.

        ValueError
            If it was not trained: ``max_iter`` is 0, or the network was left as PCA.

        sklearn.exceptions.NotFittedError
            If it is not fitted.
        """
        network = find_with(estimator, "loss_curve_", "reconstruction_errors_")
        if hasattr(network, "reconstruction_errors_"):
            n_hidden, n_visible = network.components_.shape
            errors = {f"{n_visible} → {n_hidden}": network.reconstruction_errors_}
            display = cls((), pretraining_errors=errors)
        else:
            if getattr(network, "is_linear_", False):
                raise ValueError(f"There is no iteration to draw: {network.message_}.")
            solver = getattr(network, "solver_", getattr(network, "solver", None))
            display = cls(
                network.loss_curve_,
                validation_loss_curve=getattr(network, "validation_loss_curve_", ()),
                pretraining_errors=_errors_of_layers(network),
                loss_name=_LOSS_NAMES.get(network.loss, "loss") + _penalties(network),
                iteration_name="epoch" if solver in _MINIBATCH_SOLVERS else "iteration",
            )
        return display.plot(ax, pretraining_ax=pretraining_ax)

    def plot(self, ax: Any = None, *, pretraining_ax: Any = None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax, pretraining_ax : matplotlib Axes, default=None
            The Axes to draw fine-tuning and pretraining in. If only one is given, only
            that is drawn. If neither is, a figure is made.

        Returns
        -------
        self : LossCurveDisplay
            With its attributes set.
        """
        if ax is None and pretraining_ax is None:
            n_axes = bool(self.pretraining_errors) + bool(len(self.loss_curve))
            _, axes = import_matplotlib().subplots(
                1,
                n_axes,
                figsize=(4.4 * n_axes + 0.6, 3.8),
                layout="constrained",
                squeeze=False,
            )
            pretraining_ax = axes[0, 0] if self.pretraining_errors else None
            ax = axes[0, -1] if len(self.loss_curve) else None
        self.ax_, self.pretraining_ax_ = ax, pretraining_ax
        self.figure_ = (pretraining_ax if ax is None else ax).figure
        self.line_ = self.validation_line_ = None
        self.pretraining_lines_: list[Any] = []
        if ax is not None:
            self._draw_fine_tuning(ax)
        if pretraining_ax is not None:
            self._draw_pretraining(pretraining_ax)
        return self

    def _draw_fine_tuning(self, ax: Any) -> None:
        self.line_ = _draw_curve(ax, self.loss_curve, "training", 0)
        if len(self.validation_loss_curve):
            curve = self.validation_loss_curve
            self.validation_line_ = _draw_curve(ax, curve, "validation", 1)
            ax.legend()
        _finish(ax, self.iteration_name, self.loss_name)

    def _draw_pretraining(self, ax: Any) -> None:
        self.pretraining_lines_ = [
            _draw_curve(ax, errors, label, index)
            for index, (label, errors) in enumerate(self.pretraining_errors.items())
        ]
        ax.legend(title="RBM")
        _finish(ax, "epoch of pretraining", "squared error of a layer's input")


def _errors_of_layers(network: Any) -> dict[str, Sequence[float]]:
    """Return the errors of the RBMs, each with the sizes of its layer."""
    errors = getattr(network, "pretraining_errors_", [])
    layers = network.network_.layout.layers if errors else []
    return {
        f"{number}: {layer.n_below} → {layer.n_out}": errors_of_layer
        for number, (layer, errors_of_layer) in enumerate(
            zip(layers, errors, strict=False), start=1
        )
    }


def _penalties(network: Any) -> str:
    """Say whether the training curve counts more than the loss."""
    weights = [getattr(network, name, 0) for name in ("alpha_", "sparsity")]
    return ", with penalty" if any(weights) else ""


def _draw_curve(ax: Any, losses: Sequence[float], label: str, index: int) -> Any:
    style = curve_style(index)
    if len(losses) > _MOST_MARKERS:
        style["marker"] = ""
    (line,) = ax.plot(
        range(1, len(losses) + 1), losses, label=label, markersize=4, **style
    )
    return line


def _finish(ax: Any, x_label: str, y_label: str) -> None:
    """Label the axes, and settle their scales."""
    from matplotlib.ticker import MaxNLocator

    losses = np.concatenate([line.get_ydata() for line in ax.lines])
    losses = losses[np.isfinite(losses)]
    if losses.min() > 0 and losses.max() > _LOGARITHMIC_FROM * losses.min():
        ax.set_yscale("log")
        plain_numbers(ax.yaxis, losses)
    ax.xaxis.set_major_locator(
        MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10])
    )
    ax.set(xlabel=x_label, ylabel=y_label)
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
