"""Damage archives in ten thousand ways, and see what reading does.

The archives are small and of several kinds: Huffman-coded, lossy, coded by a network of
pixels, with names, of images of many kinds, of files that are made again or kept, of
floating-point numbers with the model elsewhere, of one image and of none. Most are
damaged as disks and transfers damage files: bits flipped, bytes cut off, inserted,
deleted, doubled or overwritten, chunks swapped. The others are forged: sizes, numbers,
descriptions, records of files, models and coded images are changed, and all checksums
made right again; such an archive may hold other images, but must not take much memory
or time, or raise an undocumented error.

    python -m benchmarks.archive_fuzz
"""

import argparse
import warnings
from collections import Counter

import numpy as np

from benchmarks._timing import machine
from tests.archive_damage import examine, mutate, specimens
from tests.archive_forging import forge


def fuzz(damage, samples, n, seed):
    """Examine n damaged archives; return totals, and what was unexpected."""
    rng = np.random.default_rng(seed)
    totals, errors = Counter(), Counter()
    peak = slowest = 0.0
    names = list(samples)
    for i in range(n):
        name = names[i % len(names)]
        sample = samples[name]
        data, kind = damage(sample, rng)
        if data == sample.data:
            totals["not changed"] += 1
            continue
        # Measuring memory takes time, so one in four of each kind is measured and the
        # others are timed.
        measured = i // len(names) % 4 == 0
        outcome = examine(data, sample, measure=measured)
        totals[kind] += 1
        totals["wrong"] += outcome.n_wrong
        totals["noticed"] += outcome.n_errors > 0
        for error in outcome.unexpected:
            errors[f"{name}, {kind}: {type(error).__name__}: {error}"[:150]] += 1
        peak = max(peak, outcome.peak_bytes)
        if not measured:
            slowest = max(slowest, outcome.seconds)
    return totals, errors, peak, slowest


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=10_000, help="damaged archives")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.simplefilter("error")
    samples = specimens()
    sizes = ", ".join(f"{name} {len(s.data)}" for name, s in samples.items())
    print(f"{machine()}\nbytes of the archives: {sizes}\n")
    shares = {"damaged": (mutate, 7 * arguments.n // 10)}
    shares["forged"] = (forge, arguments.n - shares["damaged"][1])
    for title, (damage, n) in shares.items():
        totals, errors, peak, slowest = fuzz(damage, samples, n, arguments.seed)
        wrong, noticed = totals.pop("wrong"), totals.pop("noticed")
        same = totals.pop("not changed", 0)
        print(f"{title:9}{n:7,}  {dict(totals)}, not changed: {same}")
        note = "" if damage is mutate else " (forged checksums allow that)"
        print(f"{'':9}{noticed:7,}  raised a documented error")
        print(f"{'':9}{wrong:7,}  readings of other images without an error{note}")
        print(f"{'':9}{sum(errors.values()):7,}  errors of another kind")
        for error, count in errors.most_common(20):
            print(f"{'':18}{count} x {error}")
        print(f"{'':9}{peak / 1e6:7.2f}  megabytes at most, {slowest:.3f} s at most\n")


if __name__ == "__main__":
    main()
