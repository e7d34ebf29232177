"""Small archives, the ways to damage them, and what an archive is held to then.

Used by the tests and by ``benchmarks/archive_fuzz.py``.
"""

import io
import struct
import tempfile
import time
import tracemalloc
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.decomposition import PCA

from sklearn_dae.archive import open_archive, write_archive
from sklearn_dae.codecs import GeneralCodec, HuffmanCodec, PixelCodec, TransformCodec
from sklearn_dae.datasets import load_digits
from sklearn_dae.entropy import PixelModel
from sklearn_dae.entropy._pixel_training import Training
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.images import ImageSet, read_images
from sklearn_dae.models import model_to_bytes

#: What reading a damaged archive may raise, but for a model that is not the right one.
DOCUMENTED = (BitstreamError, OSError)


@dataclass
class Specimen:
    """An archive, what opens it, and what it holds."""

    data: bytes
    model: object
    images: list
    names: list
    metadata: dict
    files: dict
    bounds: list = field(default_factory=list)

    @property
    def chunk_begins(self):
        """First byte of each chunk."""
        return self.bounds[:-1]

    @property
    def model_begin(self):
        """First byte after the header."""
        return 17 + struct.unpack_from("<I", self.data, 9)[0]

    @property
    def chunks_begin(self):
        """First byte of the chunks, or of the index."""
        return self.bounds[0]


def specimen(codec, images, *, model="inside", chunk_size=7, **parameters):
    """Write a small archive."""
    file = io.BytesIO()
    metadata = {"source": "here", "numbers": [1, 2.5, None]}
    write_archive(
        file,
        images,
        codec,
        model=model,
        chunk_size=chunk_size,
        metadata=metadata,
        **parameters,
    )
    data = file.getvalue()
    given = model_to_bytes(codec) if model == "reference" else None
    with open_archive(io.BytesIO(data), given) as archive:
        images, names, files = list(archive), list(archive.names), _files(archive)
        bounds = [place.begin for place in archive.places]
        bounds.append(struct.unpack_from("<Q", data, len(data) - 20)[0])
    return Specimen(data, given, images, names, metadata, files, bounds)


def _files(archive):
    return {file.name: b"".join(archive.read_file(file)) for file in archive.files()}


def specimen_of_files(rng):
    """Write an archive of files, some of which are kept as they are."""
    with tempfile.TemporaryDirectory() as folder:
        for i in range(3):
            grey = rng.integers(0, 99, (5, 4), dtype=np.uint8)
            colour = rng.integers(0, 99, (4, 6, 3), dtype=np.uint8)
            head = b"P6\n# %d\n6 4 255\n" % i
            Path(folder, f"{i}.ppm").write_bytes(head + colour.tobytes())
            Image.fromarray(grey).save(Path(folder, f"{i}.png"))
            Image.fromarray(grey).save(Path(folder, f"{i}.gif"))
        np.save(Path(folder, "stack.npy"), rng.integers(0, 99, (3, 5, 4), np.uint8))
        Path(folder, "notes.txt").write_bytes(b"notes")
        images = read_images(folder)
        codec = GeneralCodec().fit(images)
        return specimen(codec, images, files=True, others=images.others)


def pixel_codec(images):
    """Make a codec that has a network, though there are too few images to train one."""
    codec = PixelCodec().fit(images)
    limits = np.zeros((len(images), 1)), np.full((len(images), 1), 16)
    training = Training(hidden=(8, 8), n_steps=20)
    stack = images[:, np.newaxis].astype(int)
    codec.models_ = [PixelModel.fit([stack], limits, training=training)]
    return codec


