"""What takes the fewest bytes at one quality, with everything in the file.

    python -m benchmarks.totals mnist-1000 mnist-5000 digits xray-28
    python -m benchmarks.totals                 # all sets, an hour and a half

For each set and quality: the archive on disk that the smallest codec makes, names off,
its quality as it is read back, and what all others would take, their models counted,
each at its own best settings. Formats are tried with images side by side and one by
one. The last lines of a set say how it stands to the best that is not our own.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks._timing import machine
from benchmarks.pictures import KINDS
from sklearn_dae.archive import open_archive, write_archive
from sklearn_dae.codecs import SmallestCodec
from sklearn_dae.datasets import load_digits, load_mnist

#: What others would use.
PEERS = ("AVIF", "WebP", "JPEG XL", "JPEG 2000", "JPEG", "PNG", "LZMA")

#: Images of photographs: sides of crops.
SIDES = (64, 256, 512)


def _mnist(n: int) -> Callable[[], np.ndarray]:
    return lambda: load_mnist().data[:n].reshape(-1, 28, 28)


def _digits() -> np.ndarray:
    # Levels from 0 to 16 use the whole range.
    return np.rint(load_digits().data * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8)


def _crops(side: int, channels: int) -> Callable[[], list[np.ndarray]]:
    """Return crops of unlike photographs, one from the middle of each."""

    def read() -> list[np.ndarray]:
        crops = []
        for image in KINDS["photographs"]():
            if channels == 1 and image.ndim == 3:
                image = np.rint(image @ [0.299, 0.587, 0.114]).astype(np.uint8)
            has_channels = image.ndim == (3 if channels > 1 else 2)
            if has_channels and min(image.shape[:2]) >= side:
                top, left = ((length - side) // 2 for length in image.shape[:2])
                crops.append(image[top : top + side, left : left + side])
        return crops

    return read


SETS: dict[str, tuple[Callable[[], list[np.ndarray] | np.ndarray], tuple[float, ...]]]
SETS = {
    "digits": (_digits, (20,)),
    "mnist-1000": (_mnist(1_000), (24,)),
    "mnist-5000": (_mnist(5_000), (24,)),
    "mnist-20000": (_mnist(20_000), (24,)),
    "mnist-60000": (_mnist(60_000), (24,)),
    "xray-28": (KINDS["xray"], (28,)),
    **{
        name: (KINDS[name], (30, 35, 40))
        for name in ("fingerprints", "mri_head", "ct_head", "microscope", "xray_native")
    },
    **{
        f"{kind}-{side}": (_crops(side, channels), (30, 35, 40))
        for kind, channels in (("grey", 1), ("colour", 3))
        for side in SIDES
    },
}


def compare(name: str, effort: int) -> None:
    """Print what a set takes by all codecs."""
    read, targets = SETS[name]
    images = read()
    if len({image.shape for image in images}) == 1:
        images = np.stack(list(images))
    for target in targets:
        begin = time.perf_counter()
        choice = SmallestCodec(target, effort=effort).fit(images)
        seconds = time.perf_counter() - begin
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "archive.dae")
            write_archive(path, images, choice.codec_)
            size = path.stat().st_size
            psnr = _psnr(path, images)
        print(f"\n{name}, {len(images):,} images, at {target:g} dB")
        print(f"archive: {size:,} bytes, {psnr:.2f} dB; found in {seconds:.0f} s")
        for tried in choice.candidates_:
            print(f"  {tried}", flush=True)
        # Those that are not close are not fitted for good, unless they are alone.
        print("at the best settings of each:")
        others = {}
        for family in PEERS:
            try:
                alone = SmallestCodec(target, candidates=[family], effort=4).fit(images)
            except ValueError as error:
                print(f"  {family}: {error}")
                continue
            tried = alone.candidates_[0]
            others[tried.name] = tried.n_bytes
            print(f"  {tried}", flush=True)
        best = min(others, key=lambda each: others[each])
        allowed = 1.01 * others[best] + 400 + 8 * len(images)
        print(
            f"to the best of others, {best}: {size / others[best]:.3f}; to the largest "
            f"that is allowed, {allowed:,.0f} bytes: {size / allowed:.3f}",
            flush=True,
        )


def _psnr(path: Path, images: list[np.ndarray] | np.ndarray) -> float:
    total, n_numbers, peak = 0.0, 0, 255.0
    if images[0].dtype.itemsize > 1:
        peak = float(max(x.max() for x in images)) - min(x.min() for x in images)
    with open_archive(path) as archive:
        for numbers, restored in archive.chunks(0):
            for i, image in zip(numbers, restored, strict=True):
                error = images[i].astype(float) - image.reshape(images[i].shape)
                total += np.square(error).sum()
                n_numbers += error.size
    return 10 * np.log10(peak**2 * n_numbers / total) if total else np.inf


def main() -> None:
    """Print the tables of the sets asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", metavar="SET", help=", ".join(SETS))
    parser.add_argument("--effort", type=int, default=3)
    arguments = parser.parse_args()
    print(machine())
    for name in arguments.sets or SETS:
        compare(name, arguments.effort)


if __name__ == "__main__":
    main()
