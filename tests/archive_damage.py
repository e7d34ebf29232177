"""Small archives, the ways to damage them, and what an archive is held to then.

Used by the tests and by ``benchmarks/archive_fuzz.py``.
"""

import hashlib
import io
import struct
import time
import tracemalloc
import zlib
from dataclasses import dataclass, field

import numpy as np
from sklearn.decomposition import PCA

from sklearn_dae.archive import open_archive, write_archive
from sklearn_dae.codecs import HuffmanCodec, TransformCodec
from sklearn_dae.datasets import load_digits
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSet
from sklearn_dae.models import model_to_bytes

#: Sizes of the format, by themselves: the package must not change them unnoticed.
PREAMBLE, CHUNK_HEAD, FOOTER = 17, 32, 28

#: What reading a damaged archive may raise, but for a model that is not the right one.
DOCUMENTED = (BitstreamError, OSError)


@dataclass
class Specimen:
    """An archive, what opens it, and what it holds."""

    data: bytes
    model: object
    images: np.ndarray
    names: list
    metadata: dict
    chunk_begins: list = field(default_factory=list)

    @property
    def model_begin(self):
        """First byte after the header."""
        return PREAMBLE + struct.unpack_from("<I", self.data, 9)[0]


def specimen(codec, images, *, model="inside", names=None, chunk_size=7):
    """Write a small archive."""
    file = io.BytesIO()
    metadata = {"source": "here", "numbers": [1, 2.5, None]}
    write_archive(
        file,
        images,
        codec,
        names=names,
        model=model,
        chunk_size=chunk_size,
        metadata=metadata,
    )
    data = file.getvalue()
    given = model_to_bytes(codec) if model == "reference" else None
    begins = []
    with open_archive(io.BytesIO(data), given) as archive:
        images, kept = archive[:], list(archive.names)
        begins += archive._index.begins.tolist()
    return Specimen(data, given, images, kept, metadata, begins)


def specimens():
    """Archives of several kinds, by name."""
    digits = load_digits()
    rows = digits.data[:40]
    small = np.ascontiguousarray(rows.reshape(-1, 8, 8)[:, 2:6, 2:6])
    flat = small.reshape(len(small), -1)
    names = [f"digit {i}.png" for i in range(40)]
    floats = flat.astype(np.float32) / 16
    return {
        "Huffman": specimen(HuffmanCodec().fit(flat), small),
        "Huffman, named": specimen(HuffmanCodec().fit(flat), small, names=names),
        "PCA": specimen(TransformCodec(PCA(4)).fit(flat), small),
        "PCA, named set": specimen(
            TransformCodec(PCA(8)).fit(rows),
            ImageSet.from_array(rows, "digits", image_shape=(8, 8), names=names),
            chunk_size=16,
        ),
        "floats by reference": specimen(
            TransformCodec(PCA(3)).fit(floats), floats, model="reference"
        ),
        "lossless": specimen(
            TransformCodec(PCA(2), lossless=True).fit(flat.astype(np.uint8)),
            small.astype(np.uint8),
        ),
        "one image": specimen(HuffmanCodec().fit(flat), small[:1]),
        "no image": specimen(HuffmanCodec().fit(flat), small[:0]),
    }


def mutate(sample, rng):
    """Return damaged bytes, and the name of the damage; checksums stay as they were."""
    data = sample.data
    kinds = [flip, cut, insert, delete, duplicate, randomize, reorder, extend]
    kind = kinds[rng.integers(len(kinds))]
    return kind(sample, np.frombuffer(data, np.uint8), rng).tobytes(), kind.__name__


def _part(n, rng, longest=200):
    """Return bounds of a random part, at least a byte long."""
    begin = int(rng.integers(n))
    return begin, min(n, begin + int(rng.integers(1, longest)))


def flip(sample, data, rng):
    """Flip one to three bits."""
    data = data.copy()
    places = rng.integers(len(data), size=rng.integers(1, 4))
    data[places] ^= (1 << rng.integers(8, size=places.size)).astype(np.uint8)
    return data


def cut(sample, data, rng):
    """Leave out the end."""
    return data[: rng.integers(len(data))]


def insert(sample, data, rng):
    """Add random bytes somewhere."""
    return np.insert(
        data, rng.integers(len(data) + 1), rng.integers(256, size=rng.integers(1, 50))
    )