def specimens():
    """Archives of several kinds, by name."""
    digits, rng = load_digits(), np.random.default_rng(0)
    rows = digits.data[:40]
    small = np.ascontiguousarray(rows.reshape(-1, 8, 8)[:, 2:6, 2:6])
    flat = small.reshape(len(small), -1)
    names = [f"digit {i}.png" for i in range(40)]
    floats = flat.astype(np.float32) / 16
    many = [image[: 2 + i % 2, : 3 + i % 3] for i, image in enumerate(small)]
    return {
        "Huffman": specimen(HuffmanCodec().fit(flat), small),
        "Huffman, named": specimen(HuffmanCodec().fit(flat), small, names=names),
        "many kinds": specimen(GeneralCodec().fit(small), many, names=names),
        "files": specimen_of_files(rng),
        "PCA": specimen(TransformCodec(PCA(4)).fit(flat), small),
        "PCA, named set": specimen(
            TransformCodec(PCA(8)).fit(rows),
            ImageSet.from_array(rows, "digits", image_shape=(8, 8), names=names),
            chunk_size=16,
        ),
        "floats by reference": specimen(
            TransformCodec(PCA(3)).fit(floats), floats, model="reference"
        ),
        "pixels": specimen(pixel_codec(small), small[:20]),
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
    pieces = np.split(data, sample.bounds)
    i, j = rng.choice(np.arange(1, len(begins) + 1), 2, replace=False)
    if rng.integers(2):
        pieces[i], pieces[j] = pieces[j], pieces[i]
    else:
        pieces[i] = pieces[j]
    return np.concatenate(pieces)


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
            # A forged header may ask for another model than the one that is given, or
            # for none.
            told = "SHA-256", "holds no model"
            if type(error) is ValueError and any(part in str(error) for part in told):
                outcome.n_errors += 1
            else:
                outcome.unexpected.append(error)
    outcome.seconds = time.perf_counter() - began
    if measure:
        outcome.peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return outcome


def _read_plainly(data, sample, outcome):
    with open_archive(io.BytesIO(data), sample.model) as archive:
        _read_in_every_way(archive, sample, outcome)
        report = archive.verify(files=True)
    if report.ok and bytes(data) != sample.data:
        outcome.n_wrong += 1
    str(report)


def _read_in_every_way(archive, sample, outcome):
    archive.info()
    repr(archive)
    if archive.metadata != sample.metadata:
        outcome.n_wrong += 1
    n = len(sample.names) + 1
    attempts = [
        (lambda: archive.names[:n], sample.names),
        (lambda: archive[:], sample.images),
        (lambda: archive[-1:], sample.images[-1:]),
        (lambda: archive[::-3], sample.images[::-3]),
        (lambda: list(archive), sample.images),
        (lambda: [archive[name] for name in sample.names[-2:]], sample.images[-2:]),
    ]
    for read, expected in attempts if sample.names else attempts[:-1]:
        try:
            _compare(read(), expected, outcome)
        except (*DOCUMENTED, KeyError):
            outcome.n_errors += 1
    _read_files(archive, sample, outcome)


def _read_files(archive, sample, outcome):
    files, n_found = archive.files(), 0
    while True:
        try:
            file = next(files)
        except StopIteration:
            break
        except DOCUMENTED:
            outcome.n_errors += 1
            return
        n_found += 1
        try:
            data = b"".join(archive.read_file(file))
        except DOCUMENTED:
            outcome.n_errors += 1
            continue
        if data == sample.files.get(file.name):
            outcome.n_right += 1
        else:
            outcome.n_wrong += 1
    if n_found != len(sample.files):
        outcome.n_wrong += 1


def _read_salvaging(data, sample, outcome):
    with open_archive(io.BytesIO(data), sample.model, salvage=True) as archive:
        _salvage(archive, sample, outcome)


def _salvage(archive, sample, outcome):
    str(archive.verify())
    for piece in archive.salvage():
        if piece.images is None:
            outcome.n_errors += 1
            continue
        numbers = piece.numbers.tolist()
        expected = [sample.images[i] for i in numbers if i < len(sample.images)]
        _compare(piece.images, expected, outcome)
        try:
            names = [archive.names[i] for i in numbers] if len(archive.names) else []
        except DOCUMENTED:
            outcome.n_errors += 1
            continue
        if names:
            _compare(names, [sample.names[i] for i in numbers], outcome)


def _compare(got, expected, outcome):
    """Count whether images, or names, are as expected."""
    if _are_same(got, expected):
        outcome.n_right += 1
    elif len(got) or len(expected):
        outcome.n_wrong += 1


def _are_same(got, expected):
    if len(got) != len(expected):
        return False
    return all(
        getattr(one, "dtype", None) == getattr(other, "dtype", None)
        and np.array_equal(one, other)
        for one, other in zip(got, expected, strict=True)
    )
