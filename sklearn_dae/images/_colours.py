"""Numbers of one kind of colours -> those of grey or RGB."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from sklearn_dae.images._appearance import CMYK, WHITE_IS_ZERO, YCBCR
from sklearn_dae.images._spec import ImageSpec

#: Weights of red, green and blue in units of 2**-16, of ITU-R BT.601, as Pillow has
#: them.
_WEIGHTS = np.array([19595, 38470, 7471], np.uint64)

#: What a step of Cb, and of Cr, adds to red, green and blue: ITU-T T.871, section 7.
_OF_CB = np.array([0, -0.114 * 1.772 / 0.587, 1.772])
_OF_CR = np.array([1.402, -0.299 * 1.402 / 0.587, 0])


def rgb_spec(spec: ImageSpec, photometric: str) -> ImageSpec | None:
    """Describe what `to_rgb` returns; None if such colours cannot be shown."""
    if photometric == "":
        return spec
    if photometric not in _CONVERSIONS:
        return None
    is_known = {
        # A range of real numbers says nothing, and a third channel is no grey.
        WHITE_IS_ZERO: spec.channels <= 2 and spec.range is not None,
        CMYK: spec.channels == 4 and spec.dtype.kind == "u",
        YCBCR: spec == ImageSpec(spec.height, spec.width, 3),
    }
    if not is_known[photometric]:
        return None
    return replace(spec, channels=3) if photometric == CMYK else spec


def to_rgb(pixels: np.ndarray, spec: ImageSpec, photometric: str) -> np.ndarray:
    """Convert pixels to those that are shown, grey or RGB.

    Parameters
    ----------
    pixels : ndarray of shape ``spec.shape``
        The numbers that are stored.

    spec : ImageSpec
        What they are; `rgb_spec` says whether they can be converted.

    photometric : str
        What they mean: see `Appearance`.

    Returns
    -------
    ndarray of the same dtype
    """
    if photometric == "":
        return pixels
    return _CONVERSIONS[photometric](pixels, spec)


def _without_inversion(pixels: np.ndarray, spec: ImageSpec) -> np.ndarray:
    """Turn grey round within its range; opacity stays."""
    low, high = (spec.dtype.type(limit) for limit in spec.range or (0, 0))
    # What overflows comes back by the second step.
    inverted = high - pixels + low
    if spec.channels > 1:
        inverted[..., 1:] = pixels[..., 1:]
    return inverted


def _of_cmyk(pixels: np.ndarray, spec: ImageSpec) -> np.ndarray:
    """Convert ink to light, as Pillow does: black takes its part of what is left."""
    highest = np.uint64((spec.range or (0, 0))[1])
    # A damaged file may have more ink than there is.
    ink = np.minimum(pixels.astype(np.uint64), highest)
    left = highest - ink[..., 3:]
    light = left - (ink[..., :3] * left + highest // np.uint64(2)) // highest
    return light.astype(pixels.dtype)


def _of_ycbcr(pixels: np.ndarray, spec: ImageSpec) -> np.ndarray:
    y, cb, cr = np.moveaxis(pixels.astype(np.float64), 2, 0)[..., np.newaxis]
    rgb = y + (cb - 128) * _OF_CB + (cr - 128) * _OF_CR
    return np.clip(np.floor(rgb + 0.5), 0, 255).astype(np.uint8)


#: What converts each kind of colours that can be shown.
_CONVERSIONS: dict[str, Callable[[np.ndarray, ImageSpec], np.ndarray]] = {
    WHITE_IS_ZERO: _without_inversion,
    CMYK: _of_cmyk,
    YCBCR: _of_ycbcr,
}


def with_opacity(
    pixels: np.ndarray, spec: ImageSpec, transparent: tuple[int, ...]
) -> np.ndarray:
    """Add a channel that is zero where pixels have a colour, and else its largest."""
    pixels = pixels.reshape(spec.height, spec.width, spec.channels)
    is_opaque = (pixels != transparent).any(axis=2, keepdims=True)
    highest = (spec.range or (0, 1))[1]
    return np.concatenate([pixels, is_opaque * spec.dtype.type(highest)], axis=2)


def grey_spec(spec: ImageSpec) -> ImageSpec:
    """Describe what `to_grey` returns.

    Raises
    ------
    ValueError
        If it takes no such pixels.
    """
    if spec.channels > 1 and spec.dtype.kind != "u":
        raise ValueError(
            f"Images of {spec} cannot be turned to grey: expected colours of 8 or 16 "
            "bits."
        )
    return replace(spec, channels=1)


def to_grey(pixels: np.ndarray, highest: int) -> np.ndarray:
    """Convert pixels of shape (height, width, channels); white shines through.

    Parameters
    ----------
    pixels : ndarray of unsigned integers of shape (height, width, channels)
        Grey or red, green and blue, and perhaps how opaque each pixel is.

    highest : int
        The number of white, and of what is opaque.

    Returns
    -------
    ndarray of shape (height, width)
        Of the same dtype.
    """
    if pixels.ndim == 2:
        return pixels
    white = np.uint64(highest)
    numbers = pixels.astype(np.uint64)
    if pixels.shape[2] >= 3:
        grey = (numbers[..., :3] @ _WEIGHTS + np.uint64(2**15)) >> np.uint64(16)
    else:
        grey = numbers[..., 0]
    if pixels.shape[2] in (2, 4):
        opacity = numbers[..., -1]
        mixed = grey * opacity + white * (white - opacity)
        grey = (mixed + white // np.uint64(2)) // white
    return grey.astype(pixels.dtype)
