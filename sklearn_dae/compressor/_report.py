"""What the user is told while a compressor is fitted: printed lines, and callbacks."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sklearn_dae.network import Layer, Network
from sklearn_dae.training._progress import Progress


class FitReport:
    """Tells the user how a fit goes.

    Parameters
    ----------
    estimator : estimator
        The one that is fitted.

    X : array-like
        Its training rows, as callbacks are given them.

    attributes : dict
        Fitted attributes that are known from the start. With ``network_`` they make an
        estimator that callbacks can use.
    """

    def __init__(self, estimator: Any, X: Any, attributes: dict[str, Any]) -> None:
        self._estimator, self._X, self._attributes = estimator, X, attributes
        self._verbose = estimator.verbose
        self._context: Any = None
        self._stage: Any = None

    def say(self, text: str, level: int = 1) -> None:
        """Print a line, if the user wants as many."""
        if self._verbose >= level:
            print(f"[{type(self._estimator).__name__}] {text}")

    def begin(self, n_stages: int) -> None:
        """Tell callbacks that a fit of one or two stages begins."""
        self._context = self._estimator._init_callback_context(max_subtasks=n_stages)
        self._context.call_on_fit_task_begin(estimator=self._estimator, X=self._X)

    def end(self, network: Network) -> None:
        """Tell callbacks that a fit has ended."""
        self._end(self._context, network)

    @contextmanager
    def pretraining(self, n_layers: int) -> Iterator[None]:
        """Enclose the stage that learns RBMs."""
        self._stage = self._context.subcontext("pretrain", max_subtasks=n_layers)
        self._stage.call_on_fit_task_begin(estimator=self._estimator)
        yield
        self._stage.call_on_fit_task_end(estimator=self._estimator)

    @contextmanager
    def layer(self, layer: Layer, rbm: Any) -> Iterator[None]:
        """Enclose the fit of one RBM; what it reports itself is part of it."""
        name = f"layer {layer.n_below + layer.n_direct} -> {layer.n_out}"
        step = self._stage.subcontext(name)
        begin = time.perf_counter()
        with step.propagate_callback_context(rbm):
            step.call_on_fit_task_begin(estimator=self._estimator)
            yield
            step.call_on_fit_task_end(estimator=self._estimator)
        if rbm.reconstruction_errors_:
            self.say(
                f"{name.capitalize()}, "
                f"reconstruction error = {rbm.reconstruction_errors_[-1]:.4g}, "
                f"time = {time.perf_counter() - begin:.2f}s"
            )

    @contextmanager
    def training(
        self, max_iter: int, make: Callable[[Any], Network]
    ) -> Iterator[Callable[[Progress], bool]]:
        """Enclose fine-tuning; yield what it calls after each iteration.

        ``make`` turns parameters into a network.
        """
        stage = self._context.subcontext("fine-tune", max_subtasks=max_iter)
        stage.call_on_fit_task_begin(estimator=self._estimator, X=self._X)
        begin = time.perf_counter()
        network = None

        def on_iteration(progress: Progress) -> bool:
            nonlocal network
            seldom = 1 if progress.n_iter % max(1, max_iter // 10) == 0 else 2
            self.say(_line(progress, time.perf_counter() - begin), seldom)
            network = make(progress.best_theta)
            iteration = stage.subcontext("iteration")
            iteration.call_on_fit_task_begin(estimator=self._estimator, X=self._X)
            return self._end(iteration, network)

        yield on_iteration
        self._end(stage, network)

    def _end(self, context: Any, network: Network | None) -> bool:
        known = None if network is None else self._attributes | {"network_": network}
        stops: bool = context.call_on_fit_task_end(
            estimator=self._estimator, X=self._X, reconstruction_attributes=known
        )
        return stops


def _line(progress: Progress, seconds: float) -> str:
    line = f"Iteration {progress.n_iter}, loss = {progress.loss_curve[-1]:.5g}"
    if progress.validation_loss_curve:
        line += f", validation loss = {progress.validation_loss_curve[-1]:.5g}"
    return f"{line}, time = {seconds:.1f}s"
