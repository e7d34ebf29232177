"""Damage what `PixelCodec` encoded in ten thousand ways, and see what decoding does.

The images are few and small, and of several kinds: rows, an array of 16 bits, colours,
some with a bound on the error, and a list of all sizes. Most byte strings are damaged
as disks and transfers damage files: bits flipped, bytes cut off, inserted, deleted,
doubled or overwritten, half of them at the beginning, which says what the images are.
The others are forged: a chunk is changed, and its checksum made right again; it may
hold other images then, but must not take much memory or time, or raise an undocumented
error.

    python -m benchmarks.pixel_fuzz
"""

import argparse
import signal
import time
import tracemalloc
import warnings
from collections import Counter
from typing import NamedTuple

import numpy as np

from benchmarks._timing import machine
from sklearn_dae.codecs import PixelCodec
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec

#: Bytes that say what images there are, about.
_BEGINNING = 16

#: Seconds after which decoding is given up.
_MOST_SECONDS = 20


class Sample(NamedTuple):
    """A codec, what it encoded, and what it decodes of it."""

    codec: PixelCodec
    data: bytes
    images: list
    seconds: float


def walk(shape, rng, high=255):
    """Draw an image that is smooth and noisy."""
    steps = rng.integers(-6, 7, shape)
    images = high // 2 + np.cumsum(np.cumsum(steps, axis=1), axis=2) // 3
    return np.clip(images, 0, high)


def specimens():
    """Make samples of several kinds."""
    rng = np.random.default_rng(0)
    grey = walk((7, 12, 10), rng).astype(np.uint8)
    deep = walk((5, 9, 14), rng, 4000).astype(np.uint16)
    colours = walk((3, 10, 9, 3), rng).astype(np.uint8)
    of_all_sizes = [*grey[:2], deep[0], colours[0], grey[2, :1], grey[3, :, :3]]
    forms = {
        "rows": (grey.reshape(7, -1), {"chunk_size": 3, "image_shape": (12, 10)}),
        "16 bits": (deep, {}),
        "colours": (colours, {"chunk_size": 2}),
        "bounded": (deep, {"max_abs_error": 2}),
        "list": (of_all_sizes, {}),
    }
    samples = {}
    for name, (images, parameters) in forms.items():
        codec = PixelCodec(effort=1, **parameters).fit(images)
        data = codec.encode(images)
        decoded, seconds, _ = decode(codec.decode, data)
        samples[name] = Sample(codec, data, list(decoded), seconds)
    return samples


def decode(function, *arguments, measure=False):
    """Decode; return the outcome, and the seconds or the bytes of memory it took."""
    if measure:
        tracemalloc.start()
    signal.alarm(_MOST_SECONDS)
    begin = time.perf_counter()
    try:
        outcome = function(*arguments)
    except Exception as error:
        outcome = error
    signal.alarm(0)
    seconds = 0.0 if measure else time.perf_counter() - begin
    peak = tracemalloc.get_traced_memory()[1] if measure else 0
    tracemalloc.stop()
    return outcome, seconds, peak


