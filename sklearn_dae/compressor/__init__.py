"""The deep autoencoder as a scikit-learn transformer."""

from sklearn_dae.compressor._cost import FitCost
from sklearn_dae.compressor._estimator import (
    PAPER_SETTINGS,
    DeepAutoencoderCompressor,
)

__all__ = ["PAPER_SETTINGS", "DeepAutoencoderCompressor", "FitCost"]
