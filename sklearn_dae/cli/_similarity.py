"""``sklearn-dae similarity``: how alike are these images?"""

import argparse
import json
from typing import Any

from sklearn_dae.cli._input import shown_images, status_of
from sklearn_dae.cli._messages import counted
from sklearn_dae.cli._options import add_images, positive_number
from sklearn_dae.datasets import load_digits, load_mnist
from sklearn_dae.evaluation import set_similarity

#: Sets of images that have names.
_NAMED = {"digits": load_digits, "mnist": load_mnist}


def add_command(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser(
        "similarity",
        help="how alike images are, and what knowing the set saves",
        description="Measure how alike the images of a set are, and forecast what "
        "knowing the set saves. IMAGES may also be 'digits' or 'mnist'.",
    )
    parser.set_defaults(run=_run)
    add_images(parser)
    parser.add_argument(
        "--psnr",
        type=positive_number,
        metavar="DB",
        help="the quality to forecast for, in decibels, up to 100 (default: 10 above "
        "that of the mean image)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _run(arguments: argparse.Namespace) -> int:
    load = _NAMED.get(arguments.images)
    images = shown_images(arguments) if load is None else load()
    status = status_of(images.account, arguments)
    similarity = set_similarity(
        images.data, image_shape=images.image_shape, psnr=arguments.psnr
    )
    if arguments.json:
        print(json.dumps(similarity.to_dict(), indent=1, allow_nan=False))
        return status
    n_images = counted(len(images), "image")
    print(f"{images.source}: {n_images} of {images.spec}\n{similarity}")
    return status
