"""A million images through an archive and back, never all in memory.

Images of 28 x 28 pixels are made a batch at a time: scikit-learn's digits, enlarged,
shifted and varied in brightness. They go through `write_archive`, and back by
iteration, each in a process of its own, whose peak (resident) memory is shown: it
should be the same for any number of images. Then single images are read.

    python -m benchmarks.archive
    python -m benchmarks.archive --codec huffman --sizes 10000 100000
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import islice

import numpy as np
from sklearn.decomposition import PCA

from benchmarks._timing import machine
from sklearn_dae.archive import open_archive, write_archive
from sklearn_dae.codecs import HuffmanCodec, TransformCodec
from sklearn_dae.datasets import load_digits

SIDE, BATCH = 28, 1000

CODECS = {
    "pca": lambda: TransformCodec(PCA(32, random_state=0)),
    "huffman": HuffmanCodec,
}


def batches(n_images):
    """Make images, always the same ones."""
    digits = load_digits().data.reshape(-1, 8, 8)
    enlarged = np.zeros((len(digits), SIDE, SIDE), np.uint8)
    enlarged[:, 2:26, 2:26] = 15 * digits.repeat(3, axis=1).repeat(3, axis=2)
    for start in range(0, n_images, BATCH):
        numbers = np.arange(start, min(start + BATCH, n_images))
        batch = enlarged[numbers % len(digits)]
        turn = start // BATCH
        batch = np.roll(batch, (turn % 5 - 2, turn // 5 % 5 - 2), axis=(1, 2))
        # From 66 to 100 percent of the brightness.
        yield (batch.astype(np.uint16) * (170 + turn % 86) >> 8).astype(np.uint8)


def write(path, n_images, codec):
    """Write an archive; return seconds and sizes."""
    training = np.concatenate([batch[::20] for batch in batches(100_000)])
    codec = CODECS[codec]().fit(training)
    began = time.perf_counter()
    info = write_archive(path, batches(n_images), codec)
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "file": info.parts.total,
        "model": info.parts.model,
        "chunks": info.n_chunks,
    }


def read(path, n_images, codec):
    """Read all images; return the seconds that took, and their error."""
    squares, n_read, seconds = 0.0, 0, 0.0
    expected = (image for batch in batches(n_images) for image in batch)
    with open_archive(path) as archive:
        chunks = archive.chunks()
        while n_read < n_images:
            began = time.perf_counter()
            _, images = next(chunks)
            seconds += time.perf_counter() - began
            made = np.stack(list(islice(expected, len(images))))
            squares += np.square(images - made.astype(np.float32)).sum(dtype=float)
            n_read += len(images)
        assert next(chunks, None) is None
    return {"seconds": seconds, "mse": squares / (n_images * SIDE**2)}


def access(path, n_images, codec):
    """Time single images, in milliseconds."""
    times = {}

    def clock(name, function):
        began = time.perf_counter()
        function()
        times.setdefault(name, []).append(1e3 * (time.perf_counter() - began))

    at = int(n_images * 0.777777)
    opened = []
    clock("open", lambda: opened.append(open_archive(path)))
    with opened[0] as archive:
        clock("model", lambda: archive.codec)
        clock("first", lambda: archive[at])
        for _ in range(5):
            clock("again", lambda: archive[at])
    for i in np.random.default_rng(0).integers(n_images, size=30).tolist():
        # Chunks that were read before are kept decoded.
        with open_archive(path) as archive:
            _ = archive.codec
            clock("elsewhere", lambda i=i: archive[i])
    return {name: float(np.median(values)) for name, values in times.items()}


def in_a_process(task, *arguments):
    """Run a function in a process of its own; return its result and peak memory."""
    command = [sys.executable, "-m", "benchmarks.archive", "--task", task]
    output = subprocess.run(
        [*command, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    return json.loads(output)


def run_task(task, path, n_images, codec):
    result = {"write": write, "read": read, "access": access}[task](
        path, int(n_images), codec
    )
    # Kilobytes on Linux, bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    result["peak"] = unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps(result))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--codec", choices=CODECS, default="pca")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000]
    )
    parser.add_argument("--task", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        run_task(*arguments.task)
        return
    print(f"{machine()}\nimages of {SIDE} x {SIDE} pixels, codec: {arguments.codec}\n")
    print(
        f"{'images':>9}{'chunks':>8}{'file':>10}{'bytes/image':>13}"
        f"{'write':>9}{'peak':>8}{'read':>9}{'peak':>8}{'MSE':>8}"
    )
    timings = {}
    for n in arguments.sizes:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "images.dae")
            w = in_a_process("write", path, n, arguments.codec)
            r = in_a_process("read", path, n, arguments.codec)
            timings[n] = in_a_process("access", path, n, arguments.codec)
        print(
            f"{n:9,}{w['chunks']:8,}{w['file'] / 1e6:7.2f} MB"
            f"{(w['file'] - w['model']) / n:13.2f}"
            f"{n / w['seconds']:7,.0f}/s{w['peak'] / 1e6:5.0f} MB"
            f"{n / r['seconds']:7,.0f}/s{r['peak'] / 1e6:5.0f} MB{r['mse']:8.1f}",
            flush=True,
        )
    print(
        f"\nmilliseconds for one image\n{'images':>9}{'open':>8}{'model':>8}"
        f"{'first':>8}{'again':>8}{'elsewhere':>11}"
    )
    for n, t in timings.items():
        print(
            f"{n:9,}{t['open']:8.2f}{t['model']:8.2f}{t['first']:8.2f}"
            f"{t['again']:8.3f}{t['elsewhere']:11.2f}"
        )
    print(
        "\nBytes an image without the model. First: archive[777_777] of a million; "
        "again: the same once more;\nelsewhere: the median of 30 others, each of "
        "which has its chunk read and decoded."
    )


if __name__ == "__main__":
    main()
