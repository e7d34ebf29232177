"""What an archive is worth: bytes before and after, and from when on a model pays.

In: an archive that was written, and the images that went in. Out: lines of text.
"""

import lzma
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_dae.archive import Archive, ArchiveInfo
from sklearn_dae.cli._keeping import Keeping
from sklearn_dae.cli._messages import counted, decibels, described
from sklearn_dae.codecs._smallest import Tried
from sklearn_dae.codecs._step import decibels as psnr_of
from sklearn_dae.images import ImageSet

#: Bytes of images that LZMA is tried on.
_SAMPLE_BYTES = 2**22

#: How many times as wide as the range of all other images that of all must be for one
#: to be an outlier, beside which errors of the others cannot be seen.
_MUCH_WIDER = 1000

#: What errors are relative to, in the metadata of an archive, where that was given.
PEAK = "peak"

#: How many ways to store images are told of.
_MOST_SHOWN = 5

#: Share of an archive from which on it is worth keeping a model for many.
_LARGE_SHARE = 0.1


@dataclass(frozen=True)
class Fidelity:
    """How far images that came back are from those that went in.

    Parameters
    ----------
    is_exact : bool
        Whether every number came back as it was.

    psnr, worst_psnr : float
        Peak signal-to-noise ratio of all images together, and of the worst of them, in
        decibels; infinite if there is no error.

    max_error : float
        The largest difference of two numbers.

    widest : int or None
        The image that alone decides the range of all, if one does.
    """

    is_exact: bool
    psnr: float
    worst_psnr: float
    max_error: float
    widest: int | None

    def __str__(self) -> str:
        if self.is_exact:
            return "exact"
        return (
            f"{decibels(self.psnr)}, the worst image {decibels(self.worst_psnr)}, no "
            f"pixel off by more than {self.max_error:g}"
        )


def compare(
    archive: Archive,
    images: ImageSet,
    progress: Callable[[int], None] | None,
    first: int = 0,
) -> Fidelity:
    """Read images back from an archive, and compare them with the original ones.

    Parameters
    ----------
    archive : Archive
        The archive.

    images : ImageSet
        The images, of which the first one has the number ``first`` there.

    progress : callable or None
        Called with the number of images compared so far.

    first : int, default=0
        What was in the archive before.
    """
    span = _span(archive)
    is_exact, total, worst, largest, n_numbers = True, 0.0, 0.0, 0.0, 0
    ends = np.full((2, len(images)), np.nan)
    n_done = 0
    for numbers, restored in archive.chunks(first):
        numbers = numbers - first
        rows = images[numbers].data
        others = restored.reshape(rows.shape)
        is_same = (rows == others) | (np.isnan(rows) & np.isnan(others))
        is_exact &= bool(is_same.all())
        # What is the same has no error, even if it is infinite.
        error = np.zeros(rows.shape)
        np.subtract(rows, others, out=error, where=~is_same, dtype=np.float64)
        largest = max(largest, float(np.abs(error).max()))
        # Squares of very large or small numbers would not be finite, or zero.
        error /= span
        of_images = np.square(error, out=error).mean(axis=1)
        total += float(of_images.sum()) * rows.shape[1]
        worst = max(worst, float(of_images.max()))
        n_numbers += rows.size
        ends[:, numbers] = rows.min(axis=1), rows.max(axis=1)
        n_done += len(rows)
        if progress is not None:
            progress(n_done)
    mse = total / max(n_numbers, 1)
    psnr, worst_psnr = psnr_of(mse, 1.0), psnr_of(worst, 1.0)
    return Fidelity(is_exact, psnr, worst_psnr, largest, _widest(*ends))


def _span(archive: Archive) -> float:
    """Return what errors are relative to."""
    peak = archive.metadata.get(PEAK)
    if isinstance(peak, float) and peak > 0:
        return peak
    # Codecs know the range of pixels: that of the type for 8 bits.
    codec: Any = archive.codec if archive.needs_codec else None
    return 1.0 if codec is None else codec.high_ - codec.low_ or 1.0


def _widest(lows: np.ndarray, highs: np.ndarray) -> int | None:
    """Return an image without which the range of all would be nothing to what it is.

    ``lows`` and ``highs`` are the smallest and the largest number of each image; NaN
    for one that nothing is known of.
    """
    known = np.flatnonzero(~np.isnan(lows))
    lows, highs = lows[known], highs[known]
    for image in (lows.argmin(), highs.argmax()) if len(known) else ():
        others = np.delete(highs, image).max(initial=-np.inf) - np.delete(
            lows, image
        ).min(initial=np.inf)
        if 0 < _MUCH_WIDER * others < highs.max() - lows.min():
            return int(known[image])
    return None


