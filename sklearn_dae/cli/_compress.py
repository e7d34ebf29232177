"""``sklearn-dae compress``: images to an archive."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from sklearn_dae.archive import open_archive, write_archive
from sklearn_dae.cli._fitting import fit_codec, parameters_beside
from sklearn_dae.cli._input import (
    images_of,
    read_codec,
    status_of,
)
from sklearn_dae.cli._lossless import smallest_codec, suits_network
from sklearn_dae.cli._messages import listed, printable, warn
from sklearn_dae.cli._options import (
    UsageError,
    add_force,
    add_images,
    add_model,
    add_training,
    positive_integer,
    training_options_given,
)
from sklearn_dae.cli._output import check_file, file_output
from sklearn_dae.cli._progress import counting
from sklearn_dae.cli._summary import Fidelity, compare, summary
from sklearn_dae.codecs import Codec
from sklearn_dae.images import ImageSet


def add_command(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser(
        "compress",
        help="images to an archive",
        description="Compress images into an archive. Without --model, a network is "
        "trained on the images themselves. All images are read back from the archive "
        "before it gets its name.",
    )
    parser.set_defaults(run=_run)
    add_images(parser)
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FILE.dae",
        help="the archive, or - for standard output",
    )
    add_force(parser)
    add_model(parser, "compress by this model, which 'sklearn-dae train' made")
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "--model-inside",
        dest="place",
        action="store_const",
        const="inside",
        default="inside",
        help="store the model in the archive (default)",
    )
    place.add_argument(
        "--model-reference",
        dest="place",
        action="store_const",
        const="reference",
        help="store only the SHA-256 of the model: the archive opens together with "
        "the model file only",
    )
    parser.add_argument(
        "--chunk-size",
        type=positive_integer,
        metavar="N",
        help="images that are coded together, and read together for one of them "
        "(default: as many as have half a million pixels)",
    )
    add_training(
        parser,
        "1000 500 for 784 pixels, or as many as take at most a quarter of the pixels",
    )


def _run(arguments: argparse.Namespace) -> int:
    _check_usage(arguments)
    output = arguments.output
    check_file(output, arguments.force)
    codec = None if arguments.model is None else read_codec(arguments.model)
    images = images_of(arguments)
    if codec is None and arguments.lossless and not suits_network(images, arguments):
        codec = smallest_codec(images)
    elif codec is None:
        codec = fit_codec(images, arguments, parameters_beside(images))
    elif images.spec.n_numbers != codec.n_features_in_:
        remedy = "; --grey turns colours to grey" if images.spec.channels > 1 else ""
        raise ValueError(
            f"{images.source}: images are {images.spec}, but {arguments.model} was "
            f"trained on images of {codec.n_features_in_} numbers{remedy}."
        )
    with file_output(output, arguments.force) as file:
        with counting("compressing", len(images)) as progress:
            info = write_archive(
                file,
                images,
                codec,
                model=arguments.place,
                chunk_size=arguments.chunk_size,
                progress=progress,
            )
        given = None if info.model_inside else codec
        fidelity = _read_back(file, images, given, bool(arguments.lossless))
    say = partial(print, file=sys.stderr if output == "-" else sys.stdout)
    say("" if output == "-" else f"{output}: ", end="")
    disk_bytes = images.account.n_bytes or None
    say("\n".join(summary(info, images, disk_bytes, fidelity)))
    if info.images_apart:
        _tell_of_images_apart(info.images_apart, images)
    if fidelity.widest is not None and not fidelity.is_exact:
        (name,) = _names(images, [fidelity.widest])
        warn(
            f"{name} makes the range of all images more than a thousand times wider, "
            "and errors are relative to it: beside it the others may have come back as "
            "nothing. Leave it out, or compress it alone."
        )
    return status_of(images.account, arguments)


def _check_usage(arguments: argparse.Namespace) -> None:
    if arguments.model is None:
        if arguments.place == "reference":
            raise UsageError(
                "--model-reference needs --model: a model that is trained here would "
                "be nowhere. 'sklearn-dae train' makes one."
            )
        return
    given = training_options_given(arguments)
    if given:
        raise UsageError(
            f"{', '.join(given)} {'says' if len(given) == 1 else 'say'} how to train, "
            "but --model is trained already; leave out one of them."
        )


def _read_back(
    file: Any, images: ImageSet, codec: Codec | None, exactly: bool
) -> Fidelity:
    """Compare what is in the archive with the images, before it gets its name."""
    file.seek(0)
    with (
        open_archive(file, codec) as archive,
        counting("reading back", len(images)) as progress,
    ):
        fidelity = compare(archive, images, progress)
        bound = _promised_error(archive.codec)
    if exactly and not fidelity.is_exact:
        raise ValueError(
            "An image did not come back as it was; no archive is written. Please "
            "report this."
        )
    if fidelity.max_error > bound:
        raise ValueError(
            f"An image came back with a pixel off by {fidelity.max_error:g}, at most "
            f"{bound:g} was promised; no archive is written. Please report this."
        )
    return fidelity


def _promised_error(codec: Any) -> float:
    """Return how far a pixel may be off, by what the codec promises."""
    parameters = codec.get_params(deep=False)
    if parameters.get("lossless"):
        return 0.0
    bound = parameters.get("max_abs_error")
    return float("inf") if bound is None else float(bound)


def _tell_of_images_apart(numbers: tuple[int, ...], images: ImageSet) -> None:
    names = _names(images, numbers)
    are = "is" if len(names) == 1 else "are"
    warn(
        f"{len(names):,} of {len(images):,} images {are} unlike those that the model "
        "was trained on and would be restored badly, so they are stored without loss, "
        f"which takes more bytes: {listed(names)}. Train on images like them if there "
        "are many."
    )


def _names(images: ImageSet, numbers: Sequence[int]) -> list[str]:
    """Return what to call some images."""
    names = images.names
    return [printable(names[i]) if names else f"image {i}" for i in numbers]
