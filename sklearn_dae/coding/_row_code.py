"""One row of numbers <-> the bytes that `HuffmanCoder` makes of it.

Bits of a row: a zero, the words of its values, the values that have no word; or a one
and all values. Zeros fill the last byte.
"""

from itertools import islice

import numpy as np
from bitarray import bitarray
from bitarray.util import canonical_decode, canonical_huffman

from sklearn_dae.exceptions import BitstreamError

#: Longest word that `bitarray.util.canonical_decode` reads.
_MAX_WORD_BITS = 31


class RowCode:
    """Canonical Huffman code of values, maybe with an escape word for all others.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Values that get a word, in ascending order.

    counts : ndarray of int of shape (n_values,) or (n_values + 1,)
        How often each was seen; a count more makes an escape word.
    """

    def __init__(self, values: np.ndarray, counts: np.ndarray) -> None:
        self._values = values
        # Values are stored in the same bytes, whatever the machine.
        self._dtype = values.dtype.newbyteorder("<")
        frequencies = counts.tolist()
        while True:
            words, n_words, order = canonical_huffman(dict(enumerate(frequencies)))
            if len(n_words) <= _MAX_WORD_BITS + 1:
                break
            # Evens the frequencies out, and with them the lengths.
            frequencies = [(frequency + 1) // 2 for frequency in frequencies]
        self._words, self._n_words, self._order = words, n_words, order
        self.lengths = np.array([len(words[i]) for i in range(len(words))])

    def indices(self, values: np.ndarray) -> np.ndarray:
        """Return the place of each value among those with a word, or their number."""
        last = len(self._values) - 1
        indices = np.minimum(np.searchsorted(self._values, values), last)
        indices[self._values[indices] != values] = last + 1
        return indices

    def encode(self, row: np.ndarray, indices: np.ndarray) -> bytes:
        """Write words, then the values that have none: their index is ``n_values``."""
        bits = bitarray("0")
        bits.encode(self._words, indices.tolist())
        unknown = row[indices == len(self._values)]
        bits.frombytes(unknown.astype(self._dtype).tobytes())
        return bits.tobytes()

    def store(self, row: np.ndarray) -> bytes:
        """Write the values as they are."""
        bits = bitarray("1")
        bits.frombytes(row.astype(self._dtype).tobytes())
        return bits.tobytes()

    def decode(self, data: bytes, n_features: int) -> np.ndarray:
        """Read what `encode` or `store` wrote, and zeros after it."""
        bits = bitarray()
        bits.frombytes(data)
        row = np.empty(n_features, self._values.dtype)
        unknown = np.ones(n_features, bool)
        at = 1
        if not bits[:1].any():
            indices = self._read_words(bits[1:], n_features)
            at += int(self.lengths[indices].sum())
            unknown = indices == len(self._values)
            row[~unknown] = self._values[indices[~unknown]]
        end = at + 8 * self._dtype.itemsize * int(unknown.sum())
        if end > len(bits):
            raise BitstreamError(f"has {len(bits)} bits, expected at least {end}")
        if bits.find(1, end) >= 0:
            raise BitstreamError(f"goes on after its last value, at bit {end}")
        row[unknown] = np.frombuffer(bits[at:end].tobytes(), self._dtype)
        return row

    def _read_words(self, bits: bitarray, n_words: int) -> np.ndarray:
        symbols = canonical_decode(bits, self._n_words, self._order)
        try:
            indices = np.fromiter(islice(symbols, n_words), np.intp)
        except ValueError as error:
            raise BitstreamError(f"has a word that is none: {error}") from error
        if indices.size < n_words:
            raise BitstreamError(f"has {indices.size} words, expected {n_words}")
        return indices
