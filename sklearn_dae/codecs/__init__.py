"""Codecs: images to bytes, and back."""

from sklearn_dae.codecs._base import Codec
from sklearn_dae.codecs._general import GeneralCodec
from sklearn_dae.codecs._huffman import HuffmanCodec
from sklearn_dae.codecs._jpegxl import JpegXLCodec
from sklearn_dae.codecs._pillow import PillowCodec
from sklearn_dae.codecs._set_redundancy import SetRedundancyCodec
from sklearn_dae.codecs._transform import TransformCodec

__all__ = [
    "Codec",
    "GeneralCodec",
    "HuffmanCodec",
    "JpegXLCodec",
    "PillowCodec",
    "SetRedundancyCodec",
    "TransformCodec",
]
