"""``sklearn-dae train``: images to a model, for many archives."""

import argparse
import os
import time
from typing import Any

from sklearn_dae.cli._fitting import fit_codec
from sklearn_dae.cli._input import shown_images, status_of
from sklearn_dae.cli._messages import counted, decibels, naming
from sklearn_dae.cli._options import UsageError, add_force, add_images, add_training
from sklearn_dae.cli._output import check_file
from sklearn_dae.cli._summary import lzma_bytes, when_it_pays
from sklearn_dae.codecs import TransformCodec
from sklearn_dae.images import ImageSet
from sklearn_dae.models import save_model


def add_command(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser(
        "train",
        help="learn from images a model that compresses others like them",
        description="Train a network on images, and save it as a model that compresses "
        "images like them, with loss: sklearn-dae compress --model.",
    )
    parser.set_defaults(run=_run)
    add_images(parser)
    parser.add_argument(
        "-o", "--output", required=True, metavar="MODEL", help="the model file"
    )
    add_force(parser)
    add_training(parser)


def _run(arguments: argparse.Namespace) -> int:
    output = arguments.output
    if output == "-":
        raise UsageError("-o -: a model is no stream; name a file.")
    check_file(output, arguments.force)
    images = shown_images(arguments)
    begin = time.perf_counter()
    codec = fit_codec(images, arguments)
    seconds = time.perf_counter() - begin
    with naming(output):
        save_model(codec, output, overwrite=arguments.force)
    print(f"{output}: {_summary(codec, images, os.path.getsize(output), seconds)}")
    return status_of(images.account, arguments)


def _summary(
    codec: TransformCodec, images: ImageSet, model_bytes: int, seconds: float
) -> str:
    network = codec.transformer_
    trained = f"{network.n_iter_} iterations of {network.solver_}"
    if network.is_linear_:
        trained = "left as PCA, as training made images held out no better"
    coded = codec.bits_per_sample_ / 8
    pays = when_it_pays(
        model_bytes, model_bytes, coded, images.spec.n_bytes, lzma_bytes(images)
    )
    return (
        f"learned from {counted(len(images), 'image')} of "
        f"{images.spec} in {seconds:.0f} s\n"
        f"Network {network.network_.layout}: {trained}\n"
        f"On these images: {decibels(codec.psnr_)}, {coded:,.1f} bytes an image\n"
        f"{pays}"
    )
