"""Train the networks of pixels that come with the package.

They are for images that no network was trained on, and so learn from images of many
kinds: X-rays, MRI, CT, a film through a microscope, digits, photographs, pages, retina
and stars. Fingerprints, whose licence allows measuring only, are not among them.

    python -m benchmarks.generic_network                   # writes the package's file
    python -m benchmarks.generic_network --without ct_head --output generic.bin

Needs the images of ``SKLEARN_DAE_DATA`` and scikit-image; takes a few minutes.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.pictures import KINDS
from sklearn_dae._bytes import frame
from sklearn_dae.codecs._levels import Levels
from sklearn_dae.codecs._planes import limits_of, stack_of, to_planes
from sklearn_dae.entropy import PixelModel, _generic
from sklearn_dae.entropy._pixel_training import Training, fit_networks
from sklearn_dae.images import ImageSpec

#: What is measured only.
_NEVER = "fingerprints"

#: Pixels of each kind, at most, and the side of the squares that large images are cut
#: to.
_PIXELS_OF_KIND, _SIDE = 500_000, 256

_TRAINING = Training(n_steps=10_000, batch_size=4096)


def squares(images: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Cut squares from images, from everywhere alike, of so many pixels."""
    chosen, n_pixels = [], 0
    while n_pixels < _PIXELS_OF_KIND:
        image = images[rng.integers(len(images))]
        top, left = (rng.integers(max(n - _SIDE, 0) + 1) for n in image.shape[:2])
        chosen.append(image[top : top + _SIDE, left : left + _SIDE])
        n_pixels += chosen[-1].shape[0] * chosen[-1].shape[1]
    return chosen


def train(images: list[np.ndarray]) -> bytes:
    """Train networks on images with the same number of channels; return their bytes."""
    levels, stacks, planes = [], [], []
    for image in images:
        spec = ImageSpec.of_shape(image.shape, image.dtype)
        levels.append(Levels.of(image))
        stacks.append(stack_of(1, spec))
        numbers = levels[-1].levels(image.reshape(1, -1))
        planes.append(to_planes(numbers, stacks[-1], transforms=True))
    limits = limits_of(levels, stacks, transforms=True)
    networks, bits = fit_networks(planes, limits, training=_TRAINING)
    packed = PixelModel.of(networks, in_series=False).packed.tobytes()
    print(f"{len(images)} squares, {bits:.3f} bits a pixel, {len(packed):,} bytes")
    return packed


def main() -> None:
    """Train on all kinds but those to be left out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--without", nargs="*", default=[], choices=sorted(KINDS))
    default = Path(_generic.__file__).parent / _generic.GENERIC_FILE
    parser.add_argument("--output", type=Path, default=default)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    grey, coloured = [], []
    for kind, read in KINDS.items():
        if kind == _NEVER or kind in arguments.without:
            continue
        images = read()
        of_colours = [image for image in images if image.ndim == 3]
        if of_colours:
            coloured += squares(of_colours, rng)
        # What is coloured has shades of grey, too.
        shades = [image if image.ndim == 2 else image[..., 1] for image in images]
        grey += squares(shades, rng)
    arguments.output.write_bytes(b"".join(frame(train(of)) for of in (grey, coloured)))


if __name__ == "__main__":
    main()
