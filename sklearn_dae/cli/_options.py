"""Options that several commands share."""

import argparse
from pathlib import Path
from typing import Any

from sklearn_dae.images._image_file import MAX_PIXELS

#: Options that say which network is trained and how long, and, with these, all that say
#: how a model is made; they make no sense beside a given one.
NETWORK_OPTIONS = ("n_components", "hidden_layer_sizes", "max_iter")
TRAINING_OPTIONS = (
    *NETWORK_OPTIONS,
    "psnr",
    "bits_per_image",
    "max_abs_error",
    "lossless",
    "random_state",
)


class UsageError(Exception):
    """Arguments that contradict each other."""


def add_images(parser: argparse.ArgumentParser) -> None:
    """Add what tells where images come from."""
    parser.add_argument(
        "images",
        metavar="IMAGES",
        help="a folder with its subfolders, or a file: PNG, JPEG, WebP, GIF, BMP, PGM, "
        "PPM, TIFF, DICOM, .npy, .npz or IDX (gzipped or not); or - for a .npy file on "
        "standard input",
    )
    parser.add_argument(
        "--key", metavar="NAME", help="which array of a .npz file that holds several"
    )
    parser.add_argument(
        "--grey", action="store_true", help="turn colour images to grey"
    )
    parser.add_argument(
        "--image-shape",
        type=positive_integer,
        nargs="+",
        metavar="N",
        help="height and width, and channels if there are several, of the rows of an "
        "array of two dimensions",
    )
    parser.add_argument(
        "--max-pixels",
        type=positive_integer,
        default=MAX_PIXELS,
        metavar="N",
        help="most pixels of an image; a file that claims more is left out (default: "
        "%(default)s)",
    )
    add_skip(parser)


def add_skip(parser: argparse.ArgumentParser) -> None:
    """Add what says that files may be left out."""
    parser.add_argument(
        "--skip-unreadable",
        action="store_true",
        help="exit with 0 even if files were left out, not with 3",
    )


def add_force(parser: argparse.ArgumentParser) -> None:
    """Add what allows to replace files."""
    parser.add_argument(
        "--force", action="store_true", help="replace what is there already"
    )


def add_model(parser: argparse.ArgumentParser, text: str) -> None:
    """Add where a model comes from."""
    parser.add_argument("--model", type=Path, metavar="MODEL", help=text)


def add_training(parser: argparse.ArgumentParser, sizes: str) -> None:
    """Add how a model is trained, and how well it is to restore images.

    ``sizes`` says which hidden layers there are by default.
    """
    quality = parser.add_argument_group(
        "quality",
        "One of these; without any, codes lose a little on top of the network.",
    ).add_mutually_exclusive_group()
    quality.add_argument(
        "--psnr",
        type=positive_number,
        metavar="DB",
        help="peak signal-to-noise ratio of the images trained on, in decibels",
    )
    quality.add_argument(
        "--bits-per-image",
        type=positive_number,
        metavar="B",
        help="bits that an image takes on average",
    )
    quality.add_argument(
        "--max-abs-error",
        type=whole_number,
        metavar="N",
        help="how far any pixel of any image may be off (8-bit images)",
    )
    quality.add_argument(
        "--lossless",
        action="store_true",
        default=None,
        help="give every pixel back as it is: by what takes the fewest bytes of JPEG "
        "XL, WebP, PNG, LZMA and prediction from the set, or by a network, where "
        "options of it are given",
    )
    network = parser.add_argument_group("network and training")
    network.add_argument(
        "--n-components",
        type=positive_integer,
        metavar="N",
        help="values an image is described by (default: a quarter of its pixels, at "
        "most 32)",
    )
    network.add_argument(
        "--hidden-layer-sizes",
        type=positive_integer,
        nargs="+",
        metavar="N",
        help=f"units of the encoder's layers between image and code (default: {sizes})",
    )
    network.add_argument(
        "--max-iter",
        type=whole_number,
        metavar="N",
        help="most epochs (default: 40)",
    )
    network.add_argument(
        "--random-state", type=whole_number, metavar="N", help="seed (default: 0)"
    )


def training_options_given(arguments: argparse.Namespace) -> list[str]:
    """Name the options of `add_training` that were given."""
    given = [name for name in TRAINING_OPTIONS if getattr(arguments, name) is not None]
    return ["--" + name.replace("_", "-") for name in given]


def positive_integer(text: str) -> int:
    """Read an integer from 1 on."""
    return _number(text, int, 1, "a whole number of at least 1")


def whole_number(text: str) -> int:
    """Read an integer from 0 on."""
    return _number(text, int, 0, "a whole number of at least 0")


def positive_number(text: str) -> float:
    """Read a number above 0."""
    return _number(text, float, 1e-9, "a number above 0")


def _number(text: str, kind: Any, least: float, expected: str) -> Any:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not least <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected {expected}")
    return value
