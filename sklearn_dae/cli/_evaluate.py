"""``sklearn-dae evaluate``: by which codec should these images be compressed?"""

import argparse
import errno
import json
import os
import shlex
import shutil
import stat
import sys
from functools import partial
from pathlib import Path
from typing import Any

import joblib

from sklearn_dae._atomic import atomic_writer
from sklearn_dae.cli._input import status_of, tell_of_left_out
from sklearn_dae.cli._messages import counted, naming
from sklearn_dae.cli._options import (
    UsageError,
    add_force,
    add_skip,
    positive_integer,
    positive_number,
    whole_number,
)
from sklearn_dae.cli._output import check_file
from sklearn_dae.datasets import ImageSplit, load_split
from sklearn_dae.datasets._split import NAMES, is_split
from sklearn_dae.evaluation import (
    RateDistortionCurve,
    evaluate,
    write_csv,
    write_report,
)
from sklearn_dae.evaluation.report._bounded import SMALL, are_small
from sklearn_dae.evaluation.report._templates import check_requirements
from sklearn_dae.images import ImageSet, read_images

_DEFAULT_REPORT = "sklearn-dae-report.html"

#: Behind the name of a report: the folder of tasks that are done, until it is written.
_UNFINISHED = ".unfinished"


def add_command(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser(
        "evaluate",
        help="compare our codecs with JPEG XL, JPEG-LS, PCA and others: a report",
        description="Measure real bytes and errors of every codec, and write a page "
        "that says which to take: without loss, and with a bound on errors, for images "
        "of any kind. Of small grey images of one size, some are held out, and codecs "
        "with loss are measured on these: the autoencoder, PCA, JPEG and others. After "
        "an interruption the same command goes on where it was.",
    )
    parser.set_defaults(run=_run)
    parser.add_argument(
        "images",
        nargs="?",
        default="digits",
        metavar="IMAGES",
        help="'digits' (default), 'mnist', or the path of a folder of images, a .npy, "
        ".npz or IDX file; a .npz with arrays 'train' and 'test' is taken as split",
    )
    parser.add_argument(
        "--report",
        default=_DEFAULT_REPORT,
        metavar="FILE",
        help="the page (default %(default)s)",
    )
    parser.add_argument("--json", metavar="FILE", help="all numbers, as JSON, too")
    parser.add_argument("--csv", metavar="FILE", help="all numbers, as a table, too")
    add_force(parser)
    parser.add_argument(
        "--key", metavar="NAME", help="which array of a .npz file that holds several"
    )
    parser.add_argument(
        "--grey", action="store_true", help="turn colour images to grey"
    )
    add_skip(parser)
    parser.add_argument(
        "--test-size",
        type=positive_number,
        metavar="N",
        help="images held out: their number, or a fraction below 1 (default: 0.2)",
    )
    parser.add_argument(
        "--n-components",
        type=positive_integer,
        nargs="+",
        metavar="N",
        help="values an image is described by; an autoencoder is trained for each, and "
        "the best counts (default: a quarter of its pixels, at most 32, a half and a "
        f"quarter of that; none for images of more than {SMALL:,} pixels)",
    )
    parser.add_argument(
        "--hidden-layer-sizes",
        type=positive_integer,
        nargs="+",
        metavar="N",
        help="units of the encoder's layers between image and code",
    )
    parser.add_argument(
        "--max-iter",
        type=whole_number,
        metavar="N",
        help="most epochs (default: 40)",
    )
    parser.add_argument(
        "--qualities",
        type=positive_integer,
        metavar="N",
        help="points of each rate-distortion curve, at least 2 (default: 6)",
    )
    parser.add_argument(
        "--random-state", type=whole_number, metavar="N", help="seed (default: 0)"
    )
    parser.add_argument(
        "--jobs",
        type=positive_integer,
        metavar="N",
        help="networks that are trained, and codecs that are measured, at the same "
        "time (default: as many as there are cores); 1 gives times of an idle machine",
    )


def _run(arguments: argparse.Namespace) -> int:
    # All that can go wrong at the end is looked for before the long work.
    outputs = [arguments.report, arguments.json, arguments.csv]
    for path in filter(None, outputs):
        if path == "-":
            raise UsageError("- : a report is no stream; name a file.")
        check_file(path, arguments.force)
    check_requirements()
    images = _images(arguments)
    tell_of_left_out(images.account)
    say = partial(print, flush=True)
    say(f"{images.source}: {_described(images)}")
    parameters = {
        name: getattr(arguments, name)
        for name in ("hidden_layer_sizes", "max_iter")
        if getattr(arguments, name) is not None
    }
    n_jobs = arguments.jobs or joblib.cpu_count()
    cache = _folder_for_tasks(arguments.report)
    try:
        evaluation = evaluate(
            images,
            n_components=arguments.n_components,
            parameters=parameters,
            n_qualities=arguments.qualities or 6,
            random_state=arguments.random_state or 0,
            n_jobs=n_jobs,
            cache=cache,
            say=say,
        )
        with naming(arguments.report):
            write_report(
                evaluation,
                arguments.report,
                command=_command(arguments),
                n_jobs=n_jobs,
                overwrite=arguments.force,
            )
    except BaseException:
        print(
            f"What is done is kept in {cache}: the same command goes on from there.",
            file=sys.stderr,
        )
        raise
    if arguments.json is not None:
        text = json.dumps(evaluation.to_dict(), indent=1, allow_nan=False)
        with atomic_writer(arguments.json, overwrite=arguments.force) as file:
            file.write(text.encode() + b"\n")
    if arguments.csv is not None:
        bounded = [
            RateDistortionCurve(point.codec, (point,))
            for point in (*evaluation.lossless, *evaluation.near_lossless)
        ]
        write_csv(
            [*evaluation.curves, *bounded], arguments.csv, overwrite=arguments.force
        )
    shutil.rmtree(cache)
    for verdict in filter(None, (evaluation.verdict, evaluation.bounded_verdict)):
        say(f"\n{verdict}")
    say(f"\nReport: {arguments.report}")
    return status_of(images.account, arguments)


def _images(arguments: argparse.Namespace) -> ImageSplit | ImageSet:
    """Load the images, some of them held out if codecs can learn from the others."""
    source, key = arguments.images, arguments.key
    if source not in NAMES and not is_split(source, key):
        images = read_images(source, grey=arguments.grey, key=key).as_shown()
        if arguments.n_components is None and not _suits_learning(images):
            return images
    return load_split(
        source,
        grey=arguments.grey,
        key=key,
        test_size=_test_size(arguments.test_size),
        random_state=arguments.random_state or 0,
    )


def _suits_learning(images: ImageSet) -> bool:
    """Whether images are small, grey and of one size, as codecs with loss want them."""
    kinds = images.groups()
    return are_small(kinds) and len(kinds) == 1 and images.spec.channels == 1


def _described(images: ImageSplit | ImageSet) -> str:
    if isinstance(images, ImageSplit):
        height, width = images.shape
        return (
            f"{counted(len(images.training), 'image')} to learn from, "
            f"{len(images.test):,} held out, {width} x {height} pixels"
        )
    kinds = list(images.groups())
    what = str(kinds[0]) if len(kinds) == 1 else f"of {len(kinds)} kinds"
    return (
        f"{counted(len(images), 'image')}, {what}\nThe autoencoder and other codecs "
        "with loss are left out: they are for small grey images of one size."
    )


def _test_size(number: float | None) -> float | int:
    if number is None:
        return 0.2
    return number if number < 1 else int(number)


def _folder_for_tasks(report: str) -> Path:
    """Make the folder of tasks that are done, or find that of an earlier run."""
    folder = Path(report + _UNFINISHED)
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.stat()
    others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if hasattr(os, "getuid") and (others or status.st_uid != os.getuid()):
        # Its files are loaded, and could run code.
        raise PermissionError(
            errno.EPERM,
            "Others can write to this folder of an unfinished run; remove it, or name "
            "another --report",
            str(folder),
        )
    return folder


def _command(arguments: argparse.Namespace) -> str:
    """What to type to get the same."""
    words = ["sklearn-dae", "evaluate", arguments.images]
    for name in (
        "key",
        "test_size",
        "n_components",
        "hidden_layer_sizes",
        "max_iter",
        "qualities",
        "random_state",
        "jobs",
        "report",
        "json",
        "csv",
    ):
        value = getattr(arguments, name)
        if value is not None:
            values = value if isinstance(value, list) else [value]
            words += ["--" + name.replace("_", "-")]
            words += [
                f"{word:g}" if isinstance(word, float) else str(word) for word in values
            ]
    if arguments.grey:
        words.append("--grey")
    return shlex.join(words)
