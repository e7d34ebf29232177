"""How much memory this machine can still give."""

from contextlib import suppress
from pathlib import Path

#: Where Linux says what is free, and what a container may take and has taken.
_MEMINFO = Path("/proc/meminfo")
_LIMIT = Path("/sys/fs/cgroup/memory.max")
_TAKEN = Path("/sys/fs/cgroup/memory.current")


def available_bytes() -> int | None:
    """Return how many bytes can be had without swapping; None where nobody says it."""
    available = []
    with suppress(OSError, ValueError):
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                available.append(1024 * int(line.split()[1]))
    with suppress(OSError, ValueError):
        # Without a limit this is a word.
        available.append(int(_LIMIT.read_text()) - int(_TAKEN.read_text()))
    return min(available, default=None)