def delete(sample, data, rng):
    """Leave out some bytes."""
    return np.delete(data, slice(*_part(len(data), rng)))


def duplicate(sample, data, rng):
    """Have some bytes twice in a row."""
    begin, end = _part(len(data), rng, longest=1000)
    return np.concatenate([data[:end], data[begin:]])


def randomize(sample, data, rng):
    """Overwrite some bytes by random ones."""
    data = data.copy()
    begin, end = _part(len(data), rng, longest=40)
    data[begin:end] = rng.integers(256, size=end - begin)
    return data


def extend(sample, data, rng):
    """Add bytes at the end."""
    return np.append(data, rng.integers(256, size=rng.integers(1, 50)).astype(np.uint8))


def reorder(sample, data, rng):
    """Put one chunk in the place of another, or swap two."""
    begins = sample.chunk_begins
    if len(begins) < 3:
        return flip(sample, data, rng)
    pieces = np.split(data, [*begins, _index_begin(sample.data)])
    i, j = rng.choice(np.arange(1, len(begins) + 1), 2, replace=False)
    if rng.integers(2):
        pieces[i], pieces[j] = pieces[j], pieces[i]
    else:
        pieces[i] = pieces[j]
    return np.concatenate(pieces)


def forge(sample, rng):
    """Return bytes that claim what is not so, under checksums that are right."""
    forgers = [forge_header, forge_model, forge_chunk, forge_names, forge_index]
    forger = forgers[rng.integers(len(forgers))]
    if not sample.chunk_begins and forger in (forge_chunk, forge_names):
        forger = forge_index
    return bytes(forger(sample, bytearray(sample.data), rng)), forger.__name__


