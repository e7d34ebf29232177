"""Compress sets of similar images with a deep autoencoder."""

from sklearn_dae.coding import HuffmanCoder
from sklearn_dae.compressor import PAPER_SETTINGS, DeepAutoencoderCompressor
from sklearn_dae.quantizers import KMeansQuantizer, UniformQuantizer
from sklearn_dae.rbm import BernoulliRBM, GaussianRBM

__all__ = [
    "PAPER_SETTINGS",
    "BernoulliRBM",
    "DeepAutoencoderCompressor",
    "GaussianRBM",
    "HuffmanCoder",
    "KMeansQuantizer",
    "UniformQuantizer",
]
