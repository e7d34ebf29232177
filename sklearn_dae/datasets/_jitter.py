"""More images to learn from: copies that are turned, stretched and moved a little."""

from typing import Any

import numpy as np
from scipy.ndimage import affine_transform, spline_filter1d
from sklearn.utils import check_array, check_random_state

from sklearn_dae._threads import map_slabs
from sklearn_dae._validation import check_integer, check_real

#: Number of images that are interpolated at a time.
_BLOCK_ROWS = 256


def jitter(
    X: Any,
    image_shape: tuple[int, int],
    *,
    skew: float = 0.06,
    shift: float = 0.015,
    random_state: Any = None,
) -> np.ndarray:
    """Turn, stretch and move each image a little, at random.

    Such copies, added to the images they were made from, teach a network which changes
    from image to image make no difference. They help where new images may well lie,
    lean or stretch a little differently, as handwriting does; they do harm where the
    position of things is what images have in common.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Images, one per row.

    image_shape : tuple of (height, width)
        Size of an image in pixels.

    skew : float, default=0.06
        Standard deviation of what is added to each entry of the identity to make an
        image's linear map: 0.06 turns and stretches by some 3 degrees and 6 per cent.

    shift : float, default=0.015
        Standard deviation of the distance that an image moves along each axis, as a
        fraction of its size in that direction.

    random_state : int, RandomState instance or None, default=None
        Determines the maps.

    Returns
    -------
    copies : ndarray of shape (n_samples, n_features)
        A copy of each image, of the dtype of X and within its range. Pixels between
        those of the image are interpolated by cubic splines, those beyond its edges
        mirrored.

    Raises
    ------
    ValueError
        If the rows of X are not images of that size, or a parameter is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_dae.datasets import jitter, load_digits
    >>> X = load_digits().data
    >>> more = np.concatenate([X, jitter(X, (8, 8), random_state=0)])
    >>> more.shape
    (3594, 64)
    """
    X = check_array(X, dtype="numeric")
    height, width = image_shape
    check_integer("image_shape[0]", height, 1)
    check_integer("image_shape[1]", width, 1)
    if height * width != X.shape[1]:
        raise ValueError(
            f"image_shape={(height, width)} has {height * width} pixels, but a row of "
            f"X has {X.shape[1]}; give the height and the width of the images."
        )
    check_real("skew", skew, 0)
    check_real("shift", shift, 0)
    rng = check_random_state(random_state)
    size = np.array([height, width])
    maps = np.eye(2) + skew * rng.standard_normal((len(X), 2, 2))
    center = (size - 1) / 2
    offsets = center - maps @ center + shift * size * rng.standard_normal((len(X), 2))
    low, high = X.min(), X.max()
    copies = np.empty_like(X)
    precision = np.result_type(X, np.float32)

    def move(part: slice) -> None:
        images = np.subtract(X[part], low, dtype=precision)
        images = images.reshape(-1, height, width)
        splines = images.astype(np.float64)
        for axis in (1, 2):
            spline_filter1d(splines, 3, axis, output=splines, mode="reflect")
        for spline, linear, offset, moved in zip(
            splines, maps[part], offsets[part], images, strict=True
        ):
            affine_transform(
                spline,
                linear,
                offset,
                output=moved,
                order=3,
                mode="reflect",
                prefilter=False,
            )
        images += low
        if copies.dtype.kind in "biu":
            np.rint(images, out=images)
        np.clip(images, low, high, out=images)
        copies[part] = images.reshape(-1, X.shape[1])

    map_slabs(move, len(X), _BLOCK_ROWS)
    return copies
