"""Measurements in a table for spreadsheets.

In: curves. Out: a file of comma-separated values.
"""

import csv
import io
import os
from collections.abc import Iterable

from sklearn_dae._atomic import atomic_writer
from sklearn_dae.evaluation._measurement import RateDistortionCurve

#: Columns of the table: attributes of a measurement.
_COLUMNS = (
    "n_images",
    "n_pixels",
    "n_bytes",
    "model_bytes",
    "bytes_per_image",
    "bits_per_pixel",
    "mse",
    "psnr",
    "squared_error_per_image",
    "worst_image",
    "worst_psnr",
    "largest_error",
    "ssim",
    "fit_seconds",
    "encode_seconds",
    "decode_seconds",
    "error",
)


def write_csv(
    curves: Iterable[RateDistortionCurve],
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
) -> None:
    """Write one line for each measurement.

    Parameters
    ----------
    curves : iterable of RateDistortionCurve
        The measurements.

    path : str or path-like
        The file, which gets its name only once all of it is written.

    overwrite : bool, default=False
        Whether a file of that name may be replaced.

    Raises
    ------
    OSError
        If the file cannot be written, or already exists.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_dae.evaluation import (
    ...     Measurement,
    ...     RateDistortionCurve,
    ...     write_csv,
    ... )
    >>> point = Measurement("codec", {"quality": 1}, 10, 64, n_bytes=40, mse=0.01)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "curves.csv")
    ...     write_csv([RateDistortionCurve("codec", (point,))], path)
    ...     print(path.read_text().splitlines()[1][:25])
    codec,quality=1,10,64,40,
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["codec", "setting", *_COLUMNS])
    for curve in curves:
        for point in curve.points:
            setting = [f"{name}={value}" for name, value in point.setting.items()]
            numbers = [getattr(point, column) for column in _COLUMNS]
            writer.writerow([point.codec, ", ".join(setting), *numbers])
    with atomic_writer(path, overwrite=overwrite) as file:
        file.write(text.getvalue().encode())
