"""Images to learn from, and others of the same kind to test on."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from sklearn_dae.datasets._standard import load_digits, load_mnist
from sklearn_dae.images import Account, ImageSet, read_images
from sklearn_dae.images.readers._arrays import array_names

#: What can be loaded by its name.
NAMES = ("digits", "mnist")

#: Minimum number of images that can be split, and that anything is learned from.
_FEWEST_IMAGES, _FEWEST_TRAINING = 5, 4


@dataclass(frozen=True, eq=False)
class ImageSplit:
    """Training images and test images of one size.

    Parameters
    ----------
    training, test : ndarray of shape (n_images, height * width)
        Pixels, row by row.

    shape : tuple of (height, width)
        Size of an image in pixels.

    source : str
        Where the images came from, for people to read.

    account : Account
        What was read from files, and what was left out.

    order : ndarray of int of shape (n_images,), default=None
        Where each image stood among all, first those to learn from; None if they stood
        as they are here, one part after the other.
    """

    training: np.ndarray
    test: np.ndarray
    shape: tuple[int, int]
    source: str
    account: Account = field(default_factory=Account)
    order: np.ndarray | None = None

    @property
    def n_pixels(self) -> int:
        """Number of pixels of an image."""
        return self.training.shape[1]

    @property
    def pixel_range(self) -> tuple[float, float]:
        """Smallest and largest pixel of the training images."""
        return range_of((self.training,))

    @property
    def images(self) -> ImageSet:
        """All images in their order, none held out."""
        rows = np.concatenate([self.training, self.test])
        if self.order is not None:
            rows = rows[np.argsort(self.order)]
        return ImageSet.from_array(rows, self.source, image_shape=self.shape)


def load_split(
    source: str | os.PathLike[str],
    *,
    grey: bool = False,
    key: str | None = None,
    test_size: float | int = 0.2,
    random_state: int = 0,
) -> ImageSplit:
    """Load images, some of them held out.

    Parameters
    ----------
    source : str or path-like
        ``"digits"``, ``"mnist"``, or a path as for `sklearn_dae.images.read_images`.
        MNIST, and a .npz file with arrays named ``train`` and ``test``,
        are already split; of others, a random part is held out.

    grey : bool, default=False
        Whether to convert colour images to grey.

    key : str, default=None
        Name of the array to load from a .npz file that holds several; the file is then
        not treated as already split.

    test_size : float or int, default=0.2
        Images held out: a fraction of all, or their number.

    random_state : int, default=0
        Determines which images are held out.

    Returns
    -------
    ImageSplit
        The images.

    Raises
    ------
    ValueError
        If there are fewer than five images, they are not grey and of one size, or the
        two parts differ in shape.

    OSError, ImportError
        If the images cannot be read; the message says what to do.

    Examples
    --------
    >>> from sklearn_dae.datasets import load_split
    >>> digits = load_split("digits")
    >>> len(digits.training), len(digits.test)
    (1437, 360)
    """
    if source == "mnist":
        training, test = load_mnist("train"), load_mnist("test")
        return ImageSplit(training.data, test.data, (28, 28), "MNIST")
    if source == "digits":
        images = load_digits()
    elif is_split(source, key):
        return _load_both(source)
    else:
        images = read_images(source, grey=grey, key=key).as_shown()
    if len(images) < _FEWEST_IMAGES:
        raise ValueError(
            f"{images.source} holds {len(images)} images; at least {_FEWEST_IMAGES} "
            "are needed to learn from some and to compress others."
        )
    shape = _grey_shape(images)
    X = images.data
    training, test = train_test_split(
        np.arange(len(X)), test_size=test_size, random_state=random_state
    )
    order = np.concatenate([training, test])
    return ImageSplit(X[training], X[test], shape, images.source, images.account, order)


def is_split(source: str | os.PathLike[str], key: str | None = None) -> bool:
    """Whether images to learn from and others come from a source as two arrays."""
    return (
        key is None
        and Path(source).is_file()
        and {"train", "test"} <= set(array_names(source))
    )


def _load_both(path: str | os.PathLike[str]) -> ImageSplit:
    training, test = (read_images(path, key=key) for key in ("train", "test"))
    shape = _grey_shape(training)
    if training.spec != test.spec:
        raise ValueError(
            f"{path}: images of 'train' are {training.spec}, those of 'test' "
            f"{test.spec}; they must be equal."
        )
    return ImageSplit(training.data, test.data, shape, os.fspath(path))


def _grey_shape(images: ImageSet) -> tuple[int, int]:
    """Return the height and width of grey images of one size."""
    spec = images.spec
    if spec.channels > 1:
        raise ValueError(
            f"{images.source}: images are {spec}; expected shades of grey: ask for "
            "colour to be turned to grey (grey=True, --grey)."
        )
    return spec.height, spec.width


def check_can_learn(split: ImageSplit) -> None:
    """Refuse, before long work, images that nothing can be learned from."""
    check_finite((split.training, split.test), split.source)
    if len(split.training) < _FEWEST_TRAINING:
        raise ValueError(
            f"{split.source} leaves {len(split.training)} images to learn from; at "
            f"least {_FEWEST_TRAINING} are needed."
        )
    check_varied((split.training,), split.source)


def check_finite(images: Iterable[np.ndarray], source: str) -> None:
    """Raise ValueError if a pixel is NaN or infinite."""
    if not all(np.isfinite(image).all() for image in images if image.dtype.kind == "f"):
        raise ValueError(f"{source} holds NaN or infinity; replace these pixels.")


def check_varied(images: Iterable[np.ndarray], source: str) -> None:
    """Raise ValueError if all pixels are the same."""
    low, high = range_of(images)
    if low == high:
        raise ValueError(
            f"All pixels of {source} are {low:g}: there is nothing to compress."
        )


def range_of(images: Iterable[np.ndarray]) -> tuple[float, float]:
    """Return the smallest and the largest pixel of images."""
    ends = [(float(image.min()), float(image.max())) for image in images]
    return min(low for low, _ in ends), max(high for _, high in ends)
