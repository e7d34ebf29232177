"""Integer symbols to bits and back."""

from sklearn_dae.coding._huffman import huffman_code, huffman_decode, huffman_encode

__all__ = ["huffman_code", "huffman_decode", "huffman_encode"]
