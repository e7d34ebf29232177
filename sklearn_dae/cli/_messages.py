"""What commands say, in the words of the command line.

In: errors, numbers, names. Out: lines of text.
"""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TextIO

from sklearn_dae.images import ImageSpec

#: Most names that are listed in a warning, and most kinds of images.
_MOST_NAMES, _MOST_KINDS = 20, 3

#: Remedies of the package, and what they are called here.
_REMEDIES = {
    "open_archive(file, salvage=True) opens what is left": (
        "'sklearn-dae decompress --salvage' saves what is left"
    ),
    "open_archive(file, model=...), an estimator, the path of a model file, or "
    "its bytes": "--model FILE, the model file that it was compressed with",
    "open_archive(file, model=...)": "--model FILE",
    "overwrite=True replaces it": "--force replaces it",
    "(grey=True, --grey)": "(--grey)",
    "name one of them, got key=None": "name one of them: --key NAME",
    "give the transformer more components": "more values an image (--n-components)",
    "give the transformer fewer components": "fewer values an image (--n-components)",
    "target_psnr ==": "--psnr is",
    "psnr ==": "--psnr is",
    "target_bits_per_sample ==": "--bits-per-image is",
    "max_abs_error ==": "--max-abs-error is",
    "chunk_size ==": "--chunk-size is",
    "take the images of one kind, images[numbers] for numbers in "
    "images.groups().values()": "put each kind into a folder of its own, or lose "
    "nothing: 'sklearn-dae compress --lossless' takes all kinds",
    "pass max_pixels=... if": "pass --max-pixels N if",
    "give smaller images or hidden_layer_sizes, or solver='adam', which keeps no "
    "curvature": "make the images smaller, or lose nothing: 'sklearn-dae compress "
    "--lossless' takes any size",
    "image_shape=(height, width)": "--image-shape HEIGHT WIDTH",
}


def told(error: BaseException) -> str:
    """Return what an error says, as one line with a remedy that can be typed."""
    if isinstance(error, MemoryError):
        text = f"not enough memory: {error}" if str(error) else "not enough memory"
    elif isinstance(error, OSError) and error.strerror and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    else:
        text = str(error) or type(error).__name__
    for ours, theirs in _REMEDIES.items():
        text = text.replace(ours, theirs)
    return " ".join(text.split())


def warn(text: str) -> None:
    """Print a warning."""
    print(f"sklearn-dae: warning: {text}", file=sys.stderr)


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Let errors of the system that name no file name this one."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is None and error.strerror:
            error.filename = "standard output" if path == "-" else path
        raise


def printable(text: str, stream: TextIO | None = None) -> str:
    """Escape what a terminal would obey or cannot show, such as line ends.

    Parameters
    ----------
    text : str
        The text.

    stream : text file, default=None
        Where it is to be shown; None means stderr.
    """
    escaped = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text.encode("utf-8", "backslashreplace").decode()
    )
    encoding = (stream or sys.stderr).encoding or "utf-8"
    return escaped.encode(encoding, "backslashreplace").decode(encoding)


def listed(names: Sequence[str]) -> str:
    """List names, the first of them if there are many."""
    shown = ", ".join(names[:_MOST_NAMES])
    n_more = len(names) - _MOST_NAMES
    return f"{shown} and {n_more:,} more" if n_more > 0 else shown


def decibels(psnr: float) -> str:
    """Say how good a reconstruction is."""
    return "exact" if math.isinf(psnr) else f"{psnr:.2f} dB"


def described(kinds: Mapping[ImageSpec, int]) -> str:
    """Say what images are, of one kind or of several."""
    if len(kinds) == 1:
        return str(next(iter(kinds)))
    most = sorted(kinds.items(), key=lambda kind: -kind[1])
    named = [f"{n:,} of {spec}" for spec, n in most[:_MOST_KINDS]]
    n_more = len(kinds) - len(named)
    more = f"; {n_more:,} more" if n_more else ""
    return f"{len(kinds):,} kinds: {'; '.join(named)}{more}"


def counted(n: int, what: str) -> str:
    """Count things, in the singular for one."""
    return f"{n:,} {what}" + ("" if n == 1 else "s")
