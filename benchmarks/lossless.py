"""Lossless coding beside what a user might pick instead, on images of native size.

    python -m benchmarks.lossless folders       # what compress writes, model and all
    python -m benchmarks.lossless held-out      # fitted on half a set, the rest coded
    python -m benchmarks.lossless thumbnails    # MNIST and X-rays of 28 x 28 pixels
    python -m benchmarks.lossless bounded       # with a bound on every error
    python -m benchmarks.lossless single        # one image, of a kind never seen
    python -m benchmarks.lossless efforts       # bytes and seconds
    python -m benchmarks.lossless speed         # on one core and on several

Others write one file an image, without a container where they can; JPEG XL is the
better of efforts 7 and 9 over the whole set. Needs the images of ``SKLEARN_DAE_DATA``.
"""

import argparse
import contextlib
import io
import lzma
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import joblib
import numpy as np
from PIL import Image

from benchmarks._timing import machine
from benchmarks.generic_network import train
from benchmarks.pictures import KINDS, data_folder
from sklearn_dae.cli import main as command_line
from sklearn_dae.codecs import PixelCodec
from sklearn_dae.entropy import PixelModel
from sklearn_dae.models import model_to_bytes

Images = list[np.ndarray]

#: Sets of images of one size each, and images that are coded one by one.
SETS, N_SINGLE = ("fingerprints", "mri_head", "ct_head", "microscope"), 10

BOUNDS = 1, 2, 4


def unsigned(images: Images) -> Images:
    """Shift signed numbers so that the smallest is zero; others know no signs."""
    if images[0].dtype.kind == "u":
        return images
    low = min(int(image.min()) for image in images)
    return [(image.astype(np.int64) - low).astype(np.uint16) for image in images]


def jpeg_xl(images: Images) -> int:
    """Return the bytes of the better of two efforts."""
    return min(
        sum(
            len(
                imagecodecs.jpegxl_encode(
                    i, lossless=True, effort=e, usecontainer=False
                )
            )
            for i in images
        )
        for e in (7, 9)
    )


def jpeg_ls(images: Images, bound: int = 0) -> int:
    """Return the bytes of JPEG-LS, or of its near-lossless mode."""
    return sum(len(imagecodecs.jpegls_encode(i, level=bound)) for i in images)


def jpeg_2000(images: Images) -> int:
    """Return the bytes of reversible JPEG 2000, as bare streams."""
    return sum(
        len(imagecodecs.jpeg2k_encode(i, level=0, reversible=True, codecformat="j2k"))
        for i in images
    )


def png(images: Images) -> int:
    """Return the bytes of PNG at its highest level."""
    return sum(len(imagecodecs.png_encode(i, level=9)) for i in images)


def webp(images: Images) -> int:
    """Return the bytes of lossless WebP, which takes bytes only."""
    if images[0].dtype != np.uint8:
        raise ValueError("WebP takes bytes.")
    total = 0
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "WEBP", lossless=True)
        total += file.tell()
    return total


def general(images: Images) -> int:
    """Return the bytes of LZMA over all images."""
    data = b"".join(np.ascontiguousarray(image).tobytes() for image in images)
    return len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))


PEERS: dict[str, Callable[[Images], int]] = {
    "JPEG XL": jpeg_xl,
    "JPEG-LS": jpeg_ls,
    "JPEG 2000": jpeg_2000,
    "WebP": webp,
    "PNG": png,
    "LZMA": general,
}


def peers(images: Images) -> dict[str, int]:
    """Return the bytes of all others that take such images."""
    images, sizes = unsigned(images), {}
    for name, size in PEERS.items():
        with contextlib.suppress(ValueError):
            sizes[name] = size(images)
    return sizes


def table(title: str, ours: int, others: dict[str, int], n_numbers: int) -> None:
    """Print sizes, and those of ours relative to them."""
    print(f"\n{title}: {ours:,} bytes, {8 * ours / n_numbers:.4f} bits a number")
    for name, size in others.items():
        print(f"  {name:10} {size:12,}  ours {ours / size:.4f} of it", flush=True)


