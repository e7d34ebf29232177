"""A file that several threads can read from any position.

In: a path or a seekable binary file. Out: as many bytes as asked for, or an error that
says which are missing.
"""

import io
import os
from threading import Lock
from typing import Any

from sklearn_dae.exceptions import BitstreamError


class SourceFile:
    """A file that is read at any position.

    Parameters
    ----------
    file : str, path-like or seekable binary file
        A path is opened, and closed by `close`; a file is left open.

    Attributes
    ----------
    size : int
        Size of the file in bytes.

    path : str or None
        Its absolute path, if it was opened by path.
    """

    def __init__(self, file: Any) -> None:
        self.path: str | None = None
        if hasattr(file, "read"):
            self._file = file
            if not (hasattr(file, "seekable") and file.seekable()):
                raise io.UnsupportedOperation(
                    "An archive is read from its end, and this file is not seekable; "
                    "write what it holds to a file on disk, or io.BytesIO(...), first."
                )
        else:
            self.path = os.path.abspath(os.fspath(file))
            # Whole chunks are read at once: a buffer would only read more.
            self._file = open(self.path, "rb", buffering=0)  # noqa: SIM115
        self._lock = Lock()
        self.is_open = True
        self.size = self._file.seek(0, os.SEEK_END)

    def read(self, begin: int, n_bytes: int) -> bytes:
        """Read ``n_bytes`` bytes from position ``begin`` on.

        Raises
        ------
        BitstreamError
            If the file does not have them; then nothing is read.

        ValueError
            If it is closed.
        """
        self.check_open()
        if not 0 <= begin <= begin + n_bytes <= self.size:
            raise BitstreamError(
                f"the file ends at byte {self.size}, but bytes {begin} to "
                f"{begin + n_bytes} are needed"
            )
        parts = []
        with self._lock:
            self._file.seek(begin)
            while n_bytes:
                part = self._file.read(n_bytes)
                if not part:
                    raise BitstreamError(
                        f"the file became shorter: {n_bytes} bytes are missing"
                    )
                parts.append(part)
                n_bytes -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def check_open(self) -> None:
        """Raise ValueError if it is closed."""
        if not self.is_open:
            raise ValueError("The archive is closed.")

    def close(self) -> None:
        """Stop reading, and close the file if it was opened here."""
        self.is_open = False
        if self.path is not None:
            self._file.close()
