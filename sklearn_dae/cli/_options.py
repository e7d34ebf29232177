"""Options that several commands share."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sklearn_dae.images._image_file import MAX_PIXELS

#: Options that say how good images are to be that lose something, or how small.
LOSS_OPTIONS = ("psnr", "bits_per_image")

#: Options that ask for a network of one's own choice.
NETWORK_OPTIONS = ("n_components", "hidden_layer_sizes", "max_iter")

#: Options that ask for what loses nothing, or next to nothing.
BOUND_OPTIONS = ("lossless", "max_abs_error")

#: Options that say how the smallest codec is found.
CHOICE_OPTIONS = ("codec", "effort")

#: All options that say how a codec is made; they make no sense beside a given one.
CODEC_OPTIONS = (
    *BOUND_OPTIONS,
    *CHOICE_OPTIONS,
    *LOSS_OPTIONS,
    "worst_psnr",
    "peak",
    *NETWORK_OPTIONS,
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


def add_bound(parser: argparse.ArgumentParser) -> None:
    """Add how far pixels may be off when they come back."""
    group = parser.add_argument_group("without loss, or nearly")
    bound = group.add_mutually_exclusive_group()
    bound.add_argument(
        "--lossless",
        action="store_true",
        default=None,
        help="give every pixel back as it is, by what takes the fewest bytes (default)",
    )
    bound.add_argument(
        "--max-abs-error",
        type=whole_number,
        metavar="N",
        help="how far any pixel of any image may be off",
    )


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Add how the codec that makes the smallest archive is found."""
    group = parser.add_argument_group("how to find what takes the fewest bytes")
    group.add_argument(
        "--codec",
        nargs="+",
        metavar="NAME",
        help="try these only, such as autoencoder, PCA, PixelCodec, 'JPEG XL' or AVIF; "
        "'own' for all whose archives need no package but this one",
    )
    group.add_argument(
        "--effort",
        type=int,
        choices=range(1, 5),
        metavar="{1,2,3,4}",
        help="how long to try and train, which makes archives smaller: 1, not training "
        "at all, to 4, minutes (default: 3, a minute for a thousand small images)",
    )


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """Add how many processes there may be."""
    parser.add_argument(
        "--jobs",
        type=positive_integer,
        metavar="N",
        help="processes that work at the same time, each in its own memory (default: "
        "one for each core)",
    )


def add_training(parser: argparse.ArgumentParser, *, is_choice: bool = False) -> None:
    """Add how a network is trained, and how well it is to restore images.

    ``is_choice`` says whether there is a network only where an option asks for it.
    """
    choice = (
        "--psnr takes whatever makes the smallest archive, --bits-per-image whatever "
        "makes the best one of such a size, all in it counted. --n-components, "
        "--hidden-layer-sizes and --max-iter ask for a network, whose codes alone then "
        "count as bits. "
    )
    network = parser.add_argument_group(
        "with loss",
        f"{choice if is_choice else ''}Without --psnr or --bits-per-image, codes lose "
        "a little on top of what the network loses.",
    )
    quality = network.add_mutually_exclusive_group()
    quality.add_argument(
        "--psnr",
        type=positive_number,
        metavar="DB",
        help="peak signal-to-noise ratio of the images, in decibels",
    )
    quality.add_argument(
        "--bits-per-image",
        type=positive_number,
        metavar="B",
        help="bits that an image takes on average",
    )
    network.add_argument(
        "--worst-psnr",
        type=positive_number,
        metavar="DB",
        help="lowest quality of any single image, in decibels (default: 6 less than "
        "--psnr)",
    )
    network.add_argument(
        "--peak",
        type=positive_number,
        metavar="P",
        help="what errors are relative to in decibels (default: 255 for 8 bits, "
        "otherwise the largest number of all images less the smallest)",
    )
    network.add_argument(
        "--n-components",
        type=positive_integer,
        metavar="N",
        help="values an image is described by (default: as many as pay at --psnr; "
        "without it, a quarter of the pixels or of the images, at most 32)",
    )
    network.add_argument(
        "--hidden-layer-sizes",
        type=positive_integer,
        nargs="+",
        metavar="N",
        help="units of the encoder's layers between image and code (default: one "
        "layer, of as many as pay for so many images)",
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


def options_given(arguments: argparse.Namespace, names: Sequence[str]) -> list[str]:
    """Return those of some options that were given, as they are typed."""
    given = [name for name in names if getattr(arguments, name) is not None]
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