def _odd_number(rng, limit, near):
    """Draw a number that may be absurd, or just off."""
    choices = [0, 1, near + 1, max(near - 1, 0), 2 * near, limit - 1, limit // 2]
    return min(int(rng.choice(np.array(choices, dtype=object))), limit - 1)


def _index_begin(data):
    return struct.unpack_from("<Q", data, len(data) - FOOTER)[0]


def sign_header(data):
    """Make the checksum of the header right."""
    size = struct.unpack_from("<I", data, 9)[0]
    header = bytes(data[:13]) + bytes(data[PREAMBLE : PREAMBLE + size])
    struct.pack_into("<I", data, 13, zlib.crc32(header))


def sign_chunk(data, begin):
    """Make the checksum of a chunk's head right."""
    struct.pack_into("<I", data, begin + 28, zlib.crc32(data[begin : begin + 28]))


def sign_index(data):
    """Make the checksum of the index right."""
    begin = _index_begin(data)
    covered = bytes(data[begin:-12]) if begin < len(data) - FOOTER else data[-28:-12]
    struct.pack_into("<I", data, len(data) - 12, zlib.crc32(covered))


def forge_header(sample, data, rng):
    """Change the header, of which the size must stay."""
    size = struct.unpack_from("<I", data, 9)[0]
    header = data[PREAMBLE : PREAMBLE + size]
    digits = [i for i, byte in enumerate(header) if chr(byte).isdigit()]
    for place in rng.choice(digits, rng.integers(1, 4)):
        header[place] = ord("0") + rng.integers(10)
    swaps = [(b"|u1", b"|b1"), (b"|u1", b"<f2"), (b"<f4", b"<i8"), (b"true", b"null")]
    if rng.integers(2):
        header = header.replace(*swaps[rng.integers(len(swaps))])
    data[PREAMBLE : PREAMBLE + size] = header
    sign_header(data)
    return data


def forge_model(sample, data, rng):
    """Change the model, and sign it by its own and the header's checksums."""
    begin = sample.model_begin
    end = sample.chunk_begins[0] if sample.chunk_begins else _index_begin(sample.data)
    if end == begin:
        return forge_index(sample, data, rng)
    old = hashlib.sha256(data[begin:end]).hexdigest().encode()
    for place in rng.integers(begin, end - 32, size=rng.integers(1, 4)):
        data[place] = rng.integers(256)
    data[end - 32 : end] = hashlib.sha256(data[begin : end - 32]).digest()
    new = hashlib.sha256(data[begin:end]).hexdigest().encode()
    data = data.replace(old, new)
    sign_header(data)
    return data


def forge_chunk(sample, data, rng):
    """Change what a chunk claims, or its images."""
    begin = int(rng.choice(sample.chunk_begins))
    number, n_images, names, _, size, _ = struct.unpack_from("<6I", data, begin + 4)
    images_begin = begin + CHUNK_HEAD + names
    if rng.integers(2):
        for place in rng.integers(size, size=rng.integers(1, 4)):
            data[images_begin + place] = rng.integers(256)
        crc = zlib.crc32(data[images_begin : images_begin + size])
        struct.pack_into("<I", data, begin + 24, crc)
    else:
        place, near = [(4, number), (8, n_images), (12, names), (20, size)][
            rng.integers(4)
        ]
        struct.pack_into("<I", data, begin + place, _odd_number(rng, 2**32, near))
    sign_chunk(data, begin)
    return data


def forge_names(sample, data, rng):
    """Change the names of a chunk."""
    if not sample.names:
        return forge_chunk(sample, data, rng)
    begin = int(rng.choice(sample.chunk_begins))
    size = struct.unpack_from("<I", data, begin + 12)[0]
    at = begin + CHUNK_HEAD
    for place in rng.integers(size, size=rng.integers(1, 4)):
        data[at + place] = rng.integers(256)
    struct.pack_into("<I", data, begin + 16, zlib.crc32(data[at : at + size]))
    sign_chunk(data, begin)
    return data


def forge_index(sample, data, rng):
    """Change where chunks are said to begin, or how many images there are."""
    begin = _index_begin(data)
    places = range(begin, len(data) - 12, 8)
    place = places[rng.integers(len(places))]
    near = struct.unpack_from("<Q", data, place)[0]
    struct.pack_into("<Q", data, place, _odd_number(rng, 2**64, near))
    sign_index(data)
    return data


@dataclass
class Outcome:
    """What reading did, of images that were not as they should be, and at what cost."""

    n_wrong: int = 0
    n_right: int = 0
    n_errors: int = 0
    unexpected: list = field(default_factory=list)
    peak_bytes: int = 0
    seconds: float = 0.0


def examine(data, sample, *, measure=False):
    """Read all that can be read of damaged bytes, in every way there is.

    Returns an `Outcome`: images that came back otherwise than they were without an
    error, and errors other than the documented ones.
    """
    outcome = Outcome()
    if measure:
        tracemalloc.start()
    began = time.perf_counter()
    for read in (_read_plainly, _read_salvaging):
        try:
            read(data, sample, outcome)
        except DOCUMENTED:
            outcome.n_errors += 1
        except Exception as error:
            # A forged header may ask for another model than the one that is given.
            if type(error) is ValueError and "SHA-256" in str(error):
                outcome.n_errors += 1
            else:
                outcome.unexpected.append(error)
    outcome.seconds = time.perf_counter() - began
    if measure:
        outcome.peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return outcome


def _read_plainly(data, sample, outcome):
    archive = open_archive(io.BytesIO(data), sample.model)
    archive.info()
    if archive.metadata != sample.metadata:
        outcome.n_wrong += 1
    attempts = [
        (lambda: list(archive.names), sample.names),
        (lambda: archive[:], sample.images),
        (lambda: archive[-1:], sample.images[-1:]),
        (lambda: archive[::-3], sample.images[::-3]),
        (lambda: np.array(list(archive)), sample.images),
    ]
    for read, expected in attempts:
        try:
            _compare(read(), expected, outcome)
        except DOCUMENTED:
            outcome.n_errors += 1
    report = archive.verify()
    if report.ok and bytes(data) != sample.data:
        outcome.n_wrong += 1
    str(report)


def _read_salvaging(data, sample, outcome):
    archive = open_archive(io.BytesIO(data), sample.model, salvage=True)
    str(archive.verify())
    for piece in archive.salvage():
        part = slice(piece.start, piece.stop)
        if piece.images is None:
            outcome.n_errors += 1
        else:
            _compare(piece.images, sample.images[part], outcome)
            if piece.error is None:
                _compare(piece.names, sample.names[part], outcome)


def _compare(got, expected, outcome):
    same_kind = getattr(got, "dtype", None) == getattr(expected, "dtype", None)
    if same_kind and np.array_equal(got, expected):
        outcome.n_right += 1
    elif len(got) or len(expected):
        outcome.n_wrong += 1
