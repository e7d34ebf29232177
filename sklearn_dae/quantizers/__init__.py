"""Quantisers: real codes and weights to small integers, and back.

In: codes, one column a unit, or the layers of a decoder. Out: whole numbers, and what
turns them back.
"""

from sklearn_dae.quantizers._kmeans import KMeansQuantizer
from sklearn_dae.quantizers._uniform import UniformQuantizer
from sklearn_dae.quantizers._weights import RoundedLayer, round_decoder, with_layers

__all__ = [
    "KMeansQuantizer",
    "RoundedLayer",
    "UniformQuantizer",
    "round_decoder",
    "with_layers",
]
