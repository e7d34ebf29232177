"""Progress on long work: on stderr, and only where a person looks at it."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Seconds between two lines.
_INTERVAL = 0.2


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
    shown = -_INTERVAL

    def show(n_done: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= _INTERVAL:
            shown = now
            of = "" if total is None else f" of {total:,}"
            # The carriage return lets the next line take the place of this one.
            print(
                f"\r{what} {n_done:,}{of} images", end="", file=sys.stderr, flush=True
            )

    try:
        yield show
    finally:
        # Erase the line.
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
