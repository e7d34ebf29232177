"""The deep autoencoder as a scikit-learn transformer.

In: rows of pixels, of any numeric dtype and range. Out: codes of a few values for each
image, and images restored from codes. The estimator holds parameters and what users
call; the steps of a fit, another way to start among them, stand in `_fitting`.
"""

from sklearn_dae.compressor._estimator import (
    PAPER_SETTINGS,
    DeepAutoencoderCompressor,
)

__all__ = ["PAPER_SETTINGS", "DeepAutoencoderCompressor"]
