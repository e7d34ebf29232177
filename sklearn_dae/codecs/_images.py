"""What coding image by image requires of rows."""

import math
from typing import Any

import numpy as np

from sklearn_dae._validation import check_integer
from sklearn_dae.images import ImageSpec


def check_image_shape(shape: Any) -> None:
    """Raise unless the shape is None, or a height, a width and perhaps channels."""
    if shape is None:
        return
    if not isinstance(shape, tuple | list) or len(shape) not in (2, 3):
        raise ValueError(
            f"image_shape == {shape!r}, expected (height, width) or (height, width, "
            "channels)."
        )
    names = "height", "width", "channels"
    for name, length in zip(names, shape, strict=False):
        check_integer(f"{name} of image_shape", length, 1)


def spec_of_rows(shape: Any, n_features: int, dtype: Any = np.uint8) -> ImageSpec:
    """Describe the images that rows are: of the shape given, or squares.

    Raises
    ------
    ValueError
        If images of that shape have a different number of values, or none is given and
        rows are no squares: a picture must not be taken for one long line.
    """
    if shape is None:
        side = math.isqrt(n_features)
        if side * side != n_features:
            raise ValueError(
                f"X has {n_features} columns, which make no square images: pass "
                "image_shape=(height, width), or image_shape=(1, n_columns) if rows "
                "are no pictures."
            )
        shape = side, side
    spec = ImageSpec.of_shape(tuple(map(int, shape)), dtype)
    if spec.n_numbers != n_features:
        raise ValueError(
            f"image_shape == {shape} has {spec.n_numbers} values, but X has "
            f"{n_features} columns."
        )
    return spec


def size_of_rows(shape: Any, n_features: int) -> tuple[int, int]:
    """Return the height and width of grey images; otherwise as `spec_of_rows`."""
    spec = spec_of_rows(shape, n_features)
    if spec.channels > 1:
        raise ValueError(
            f"image_shape == {shape}: images have {spec.channels} channels, expected "
            "shades of grey."
        )
    return spec.height, spec.width


def check_bytes(dtype: np.dtype) -> None:
    """Raise unless pixels are unsigned bytes."""
    if dtype != np.uint8:
        raise ValueError(
            f"X holds {dtype} numbers, but lossless and max_abs_error take images of "
            "uint8: convert them, if they are whole numbers from 0 to 255."
        )