def mutate(data, rng):
    """Damage bytes; return them, and how they were damaged."""
    end = min(_BEGINNING, len(data)) if rng.random() < 0.5 else len(data)
    at, n = int(rng.integers(end)), int(rng.integers(1, 9))
    kind = rng.choice(["flip", "cut", "insert", "delete", "double", "overwrite"])
    changed = bytearray(data)
    if kind == "flip":
        for place in {at, *rng.integers(end, size=n // 3).tolist()}:
            changed[place] ^= 1 << int(rng.integers(8))
    elif kind == "cut":
        del changed[at:]
    elif kind == "insert":
        changed[at:at] = rng.bytes(n)
    elif kind == "delete":
        del changed[at : at + n]
    elif kind == "double":
        changed[at:at] = data[at : at + n]
    else:
        changed[at : at + n] = rng.bytes(n)
    return bytes(changed), kind


def give_up(*_):
    """Stop what takes too long."""
    raise TimeoutError(f"more than {_MOST_SECONDS} seconds")


def is_same(decoded, images):
    """Whether images are those that were coded, in kind and number."""
    return len(decoded) == len(images) and all(
        x.dtype == y.dtype and np.array_equal(x, y)
        for x, y in zip(decoded, images, strict=True)
    )


def has_same_pixels(decoded, images):
    """Whether images have the same numbers, though not the same shape or dtype."""
    before, after = (np.concatenate([x.ravel() for x in X]) for X in (images, decoded))
    return np.array_equal(before, after)


class Totals:
    """What came of decoding damaged bytes."""

    def __init__(self):
        self.counts, self.others, self.wrong = Counter(), Counter(), Counter()
        self.peak, self.seconds, self.ratio = 0, 0.0, 0.0

    def add(self, name, kind, outcome, seconds, peak, sample):
        """Count an outcome."""
        self.peak, self.seconds = max(self.peak, peak), max(self.seconds, seconds)
        self.ratio = max(self.ratio, seconds / sample.seconds)
        if isinstance(outcome, BitstreamError):
            self.counts["error"] += 1
        elif isinstance(outcome, Exception):
            told = f"{name}, {kind}: {type(outcome).__name__}: {outcome}"
            self.others[told[:150]] += 1
        elif is_same(outcome, sample.images):
            self.counts["same"] += 1
        elif len(outcome) and has_same_pixels(outcome, sample.images):
            self.counts["form"] += 1
        else:
            self.wrong[f"{name}, {kind}"] += 1

    def show(self, title, may_be_wrong):
        """Print all."""
        note = " (right checksums allow that)" if may_be_wrong else ""
        print(f"{title}")
        print(f"{self.counts['error']:9,}  raised BitstreamError")
        print(f"{self.counts['same']:9,}  decoded to the same pixels")
        print(f"{self.counts['form']:9,}  to the same, of another shape or dtype")
        print(f"{sum(self.wrong.values()):9,}  decoded to other pixels{note}")
        if not may_be_wrong:
            for told, count in self.wrong.most_common(20):
                print(f"{'':11}{count} x {told}")
        print(f"{sum(self.others.values()):9,}  raised another error")
        for told, count in self.others.most_common(20):
            print(f"{'':11}{count} x {told}")
        print(
            f"{self.seconds:9.3f}  seconds at most, {self.ratio:.1f} times those of "
            f"intact bytes; {self.peak / 1e6:.1f} megabytes at most\n"
        )


def damage(samples, n, seed):
    """Decode n damaged byte strings."""
    rng, totals, names = np.random.default_rng(seed), Totals(), list(samples)
    for i in range(n):
        name = names[i % len(names)]
        sample = samples[name]
        data, kind = mutate(sample.data, rng)
        # Measuring memory takes time: one in four is measured, the others are timed.
        measure = i // len(names) % 4 == 0
        found = decode(sample.codec.decode, data, measure=measure)
        totals.add(name, kind, *found, sample)
    return totals


def forge(samples, n, seed):
    """Decode n damaged chunks, without their checksums."""
    rng, totals, names = np.random.default_rng(seed), Totals(), list(samples)
    chunks = {}
    for name, (codec, _, images, _) in samples.items():
        spec = codec._spec if name == "rows" else ImageSpec.of_shape(images[0].shape)
        spec = ImageSpec(spec.height, spec.width, spec.channels, images[0].dtype)
        rows = images[0].reshape(1, -1)
        data = codec.encode_chunk(rows, spec).data
        decoded, seconds, _ = decode(codec.decode_chunk, data, 1, spec)
        chunks[name] = Sample(codec, data, list(decoded), seconds), spec
    for i in range(n):
        name = names[i % len(names)]
        sample, spec = chunks[name]
        data, kind = mutate(sample.data, rng)
        measure = i // len(names) % 4 == 0
        found = decode(sample.codec.decode_chunk, data, 1, spec, measure=measure)
        totals.add(name, kind, *found, sample)
    return totals


def main():
    """Damage and forge, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=10_000, help="damaged byte strings")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.simplefilter("error")
    signal.signal(signal.SIGALRM, give_up)
    samples = specimens()
    told = ", ".join(
        f"{name} {len(sample.data)} in {sample.seconds:.3f} s"
        for name, sample in samples.items()
    )
    print(f"{machine()}\nbytes, and seconds to decode them: {told}\n")
    n = 7 * arguments.n // 10
    totals = damage(samples, n, arguments.seed)
    totals.show(f"{n:,} damaged byte strings", may_be_wrong=False)
    n = arguments.n - n
    totals = forge(samples, n, arguments.seed)
    totals.show(f"{n:,} forged chunks", may_be_wrong=True)


if __name__ == "__main__":
    main()