def lzma_bytes(images: ImageSet) -> float:
    """Return how many bytes an image takes if LZMA packs the pixels, without loss."""
    sample, n_sampled, n_images = [], 0, 0
    while n_images < len(images) and n_sampled < _SAMPLE_BYTES:
        sample.append(images[n_images].tobytes())
        n_sampled, n_images = n_sampled + len(sample[-1]), n_images + 1
    return len(lzma.compress(b"".join(sample))) / n_images


def break_even(fixed_bytes: int, coded: float, otherwise: float) -> int | None:
    """Return from how many images on a model pays; None if it never does.

    Parameters
    ----------
    fixed_bytes : int
        Bytes of the model, and of what else does not depend on how many images there
        are.

    coded, otherwise : float
        Bytes of an image with the model, and without.

    Examples
    --------
    >>> from sklearn_dae.cli._summary import break_even
    >>> break_even(1000, 10, 60), break_even(1000, 60, 60)
    (20, None)
    """
    if coded >= otherwise:
        return None
    return math.ceil(fixed_bytes / (otherwise - coded))


def summary(
    info: ArchiveInfo, keeping: Keeping, fidelity: Fidelity, tried: Sequence[Tried]
) -> list[str]:
    """Say what came of compressing images.

    Parameters
    ----------
    info : ArchiveInfo
        The archive.

    keeping : Keeping
        What went in.

    fidelity : Fidelity
        How it came back.

    tried : sequence of Tried
        What else it might have been stored by, the smallest first.
    """
    n, images, parts = info.n_images, keeping.images, info.parts
    packed = lzma_bytes(images)
    # What was added to an archive says nothing of all that is in it.
    is_all = n == len(images)
    rows: list[tuple[str, float]] = []
    if images.account.n_bytes and is_all:
        rows.append(("read from disk", images.account.n_bytes))
    rows.append(("pixels", info.pixel_bytes))
    if is_all:
        rows.append(("pixels by LZMA", packed * n))
    model = "with the model" if info.model_inside else "with the model, elsewhere"
    rows.append((f"archive {model}", info.bytes_with_model))
    rows.append(("archive without the model", parts.without_model))
    if keeping.files:
        rows.append(("  names and what surrounds pixels", parts.files))
    if parts.kept:
        rows.append(("  files kept as they are", parts.kept))
    width = max(len(name) for name, _ in rows)
    lines = [
        f"{counted(n, 'image')} of {described(info.kinds)}",
        "",
        f"{'':{width}}  {'bytes':>15}  {'an image':>12}  {'ratio':>8}",
    ]
    for name, size in rows:
        # Parts of the archive are compared with nothing.
        ratio = "" if name.startswith(" ") else f"{info.pixel_bytes / size:.2f}"
        line = f"{name:{width}}  {size:>15,.0f}  {size / n:>12,.1f}  {ratio:>8}"
        lines.append(line.rstrip())
    lines.append("")
    if images.account.n_files:
        lines.append(f"Taken in: {images.account}")
    lines.append(f"Read back: {fidelity}")
    if keeping.has_headers:
        lines.append(
            "Headers of DICOM files are in the archive as they were: they may identify "
            "patients"
        )
    lines += _runners_up(tried)
    if len(info.kinds) == 1 and is_all and not keeping.files and not tried:
        lines.append(
            when_it_pays(
                info.model_size,
                info.model_size + parts.header,
                (parts.without_model - parts.header) / n,
                info.pixel_bytes / n,
                packed,
            )
        )
    is_large = info.model_inside and info.model_size > parts.total * _LARGE_SHARE
    if is_all and not tried and is_large and parts.total >= packed * n:
        lines.append(
            "LZMA stores these images in fewer bytes, without loss: compress more of "
            "them,\nor keep one model for many archives (--model, --model-reference)"
        )
    return lines


def _runners_up(tried: Sequence[Tried]) -> list[str]:
    """Say what the smallest codecs would take, all that they need included."""
    tried = [each for each in tried if each.n_bytes < math.inf]
    if not tried:
        return []
    shown = tried[:_MOST_SHOWN]
    width = max(len(each.name) for each in shown)
    lines = [f"Fewest bytes of {len(tried)} ways to store the pixels:"]
    for each in shown:
        ratio = each.n_bytes / shown[0].n_bytes
        lines.append(f"  {each.name:{width}}  {each.n_bytes:>13,.0f}  {ratio:>6.2f}")
    return lines


def when_it_pays(
    model_bytes: int, fixed_bytes: int, coded: float, pixels: float, packed: float
) -> str:
    """Say from how many images on a model pays.

    Against the pixels as they are, which nobody has to decode, and against LZMA, which
    everybody has: what it loses is nothing, so this is the harder test.
    """
    said = []
    for name, otherwise in (
        ("storing the pixels", pixels),
        ("LZMA, which loses nothing", packed),
    ):
        least = break_even(fixed_bytes, coded, otherwise)
        when = "never" if least is None else f"from {counted(least, 'image')} on"
        said.append(f"  {when} against {name}")
    return "\n".join([f"The model ({model_bytes:,} bytes) pays", *said])
