"""Compress sets of similar images with a deep autoencoder."""

from sklearn_dae.compressor import DeepAutoencoderCompressor
from sklearn_dae.rbm import BernoulliRBM, GaussianRBM

__all__ = ["BernoulliRBM", "DeepAutoencoderCompressor", "GaussianRBM"]
