"""What a compressor does where its parameters leave the choice to us."""

from typing import Any

from sklearn_dae.compressor._fine_tuning import MAX_CHANGE, SOLVERS, Settings
from sklearn_dae.compressor._parameters import takes_linear_path
from sklearn_dae.network import Layout

#: Sizes of the paper's hidden layers, relative to its 784 pixels, and the fewest and
#: most units that they have by default.
PAPER_PROPORTIONS = (1000 / 784, 500 / 784)
FEWEST_UNITS = (400, 200)
MOST_UNITS = (2000, 1000)

#: Rows in a mini-batch: a tenth of all rows, but at least the first number, or half of
#: all rows if that is less, and at most the second.
FEWEST_BATCH_ROWS, MOST_BATCH_ROWS = 100, 1000


def choose_layout(p: Any, n_features: int) -> Layout:
    """Lay out the network of an estimator with parameters ``p``."""
    n_components = p.n_components
    if n_components is None:
        n_components = max(1, n_features // 4)
    if n_components > n_features:
        raise ValueError(
            f"n_components={n_components} must be at most n_features={n_features}: "
            "a code larger than the image compresses nothing."
        )
    hidden = p.hidden_layer_sizes
    if hidden is None:
        hidden = [
            max(n_components, min(max(round(n_features * share), fewest), most))
            for share, fewest, most in zip(
                PAPER_PROPORTIONS, FEWEST_UNITS, MOST_UNITS, strict=True
            )
        ]
    return Layout.autoencoder(
        [n_features, *map(int, hidden), int(n_components)],
        hidden=p.activation,
        code=p.code_activation,
        output=p.output_activation,
        linear_path=takes_linear_path(p),
    )


def choose_solver(p: Any) -> str:
    """Choose how to fine-tune."""
    return "kfac" if p.solver == "auto" else p.solver


def choose_batch_size(n_rows: int) -> int:
    """Choose the rows per mini-batch: few mean noisy gradients, many mean rare ones."""
    fewest = min(FEWEST_BATCH_ROWS, max(1, n_rows // 2))
    return min(MOST_BATCH_ROWS, max(fewest, n_rows // 10))


def choose_settings(p: Any, solver: str, n_rows: int, seed: int) -> Settings:
    """Fill in the settings that a solver fine-tunes with."""

    def chosen(value: Any, ours: Any) -> Any:
        return ours if value is None or isinstance(value, str) else value

    defaults = SOLVERS[solver]
    return Settings(
        solver=solver,
        max_iter=chosen(p.max_iter, defaults.max_iter),
        max_fun=p.max_fun,
        tol=p.tol,
        n_iter_no_change=p.n_iter_no_change,
        learning_rate=chosen(p.learning_rate_init, defaults.learning_rate),
        batch_size=chosen(p.batch_size, choose_batch_size(n_rows)),
        damping=chosen(p.damping, defaults.damping),
        max_change=MAX_CHANGE[p.loss],
        seed=seed,
    )
