"""Numbers of a few bits <-> bytes that hold several of them, the highest bit first."""

import numpy as np

#: Numbers that are packed at a time: in between, each bit takes a byte.
_SLAB = 1 << 20


def packed_size(n_numbers: int, bits: int) -> int:
    """Return the bytes of a row of numbers; the last one may be filled up.

    Examples
    --------
    >>> from sklearn_dae.images._bits import packed_size
    >>> packed_size(3, 12)
    5
    """
    return -(-n_numbers * bits // 8)


def pack_rows(rows: np.ndarray, bits: int) -> np.ndarray:
    """Pack each row of numbers to bytes.

    Parameters
    ----------
    rows : ndarray of unsigned integers of shape (n_rows, n_numbers)
        Numbers of at most 16 bits.

    bits : int
        Bits of a number.

    Returns
    -------
    ndarray of uint8 of shape (n_rows, packed_size(n_numbers, bits))

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae.images._bits import pack_rows
    >>> pack_rows(np.array([[1, 0, 1]]), 1)
    array([[160]], dtype=uint8)
    """
    packed = np.empty((len(rows), packed_size(rows.shape[1], bits)), np.uint8)
    step = max(1, _SLAB // max(1, rows.shape[1]))
    for start in range(0, len(rows), step):
        slab = np.ascontiguousarray(rows[start : start + step], ">u2")
        every = np.unpackbits(slab.view(np.uint8).reshape(*slab.shape, 2), axis=2)
        chosen = every[:, :, 16 - bits :].reshape(len(slab), -1)
        packed[start : start + step] = np.packbits(chosen, axis=1)
    return packed
