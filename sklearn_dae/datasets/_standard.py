"""Sets of images that everybody uses: digits and MNIST."""

import os
from functools import lru_cache
from pathlib import Path

import numpy as np
from sklearn import datasets as sklearn_datasets

from sklearn_dae._validation import check_choice
from sklearn_dae.images import ImageSet
from sklearn_dae.images._idx import check_md5, read_idx

#: Environment variable that names the folder with MNIST's files.
DATA_FOLDER = "SKLEARN_DAE_DATA"

#: File name, MD5 of the unzipped file, and rows in OpenML's joint set.
_MNIST = {
    "train": (
        "train-images-idx3-ubyte",
        "6bbc9ace898e44ae57da46a324031adb",
        slice(0, 60000),
    ),
    "test": (
        "t10k-images-idx3-ubyte",
        "2646ac647ad5339dbf082846283269ea",
        slice(60000, 70000),
    ),
}


def load_digits() -> ImageSet:
    """Load the 1,797 images of handwritten digits that ship with scikit-learn.

    Returns
    -------
    ImageSet
        8 x 8 pixels, uint8 from 0 to 16.
    """
    images = sklearn_datasets.load_digits().images.astype(np.uint8)
    return ImageSet.from_array(images, "digits")


def load_mnist(
    subset: str = "train", *, folder: str | os.PathLike[str] | None = None
) -> ImageSet:
    """Load the images of MNIST.

    They are read from the IDX files, gzipped or not, in ``folder`` or its subfolder
    ``mnist``. If no folder is named, they are downloaded once by
    `sklearn.datasets.fetch_openml`. Either way, the checksum of the IDX content is
    verified.

    Parameters
    ----------
    subset : {"train", "test"}, default="train"
        The 60,000 training or the 10,000 test images.

    folder : str or path-like, default=None
        The folder; by default the one named by the environment variable
        ``SKLEARN_DAE_DATA``.

    Returns
    -------
    ImageSet
        28 x 28 pixels, uint8.

    Raises
    ------
    FileNotFoundError
        If the folder lacks the file.

    ValueError
        If the file is damaged or not the expected one.
    """
    check_choice("subset", subset, _MNIST)
    name, md5, rows = _MNIST[subset]
    folder = folder or os.environ.get(DATA_FOLDER)
    if folder:
        images = read_idx(_find(Path(folder), name), md5=md5)
    else:
        images = _fetch_openml()[rows]
        header = np.array([0x803, len(images), 28, 28], ">i4")
        check_md5(header.tobytes() + images.tobytes(), md5, "MNIST from OpenML")
    return ImageSet.from_array(images, f"MNIST {subset}")


def _find(folder: Path, name: str) -> Path:
    for place in (folder, folder / "mnist"):
        for file in (place / name, place / f"{name}.gz"):
            if file.exists():
                return file
    raise FileNotFoundError(
        f"No {name} or {name}.gz in {folder} or its folder mnist. Put MNIST's IDX "
        f"files there, or name no folder, neither here nor by {DATA_FOLDER}, to "
        "download them from OpenML."
    )


@lru_cache(maxsize=1)
def _fetch_openml() -> np.ndarray:
    try:
        bunch = sklearn_datasets.fetch_openml(
            "mnist_784", version=1, as_frame=False, parser="liac-arff"
        )
    except OSError as error:
        raise OSError(
            f"MNIST could not be downloaded from OpenML ({error}). Connect to the "
            f"network, or set {DATA_FOLDER} to a folder with MNIST's IDX files."
        ) from error
    return bunch.data.astype(np.uint8).reshape(-1, 28, 28)
