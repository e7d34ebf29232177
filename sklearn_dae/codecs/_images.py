"""What pixel-by-pixel coding requires of images."""

import math
from typing import Any

import numpy as np

from sklearn_dae._validation import check_integer


def check_image_shape(shape: Any) -> None:
    """Raise unless the shape is None, or a height and a width."""
    if shape is None:
        return
    if not isinstance(shape, tuple | list) or len(shape) != 2:
        raise ValueError(f"image_shape == {shape!r}, expected (height, width).")
    for name, length in zip(("height", "width"), shape, strict=True):
        check_integer(f"{name} of image_shape", length, 1)


def choose_image_shape(shape: Any, n_features: int) -> tuple[int, int]:
    """Return height and width: those given, or those of a square or a single line.

    Raises
    ------
    ValueError
        If images of that shape have a different number of pixels.
    """
    if shape is None:
        side = math.isqrt(n_features)
        return (side, side) if side * side == n_features else (1, n_features)
    height, width = map(int, shape)
    if height * width != n_features:
        raise ValueError(
            f"image_shape == {shape} has {height * width} pixels, but X has "
            f"{n_features} columns."
        )
    return height, width


def check_bytes(dtype: np.dtype) -> None:
    """Raise unless pixels are unsigned bytes."""
    if dtype != np.uint8:
        raise ValueError(
            f"X holds {dtype} numbers, but lossless and max_abs_error take images of "
            "uint8: convert them, if they are whole numbers from 0 to 255."
        )
