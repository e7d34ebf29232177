"""Progress on long work: on stderr, and only where a person looks at it."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from sklearn_dae._callbacks import progress_bar

#: Seconds between two lines.
_INTERVAL = 0.2

#: The part of the images after which it is told how long the rest will take.
_TELLING = 0.2


@contextmanager
def progress_of(estimator: Any) -> Iterator[None]:
    """Show how far the fit of an estimator is."""
    bar = progress_bar() if sys.stderr.isatty() else None
    if bar is not None:
        estimator.set_callbacks(bar)
    try:
        # The bar writes to stdout, where the archive may be to go.
        with redirect_stdout(sys.stderr):
            yield
    finally:
        estimator.set_callbacks()


@contextmanager
def counting(
    what: str, total: int | None = None
) -> Iterator[Callable[[int], None] | None]:
    """Show how many images are done.

    Parameters
    ----------
    what : str
        What is done to them.

    total : int, default=None
        How many there are.

    Yields
    ------
    callable or None
        To be called with the number of images done so far; None where nobody looks.
    """
    if not sys.stderr.isatty():
        yield None
        return
    begin = time.monotonic()
    shown = begin - _INTERVAL

    def show(n_done: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= _INTERVAL:
            shown = now
            line = f"{what} {n_done:,} images"
            if total is not None:
                line = f"{what} {n_done:,} of {total:,} images"
                if n_done > 0 and n_done >= total * _TELLING:
                    left = (now - begin) * (total - n_done) / n_done
                    line += f", {left:,.0f} s left"
            # What is erased gives place to the next line.
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        # Erase the line.
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