def folders() -> None:
    """Compare archives that ``compress`` writes without options."""
    for name in (*SETS, "xray_native"):
        images, source = KINDS[name](), data_folder() / name
        with tempfile.TemporaryDirectory() as folder:
            if name not in SETS:
                # As pixels: the files themselves are smaller, and would be kept.
                source = Path(folder) / name
                source.mkdir()
                for number, image in enumerate(images):
                    Image.fromarray(image).save(source / f"{number:03}.png")
            archive = Path(folder) / "archive.dae"
            output = io.StringIO()
            begin = time.perf_counter()
            with contextlib.redirect_stdout(output):
                command_line(["compress", str(source), "-o", str(archive)])
            seconds = time.perf_counter() - begin
            size = archive.stat().st_size
        exact = "Read back: exact" in output.getvalue()
        print(
            f"\n{name}: {seconds:.0f} s, read back {'exact' if exact else 'NOT EXACT'}"
        )
        table(f"{name}, archive", size, peers(images), _count(images))


def held_out() -> None:
    """Fit on every other half, and code the rest; the model does not count."""
    for name in (*SETS, "xray_native"):
        images = KINDS[name]()
        # Halves, not every other image: neighbours in a film are nearly the same.
        half = len(images) // 2
        codec = PixelCodec().fit(images[:half])
        rest = images[half:]
        size = len(codec.encode(rest))
        table(f"{name}, second half", size, peers(rest), _count(rest))


def thumbnails() -> None:
    """Learn from the training images, and code the test images."""
    from sklearn_dae.images import read_images

    digits = [
        np.asarray(
            read_images(data_folder() / "mnist" / f"{part}-images-idx3-ubyte.gz")
        )
        for part in ("train", "t10k")
    ]
    with np.load(data_folder() / "xray" / "chest_xray_28.npz") as file:
        xrays = [file["train"].reshape(-1, 28, 28), file["test"].reshape(-1, 28, 28)]
    for name, (training, test) in {"MNIST": digits, "X-rays": xrays}.items():
        codec = PixelCodec().fit(training)
        model, size = len(model_to_bytes(codec)), len(codec.encode(test))
        side = int(np.ceil(np.sqrt(len(test))))
        mosaic = np.zeros((side * side, 28, 28), np.uint8)
        mosaic[: len(test)] = test
        mosaic = (
            mosaic.reshape(side, side, 28, 28).swapaxes(1, 2).reshape(28 * side, -1)
        )
        print(f"\n{name}: a model of {model:,} bytes")
        table(f"{len(test):,} test images", size, peers([mosaic]), test.size)


def bounded() -> None:
    """Compare at the same bound on all errors, and at the same squared error."""
    for name in ("fingerprints", "ct_head"):
        images = unsigned(KINDS[name]())
        n_numbers, peak = _count(images), max(int(i.max()) for i in images)
        for bound in BOUNDS:
            codec = PixelCodec(bound).fit(images)
            data = codec.encode(images)
            size = len(data) + len(model_to_bytes(codec))
            errors = [
                a.astype(np.int64) - b
                for a, b in zip(images, codec.decode(data), strict=True)
            ]
            widest = max(int(np.abs(e).max()) for e in errors)
            mse = sum(float((e**2).sum()) for e in errors) / n_numbers
            others = {f"JPEG-LS {bound}": jpeg_ls(images, bound)}
            others |= at_squared_error(images, mse)
            psnr = 10 * np.log10(peak**2 / mse)
            table(f"{name}, off by {widest}, {psnr:.2f} dB", size, others, n_numbers)


