"""Images to learn from, and others of the same kind to test on."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from sklearn_dae.datasets._standard import load_digits, load_mnist
from sklearn_dae.images import Account, ImageSet, read_images
from sklearn_dae.images.readers._arrays import array_names

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
    """

    training: np.ndarray
    test: np.ndarray
    shape: tuple[int, int]
    source: str
    account: Account = field(default_factory=Account)

    @property
    def n_pixels(self) -> int:
        """Number of pixels of an image."""
        return self.training.shape[1]

    @property
    def pixel_range(self) -> tuple[float, float]:
        """Smallest and largest pixel of the training images."""
        return float(self.training.min()), float(self.training.max())


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
    elif key is None and _is_split(source):
        return _load_both(source)
    else:
        images = read_images(source, grey=grey, key=key).as_shown()
    if len(images) < _FEWEST_IMAGES:
        raise ValueError(
            f"{images.source} holds {len(images)} images; at least {_FEWEST_IMAGES} "
            "are needed to learn from some and to compress others."
        )
    shape = _grey_shape(images)
    training, test = train_test_split(
        images.data, test_size=test_size, random_state=random_state
    )
    return ImageSplit(training, test, shape, images.source, images.account)


def _is_split(path: str | os.PathLike[str]) -> bool:
    return Path(path).is_file() and {"train", "test"} <= set(array_names(path))


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
    for images in (split.training, split.test):
        if images.dtype.kind == "f" and not np.isfinite(images).all():
            raise ValueError(
                f"{split.source} holds NaN or infinity; replace these pixels."
            )
    if len(split.training) < _FEWEST_TRAINING:
        raise ValueError(
            f"{split.source} leaves {len(split.training)} images to learn from; at "
            f"least {_FEWEST_TRAINING} are needed."
        )
    low, high = split.pixel_range
    if low == high:
        raise ValueError(
            f"All pixels of {split.source} are {low:g}: there is nothing to compress."
        )
