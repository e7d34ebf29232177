"""Huffman codes for integer symbols, on bitarray's tree builder and coder."""

import numpy as np
from bitarray import bitarray
from bitarray.util import huffman_code as _bitarray_huffman_code

from sklearn_dae._validation import check_integer
from sklearn_dae.coding._symbols import integers


def huffman_code(symbols: np.ndarray, n_symbols: int = 256) -> dict[int, bitarray]:
    """Make the Huffman code for the symbols' frequencies.

    Parameters
    ----------
    symbols : ndarray of int
        Symbols to learn the frequencies from, each in ``range(n_symbols)``.

    n_symbols : int, default=256
        Size of the alphabet. Every symbol gets a code word: one that is not seen
        counts as seen once.

    Returns
    -------
    dict of int to bitarray
        The word of each symbol.

    Raises
    ------
    TypeError
        If the symbols are not integers.

    ValueError
        If a symbol is not in the alphabet, or the alphabet is empty.

    References
    ----------
    Huffman, D. A. (1952). A method for the construction of minimum-redundancy
    codes. Proceedings of the IRE 40, 1098-1101.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae.coding import huffman_code
    >>> code = huffman_code(np.array([0, 0, 0, 0, 1, 1, 2]), n_symbols=3)
    >>> [len(code[symbol]) for symbol in range(3)]
    [1, 2, 2]
    """
    check_integer("n_symbols", n_symbols, 1)
    symbols = integers(symbols)
    if symbols.size and not 0 <= symbols.min() <= symbols.max() < n_symbols:
        raise ValueError(
            f"Symbols lie in [{symbols.min()}, {symbols.max()}], expected them in "
            f"[0, {n_symbols - 1}]."
        )
    counts = np.bincount(symbols.ravel(), minlength=n_symbols)
    frequencies = dict(enumerate(np.maximum(counts, 1).tolist()))
    return dict(_bitarray_huffman_code(frequencies))


def huffman_encode(symbols: np.ndarray, code: dict[int, bitarray]) -> bitarray:
    """Concatenate the words of the symbols.

    Parameters
    ----------
    symbols : ndarray of int
        Symbols, each with a word in the code.

    code : dict of int to bitarray
        What `huffman_code` returned.

    Returns
    -------
    bitarray
        The words; its length is the number of bits.
    """
    bits = bitarray()
    bits.encode(code, integers(symbols).ravel().tolist())
    return bits


def huffman_decode(bits: bitarray, code: dict[int, bitarray]) -> np.ndarray:
    """Recover the symbols from their words.

    Parameters
    ----------
    bits : bitarray
        What `huffman_encode` returned.

    code : dict of int to bitarray
        The same code.

    Returns
    -------
    symbols : ndarray of int of shape (n_symbols,)
        The symbols in their original order.
    """
    return np.fromiter(bits.decode(code), np.int64)
