"""Timing side by side, so that a machine that slows down slows all of them alike."""

import os
import platform
import time
from collections.abc import Callable

import numpy as np
import scipy
import sklearn


def machine() -> str:
    """Describe what the figures were measured on, in one line."""
    return (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, SciPy {scipy.__version__}, "
        f"scikit-learn {sklearn.__version__}"
    )


def side_by_side(
    functions: dict[str, Callable[[], object]], n_rounds: int
) -> dict[str, np.ndarray]:
    """Time functions in turn.

    Before its turn, each function waits for the threads of the one before it, which
    spin for some 30 ms in the hope of more work, and is called once without counting.

    Returns
    -------
    dict of str to ndarray of shape (n_rounds,)
        Seconds of each counted call.
    """
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(n_rounds):
        for name, function in functions.items():
            time.sleep(0.1)
            function()
            begin = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - begin)
    return {name: np.array(times) for name, times in seconds.items()}
