"""``sklearn-dae compress``: images to an archive."""

import argparse
import math
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from sklearn_dae.archive import (
    Archive,
    ArchiveInfo,
    append_to_archive,
    open_archive,
    write_archive,
)
from sklearn_dae.cli._fitting import fit_codec
from sklearn_dae.cli._input import images_of, read_codec, status_of
from sklearn_dae.cli._keeping import Keeping
from sklearn_dae.cli._messages import listed, printable, warn
from sklearn_dae.cli._options import (
    BOUND_OPTIONS,
    CHOICE_OPTIONS,
    CODEC_OPTIONS,
    LOSS_OPTIONS,
    NETWORK_OPTIONS,
    UsageError,
    add_bound,
    add_choice,
    add_force,
    add_images,
    add_jobs,
    add_model,
    add_training,
    options_given,
    positive_integer,
)
from sklearn_dae.cli._output import check_file, file_output
from sklearn_dae.cli._progress import counting
from sklearn_dae.cli._summary import PEAK, Fidelity, compare, summary
from sklearn_dae.codecs import Codec, SmallestCodec
from sklearn_dae.codecs._smallest import Tried
from sklearn_dae.images import ImageSet

#: What options promise that no network keeps.
_PROMISES = {
    "--lossless": "--lossless loses nothing",
    "--max-abs-error": "--max-abs-error bounds all errors",
    "--codec": "--codec is for what takes the fewest bytes",
    "--effort": "--effort is for what takes the fewest bytes",
}

#: Names that stand for all codecs, or all that need no other package.
_ALL = "auto", "own"

#: What may be wrong where the work of a codec is not what it promises.
_CHANGED = "Have the files changed meanwhile? If not, please report this."


