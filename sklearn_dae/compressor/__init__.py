"""The deep autoencoder as a scikit-learn transformer."""

from sklearn_dae.compressor._estimator import DeepAutoencoderCompressor

__all__ = ["DeepAutoencoderCompressor"]
