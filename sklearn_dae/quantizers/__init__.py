"""Quantisers: real codes to small integers, and back."""

from sklearn_dae.quantizers._kmeans import KMeansQuantizer
from sklearn_dae.quantizers._uniform import UniformQuantizer

__all__ = ["KMeansQuantizer", "UniformQuantizer"]
