"""Images, archives of them, and files of the kinds that archives meet."""

import io

import numpy as np
from image_files import (
    npy_bytes,
    numbers,
    palette_bytes,
    pillow_bytes,
    pnm_bytes,
    tiff_bytes,
)

from sklearn_dae.archive import open_archive, write_archive
from sklearn_dae.codecs import GeneralCodec, HuffmanCodec
from sklearn_dae.images import read_images

IMAGES = np.random.default_rng(0).poisson(2, (100, 3, 4)).astype(np.uint8)

NAMES = [f"image {i:03}.png" for i in range(100)]


def huffman(images=IMAGES):
    return HuffmanCodec().fit(images.reshape(len(images), -1))


CODEC = huffman()

#: Takes images of any size, of bytes or of what bytes can hold.
ANY_SIZE = GeneralCodec().fit(IMAGES)


def written(images=IMAGES, codec=CODEC, **parameters):
    """Return the bytes of an archive."""
    file = io.BytesIO()
    parameters.setdefault("chunk_size", 7)
    write_archive(file, images, codec, **parameters)
    return file.getvalue()


def opened(*args, **parameters):
    return open_archive(io.BytesIO(written(*args, **parameters)))


def mixed(n=40):
    """Return images of four kinds, in no order."""
    rng = np.random.default_rng(1)
    kinds = [(3, 4, np.uint8), (5, 7, np.uint8), (3, 4, np.uint16), (2, 2, 3, np.uint8)]
    return [
        rng.integers(0, 200, shape, dtype=dtype)
        for *shape, dtype in (kinds[i] for i in rng.integers(len(kinds), size=n))
    ]


def assert_same(got, expected):
    """Assert that images are the same, one by one, in shape and dtype too."""
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert one.tobytes() == np.ascontiguousarray(other).tobytes()


def image_chunks(archive):
    """Return where the chunks of images are, in order."""
    return [place for place in archive.places if place.contents.kind == 0]


class Pipe(io.RawIOBase):
    """Takes a few bytes at a time, and cannot go back."""

    def __init__(self):
        self.data = b""

    def writable(self):
        return True

    def write(self, data):
        self.data += bytes(data[:50])
        return min(len(data), 50)

    def seek(self, *args):
        raise io.UnsupportedOperation("seek")


class Counted(io.BytesIO):
    """Counts the bytes that are read."""

    n_read = 0

    def read(self, size=-1):
        data = super().read(size)
        self.n_read += len(data)
        return data


# Files


def made(folder, contents):
    """Write files into a folder; return it."""
    for name, data in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def small_folder(rng):
    """Return files that are made again, that are kept, and that hold no images."""
    grey, colour = numbers(rng, 5, 7), numbers(rng, 5, 7, 3)
    return {
        "a/grey.png": pillow_bytes(grey, "PNG", dpi=(50, 50)),
        "a/colour.ppm": pnm_bytes(colour, 255),
        "a/deep.pgm": pnm_bytes(numbers(rng, 4, 4, bits=12), 4095),
        "b/ä.bmp": pillow_bytes(grey, "BMP"),
        "b/palette.png": palette_bytes(rng, "PNG"),
        "b/stack.npy": npy_bytes(numbers(rng, 3, 5, 7)),
        "c.gif": pillow_bytes(grey, "GIF"),
        "c.jpg": pillow_bytes(colour, "JPEG"),
        "c.tif": tiff_bytes(numbers(rng, 2, 5, 7), photometric="minisblack"),
        "notes.txt": b"no image",
        "nothing": b"",
    }


def codec_of(images):
    return GeneralCodec().fit(images)


def files_of(archive):
    return {file.name: b"".join(archive.read_file(file)) for file in archive.files()}


def all_of(folder, **parameters):
    """Write a folder with all its files; return the images, and the archive opened."""
    images, file = read_images(folder), io.BytesIO()
    codec = codec_of(images)
    write_archive(file, images, codec, files=True, others=images.others, **parameters)
    return images, open_archive(file)
