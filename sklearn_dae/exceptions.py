"""Errors and warnings that a caller may want to tell from others."""

__all__ = ["BitstreamError", "OutOfDomainWarning"]


class BitstreamError(ValueError):
    """Bytes are not what an encoder of this package writes.

    They are cut off, extended, damaged, or were made with other tables or by another
    encoder. The message says which of the checks failed.

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

    They are stored without loss instead, so they come back exactly.
    """
