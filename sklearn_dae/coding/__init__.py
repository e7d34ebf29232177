"""Integer symbols to bits and back."""

from sklearn_dae.coding._bytes import ByteReader, leb128
from sklearn_dae.coding._coder import HuffmanCoder
from sklearn_dae.coding._huffman import huffman_code, huffman_decode, huffman_encode
from sklearn_dae.coding._intervals import IntervalDecoder, IntervalEncoder
from sklearn_dae.coding._rans import RansDecoder, RansEncoder, rans_decode, rans_encode
from sklearn_dae.coding._row_code import RowCode
from sklearn_dae.coding._tables import FrequencyTables

__all__ = [
    "ByteReader",
    "FrequencyTables",
    "HuffmanCoder",
    "IntervalDecoder",
    "IntervalEncoder",
    "RansDecoder",
    "RansEncoder",
    "RowCode",
    "huffman_code",
    "huffman_decode",
    "huffman_encode",
    "leb128",
    "rans_decode",
    "rans_encode",
]
