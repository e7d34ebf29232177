"""Train the networks of pixels that come with the package.

They are for images that no network was trained on, and so learn from images of many
kinds: X-rays, MRI, CT, a film through a microscope, digits, photographs, pages, retina
and stars. Fingerprints, whose licence allows measuring only, are not among them.

    python -m benchmarks.generic_network        # writes the file of the package

Needs the images of ``SKLEARN_DAE_DATA`` and scikit-image; takes some ten minutes.
"""

from pathlib import Path

import numpy as np

from benchmarks.pictures import KINDS
from sklearn_dae._bytes import frame
from sklearn_dae.codecs._planes import Form, limits_of
from sklearn_dae.entropy import PixelModel, _generic
from sklearn_dae.entropy._pixel_coder import stacks_of
from sklearn_dae.entropy._pixel_training import Training, fit_networks
from sklearn_dae.images import ImageSpec

#: What is measured only.
_NEVER = "fingerprints"

#: Pixels of each kind, and the side of the squares that large images are cut to.
_PIXELS_OF_KIND, _SIDE = 500_000, 192

_TRAINING = Training(n_steps=8000, batch_size=4096)


def squares(images: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Cut squares from images, from everywhere alike, of so many pixels."""
    chosen, n_pixels = [], 0
    while n_pixels < _PIXELS_OF_KIND:
        image = images[rng.integers(len(images))]
        top, left = (rng.integers(max(n - _SIDE, 0) + 1) for n in image.shape[:2])
        chosen.append(image[top : top + _SIDE, left : left + _SIDE])
        n_pixels += chosen[-1].shape[0] * chosen[-1].shape[1]
    return chosen


def train(channels: int, without: str = _NEVER) -> bytes:
    """Train networks on all kinds of images but some; return their bytes.

    With one channel, what is coloured serves as shades of grey, too.
    """
    rng = np.random.default_rng(0)
    forms, planes = [], []
    for kind, read in KINDS.items():
        if kind in (_NEVER, without):
            continue
        images = read()
        if channels == 1:
            images = [image if image.ndim == 2 else image[..., 1] for image in images]
        else:
            images = [image for image in images if image.ndim == 3]
        for image in squares(images, rng) if images else []:
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
