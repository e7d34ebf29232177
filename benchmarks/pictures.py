"""Real images of many kinds, as people have them, for training and for comparisons.

In: the folder of ``SKLEARN_DAE_DATA``, scikit-image and scikit-learn. Out: lists of
arrays of shape (height, width) or (height, width, 3).
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from sklearn_dae.images import read_images

#: Photographs that come with scikit-image and scikit-learn.
_PHOTOGRAPHS = (
    *("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png"),
    *("rocket.jpg", "camera.png", "coins.png", "moon.png", "brick.png", "grass.png"),
    "gravel.png",
)

#: Other pictures that come with scikit-image.
_SCIENCE = "hubble_deep_field.jpg", "ihc.png", "retina.jpg", "cell.png"
_PAGES = "page.png", "text.png"


def data_folder() -> Path:
    """Return where real images are; exits with a message if nowhere."""
    folder = os.environ.get("SKLEARN_DAE_DATA")
    if not folder:
        raise SystemExit("Set SKLEARN_DAE_DATA to a folder of real images.")
    return Path(folder)


def _read(path: Path) -> list[np.ndarray]:
    return [np.asarray(image) for image in read_images(path)]


def _of_folder(name: str) -> Callable[[], list[np.ndarray]]:
    return lambda: _read(data_folder() / name)


def _mnist() -> list[np.ndarray]:
    return _read(data_folder() / "mnist" / "train-images-idx3-ubyte.gz")


def _small_xrays() -> list[np.ndarray]:
    return list(np.load(data_folder() / "xray" / "chest_xray_28.npz")["train"])


def _grey_xrays() -> list[np.ndarray]:
    files = sorted((data_folder() / "xray_native").glob("*.jpg"))
    return [np.asarray(Image.open(file).convert("L")) for file in files]


def _bundled(*names: str) -> list[np.ndarray]:
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    return [np.asarray(Image.open(folder / name)) for name in names]


def _photographs() -> list[np.ndarray]:
    from sklearn.datasets import load_sample_images

    return [*load_sample_images().images, *_bundled(*_PHOTOGRAPHS)]


#: Kinds of pictures, and what reads them.
KINDS: dict[str, Callable[[], list[np.ndarray]]] = {
    "fingerprints": _of_folder("fingerprints"),
    "mri_head": _of_folder("mri_head"),
    "ct_head": _of_folder("ct_head"),
    "microscope": _of_folder("microscope"),
    "xray_native": _grey_xrays,
    "mnist": _mnist,
    "xray": _small_xrays,
    "photographs": _photographs,
    "science": lambda: _bundled(*_SCIENCE),
    "pages": lambda: _bundled(*_PAGES),
}
