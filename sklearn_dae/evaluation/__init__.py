"""Reconstructions and codes turned into numbers and pictures."""

from sklearn_dae.evaluation._bjontegaard import bd_psnr, bd_rate
from sklearn_dae.evaluation._compare import Comparison, Row, compare
from sklearn_dae.evaluation._curves import (
    bytes_at_psnr,
    lower_convex_hull,
    matched_quality,
    matched_rate,
    psnr_at_bytes,
    rate_distortion_curve,
)
from sklearn_dae.evaluation._evaluation import Evaluation
from sklearn_dae.evaluation._experiment import evaluate
from sklearn_dae.evaluation._filter_display import FilterDisplay
from sklearn_dae.evaluation._loss_curve_display import LossCurveDisplay
from sklearn_dae.evaluation._measure import measure
from sklearn_dae.evaluation._measurement import Measurement, RateDistortionCurve
from sklearn_dae.evaluation._metrics import (
    psnr,
    reconstruction_scorer,
    squared_error_per_image,
)
from sklearn_dae.evaluation._page import write_report
from sklearn_dae.evaluation._rate_distortion_display import RateDistortionDisplay
from sklearn_dae.evaluation._reconstruction_display import (
    ReconstructionDisplay,
    plot_reconstructions,
)
from sklearn_dae.evaluation._similarity import SetSimilarity, set_similarity
from sklearn_dae.evaluation._ssim import ms_ssim, ssim
from sklearn_dae.evaluation._tables import read_json, write_csv, write_json

__all__ = [
    "Comparison",
    "Evaluation",
    "FilterDisplay",
    "LossCurveDisplay",
    "Measurement",
    "RateDistortionCurve",
    "RateDistortionDisplay",
    "ReconstructionDisplay",
    "Row",
    "SetSimilarity",
    "bd_psnr",
    "bd_rate",
    "bytes_at_psnr",
    "compare",
    "evaluate",
    "lower_convex_hull",
    "matched_quality",
    "matched_rate",
    "measure",
    "ms_ssim",
    "plot_reconstructions",
    "psnr",
    "psnr_at_bytes",
    "rate_distortion_curve",
    "read_json",
    "reconstruction_scorer",
    "set_similarity",
    "squared_error_per_image",
    "ssim",
    "write_csv",
    "write_json",
    "write_report",
]
