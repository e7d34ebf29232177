"""Reconstructions and codes to numbers and pictures."""

from sklearn_dae.evaluation._compare import Comparison, Row, compare
from sklearn_dae.evaluation._filter_display import FilterDisplay
from sklearn_dae.evaluation._loss_curve_display import LossCurveDisplay
from sklearn_dae.evaluation._measurement import Measurement, RateDistortionCurve
from sklearn_dae.evaluation._metrics import (
    psnr,
    reconstruction_scorer,
    squared_error_per_image,
)
from sklearn_dae.evaluation._rate_distortion_display import RateDistortionDisplay
from sklearn_dae.evaluation._reconstruction_display import (
    ReconstructionDisplay,
    plot_reconstructions,
)

__all__ = [
    "Comparison",
    "FilterDisplay",
    "LossCurveDisplay",
    "Measurement",
    "RateDistortionCurve",
    "RateDistortionDisplay",
    "ReconstructionDisplay",
    "Row",
    "compare",
    "plot_reconstructions",
    "psnr",
    "reconstruction_scorer",
    "squared_error_per_image",
]
