"""Train the networks of pixels that come with the package.

They are for images that no network was trained on, and so learn from images of many
kinds: X-rays, MRI, CT, a film through a microscope, digits, photographs, pages, retina
and stars; and from what becomes of such images elsewhere: they are resized, blurred,
sharpened, saved as JPEG, stretched and noisy. Fingerprints, whose licence allows
measuring only, are not among them.

    python -m benchmarks.generic_network        # writes the file of the package

Needs the images of ``SKLEARN_DAE_DATA`` and scikit-image; takes some ten minutes.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from benchmarks.pictures import KINDS
from sklearn_dae._bytes import frame
from sklearn_dae.codecs._planes import Form, limits_of
from sklearn_dae.entropy import PixelModel, _generic
from sklearn_dae.entropy._pixel_coder import stacks_of
from sklearn_dae.entropy._pixel_training import Training, fit_networks
from sklearn_dae.images import ImageSpec

#: What is measured only.
_NEVER = "fingerprints"

#: Pixels of all kinds, and the sides of the squares that large images are cut to,
#: before they are changed and after.
_N_PIXELS, _SIDES = 5_000_000, (256, 192)

_TRAINING = Training(n_steps=24_000, batch_size=4096)

#: How images are resized.
_FILTERS = list(Image.Resampling)


def squares(
    images: list[np.ndarray], n_wanted: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Cut squares of so many pixels from everywhere, and change every other."""
    chosen, n_pixels = [], 0
    while n_pixels < n_wanted:
        image = _square(images[rng.integers(len(images))], _SIDES[0], rng)
        if len(chosen) % 2:
            image = _changed(image, rng)
        chosen.append(image := _square(image, _SIDES[1], rng))
        n_pixels += image.shape[0] * image.shape[1]
    return chosen


def _square(image: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    top, left = (rng.integers(max(n - side, 0) + 1) for n in image.shape[:2])
    return image[top : top + side, left : left + side]


def _changed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Do to an image what people and their programs do, each by chance."""
    for change, probability in _CHANGES:
        if rng.random() < probability:
            image = change(image, rng)
    if rng.random() < 0.5:
        image = image.swapaxes(0, 1)
    down, right = rng.choice([-1, 1], 2)
    return np.ascontiguousarray(image[::down, ::right])


def _filtered(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur or sharpen an image."""
    widths = [*2.0 ** rng.uniform(-2, 0.7, 2), *[0] * (image.ndim - 2)]
    soft = gaussian_filter(image.astype(np.float32), widths)
    factor = rng.uniform(-1.5, 1)
    return _like(image, image + factor * (image - soft) if factor > 0 else soft)


def _as_jpeg(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Save an image as JPEG, which takes bytes only, and read it again."""
    if image.dtype != np.uint8:
        return image
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=int(rng.integers(50, 98)))
    return np.asarray(Image.open(file))


def _resized(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Make an image smaller or larger."""
    factor, filter_ = 2.0 ** rng.uniform(-1.5, 1), _FILTERS[rng.integers(len(_FILTERS))]
    height, width = (max(8, round(factor * n)) for n in image.shape[:2])
    planes = image.reshape(*image.shape[:2], -1).astype(np.float32)
    resized = [
        np.asarray(Image.fromarray(plane).resize((width, height), filter_))
        for plane in np.moveaxis(planes, 2, 0)
    ]
    return _like(
        image, np.stack(resized, axis=2).reshape(height, width, *image.shape[2:])
    )


def _stretched(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Spread the levels of an image over more or fewer, evenly or not; or invert it."""
    low, high = int(image.min()), int(image.max())
    n_levels = (high - low) * 2.0 ** rng.uniform(-2, 1)
    n_levels = min(n_levels, np.iinfo(image.dtype).max - min(low, 0))
    share = (image.astype(np.float64) - low) / max(high - low, 1)
    levels = np.rint(n_levels * share**2.0 ** rng.uniform(-1, 1))
    if rng.random() < 0.25:
        levels = levels.max() - levels
    return (levels + min(low, 0)).astype(image.dtype)


def _noisy(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add noise to an image."""
    width = np.ptp(image.astype(np.float64)) * 2.0 ** rng.uniform(-8, -4)
    return _like(image, image + rng.normal(0, width, image.shape))


def _like(image: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """Return what an image was changed to, in its range and dtype."""
    return np.clip(np.rint(changed), image.min(), image.max()).astype(image.dtype)


#: What is done to images, and how often.
_CHANGES = (
    *((_filtered, 0.3), (_as_jpeg, 0.15), (_resized, 0.4)),
    *((_stretched, 0.3), (_noisy, 0.15)),
)


def train(channels: int, without: str = _NEVER) -> bytes:
    """Train networks on all kinds of images but some; return their bytes.

    With one channel, what is coloured serves as shades of grey, too.
    """
    rng = np.random.default_rng(0)
    forms, planes, kinds = [], [], []
    for kind, read in KINDS.items():
        if kind in (_NEVER, without):
            continue
        images = read()
        if channels == 1:
            images = [image if image.ndim == 2 else image[..., 1] for image in images]
        else:
            images = [image for image in images if image.ndim == 3]
        kinds += [images] if images else []
    for images in kinds:
        for image in squares(images, _N_PIXELS // len(kinds), rng):
            spec = ImageSpec.of_shape(image.shape, image.dtype)
            rows = image.reshape(1, -1)
            forms.append(Form.of(rows, spec, is_exact=True))
            planes.append(forms[-1].planes(rows, spec))
    limits = limits_of(forms, stacks_of(planes))
    networks, bits = fit_networks(planes, limits, training=_TRAINING)
    packed = PixelModel.of(networks, in_series=False).packed.tobytes()
    print(
        f"{channels} channels, without {without}: {len(planes):,} squares, {bits:.3f} "
        f"bits a pixel, {len(packed):,} bytes",
        flush=True,
    )
    return packed


def main() -> None:
    """Train on all kinds, and write the file of the package."""
    file = Path(_generic.__file__).parent / _generic.GENERIC_FILE
    file.write_bytes(frame(train(1)) + frame(train(3)))


if __name__ == "__main__":
    main()
