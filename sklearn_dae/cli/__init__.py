"""The command ``sklearn-dae``."""

from sklearn_dae.cli._main import main

__all__ = ["main"]
