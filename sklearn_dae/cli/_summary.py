"""What an archive is worth: bytes before and after, and from when on a model pays.

In: an archive that was written, and the images that went in. Out: lines of text.
"""

import lzma
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_dae.archive import Archive, ArchiveInfo
from sklearn_dae.cli._messages import counted, decibels, image_size
from sklearn_dae.images import ImageSet

#: Bytes of images that LZMA is tried on.
_SAMPLE_BYTES = 2**22

#: How many times as wide as the range of all other images that of all must be for one
#: to be an outlier, beside which errors of the others cannot be seen.
_MUCH_WIDER = 1000


@dataclass(frozen=True)
class Fidelity:
    """How far images that came back are from those that went in.

    Parameters
    ----------
    is_exact : bool
        Whether every number came back as it was.

    psnr : float
        Peak signal-to-noise ratio in decibels; infinite if there is no error.

    max_error : float
        The largest difference of two numbers.

    widest : int or None
        The image that alone decides the range of all, if one does.
    """

    is_exact: bool
    psnr: float
    max_error: float
    widest: int | None

    def __str__(self) -> str:
        if self.is_exact:
            return "exact"
        return f"{decibels(self.psnr)}, no pixel off by more than {self.max_error:g}"


def compare(
    archive: Archive, images: ImageSet, progress: Callable[[int], None] | None
) -> Fidelity:
    """Read all images back from an archive, and compare them with the original ones."""
    # Codecs know the range of pixels: that of the type for 8 bits.
    codec: Any = archive.codec
    span = codec.high_ - codec.low_ or 1.0
    is_exact, total, largest, ends = True, 0.0, 0.0, []
    blocks = images.blocks(archive.info().chunk_size)
    for (start, restored), block in zip(archive.chunks(), blocks, strict=True):
        rows = block.data
        others = restored.reshape(rows.shape)
        is_exact &= np.array_equal(rows, others)
        error = np.subtract(rows, others, dtype=np.float64)
        largest = max(largest, float(np.abs(error).max()))
        # Squares of very large or small numbers would not be finite, or zero.
        error /= span
        total += float(np.square(error, out=error).sum())
        ends.append(np.stack([rows.min(axis=1), rows.max(axis=1)]).astype(np.float64))
        if progress is not None:
            progress(start + len(rows))
    mse = total / math.prod(archive.shape)
    psnr = math.inf if mse == 0 else -10 * math.log10(mse)
    return Fidelity(is_exact, psnr, largest, _widest(*np.concatenate(ends, axis=1)))


def _widest(lows: np.ndarray, highs: np.ndarray) -> int | None:
    """Return an image without which the range of all would be nothing to what it is.

    ``lows`` and ``highs`` are the smallest and the largest number of each image.
    """
    for image in (int(lows.argmin()), int(highs.argmax())):
        others = np.delete(highs, image).max(initial=-np.inf) - np.delete(
            lows, image
        ).min(initial=np.inf)
        if 0 < _MUCH_WIDER * others < highs.max() - lows.min():
            return image
    return None


def lzma_bytes(images: ImageSet) -> float:
    """Return how many bytes an image takes if LZMA packs the pixels, without loss."""
    image_bytes = next(images.blocks(1)).data.nbytes
    sample = next(images.blocks(max(1, _SAMPLE_BYTES // image_bytes)))
    return len(lzma.compress(sample.data.tobytes())) / len(sample)


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
    info: ArchiveInfo,
    images: ImageSet,
    disk_bytes: int | None,
    fidelity: Fidelity,
) -> list[str]:
    """Say what came of compressing images."""
    n = info.n_images
    packed = lzma_bytes(images)
    rows: list[tuple[str, float]] = []
    if disk_bytes is not None:
        rows.append(("read from disk", disk_bytes))
    rows.append(("pixels", info.pixel_bytes))
    rows.append(("pixels by LZMA", packed * n))
    model = "with the model" if info.model_inside else "with the model, elsewhere"
    rows.append((f"archive {model}", info.bytes_without_model + info.model_size))
    rows.append(("archive without the model", info.bytes_without_model))
    width = max(len(name) for name, _ in rows)
    lines = [
        f"{counted(n, 'image')} of {image_size(info.shape)}, {info.dtype}",
        "",
        f"{'':{width}}  {'bytes':>15}  {'an image':>12}  {'ratio':>8}",
    ]
    for name, size in rows:
        ratio = info.pixel_bytes / size
        lines.append(
            f"{name:{width}}  {size:>15,.0f}  {size / n:>12,.1f}  {ratio:>8.2f}"
        )
    lines += [
        "",
        f"Read back: {fidelity}",
        when_it_pays(
            info.model_size,
            info.model_size + info.header_bytes,
            (info.chunk_bytes + info.index_bytes) / n,
            info.pixel_bytes / n,
            packed,
        ),
    ]
    if info.model_inside and info.file_bytes >= packed * n:
        lines.append(
            "LZMA stores these images in fewer bytes, without loss: compress more of "
            "them,\nor keep one model for many archives (--model, --model-reference)"
        )
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
