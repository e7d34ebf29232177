"""The height and width in which rows are looked at."""

import math
from typing import Any

from sklearn_dae.codecs._images import check_grey, check_image_shape, spec_of_rows


def shape_of_rows(image_shape: Any, n_features: int) -> tuple[int, int]:
    """Return the height and width given, or those of a square or a single line.

    Raises
    ------
    ValueError
        If images of that shape have a different number of pixels, or several channels.
    """
    check_image_shape(image_shape)
    if image_shape is None and math.isqrt(n_features) ** 2 != n_features:
        return 1, n_features
    spec = spec_of_rows(image_shape, n_features)
    check_grey(spec)
    return spec.height, spec.width
