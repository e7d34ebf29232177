"""The one place that touches scikit-learn's callbacks, which are experimental."""

from typing import Any

from sklearn.callback import CallbackSupportMixin, ProgressBar, with_callbacks

__all__ = ["CallbackSupportMixin", "progress_bar", "with_callbacks"]


def progress_bar() -> Any:
    """Make a progress bar, or return None if rich is not installed."""
    try:
        return ProgressBar()
    except ImportError:
        return None
