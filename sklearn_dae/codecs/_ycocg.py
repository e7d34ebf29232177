"""Red, green and blue <-> luma and two differences of colour, without loss.

The transform YCoCg-R adds a bit to the differences and none to the luma.

References
----------
Malvar, H. S., Sullivan, G. J. and Srinivasan, S. (2008). Lifting-based reversible color
transformations for image compression. Applications of Digital Image Processing XXXI.
"""

import numpy as np


def to_ycocg(images: np.ndarray) -> np.ndarray:
    """Transform the first three channels of images (n, channels, height, width)."""
    red, green, blue = (images[:, channel] for channel in range(3))
    orange = red - blue
    middle = blue + (orange >> 1)
    greenness = green - middle
    luma = middle + (greenness >> 1)
    transformed = images.copy()
    transformed[:, 0], transformed[:, 1], transformed[:, 2] = luma, orange, greenness
    return transformed


def from_ycocg(images: np.ndarray) -> np.ndarray:
    """Undo `to_ycocg`."""
    luma, orange, greenness = (images[:, channel] for channel in range(3))
    middle = luma - (greenness >> 1)
    blue = middle - (orange >> 1)
    restored = images.copy()
    restored[:, 0], restored[:, 1] = blue + orange, greenness + middle
    restored[:, 2] = blue
    return restored
