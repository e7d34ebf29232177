"""Sets of images with a name, such as digits and MNIST, and parts of them held out.

In flows a name or a path; out flows an `ImageSet`, or an `ImageSplit` with some images
held out. One more set with a name is a function in `_standard`. What users have in
files of their own, `sklearn_dae.images` reads.
"""

from sklearn_dae.datasets._jitter import jitter
from sklearn_dae.datasets._split import ImageSplit, load_split
from sklearn_dae.datasets._standard import load_digits, load_mnist

__all__ = [
    "ImageSplit",
    "jitter",
    "load_digits",
    "load_mnist",
    "load_split",
]
