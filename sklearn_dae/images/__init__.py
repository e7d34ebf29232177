"""Images, wherever they come from: what they are, and how they are read.

In: paths and arrays. Out: an `ImageSet`, which travels from reader to codec and
archive, with an `ImageSpec` for each image: the one home of sizes, channels and depths.
One more format of files is a function in ``readers/`` and a line in its table.
"""

from sklearn_dae.images._account import Account
from sklearn_dae.images._image_set import ImageSet
from sklearn_dae.images._reading import read_images
from sklearn_dae.images._spec import ImageSpec

__all__ = ["Account", "ImageSet", "ImageSpec", "read_images"]
