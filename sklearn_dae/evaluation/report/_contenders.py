"""Which codecs with loss are compared, and with which settings.

In: training images, and autoencoders fitted on them. Out: trials, each an unfitted
codec under the name of its contender; several trials of one make its rate-distortion
curve.

Every contender has the settings that its own users would choose, and covers the range
of qualities of the autoencoder as far as it can.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from sklearn_dae.codecs import (
    Codec,
    JpegXLCodec,
    PillowCodec,
    TransformCodec,
)
from sklearn_dae.compressor import DeepAutoencoderCompressor
from sklearn_dae.datasets import ImageSplit
from sklearn_dae.evaluation._curves import front
from sklearn_dae.evaluation._forecast import water_level
from sklearn_dae.evaluation._measurement import RateDistortionCurve
from sklearn_dae.evaluation._metrics import psnr

AUTOENCODER, PRINCIPAL_COMPONENTS = "autoencoder", "PCA"

#: Images that codecs are made for: curves are those of images, without a model.
_MANY_IMAGES = 10**7

#: Settings of both: how many values a code has, and the quality of the training images.
VALUES, TARGET = "values", "PSNR in training"

#: Images on which qualities are chosen; the codecs are fitted on all.
_MOST_ROWS = 2000

#: Smallest error that quantising may add to that of an autoencoder, as a fraction: as
#: it goes to zero, the rate goes to infinity.
_LEAST_ADDED = 0.06

#: PSNR of rounding to bytes, which nothing needs to surpass.
_FINEST = 59.0

#: Decibels above the mean image at which curves begin, and how many PCA goes on beyond
#: the autoencoder.
_ABOVE_MEAN, _BEYOND = 3.0, 4.0

#: Quality of each format in its units, from the lowest to where images look perfect.
_FORMATS: dict[str, tuple[Callable[..., Codec], str, float, float]] = {
    "JPEG": (partial(PillowCodec, "jpeg"), "quality", 1, 90),
    "JPEG 2000": (partial(PillowCodec, "jpeg2000"), "quality", 18, 38),
    "WebP": (partial(PillowCodec, "webp"), "quality", 0, 90),
    "AVIF": (partial(PillowCodec, "avif", effort=6), "quality", 0, 75),
    "JPEG XL": (JpegXLCodec, "distance", 15.0, 0.5),
}


@dataclass(frozen=True)
class Trial:
    """A codec to be fitted and measured.

    Parameters
    ----------
    contender : str
        Name of the contender.

    setting : dict of str to object
        What distinguishes the trial from others of the contender, for people to read.

    codec : Codec
        The unfitted codec.

    seconds : float, default=0.0
        Training time that the codec's own fit does not repeat.
    """

    contender: str
    setting: Mapping[str, Any]
    codec: Codec
    seconds: float = 0.0

    def __str__(self) -> str:
        parts = [f"{name} {value:g}" for name, value in self.setting.items()]
        return ", ".join([self.contender, *parts])


@dataclass(frozen=True)
class TrainedAutoencoder:
    """A fitted autoencoder and its training time.

    Parameters
    ----------
    transformer : DeepAutoencoderCompressor
        The autoencoder.

    seconds : float
        The training time.
    """

    transformer: DeepAutoencoderCompressor
    seconds: float


#: Trained autoencoders, by the number of values in their codes.
Autoencoders = Mapping[int, TrainedAutoencoder]


def lossy_trials(
    split: ImageSplit, autoencoders: Autoencoders, n_qualities: int
) -> Iterator[Trial]:
    """Yield trials of all lossy contenders.

    Parameters
    ----------
    split : ImageSplit
        The images.

    autoencoders : dict of int to TrainedAutoencoder
        Trained autoencoders, by the number of values in their codes.

    n_qualities : int
        Number of points on each curve.

    Yields
    ------
    Trial
        With an unfitted codec; fitted autoencoders within it are used as they are.
    """
    sample = _sample(split.training)
    lowest = _of_mean(sample, split.pixel_range) + _ABOVE_MEAN
    highest = lowest
    for n_values, autoencoder in autoencoders.items():
        limit = _limit(autoencoder.transformer, sample, split.pixel_range)
        for quality in _below_limit(lowest, limit, n_qualities):
            highest = max(highest, quality)
            yield _autoencoder_trial(split, autoencoders, n_values, quality)
    for quality in np.linspace(lowest, highest + _BEYOND, n_qualities):
        yield _pca_trial(split, quality)
    for name, (_, _, first, last) in _FORMATS.items():
        for value in np.linspace(first, last, n_qualities):
            yield _format_trial(split, name, value)


def _below_limit(lowest: float, limit: float, n_qualities: int) -> np.ndarray:
    """Return qualities for a transformer, closer together the nearer to its limit.

    The error is that of the transformer plus what quantising adds. Each bit of a value
    divides the latter by four, so equal steps of its logarithm cost about as many bytes
    each. Where the limit is no better than the lowest quality, there is only one.
    """
    error = 10 ** (-min(limit, _FINEST) / 10)
    least = _LEAST_ADDED * error
    most = max(10 ** (-lowest / 10) - error, least)
    return np.unique(-10 * np.log10(error + np.geomspace(most, least, n_qualities)))


def _autoencoder_trial(
    split: ImageSplit, autoencoders: Autoencoders, n_values: int, quality: float
) -> Trial:
    """Make a trial that asks an autoencoder for a PSNR."""
    autoencoder = autoencoders[n_values]
    return Trial(
        AUTOENCODER,
        {VALUES: n_values, TARGET: round(float(quality), 2)},
        _codec(autoencoder.transformer, split, quality),
        autoencoder.seconds,
    )


def _pca_trial(split: ImageSplit, quality: float) -> Trial:
    """Make a trial that asks PCA for a PSNR, with the components that it needs.

    Their number comes from reverse water-filling: with the error spread as evenly as
    the variances allow, components whose variance is below the error of each are not
    worth a bit.
    """
    low, high = split.pixel_range
    sample = _sample(split.training).astype(float)
    variances = PCA(min(sample.shape)).fit(sample).explained_variance_
    wanted = split.training.shape[1] * (high - low) ** 2 * 10 ** (-quality / 10)
    # Uniform quantisers spend a little on components that are just below the level.
    level = water_level(variances, wanted) / 2
    n_values = max(1, int(np.count_nonzero(variances > level)))
    return Trial(
        PRINCIPAL_COMPONENTS,
        {VALUES: n_values, TARGET: round(float(quality), 2)},
        _codec(PCA(n_values, random_state=0), split, quality),
    )


def _codec(transformer: Any, split: ImageSplit, quality: float) -> TransformCodec:
    """Make a codec for so many images that the bytes of its model hardly count."""
    return TransformCodec(
        transformer, target_psnr=_codec_psnr(split, quality), n_images=_MANY_IMAGES
    )


def _format_trial(split: ImageSplit, name: str, value: float) -> Trial:
    """Make a trial that sets the quality of an image format."""
    make, parameter, *_ = _FORMATS[name]
    value = round(float(value), 1) if parameter == "distance" else round(float(value))
    return Trial(
        name,
        {parameter: value},
        make(**{parameter: value}, image_shape=split.shape),
    )


def trial_at_rate(
    split: ImageSplit,
    autoencoders: Autoencoders,
    curve: RateDistortionCurve,
    rate: float,
) -> Trial | None:
    """Make the trial of a contender that should take ``rate`` bytes per image.

    Parameters
    ----------
    split : ImageSplit
        The images.

    autoencoders : dict of int to TrainedAutoencoder
        As in `lossy_trials`.

    curve : RateDistortionCurve
        Measurements of the contender.

    rate : float
        The bytes; if all measurements took more, or all less, the nearest is used.

    Returns
    -------
    Trial or None
        None if nothing could be measured.
    """
    points = list(curve)
    if not points:
        return None
    nearest = min(
        front(curve), key=lambda point: abs(np.log(point.bytes_per_image / rate))
    )
    n_values = nearest.setting.get(VALUES, 0)
    if curve.codec == AUTOENCODER:
        points = [point for point in points if point.setting[VALUES] == n_values]
    name = next(name for name in nearest.setting if name != VALUES)
    value = np.interp(
        np.log(rate),
        np.log([point.bytes_per_image for point in points]),
        [point.setting[name] for point in points],
    )
    if curve.codec == AUTOENCODER:
        return _autoencoder_trial(split, autoencoders, n_values, value)
    if curve.codec == PRINCIPAL_COMPONENTS:
        return _pca_trial(split, value)
    return _format_trial(split, curve.codec, value)


def _sample(rows: np.ndarray) -> np.ndarray:
    if len(rows) <= _MOST_ROWS:
        return rows
    chosen = np.random.default_rng(0).choice(len(rows), _MOST_ROWS, replace=False)
    return rows[np.sort(chosen)]


def _limit(transformer: Any, X: np.ndarray, pixel_range: tuple[float, float]) -> float:
    """Return the PSNR of a transformer when nothing is quantised."""
    restored = transformer.inverse_transform(transformer.transform(X))
    return psnr(X, np.clip(restored, *pixel_range), pixel_range)


def _of_mean(X: np.ndarray, pixel_range: tuple[float, float]) -> float:
    """Return the PSNR when every image is restored as the mean image."""
    return psnr(X, np.broadcast_to(X.mean(axis=0), X.shape), pixel_range)


def _codec_psnr(split: ImageSplit, quality: float) -> float:
    """Return the PSNR in units of a codec's range, which for bytes is 0 to 255."""
    low, high = split.pixel_range
    is_byte = split.training.dtype in (np.uint8, np.int8)
    full = 255.0 if is_byte else high - low
    return float(quality + 20 * np.log10(full / (high - low)))
