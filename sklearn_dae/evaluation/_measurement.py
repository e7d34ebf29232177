"""Measurements of codecs, as plain records.

Records hold only numbers and text, so that they go to JSON and back unchanged.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import numpy as np


def decibels(mse: float) -> float:
    """Peak signal-to-noise ratio of a squared error in units of the pixel range."""
    return math.inf if mse == 0 else -10 * math.log10(mse)


@dataclass(frozen=True)
class Measurement:
    """What one codec made of images with one setting.

    Errors are in units of the pixel range, so that they do not depend on whether
    pixels go from 0 to 1 or from 0 to 255.

    Parameters
    ----------
    codec : str
        Name of the codec, for people to read.

    setting : dict of str to object
        The parameters that distinguish this measurement from others of the codec.

    n_images : int
        How many images were coded.

    n_pixels : int or float
        How many pixels an image has, each channel counted; the mean where they differ.

    n_bytes : int
        Bytes of the images: all that is needed besides the fitted codec.

    model_bytes : int
        Bytes of the fitted codec in a file, stored once for any number of images.

    mse : float
        Mean squared error of a pixel.

    mse_percentiles : dict of str to float
        Mean squared errors of single images: the 1st, 5th, 25th, 50th, 75th, 95th
        and 99th percentile, the keys being these numbers.

    worst_image : int
        Row of the image with the largest error.

    worst_mse : float
        Its mean squared error.

    largest_error : float
        Largest error of any pixel.

    ssim : float or None
        Structural similarity; None where images are too small for it, or scikit-image
        is missing.

    fit_seconds, encode_seconds, decode_seconds : float
        Time taken for all images, in seconds.

    error : str or None
        Why nothing could be measured; numbers are then 0 or NaN.
    """

    codec: str
    setting: Mapping[str, Any]
    n_images: int
    n_pixels: float
    n_bytes: int = 0
    model_bytes: int = 0
    mse: float = float("nan")
    mse_percentiles: Mapping[str, float] = field(default_factory=dict)
    worst_image: int = 0
    worst_mse: float = float("nan")
    largest_error: float = float("nan")
    ssim: float | None = None
    fit_seconds: float = 0.0
    encode_seconds: float = 0.0
    decode_seconds: float = 0.0
    error: str | None = None

    @classmethod
    def failed(
        cls,
        codec: str,
        setting: Mapping[str, Any],
        shape: tuple[int, float],
        error: Exception,
    ) -> Self:
        """Record why nothing could be measured on images of a given shape."""
        told = f"{type(error).__name__}: {error}"
        return cls(codec, dict(setting), shape[0], shape[1], error=told)

    @property
    def is_lossless(self) -> bool:
        """Whether every image came back exactly."""
        return self.mse == 0

    @property
    def psnr(self) -> float:
        """Peak signal-to-noise ratio of all images together, in decibels."""
        return decibels(self.mse)

    @property
    def worst_psnr(self) -> float:
        """Peak signal-to-noise ratio of the image with the largest error."""
        return decibels(self.worst_mse)

    @property
    def psnr_percentiles(self) -> dict[str, float]:
        """Peak signal-to-noise ratios of single images, in decibels."""
        # A large error is a low ratio.
        return {
            str(100 - int(key)): decibels(mse)
            for key, mse in reversed(list(self.mse_percentiles.items()))
        }

    @property
    def squared_error_per_image(self) -> float:
        """Squared error summed over the pixels of an image, averaged over images."""
        return self.mse * self.n_pixels

    @property
    def total_bytes(self) -> int:
        """Bytes of all images and of the model."""
        return self.n_bytes + self.model_bytes

    @property
    def bytes_per_image(self) -> float:
        """Bytes per image, without the model."""
        return self.n_bytes / self.n_images

    @property
    def bits_per_pixel(self) -> float:
        """Bits per pixel, without the model."""
        return 8 * self.bytes_per_image / self.n_pixels

    def to_dict(self) -> dict[str, Any]:
        """Return the fields but those that are NaN, which JSON does not have.

        ``Measurement(**record)`` makes the measurement again.
        """
        record = asdict(self)
        return {
            name: value
            for name, value in record.items()
            if not (isinstance(value, float) and math.isnan(value))
        }


@dataclass(frozen=True)
class RateDistortionCurve:
    """What one codec made of the same images with several settings.

    Parameters
    ----------
    codec : str
        Name of the codec, for people to read.

    points : tuple of Measurement
        The measurements, in any order, including failed ones.

    branch_by : str or None, default=None
        A setting whose values make separate curves, such as the size of a network:
        nothing is interpolated between points that differ in it.

    Examples
    --------
    >>> from sklearn_dae.evaluation import Measurement, RateDistortionCurve
    >>> points = [
    ...     Measurement("codec", {"quality": 1}, 100, 64, n_bytes=400, mse=0.01),
    ...     Measurement("codec", {"quality": 9}, 100, 64, n_bytes=900, mse=0.001),
    ... ]
    >>> curve = RateDistortionCurve("codec", tuple(points))
    >>> curve.bytes_per_image, curve.psnr
    (array([4., 9.]), array([20., 30.]))
    """

    codec: str
    points: tuple[Measurement, ...]
    branch_by: str | None = None

    def __iter__(self) -> Iterator[Measurement]:
        """Iterate over what could be measured, from the fewest bytes up."""
        measured = [point for point in self.points if point.error is None]
        return iter(sorted(measured, key=lambda point: (point.n_bytes, point.mse)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def branches(self) -> list[Self]:
        """The separate curves, the best of which counts, without failed points."""
        if self.branch_by is None:
            return [replace(self, points=tuple(self))]
        branches: dict[Any, list[Measurement]] = {}
        for point in self:
            branches.setdefault(point.setting.get(self.branch_by), []).append(point)
        return [
            replace(self, points=tuple(points), branch_by=None)
            for points in branches.values()
        ]

    @property
    def bytes_per_image(self) -> np.ndarray:
        """Rate of each point, in rising order."""
        return np.array([point.bytes_per_image for point in self])

    @property
    def mse(self) -> np.ndarray:
        """Distortion of each point."""
        return np.array([point.mse for point in self])

    @property
    def psnr(self) -> np.ndarray:
        """Quality of each point in decibels; infinite where it is lossless."""
        return np.array([point.psnr for point in self])
