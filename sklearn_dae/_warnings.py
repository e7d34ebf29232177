"""Warnings that point at the code of the user."""

import os
import sys
import warnings
from pathlib import Path

import sklearn

#: Folders of files that are no user's: this package's, and those of scikit-learn.
_NOT_USERS = tuple(
    f"{Path(file).parent}{os.sep}" for file in (__file__, sklearn.__file__)
)


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn of something at the line of the user that led to it."""
    level, frame = 1, sys._getframe()
    while frame.f_back and frame.f_code.co_filename.startswith(_NOT_USERS):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
