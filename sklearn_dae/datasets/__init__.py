"""Sets of images: digits, MNIST, folders of images and array files.

In flows a name or a path; out flows an `ImageSet`, or an `ImageSplit` with some images
held out. `load_images` is the door for whatever a user has: one more kind of file is a
module beside `_idx` and a line in `_files`. One more set with a name is a function in
`_standard`.
"""

from sklearn_dae.datasets._files import load_images
from sklearn_dae.datasets._folder import ImageFolder
from sklearn_dae.datasets._image_set import ImageSet
from sklearn_dae.datasets._jitter import jitter
from sklearn_dae.datasets._split import ImageSplit, load_split
from sklearn_dae.datasets._standard import load_digits, load_mnist

__all__ = [
    "ImageFolder",
    "ImageSet",
    "ImageSplit",
    "jitter",
    "load_digits",
    "load_images",
    "load_mnist",
    "load_split",
]
