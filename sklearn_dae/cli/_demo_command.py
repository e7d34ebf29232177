"""``sklearn-dae demo``: train, compress held-out images, show a table and a picture."""

import argparse
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from sklearn_dae import _demo
from sklearn_dae.cli._input import status_of, tell_of_left_out
from sklearn_dae.cli._options import add_skip


def add_command(commands: Any) -> None:
    """Add the command to the parser's."""
    demo = commands.add_parser(
        "demo",
        help="train, compress held-out images, show a table and a picture",
        description="Train an autoencoder, compress images it has not seen, and "
        "compare it with PCA at the same number of values and with Huffman coding.",
    )
    demo.set_defaults(run=_run)
    demo.add_argument(
        "--data",
        default="digits",
        metavar="SET",
        help="'digits' (default), 'mnist' for the experiment of the paper, or the path "
        "of a folder of images, a .npy, .npz or IDX file",
    )
    demo.add_argument(
        "--n-components",
        type=int,
        nargs="+",
        metavar="N",
        help="values an image is compressed to; several are compared",
    )
    demo.add_argument(
        "--hidden-layer-sizes",
        type=int,
        nargs="+",
        metavar="N",
        help="units of the encoder's layers between image and code",
    )
    demo.add_argument(
        "--max-iter", type=int, metavar="N", help="most epochs, or L-BFGS iterations"
    )
    demo.add_argument(
        "--random-state", type=int, default=0, metavar="N", help="seed (default 0)"
    )
    demo.add_argument("--grey", action="store_true", help="turn colour images to grey")
    add_skip(demo)
    demo.add_argument(
        "--output",
        type=Path,
        default=Path("sklearn-dae-demo.png"),
        metavar="FILE",
        help="the picture, overwritten if it exists (default %(default)s)",
    )


def _run(arguments: argparse.Namespace) -> int:
    if arguments.data == "mnist":
        experiment = _demo.paper_experiment()
    else:
        experiment = _demo.experiment_on(arguments.data, grey=arguments.grey)
    if arguments.n_components:
        experiment = replace(experiment, n_components=arguments.n_components)
    account = experiment.split.account
    tell_of_left_out(account)
    settings: dict[str, Any] = {"random_state": arguments.random_state}
    if arguments.max_iter is not None:
        settings["max_iter"] = arguments.max_iter
    if arguments.hidden_layer_sizes is not None:
        settings["hidden_layer_sizes"] = arguments.hidden_layer_sizes
    _demo.run(
        experiment,
        arguments.output,
        settings=settings,
        interactive=sys.stdout.isatty(),
        say=partial(print, flush=True),
    )
    return status_of(account, arguments)