def at_squared_error(images: Images, mse: float) -> dict[str, int]:
    """Return the bytes of lossy formats that make no larger squared error."""
    formats: dict[str, tuple[Callable[[np.ndarray, float], bytes], Callable]] = {
        "JPEG XL": (
            lambda image, q: imagecodecs.jpegxl_encode(
                image, distance=q, effort=7, usecontainer=False
            ),
            imagecodecs.jpegxl_decode,
        )
    }
    if images[0].dtype == np.uint8:
        formats["AVIF"] = _avif, lambda data: np.asarray(Image.open(io.BytesIO(data)))
    sizes = {}
    few = images[:: max(1, len(images) // 10)]
    for name, (write, read) in formats.items():
        low, high = (0.01, 5.0) if name == "JPEG XL" else (0.0, 40.0)
        for _ in range(12):
            middle = (low + high) / 2
            error = np.mean(
                [np.square(i - 1.0 * read(write(i, middle))).mean() for i in few]
            )
            low, high = (low, middle) if error > mse else (middle, high)
        sizes[name] = round(
            sum(len(write(image, low)) for image in few) * len(images) / len(few)
        )
    return sizes


def _avif(image: np.ndarray, loss: float) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(
        file,
        "AVIF",
        quality=round(100 - loss),
        subsampling="4:0:0",
        speed=3,
        advanced={"tune": "psnr"},
    )
    return file.getvalue()


def single(networks: Path) -> None:
    """Code images one by one, by generic networks that saw none of their kind.

    These are trained first, where ``networks`` does not have them yet.
    """
    networks.mkdir(exist_ok=True)
    all_ratios = []
    for name in (*SETS, "xray_native", "mnist", "xray", "photographs"):
        images = KINDS[name]()
        chosen = images[:: max(1, len(images) // N_SINGLE)][:N_SINGLE]
        ratios = []
        for image in chosen:
            channels = 1 if image.ndim == 2 else image.shape[2]
            file = networks / f"{channels}-{name}"
            if not file.exists():
                file.write_bytes(train(channels, name))
            codec = PixelCodec(effort=1).fit(image[np.newaxis])
            packed = np.frombuffer(file.read_bytes(), np.uint8)
            codec.models_ = [PixelModel(packed, in_series=False)]
            size = len(codec.encode(image[np.newaxis]))
            ratios.append(size / jpeg_xl(unsigned([image])))
        print(
            f"{name}: {np.mean(ratios):.4f} of JPEG XL, {min(ratios):.4f} to "
            f"{max(ratios):.4f}",
            flush=True,
        )
        all_ratios += ratios
    print(f"all: {np.mean(all_ratios):.4f}, at most {max(all_ratios):.4f}")


def efforts() -> None:
    """Compare efforts by the bytes of a set, model and all, and the seconds of fits."""
    print(machine())
    for name, n in {"fingerprints": 24, "ct_head": 16, "microscope": 6}.items():
        images = KINDS[name]()[:n]
        for effort in (1, 2, 3, 4):
            begin = time.perf_counter()
            codec = PixelCodec(effort=effort).fit(images)
            seconds = time.perf_counter() - begin
            size = len(codec.encode(images)) + len(model_to_bytes(codec))
            print(f"{name}, effort {effort}: {size:,} bytes, fit {seconds:.1f} s")


def speed() -> None:
    """Time coding on one core and on several, and decoding of a chunk by itself."""
    print(machine())
    images = np.stack(KINDS["fingerprints"]()[:48])
    begin = time.perf_counter()
    codec = PixelCodec().fit(images[:24])
    print(f"fit to {images[:24].size:,} numbers: {time.perf_counter() - begin:.1f} s")
    film = np.stack(KINDS["microscope"]()[:1])
    data, few, frame = (codec.encode(x) for x in (images, images[:3], film))
    n_jobs = joblib.cpu_count()

    def in_processes(function: Callable[[Any], Any], argument: Any) -> None:
        with joblib.parallel_config(n_jobs=n_jobs):
            function(argument)

    # Processes are started before they are timed, as they would be for a long work.
    in_processes(codec.encode, images)
    tasks: dict[str, tuple[Callable[[], Any], int]] = {
        "encode": (lambda: codec.encode(images), images.size),
        f"encode, {n_jobs} processes": (
            lambda: in_processes(codec.encode, images),
            images.size,
        ),
        "decode": (lambda: codec.decode(data), images.size),
        f"decode, {n_jobs} processes": (
            lambda: in_processes(codec.decode, data),
            images.size,
        ),
        "decode 3 fingerprints": (lambda: codec.decode(few), images[:3].size),
        "decode a frame in colours": (lambda: codec.decode(frame), film.size),
    }
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(3):
        for name, (task, _) in tasks.items():
            begin = time.perf_counter()
            task()
            seconds[name].append(time.perf_counter() - begin)
    for name, of in seconds.items():
        median, n = np.median(of), tasks[name][1]
        print(f"{name}: {median:.2f} s, {median / n * 1e6:.2f} us a number")


def _count(images: Sequence[np.ndarray]) -> int:
    return sum(image.size for image in images)


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = {
        "folders": folders,
        "held-out": held_out,
        "thumbnails": thumbnails,
        "bounded": bounded,
        "efforts": efforts,
        "speed": speed,
    }
    parser.add_argument("part", choices=[*parts, "single"])
    parser.add_argument("--networks", type=Path, default=Path("networks"))
    arguments = parser.parse_args()
    if arguments.part == "single":
        single(arguments.networks)
    else:
        parts[arguments.part]()


if __name__ == "__main__":
    main()
