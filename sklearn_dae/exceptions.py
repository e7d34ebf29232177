"""Errors and warnings that a caller may want to tell apart from others."""

__all__ = ["BitstreamError", "OutOfDomainWarning"]


class BitstreamError(ValueError):
    """Bytes are not what an encoder of this package writes.

    They are truncated, extended or damaged, or were made with other tables or by
    another encoder. The message says which of the checks failed.

    Examples
    --------
    >>> from sklearn_dae.coding import FrequencyTables
    >>> FrequencyTables.from_bytes(b"")
    Traceback (most recent call last):
    ...
    sklearn_dae.exceptions.BitstreamError: Frequency tables end at bit 0 of 0, ...
    """


class OutOfDomainWarning(UserWarning):
    """Images are unlike those that a codec was trained on.

    They are stored losslessly instead, so they come back exactly.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_dae.codecs import TransformCodec
    >>> from sklearn_dae.exceptions import OutOfDomainWarning
    >>> X = load_digits().data
    >>> codec = TransformCodec(PCA(8)).fit(X)
    >>> inverted = 16 - X[:2]
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     data = codec.encode(inverted)
    >>> caught[0].category is OutOfDomainWarning
    True
    >>> np.array_equal(codec.decode(data), inverted)
    True
    """
