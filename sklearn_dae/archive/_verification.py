"""Whether all of an archive is well.

In: the contents of an archive. Out: what is damaged or missing, and which files would
come back otherwise than they were.
"""

import hashlib
from collections.abc import Callable, Iterator

import numpy as np

from sklearn_dae.archive._contents import Accounted, Files, Images, Kept
from sklearn_dae.archive._files import DIGEST_SIZE, SAME_BYTES, SAME_PIXELS
from sklearn_dae.archive._index import Place
from sklearn_dae.archive._report import Damage, Salvaged, Verification
from sklearn_dae.archive._store import Store
from sklearn_dae.archive._table import numbers_of
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images._wrappers import unwrap


def verify(
    store: Store,
    *,
    decode: bool,
    files: bool,
    progress: Callable[[int], object] | None,
) -> Verification:
    """Check all of an archive; see `Archive.verify` for the parameters."""
    model_error: Exception | None = None
    if store.needs_codec or store.header.model_size:
        try:
            _ = store.codec
        except ValueError as error:
            # That is a BitstreamError too, or a model that was not given.
            model_error = error
    damages, n_checked = [], 0
    for position, place in enumerate(store.places):
        numbers = numbers_of(place)
        try:
            _check(store, position, decode=decode and model_error is None)
        except BitstreamError as error:
            lost = _lost_with(store, place)
            told = BitstreamError(f"{error}{_named(store, place)}")
            damages.append(Damage(place.number, lost, told))
        n_checked += len(numbers)
        if progress is not None and len(numbers):
            progress(n_checked)
    damages += [Damage(None, *lost) for lost in store.missing()]
    found = Verification(
        store.table.n_images,
        len(store.places),
        store.index_error,
        model_error,
        damages,
    )
    if files and not found.damages and model_error is None:
        found.files_apart.extend(_files_apart(store))
    return found


def _check(store: Store, position: int, *, decode: bool) -> None:
    """Raise BitstreamError if a chunk is damaged."""
    contents = store.places[position].contents
    if isinstance(contents, Images) and decode:
        store.decode(position)
    elif isinstance(contents, Files):
        for entry in store.chunks.entries(position):
            if entry.way in (SAME_PIXELS, SAME_BYTES):
                unwrap(entry.wrapper)
    elif isinstance(contents, Accounted):
        store.chunks.account(position)
    elif not decode:
        store.chunks.read(position)
    else:
        store.file_table.piece(position)
        for number in numbers_of(store.places[position]).tolist():
            store.image(number)


def _lost_with(store: Store, place: Place) -> np.ndarray:
    """Return the numbers of the images that cannot be read without a chunk."""
    contents = place.contents
    if not isinstance(contents, Kept):
        return numbers_of(place)
    for other in store.places:
        first = other.contents
        if isinstance(first, Kept) and first.file == contents.file and first.specs:
            return numbers_of(other)
    return numbers_of(place)


def _named(store: Store, place: Place) -> str:
    """Name the file that a chunk is a piece of, if its name is not lost too."""
    if not isinstance(place.contents, Kept):
        return ""
    try:
        entry, _ = store.file_table.of_file(place.contents.file)
    except BitstreamError:
        return ""
    return f"; it is a piece of {entry.name!r}"


def _files_apart(store: Store) -> Iterator[str]:
    """Yield the names of files that do not come back as they were."""
    for contents, entries in store.file_table.parts():
        for number, entry in enumerate(entries, contents.start):
            if not entry.has_digest:
                continue
            sha256 = hashlib.sha256()
            try:
                for piece in store.file_pieces(number):
                    sha256.update(piece)
            except BitstreamError:
                yield entry.name
                continue
            if sha256.digest()[:DIGEST_SIZE] != entry.digest:
                yield entry.name


def salvage(store: Store) -> Iterator[Salvaged]:
    """Yield the images of each chunk, or why there are none; see `Archive.salvage`."""
    # Loaded first: yielding an error for each chunk would not help.
    if store.needs_codec:
        _ = store.codec
    for position, place in enumerate(store.places):
        numbers, images, error = numbers_of(place), None, None
        if not len(numbers):
            continue
        try:
            images = store.images_of_chunk(position)
        except (BitstreamError, ImportError) as caught:
            error = _told(caught)
        yield Salvaged(numbers, images, error)
    for numbers, lost in store.missing():
        yield Salvaged(numbers, None, lost)


def _told(error: Exception) -> BitstreamError:
    """Return an error that says the same, without the chunks that its frames hold."""
    return BitstreamError(str(error))
