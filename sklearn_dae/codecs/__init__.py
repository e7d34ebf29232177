"""Codecs: images to bytes, and back."""

from sklearn_dae.codecs._base import Codec
from sklearn_dae.codecs._huffman import HuffmanCodec
from sklearn_dae.codecs._transform import TransformCodec

__all__ = ["Codec", "HuffmanCodec", "TransformCodec"]
