"""A disk that is full, as far as the tests need one."""

from contextlib import contextmanager

import pytest


@contextmanager
def files_of_at_most(n_bytes):
    """Let files grow no further, as on a full disk."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
