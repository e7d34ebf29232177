"""Time of ``import sklearn_dae`` over that of ``import sklearn.decomposition``.

Each import is made in a process of its own, in turn with the other. What is printed are
the median, the smallest and the largest ratio of pairs of neighbouring runs.

    python -m benchmarks.import_time
"""

import statistics
import subprocess
import sys
import time

N_PAIRS = 21


def seconds(module: str) -> float:
    """Time a process that imports a module, Python's own start included."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return time.perf_counter() - begin


def main() -> None:
    seconds("sklearn_dae")  # Reads all files once.
    pairs = [
        (seconds("sklearn.decomposition"), seconds("sklearn_dae"))
        for _ in range(N_PAIRS)
    ]
    ratios = [ours / theirs for theirs, ours in pairs]
    print(
        f"import sklearn_dae over import sklearn.decomposition, {N_PAIRS} pairs: "
        f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}), "
        f"{statistics.median(ours for _, ours in pairs):.2f} s"
    )


if __name__ == "__main__":
    main()
