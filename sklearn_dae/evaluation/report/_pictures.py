"""Images as a page shows them.

In: images of any size, depth and colours. Out: bytes to be shown, and pictures of many
as PNGs in data URIs.
"""

import base64
import io
from collections.abc import Callable, Sequence

import numpy as np

#: Transparent pixels between images.
_GAP = 1

#: Grey levels of a tone curve, and the most that one of them may stand for of all
#: pixels: without a limit, a black background would take most of the curve.
_LEVELS, _MOST_OF_LEVEL = 512, 0.01

#: Percentiles of pixels that are black and white, so that none sets the scale alone.
_DARKEST, _BRIGHTEST = 0.5, 99.5

#: Makes bytes of the numbers of an image.
Tones = Callable[[np.ndarray], np.ndarray]


def linear_tones(low: float, high: float) -> Tones:
    """Return what makes a number black up to one value and white from another on."""

    def tones(image: np.ndarray) -> np.ndarray:
        unit = np.clip((image.astype(float) - low) / max(high - low, 1e-300), 0, 1)
        return np.rint(255 * unit).astype(np.uint8)

    return tones


def tones_for(images: Sequence[np.ndarray]) -> Tones:
    """Return tones in which people recognise images.

    Bytes are shown as they are, if not all of them are dark. Of deeper images, no
    screen shows all levels.
    """
    if images[0].dtype != np.uint8:
        return stretched_tones(images)
    most = max(int(image.max()) for image in images)
    return linear_tones(0, 255 if most > 127 else most)


def stretched_tones(images: Sequence[np.ndarray]) -> Tones:
    """Return tones that show small differences.

    The more pixels have about the same value, the more levels of grey are spent on
    telling them apart.
    """
    values = np.concatenate([image.ravel() for image in images]).astype(float)
    low, high = np.percentile(values, (_DARKEST, _BRIGHTEST))
    if low == high:
        return linear_tones(values.min(), values.max())
    counts, edges = np.histogram(values.clip(low, high), _LEVELS)
    shares = np.minimum(counts / len(values), _MOST_OF_LEVEL)
    curve = np.append(0, np.cumsum(shares)) / shares.sum()
    return lambda image: np.rint(255 * np.interp(image, edges, curve)).astype(np.uint8)


def middle(image: np.ndarray, most: int) -> np.ndarray:
    """Cut out the middle of an image, at most so many pixels a side."""
    height, width = (min(side, most) for side in image.shape[:2])
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]


def thumbnail(shown: np.ndarray, height: int) -> np.ndarray:
    """Make an image that is shown, and too high, as high as that."""
    from PIL import Image

    if shown.shape[0] <= height:
        return shown
    width = max(1, round(shown.shape[1] * height / shown.shape[0]))
    small = Image.fromarray(shown).resize((width, height), Image.Resampling.BOX)
    return np.asarray(small)


def strip(lines: Sequence[Sequence[np.ndarray]]) -> str:
    """Draw lines of images of bytes, one below another, as a PNG in a data URI."""
    from PIL import Image

    heights = [max(image.shape[0] for image in line) for line in lines]
    widths = [sum(image.shape[1] + _GAP for image in line) - _GAP for line in lines]
    # Red, green, blue, and whether there is anything.
    canvas = np.zeros(
        (sum(heights) + _GAP * (len(lines) - 1), max(widths), 4), np.uint8
    )
    y = 0
    for line, line_height in zip(lines, heights, strict=True):
        x = 0
        for image in line:
            height, width = image.shape[:2]
            place = canvas[y : y + height, x : x + width]
            colours = image.reshape(height, width, -1)
            opacity = colours.shape[2] % 2 == 0
            place[..., :3] = colours[..., : colours.shape[2] - opacity]
            place[..., 3] = colours[..., -1] if opacity else 255
            x += width + _GAP
        y += line_height + _GAP
    picture = Image.fromarray(canvas)
    if (canvas[..., :1] == canvas[..., 1:3]).all():
        picture = picture.convert("LA")
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
