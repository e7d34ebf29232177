"""Integer symbols to bits and back."""

from sklearn_dae.coding._coder import HuffmanCoder
from sklearn_dae.coding._huffman import huffman_code, huffman_decode, huffman_encode
from sklearn_dae.coding._intervals import IntervalDecoder, IntervalEncoder
from sklearn_dae.coding._rans import RansDecoder, RansEncoder, rans_decode, rans_encode
from sklearn_dae.coding._row_code import RowCode
from sklearn_dae.coding._tables import FrequencyTables

__all__ = [
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
    "rans_decode",
    "rans_encode",
]
