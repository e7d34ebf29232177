"""Pixels in a Huffman code: the lossless baseline."""

from typing import ClassVar

import numpy as np

from sklearn_dae._fields import Fields, expect_equal, instance
from sklearn_dae.codecs._base import Codec, converted
from sklearn_dae.codecs._chunk import CodedChunk
from sklearn_dae.codecs._images import Given
from sklearn_dae.coding._huffman import HuffmanCode
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSpec


class HuffmanCodec(Codec):
    """Store images without loss, each pixel as a word of one Huffman code.

    The code is learned from the training images. A value that does not occur in them is
    stored as an escape word and the value itself.

    Parameters
    ----------
    chunk_size : int, default=None
        Images coded together; each chunk can be decoded without the others. None means
        as many as have four million pixels.

    Attributes
    ----------
    n_features_in_ : int
        Number of values in a row.

    dtype_ : dtype
        Dtype of the rows seen in `fit`, and of what `decode` returns.

    low_, high_ : float
        Range of the rows: that of the dtype for 8-bit integers, else that of the
        training rows.

    See Also
    --------
    HuffmanCoder : The same code as a transformer, for individual rows.

    References
    ----------
    Huffman, D. A. (1952). A method for the construction of minimum-redundancy
    codes. Proceedings of the IRE 40, 1098-1101.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_dae.codecs import HuffmanCodec
    >>> X = load_digits().data.astype(np.uint8)
    >>> codec = HuffmanCodec().fit(X[:1500])
    >>> data = codec.encode(X[1500:])
    >>> print(round(8 * len(data) / X[1500:].size, 2))  # bits a pixel
    2.97
    >>> np.array_equal(codec.decode(data), X[1500:])
    True
    """

    takes_any_size = True

    _stored_fields: ClassVar[Fields] = {
        "_code": instance(HuffmanCode),
    }

    def _check_stored(self) -> None:
        super()._check_stored()
        code = self._code
        expect_equal("Numbers of the code", code.values.dtype.name, self.dtype_.name)
        expect_equal("Words of the code", len(code.lengths), len(code.values) + 1)

    def __init__(self, chunk_size: int | None = None) -> None:
        self.chunk_size = chunk_size

    @property
    def error_bound(self) -> float:
        return 0.0

    def _learn_kinds(self, given: Given) -> None:
        pixels = [converted(kind.rows, self.dtype_, self) for kind in given.kinds]
        values, counts = np.unique(
            np.concatenate(pixels, axis=None), return_counts=True
        )
        # The escape word is as long as that of a value seen once.
        self._code = HuffmanCode(values, np.append(counts, 1))

    def _encode_chunk(self, X: np.ndarray, spec: ImageSpec) -> CodedChunk:
        pixels = X.ravel()
        data = self._code.encode(pixels, self._code.indices(pixels))
        return CodedChunk(data, len(X))

    def _decode_chunk(self, data: bytes, n_images: int, spec: ImageSpec) -> np.ndarray:
        n_pixels = n_images * spec.n_numbers
        # A word has at least one bit: claims are checked before memory is allocated.
        if n_pixels > 8 * len(data):
            raise BitstreamError(
                f"{len(data)} bytes cannot hold {n_images} images of {spec}."
            )
        try:
            pixels = self._code.decode(data, n_pixels)
        except BitstreamError as error:
            raise BitstreamError(f"The chunk {error}.") from error
        return pixels.reshape(n_images, spec.n_numbers)
