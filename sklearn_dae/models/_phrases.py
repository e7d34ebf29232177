"""Text that is much like other text <-> fewer bytes.

Headers of small models are mostly names that others have as well. What they have in
common is in a text that ships; a header refers to it. In: ASCII. Out: bytes below 128,
which stand for themselves, and references of three bytes: 128 plus a length less four,
and a place in the text.
"""

from functools import lru_cache
from importlib.resources import files

from sklearn_dae.exceptions import BitstreamError

#: The shortest and the longest phrase.
_SHORTEST, _LONGEST = 4, 131

#: How much of a text is shortened: what is longer has names of its own.
_MOST_SHORTENED = 2**16


@lru_cache(maxsize=1)
def _text() -> bytes:
    """The text that ships; models refer to it, so it never changes."""
    return files("sklearn_dae.models").joinpath("phrases.txt").read_bytes()


@lru_cache(maxsize=1)
def _places() -> dict[bytes, list[int]]:
    """Where each sequence of four characters stands in the text."""
    text = _text()
    places: dict[bytes, list[int]] = {}
    for place in range(len(text) - _SHORTEST + 1):
        places.setdefault(text[place : place + _SHORTEST], []).append(place)
    return places


def shorten(data: bytes) -> bytes:
    """Replace what is in the text by references; equal data give equal bytes.

    Parameters
    ----------
    data : bytes
        ASCII.
    """
    text, places, parts, at = _text(), _places(), [], 0
    while at < min(len(data), _MOST_SHORTENED):
        longest, best = 0, 0
        for place in places.get(data[at : at + _SHORTEST], ()):
            length = _SHORTEST
            limit = min(_LONGEST, len(data) - at, len(text) - place)
            while length < limit and data[at + length] == text[place + length]:
                length += 1
            if length > longest:
                longest, best = length, place
        if longest:
            parts.append(bytes([128 + longest - _SHORTEST]))
            parts.append(best.to_bytes(2, "little"))
        else:
            parts.append(data[at : at + 1])
        at += longest or 1
    return b"".join([*parts, data[at:]])


def lengthen(data: bytes, most: int) -> bytes:
    """Return what `shorten` was given.

    Parameters
    ----------
    data : bytes
        What it made.

    most : int
        Largest number of bytes to come out.

    Raises
    ------
    BitstreamError
        If it makes no such bytes.
    """
    text, parts, at, n_bytes = _text(), [], 0, 0
    while at < len(data):
        if data[at] < 128:
            end = next((i for i in range(at, len(data)) if data[i] >= 128), len(data))
            part, at = data[at:end], end
        else:
            place = int.from_bytes(data[at + 1 : at + 3], "little")
            part = text[place : place + data[at] - 128 + _SHORTEST]
            at += 3
        parts.append(part)
        n_bytes += len(part)
        if n_bytes > most:
            raise BitstreamError(f"A header of more than {most} bytes.")
    whole = b"".join(parts)
    if shorten(whole) != data:
        raise BitstreamError("A header is not in its only form.")
    return whole
