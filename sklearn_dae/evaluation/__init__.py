"""Reconstructions and codes to numbers and pictures."""

from sklearn_dae.evaluation._compare import Comparison, Row, compare
from sklearn_dae.evaluation._metrics import (
    psnr,
    reconstruction_scorer,
    squared_error_per_image,
)
from sklearn_dae.evaluation._plots import plot_reconstructions

__all__ = [
    "Comparison",
    "Row",
    "compare",
    "plot_reconstructions",
    "psnr",
    "reconstruction_scorer",
    "squared_error_per_image",
]
