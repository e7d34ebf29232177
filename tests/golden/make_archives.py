"""Write the golden archives that are not there yet.

    python tests/golden/make_archives.py

Every later version must read what is there, so no file is ever written anew: another
kind of archive gets a new file.
"""

import io
import json
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.decomposition import PCA

from sklearn_dae.archive import open_archive, write_archive
from sklearn_dae.codecs import HuffmanCodec, PixelCodec, TransformCodec
from sklearn_dae.datasets import load_digits
from sklearn_dae.images import read_images

FOLDER = Path(__file__).parent

TINY = np.array([[[0, 0], [0, 9]], [[0, 9], [9, 9]], [[7, 0], [0, 0]]], np.uint8)


def write_tiny(path):
    """Three images of two by two pixels with names, without loss, in two chunks."""
    codec = HuffmanCodec().fit(TINY[:2].reshape(2, 4))
    write_archive(
        path,
        TINY,
        codec,
        names=["a", "b", "ü"],
        chunk_size=2,
        metadata={"from": "the format's documentation"},
    )


def write_digits(path):
    """Digits as quantised principal components."""
    digits = load_digits()
    codec = TransformCodec(PCA(12), target_psnr=22).fit(digits.data)
    write_archive(path, digits.data[:30].reshape(-1, 8, 8), codec, chunk_size=12)


def smooth_images():
    """Make images of several kinds, in which something can be predicted."""
    rng = np.random.default_rng(0)

    def waves(shape, dtype, scale):
        places = np.indices(shape).sum(axis=0) / 4
        noise = rng.normal(scale=0.02, size=shape)
        return np.rint((np.sin(places) + 1.1 + noise) * scale).astype(dtype)

    return [
        *(waves((9, 12), np.uint8, 100) for _ in range(3)),
        waves((7, 5, 3), np.uint8, 100),
        waves((1, 11), np.uint16, 30_000),
        waves((8, 6), np.int16, 1000) - 900,
        waves((1, 1, 4), np.uint8, 9),
    ]


def write_pixels(path):
    """Images without loss, by the networks that come with the package."""
    images = smooth_images()
    codec = PixelCodec().fit(images)
    write_archive(path, images, codec)


def write_bounded(path):
    """The first digits by a network trained on all of them, at most 1 off."""
    images = load_digits().data.reshape(-1, 8, 8).astype(np.uint8)
    codec = PixelCodec(max_abs_error=1, effort=2).fit(images)
    assert codec.models_
    write_archive(path, images[:30], codec, chunk_size=12)


def gif_bytes():
    """Make a file of two images, which is kept as it is."""
    first, second = (Image.fromarray(np.eye(3, dtype=np.uint8)[::s]) for s in (1, -1))
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=[second])
    return file.getvalue()


#: Files of one image, of two, and of none.
FILES = {
    "deep/a.pgm": b"P5\n# 12 bits\n3 2\n4095\n" + bytes(range(12)),
    "b.ppm": b"P6 2 2 255\n" + bytes(range(100, 112)),
    "c.pgm": b"P2 3 2 9\n0 1 2\n3  4 5\n",
    "d.gif": gif_bytes(),
    "notes.txt": b"Four files of images, and this one.\n",
    "nothing": b"",
}


def write_files(path):
    """Images of several kinds, and the files that they came from."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in FILES.items():
            file = Path(folder, name)
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(data)
        images = read_images(folder)
        codec = HuffmanCodec().fit(images)
        write_archive(path, images, codec, files=True, others=images.others)


def main():
    """Write, and note what the archives hold."""
    for name, write in {
        "tiny": write_tiny,
        "digits": write_digits,
        "pixels": write_pixels,
        "bounded": write_bounded,
        "files": write_files,
    }.items():
        path = FOLDER / f"archive-{name}.dae"
        if path.exists():
            continue
        write(path)
        with open_archive(path) as archive:
            content = [image.tolist() for image in archive]
            if name == "files":
                files = {
                    file.name: b"".join(archive.read_file(file)).hex()
                    for file in archive.files()
                }
                content = {"images": content, "files": files}
        path.with_suffix(".json").write_text(json.dumps(content))


if __name__ == "__main__":
    main()