def add_command(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser(
        "compress",
        help="images to an archive",
        description="Compress images into an archive. Nothing is lost unless an option "
        "asks for it: of several codecs the one is taken that needs the fewest bytes, "
        "and files come back as they were: DICOM, BMP, PGM, TIFF and .npy files byte "
        "for byte, PNG files with the same pixels and whatever else was in them; JPEG "
        "and other files that pixels alone do not restore are kept as they are, JPEG "
        "files as JPEG XL, in fewer bytes. With --psnr, codecs are compared at that "
        "quality, an autoencoder trained on the images themselves among them, and with "
        "the files as they are. All images are read back before the archive "
        "gets its name.",
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
    parser.add_argument(
        "--append",
        action="store_true",
        help="add the images to the archive, coded by the model that it has",
    )
    parser.add_argument(
        "--keep-others",
        action="store_true",
        help="keep all other files of the folder too, as they are",
    )
    add_jobs(parser)
    add_bound(parser)
    add_choice(parser)
    add_training(parser, is_choice=True)


def _run(arguments: argparse.Namespace) -> int:
    _check_usage(arguments)
    output = arguments.output
    if not arguments.append:
        check_file(output, arguments.force)
    codec = _given_codec(arguments)
    is_exact = codec.error_bound == 0 if codec is not None else _is_exact(arguments)
    images = images_of(arguments)
    keeping = Keeping.of(images, arguments, is_exact=is_exact)
    images = keeping.images
    tried: list[Tried] = []
    if arguments.append:
        info, fidelity = _append(output, keeping, arguments, is_exact)
    else:
        if codec is None:
            codec, tried = _fitted_codec(keeping.coded, arguments)
            whole = _files_if_smaller(keeping, arguments, tried)
            if whole is not None:
                keeping, codec, is_exact = whole, None, True
                images = keeping.images
        else:
            _check_model(keeping.coded, codec, arguments)
        with file_output(output, arguments.force) as file:
            info = _write(file, keeping, codec, arguments)
            given = None if info.model_inside else codec
            fidelity = _read_back(file, keeping, given, is_exact)
    say = partial(print, file=sys.stderr if output == "-" else sys.stdout)
    say("" if output == "-" else f"{output}: ", end="")
    say("\n".join(summary(info, keeping, fidelity, tried)))
    if info.images_apart:
        # Those of an archive that was there before have the first numbers.
        n_before = info.n_images - len(images)
        _tell_of_images_apart([n - n_before for n in info.images_apart], images)
    if fidelity.widest is not None and not fidelity.is_exact:
        (name,) = _names(images, [fidelity.widest])
        warn(
            f"{name} makes the range of all images more than a thousand times wider, "
            "and errors are relative to it: beside it the others may have come back as "
            "nothing. Leave it out, or compress it alone."
        )
    return status_of(images.account, arguments)


def _check_usage(arguments: argparse.Namespace) -> None:
    _check_one_way(arguments)
    given = options_given(arguments, CODEC_OPTIONS)
    if arguments.append:
        if arguments.output == "-" or arguments.force or given:
            wrong = "-o -" if arguments.output == "-" else "--force"
            wrong = given[0] if given else wrong
            raise UsageError(
                f"--append adds to an archive by the model that it has; leave out "
                f"{wrong}."
            )
        return
    if arguments.model is None:
        if arguments.place == "reference":
            raise UsageError(
                "--model-reference needs --model: a model that is trained here would "
                "be nowhere. 'sklearn-dae train' makes one."
            )
        return
    if given:
        raise UsageError(
            f"{', '.join(given)} {'says' if len(given) == 1 else 'say'} how to make a "
            "model, but --model is one already; leave out one of them."
        )


def _check_one_way(arguments: argparse.Namespace) -> None:
    """Raise unless at most one way to compress is asked for."""
    network = options_given(arguments, NETWORK_OPTIONS)
    bound = options_given(arguments, (*BOUND_OPTIONS, *CHOICE_OPTIONS))
    if network and bound:
        raise UsageError(
            f"{_PROMISES[bound[0]]}, but {', '.join(network)} "
            f"{'asks' if len(network) == 1 else 'ask'} for a network that loses "
            "something; leave out one of them."
        )
    bound = options_given(arguments, BOUND_OPTIONS)
    loss = options_given(arguments, LOSS_OPTIONS)
    if bound and loss:
        raise UsageError(
            f"{_PROMISES[bound[0]]}, but {loss[0]} allows losses of another kind; "
            "leave out one of them."
        )
    if arguments.worst_psnr is not None and not (loss or network):
        raise UsageError(
            "--worst-psnr says how good each image is to be, but nothing says how good "
            "all are together: give --psnr or --bits-per-image, too."
        )


def _is_exact(arguments: argparse.Namespace) -> bool:
    """Whether nothing is to be lost, which is so unless an option asks for loss."""
    lossy = options_given(arguments, (*LOSS_OPTIONS, *NETWORK_OPTIONS))
    return not (lossy or arguments.max_abs_error)


def _given_codec(arguments: argparse.Namespace) -> Codec | None:
    """Return the codec that images are to be coded by, if there is one already."""
    if arguments.append:
        with open_archive(arguments.output, arguments.model) as archive:
            return archive.codec if archive.needs_codec else None
    return None if arguments.model is None else read_codec(arguments.model)


def _fitted_codec(
    images: ImageSet, arguments: argparse.Namespace
) -> tuple[Codec | None, list[Tried]]:
    """Fit a codec to images, None if there are none; return what else was tried."""
    if not len(images):
        return None, []
    if options_given(arguments, NETWORK_OPTIONS):
        return fit_codec(images, arguments), []
    names = arguments.codec or ["auto"]
    choice = SmallestCodec(
        arguments.psnr,
        target_bits_per_sample=arguments.bits_per_image,
        max_abs_error=arguments.max_abs_error,
        worst_psnr=arguments.worst_psnr,
        peak=arguments.peak,
        candidates=names[0] if names[0] in _ALL else names,
        effort=arguments.effort or 3,
        random_state=arguments.random_state or 0,
        verbose=sys.stderr.isatty(),
    ).fit(images)
    for problem in dict.fromkeys(
        each.error for each in choice.candidates_ if each.error
    ):
        if "pip install" in problem:
            warn(problem)
    return choice.codec_, choice.candidates_


def _files_if_smaller(
    keeping: Keeping, arguments: argparse.Namespace, tried: list[Tried]
) -> Keeping | None:
    """Return all files as they are, if no codec that loses something takes fewer bytes.

    What they take is noted among what was tried.
    """
    is_named = arguments.codec is not None and arguments.codec[0] not in _ALL
    whole = keeping.as_they_are() if tried and not is_named else None
    if whole is None:
        return None
    name = "files as they are" + ("" if _is_own(arguments) else ", JPEG in JPEG XL")
    begin, n_bytes = time.perf_counter(), math.inf
    with suppress(_TooLarge):
        # Files without images come to those of any codec.
        counter, alone = _Counter(tried[0].n_bytes), replace(whole, others=())
        n_bytes = _write(counter, alone, None, arguments).parts.total
    tried.append(Tried(name, n_bytes, time.perf_counter() - begin))
    tried.sort(key=lambda each: each.n_bytes)
    return whole if n_bytes < math.inf else None


class _TooLarge(Exception):
    """An archive takes more bytes than it should."""


class _Counter:
    """A file that only counts its bytes, up to some."""

    def __init__(self, most: float) -> None:
        self._left = most

    def write(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            raise _TooLarge

    def flush(self) -> None:
        """Do nothing: nothing is held back."""


def _is_own(arguments: argparse.Namespace) -> bool:
    """Whether no other package may be needed to read the archive."""
    return bool(arguments.codec) and arguments.codec[0] == "own"


def _check_model(images: ImageSet, codec: Codec, arguments: argparse.Namespace) -> None:
    for spec in images.groups():
        if not codec.takes(spec):
            remedy = "; --grey turns colours to grey" if spec.channels > 1 else ""
            raise ValueError(
                f"{images.source}: images are {spec}, but {arguments.model} was "
                f"trained on images of {codec.n_features_in_} numbers{remedy}."
            )


def _write(
    file: Any, keeping: Keeping, codec: Codec | None, arguments: argparse.Namespace
) -> ArchiveInfo:
    with counting("compressing", len(keeping.images)) as progress:
        return write_archive(
            file,
            keeping.images,
            codec,
            files=keeping.files,
            jpeg_xl=not _is_own(arguments),
            others=keeping.others,
            model=arguments.place,
            chunk_size=arguments.chunk_size,
            metadata={PEAK: arguments.peak} if arguments.peak else None,
            progress=progress,
        )


def _append(
    path: str, keeping: Keeping, arguments: argparse.Namespace, is_exact: bool
) -> tuple[ArchiveInfo, Fidelity]:
    read_back = []

    def check(archive: Archive) -> None:
        read_back.append(_checked(archive, keeping, is_exact))

    with counting("compressing", len(keeping.images)) as progress:
        info = append_to_archive(
            path,
            keeping.images,
            files=keeping.files,
            others=keeping.others,
            model=arguments.model,
            chunk_size=arguments.chunk_size,
            progress=progress,
            check=check,
        )
    return info, read_back[0]


def _read_back(
    file: Any, keeping: Keeping, codec: Codec | None, is_exact: bool
) -> Fidelity:
    """Compare what is in an archive with the images, before it gets its name."""
    file.seek(0)
    with open_archive(file, codec) as archive:
        return _checked(archive, keeping, is_exact)


def _checked(archive: Archive, keeping: Keeping, is_exact: bool) -> Fidelity:
    """Compare the last images of an archive with those that went in.

    Raises
    ------
    ValueError
        If they are not what was promised.
    """
    images = keeping.images
    first = len(archive) - len(images)
    with counting("reading back", len(images)) as progress:
        fidelity = compare(archive, images, progress, first)
    bound = archive.codec.error_bound if archive.needs_codec else 0.0
    if keeping.files:
        found = archive.verify(decode=False, files=True)
        if not found.ok:
            raise ValueError(
                f"A file would not come back as it was, so no archive is written: "
                f"{found}. {_CHANGED}"
            )
    if is_exact and not fidelity.is_exact:
        raise ValueError(
            f"An image did not come back as it was, so no archive is written. "
            f"{_CHANGED}"
        )
    if fidelity.max_error > bound:
        raise ValueError(
            f"An image came back with a pixel off by {fidelity.max_error:g}, at most "
            f"{bound:g} was promised, so no archive is written. {_CHANGED}"
        )
    return fidelity


def _tell_of_images_apart(numbers: Sequence[int], images: ImageSet) -> None:
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
