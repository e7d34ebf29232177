"""All ways in which files are wrapped, and bytes -> one of them."""

from sklearn_dae._bytes import ByteReader
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images._png import Png
from sklearn_dae.images._raw import Raw
from sklearn_dae.images._tiff import Tiff
from sklearn_dae.images._wrapper import Wrapper
from sklearn_dae.images._zipped import Gzipped, Zipped

#: By what they are called in bytes.
WRAPPERS: dict[bytes, type[Wrapper]] = {
    kind.tag: kind for kind in (Raw, Png, Gzipped, Zipped, Tiff)
}

#: Most parts that a record has.
_MOST_PARTS = 16


def unwrap(data: bytes) -> Wrapper:
    """Make a record of what `Wrapper.to_bytes` returned.

    Raises
    ------
    BitstreamError
        If these are not such bytes.
    """
    reader = ByteReader(data)
    tag, n_parts = reader.take(1), reader.leb128()
    if tag not in WRAPPERS or n_parts > _MOST_PARTS:
        raise BitstreamError(f"A file is wrapped in an unknown way: {tag!r}.")
    sizes = [reader.leb128() for _ in range(n_parts)]
    parts = [reader.take(size) for size in sizes]
    reader.finish()
    try:
        return WRAPPERS[tag].from_parts(parts)
    except (ValueError, IndexError, TypeError) as error:
        raise BitstreamError(f"What stands around pixels is bad: {error}.") from None
