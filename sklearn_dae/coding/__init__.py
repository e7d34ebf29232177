"""Integer symbols to bits and back; images are not known here.

In: integers, and how likely each is. Out: bytes close to their entropy, the same on
every machine. Another coder is a pair of functions, held by tests/codec_checks.py to be
each other's inverse.
"""

from sklearn_dae.coding._huffman_coder import HuffmanCoder
from sklearn_dae.coding._rans import rans_decode, rans_encode
from sklearn_dae.coding._tables import FrequencyTables

__all__ = [
    "FrequencyTables",
    "HuffmanCoder",
    "rans_decode",
    "rans_encode",
]
