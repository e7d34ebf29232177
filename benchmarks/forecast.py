"""What set similarity forecasts, compared with real bytes of held-out images.

First the forecast for images that are alike, less alike, and not alike at all: digits,
MNIST and X-rays; only some of them, or shifted at random in a frame that wraps around;
patches of two photographs; and noise. The forecasts are bytes per image at 10 dB above
the mean image, with principal axes of the set and with cosines of blocks of each image.

Then digits, MNIST and X-rays at one quality: bytes per image by the forecast for axes
of the set, of PCA through `TransformCodec`, by the forecast for cosines, and of AVIF
and JPEG, all images as one mosaic. Codecs are fitted on the training images and
measured on the others; bytes at the quality are interpolated between settings. No model
is counted.

Needs the folder named by SKLEARN_DAE_DATA, and Pillow.

    python -m benchmarks.forecast
"""

import numpy as np
from sklearn.datasets import load_sample_images
from sklearn.decomposition import PCA

from benchmarks._timing import machine
from benchmarks.against_pca import load
from sklearn_dae.codecs import PillowCodec, TransformCodec
from sklearn_dae.evaluation import (
    bytes_at_psnr,
    rate_distortion_curve,
    set_similarity,
)

#: Name, training and held-out images, decibels, values of PCA.
SETS = {
    "digits": ("digits", 24.0, 40),
    "MNIST": ("mnist-20000", 24.0, 196),
    "X-rays": ("xray", 28.0, 196),
}

#: Settings of image formats, between which the qualities above lie; and by how much PCA
#: is asked to exceed them in training.
QUALITIES = {"avif": (5, 10, 30, 40, 50), "jpeg": (10, 15, 40, 50, 60)}
ABOVE = (-0.5, 0.5, 1.5)


def shifted(X, rng):
    """Return images of 28 x 28 pixels, each rolled by up to half its size."""
    images = X.reshape(-1, 28, 28)
    shifts = rng.integers(-14, 15, (len(X), 2))
    rolled = [
        np.roll(image, shift, axis=(0, 1))
        for image, shift in zip(images, shifts, strict=True)
    ]
    return np.reshape(rolled, X.shape)


def patches(side, n, rng):
    """Return square patches from anywhere in photographs."""
    photographs = [image.mean(axis=2) for image in load_sample_images().images]
    X = np.empty((n, side, side))
    for patch in X:
        photograph = photographs[rng.integers(len(photographs))]
        top, left = rng.integers(0, np.subtract(photograph.shape, side))
        patch[:] = photograph[top : top + side, left : left + side]
    return X.reshape(n, -1)


def degrees():
    """Print the forecast for sets that are more and less alike."""
    rng = np.random.default_rng(0)
    mnist, xrays = load("mnist-10000")[0], load("xray")[0]
    sets = {
        "MNIST": mnist,
        "digits": load("digits")[0],
        "X-rays": xrays,
        "MNIST, 500 of them": mnist[:500],
        "X-rays, 500 of them": xrays[:500],
        "MNIST, shifted": shifted(mnist, rng),
        "X-rays, shifted": shifted(xrays, rng),
        "patches, 8 x 8": patches(8, 10_000, rng),
        "patches, 28 x 28": patches(28, 10_000, rng),
        "noise": rng.integers(0, 256, (4000, 784)),
        "X-rays, 100 of them": xrays[:100],
    }
    print(f"\n{'':20s}    dB     set  cosines   ratio  redundancy  correlation")
    for name, X in sets.items():
        similarity = set_similarity(X)
        print(
            f"{name:20s} {similarity.forecast_psnr:5.1f} "
            f"{similarity.forecast_set_bytes:7.1f} "
            f"{similarity.forecast_image_bytes:8.1f} {similarity.forecast_ratio:7.2f} "
            f"{similarity.redundancy:11.1%} {similarity.mean_correlation:12.2f}",
            flush=True,
        )


def real_bytes(codec, settings, X, test, quality):
    """Return the bytes per image of a codec at a quality."""
    curve = rate_distortion_curve(
        codec,
        test,
        X_train=X,
        param_name="target_psnr" if isinstance(codec, TransformCodec) else "quality",
        param_range=settings,
    )
    return bytes_at_psnr(curve, quality)


def against_codecs():
    """Print forecast and real bytes at one quality."""
    print(f"\n{'':20s}    dB     set     PCA  cosines    AVIF    JPEG")
    for name, (source, quality, n_values) in SETS.items():
        X, test = load(source)
        similarity = set_similarity(X, psnr=quality)
        # In floating point the range of pixels is that of the images, as in decibels.
        pca = real_bytes(
            TransformCodec(PCA(n_values)),
            np.add(quality, ABOVE),
            X.astype(np.float32),
            test.astype(np.float32),
            quality,
        )
        avif, jpeg = (
            real_bytes(PillowCodec(image_format), settings, X, test, quality)
            for image_format, settings in QUALITIES.items()
        )
        print(
            f"{name:20s} {quality:5.1f} {similarity.forecast_set_bytes:7.1f} "
            f"{pca:7.1f} {similarity.forecast_image_bytes:8.1f} {avif:7.1f} "
            f"{jpeg:7.1f}",
            flush=True,
        )


def main():
    print(machine())
    degrees()
    against_codecs()


if __name__ == "__main__":
    main()
