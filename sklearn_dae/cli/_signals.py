"""Signals that ask a command to end, as exceptions.

A process that is killed removes nothing. An exception ends a command as Ctrl-C does:
what was written in part goes, and what was there before stays.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

#: What `kill` and a terminal that is closed send, where the system has it.
_SIGNALS = [
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class Terminated(BaseException):
    """A signal has asked the command to end.

    Parameters
    ----------
    number : int
        Number of the signal.

    Attributes
    ----------
    status : int
        Exit status, by the convention of shells.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number


@contextmanager
def raising_terminated() -> Iterator[None]:
    """Raise `Terminated` where one of the signals arrives.

    Only the main thread can do that; in others, nothing changes. A signal that somebody
    else handles, or that is ignored as by ``nohup``, stays with them.
    """
    ours = []
    if threading.current_thread() is threading.main_thread():
        ours = [n for n in _SIGNALS if signal.getsignal(n) == signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _terminate)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _terminate(number: int, frame: FrameType | None) -> None:
    # Impatience must not interrupt the clearing up. But where Python has dropped the
    # exception, as it does with those raised in finalizers, another one is needed.
    handled = sys.exception()
    while handled is not None:
        if isinstance(handled, Terminated):
            return
        handled = handled.__context__
    raise Terminated(number)
