"""Arrays of images in .npz files."""

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from sklearn_dae.images._image_file import ImageFile, Options, Unreadable
from sklearn_dae.images._raw import Layout, Raw
from sklearn_dae.images._wrapper import are_same
from sklearn_dae.images._zipped import Zipped
from sklearn_dae.images.readers._arrays import (
    LEAST_AXES,
    HeldReader,
    as_unreadable,
    checked_shape,
    described,
    loaded,
)


class ZippedReader(HeldReader):
    """Holds the images of a .npz file."""

    __slots__ = ("_key", "_others")

    def __init__(self, images: np.ndarray, key: str, others: Sequence[str]) -> None:
        super().__init__(images)
        self._key, self._others = key, others

    def wrappers(self, file: ImageFile) -> Iterator[Zipped | None]:
        """Take what stands around the pixels, unless there are other arrays."""
        yield self._wrapper(file)

    def _wrapper(self, file: ImageFile) -> Zipped | None:
        with zipfile.ZipFile(file.location) as archive:
            members = archive.namelist()
            stems = [name.removesuffix(".npy") for name in members]
            if sorted(stems) != sorted([self._key, *self._others]):
                return None
            packing = {info.compress_type for info in archive.infolist()}
            at = stems.index(self._key)
            raw = _raw_member(archive, members[at])
            if raw is None or not packing <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                return None
            with archive.open(members[at]) as member:
                if not are_same(raw.rebuild(file.images()), member):
                    return None
            others = [(m, archive.read(m)) for m in members if m != members[at]]
        first, last = tuple(others[:at]), tuple(others[at:])
        is_deflated = zipfile.ZIP_DEFLATED in packing
        return Zipped(raw, members[at], is_deflated, first, last)


def _raw_member(archive: zipfile.ZipFile, name: str) -> Raw | None:
    """Take what stands before the pixels in a .npy file of an archive."""
    with archive.open(name) as member:
        array = _npy_layout(member)
        if array is None:
            return None
        shape, layout, start = array
        # Rows that are viewed as images lie in order only if they do as rows.
        if layout.by_columns and len(shape) < LEAST_AXES:
            return None
        member.seek(0)
        return Raw(layout, member.read(start))


def _npy_layout(file: IO[bytes]) -> tuple[tuple[int, ...], Layout, int] | None:
    """Read how the array of a .npy file stands in it: its shape, and its first byte.

    None is returned for the versions of the format that arrays of numbers do not need.
    """
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        return None
    read = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
    shape, by_columns, dtype = read(file)
    return (
        shape,
        Layout(dtype.str, by_columns=by_columns and len(shape) > 1),
        file.tell(),
    )


def open_npz(path: Path, options: Options) -> ImageFile:
    """Open a .npz file: its only array, that of a given key, or ``images``."""
    with path.open("rb") as file, loaded(file) as arrays:
        keys, key = list(arrays.files), options.key
        if key is None and len(keys) == 1:
            (key,) = keys
        if key is None and set(keys) == {"images", "names"}:
            key = "images"
        if key is None or key not in keys:
            raise Unreadable(
                "several arrays",
                f"it holds the arrays {', '.join(keys) or 'none'}; name one of them, "
                f"got key={options.key!r}",
            )
        try:
            array = arrays[key]
        except ValueError as error:
            raise as_unreadable(error) from error
        has_names = key == "images" and "names" in keys
        names = arrays["names"].tolist() if has_names else ()
    if has_names and len(names) != len(array):
        raise Unreadable(
            "damaged", f"it has {len(array)} images, but {len(names)} names"
        )
    shape = checked_shape(array.shape, array.dtype, options)
    others = ("names",) if has_names else ()
    reader = ZippedReader(array.reshape(shape), key, others)
    return described(path, f"NPZ[{key}]", shape, array.dtype, reader, names)
