"""Sets of images: digits, MNIST, folders of images and array files."""

from sklearn_dae.datasets._files import (
    array_names,
    load_array,
    load_images,
)
from sklearn_dae.datasets._folder import ImageFolder, load_image_folder
from sklearn_dae.datasets._idx import read_idx
from sklearn_dae.datasets._image_set import ImageSet
from sklearn_dae.datasets._jitter import jitter
from sklearn_dae.datasets._split import ImageSplit, load_split
from sklearn_dae.datasets._standard import load_digits, load_mnist

__all__ = [
    "ImageFolder",
    "ImageSet",
    "ImageSplit",
    "array_names",
    "jitter",
    "load_array",
    "load_digits",
    "load_image_folder",
    "load_images",
    "load_mnist",
    "load_split",
    "read_idx",
]
