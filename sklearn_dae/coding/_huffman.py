"""Rows of numbers <-> bytes, in a canonical Huffman code, on bitarray.

The bits of a row are a zero, the words of its values, and the values that have no word;
or a one and all values. Zeros fill the last byte.
"""

from itertools import islice
from typing import Any, ClassVar, Self

import numpy as np
from bitarray import bitarray
from bitarray.util import canonical_decode, canonical_huffman, int2ba

from sklearn_dae._fields import Fields, array
from sklearn_dae.exceptions import BitstreamError

#: Longest word that `bitarray.util.canonical_decode` reads.
_MAX_WORD_BITS = 31


class HuffmanCode:
    """Canonical Huffman code of values, optionally with an escape word for all others.

    Only the lengths of its words have to be stored: see `from_lengths`.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Values that get a word, in ascending order.

    counts : ndarray of int of shape (n_values,) or (n_values + 1,)
        How often each was seen; one extra count makes an escape word.

    Attributes
    ----------
    values : ndarray of shape (n_values,)
        Values that have a word.

    lengths : ndarray of int of shape (n_values,) or (n_values + 1,)
        Bits of each word, the escape word last.

    References
    ----------
    Huffman, D. A. (1952). A method for the construction of minimum-redundancy
    codes. Proceedings of the IRE 40, 1098-1101.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae.coding._huffman import HuffmanCode
    >>> code = HuffmanCode(np.array([0, 1, 5]), np.array([4, 2, 1]))
    >>> code.lengths
    array([1, 2, 2])
    >>> row = np.array([0, 5, 0])
    >>> code.decode(code.encode(row, code.indices(row)), 3)
    array([0, 5, 0])
    """

    _stored_fields: ClassVar[Fields] = {
        "values": array("values", kinds="biuf"),
        "lengths": array("words", kinds="i"),
    }

    @classmethod
    def _from_stored(cls, values: np.ndarray, lengths: np.ndarray) -> Self:
        return cls.from_lengths(values, lengths)

    def __init__(self, values: np.ndarray, counts: np.ndarray) -> None:
        self._set_words(values, _word_lengths(counts.tolist()))

    @classmethod
    def from_lengths(cls, values: np.ndarray, lengths: np.ndarray) -> Self:
        """Make the code whose words have the given lengths.

        Parameters
        ----------
        values : ndarray of shape (n_values,)
            Values that have a word, in ascending order.

        lengths : ndarray of int of shape (n_values,) or (n_values + 1,)
            Bits of each word, 1 to 31, that of the escape word last if there is one.

        Raises
        ------
        ValueError
            If no code has these values and lengths.
        """
        if values.ndim != 1 or not len(values) or not (values[1:] > values[:-1]).all():
            raise ValueError("The values of a Huffman code are not in ascending order.")
        if lengths.shape not in ((len(values),), (len(values) + 1,)):
            raise ValueError(
                f"{len(values)} values have word lengths of shape {lengths.shape}, "
                "expected one each, and maybe one for the escape word."
            )
        if not 1 <= lengths.min() <= lengths.max() <= _MAX_WORD_BITS:
            raise ValueError(
                f"Words of {lengths.min()} to {lengths.max()} bits, expected 1 to "
                f"{_MAX_WORD_BITS}."
            )
        # Kraft's inequality: otherwise some word would be a prefix of another.
        if np.left_shift(1, _MAX_WORD_BITS - lengths.astype(np.int64)).sum() > (
            1 << _MAX_WORD_BITS
        ):
            raise ValueError("There is no Huffman code with words that short.")
        code = cls.__new__(cls)
        code._set_words(values, lengths)
        return code

    def _set_words(self, values: np.ndarray, lengths: Any) -> None:
        self.values = values
        # Values are stored as the same bytes on every machine.
        self._dtype = values.dtype.newbyteorder("<")
        self.lengths = np.asarray(lengths, np.int64)
        # Canonical: words of equal length are in the order of their values, and each
        # is one more than the one before.
        self._order = np.argsort(self.lengths, kind="stable").tolist()
        self._n_words = np.bincount(self.lengths).tolist()
        self._words = {}
        word = n_bits = 0
        for i in self._order:
            word <<= int(self.lengths[i]) - n_bits
            n_bits = int(self.lengths[i])
            self._words[i] = int2ba(word, n_bits)
            word += 1

    def indices(self, values: np.ndarray) -> np.ndarray:
        """Return the index of each value among those with a word, or ``n_values``."""
        last = len(self.values) - 1
        indices = np.minimum(np.searchsorted(self.values, values), last)
        indices[self.values[indices] != values] = last + 1
        return indices

    def encode(self, row: np.ndarray, indices: np.ndarray) -> bytes:
        """Write words, then the values that have none: their index is ``n_values``."""
        bits = bitarray("0")
        bits.encode(self._words, indices.tolist())
        unknown = row[indices == len(self.values)]
        bits.frombytes(unknown.astype(self._dtype).tobytes())
        return bits.tobytes()

    def store(self, row: np.ndarray) -> bytes:
        """Write the values as they are."""
        bits = bitarray("1")
        bits.frombytes(row.astype(self._dtype).tobytes())
        return bits.tobytes()

    def decode(self, data: bytes, n_features: int) -> np.ndarray:
        """Read what `encode` or `store` wrote, and any zeros after it."""
        bits = bitarray()
        bits.frombytes(data)
        row = np.empty(n_features, self.values.dtype)
        unknown = np.ones(n_features, bool)
        at = 1
        if not bits[:1].any():
            indices = self._read_words(bits[1:], n_features)
            at += int(self.lengths[indices].sum())
            unknown = indices == len(self.values)
            row[~unknown] = self.values[indices[~unknown]]
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


def _word_lengths(frequencies: list[int]) -> list[int]:
    """Return the word lengths of a Huffman code, none longer than can be read."""
    while True:
        words, n_words, _ = canonical_huffman(dict(enumerate(frequencies)))
        if len(n_words) <= _MAX_WORD_BITS + 1:
            return [len(words[i]) for i in range(len(words))]
        # This evens out the frequencies, and with them the lengths.
        frequencies = [(frequency + 1) // 2 for frequency in frequencies]
