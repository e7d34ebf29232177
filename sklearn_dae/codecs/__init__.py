"""Codecs: images to bytes, and back.

In: images as rows. Out: one byte string of chunks that decode without each other, and
for each chunk a `CodedChunk` that says how its bits are shared. Another codec is a
class in a file of its own that derives from `Codec`.
"""

from sklearn_dae.codecs._base import Codec
from sklearn_dae.codecs._chunk import CodedChunk
from sklearn_dae.codecs._general import GeneralCodec
from sklearn_dae.codecs._huffman import HuffmanCodec
from sklearn_dae.codecs._jpegls import JpegLSCodec
from sklearn_dae.codecs._jpegxl import JpegXLCodec
from sklearn_dae.codecs._pillow import PillowCodec
from sklearn_dae.codecs._pixel import PixelCodec
from sklearn_dae.codecs._set_redundancy import SetRedundancyCodec
from sklearn_dae.codecs._smallest import SmallestCodec
from sklearn_dae.codecs._transform import TransformCodec

__all__ = [
    "Codec",
    "CodedChunk",
    "GeneralCodec",
    "HuffmanCodec",
    "JpegLSCodec",
    "JpegXLCodec",
    "PillowCodec",
    "PixelCodec",
    "SetRedundancyCodec",
    "SmallestCodec",
    "TransformCodec",
]
