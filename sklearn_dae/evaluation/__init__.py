"""Codecs turned into numbers and pictures.

In flow codecs or transformers, and images; out flow measurements (`measure`), curves of
them, what a set has in common (`set_similarity`), and displays. One more number of a
measurement is a field of `Measurement` and a line in `measure`; one more picture is a
display class in a file of its own. The comparison of everything with everything, its
verdict and its page are `report/`.
"""

from sklearn_dae.evaluation._bjontegaard import bd_psnr, bd_rate
from sklearn_dae.evaluation._curves import (
    bytes_at_psnr,
    psnr_at_bytes,
    rate_distortion_curve,
)
from sklearn_dae.evaluation._filter_display import FilterDisplay
from sklearn_dae.evaluation._loss_curve_display import LossCurveDisplay
from sklearn_dae.evaluation._measure import measure
from sklearn_dae.evaluation._measurement import Measurement, RateDistortionCurve
from sklearn_dae.evaluation._metrics import (
    psnr,
    reconstruction_scorer,
    squared_error_per_image,
    ssim,
)
from sklearn_dae.evaluation._rate_distortion_display import RateDistortionDisplay
from sklearn_dae.evaluation._reconstruction_display import ReconstructionDisplay
from sklearn_dae.evaluation._similarity import SetSimilarity, set_similarity
from sklearn_dae.evaluation.report._evaluation import Evaluation
from sklearn_dae.evaluation.report._experiment import evaluate
from sklearn_dae.evaluation.report._page import write_report
from sklearn_dae.evaluation.report._tables import write_csv

__all__ = [
    "Evaluation",
    "FilterDisplay",
    "LossCurveDisplay",
    "Measurement",
    "RateDistortionCurve",
    "RateDistortionDisplay",
    "ReconstructionDisplay",
    "SetSimilarity",
    "bd_psnr",
    "bd_rate",
    "bytes_at_psnr",
    "evaluate",
    "measure",
    "psnr",
    "psnr_at_bytes",
    "rate_distortion_curve",
    "reconstruction_scorer",
    "set_similarity",
    "squared_error_per_image",
    "ssim",
    "write_csv",
    "write_report",
]
