"""Integer symbols to bits and back."""

from sklearn_dae.coding._coder import HuffmanCoder
from sklearn_dae.coding._huffman import huffman_code, huffman_decode, huffman_encode
from sklearn_dae.coding._rans import RansDecoder, RansEncoder, rans_decode, rans_encode
from sklearn_dae.coding._tables import FrequencyTables

__all__ = [
    "FrequencyTables",
    "HuffmanCoder",
    "RansDecoder",
    "RansEncoder",
    "huffman_code",
    "huffman_decode",
    "huffman_encode",
    "rans_decode",
    "rans_encode",
]
