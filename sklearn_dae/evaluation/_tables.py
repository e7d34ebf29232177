"""Measurements in files.

In: curves. Out: a table for spreadsheets, or JSON that can be read back.
"""

import csv
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path

from sklearn_dae._atomic import atomic_writer
from sklearn_dae.evaluation._measurement import Measurement, RateDistortionCurve

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
    "ms_ssim",
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
    _write(text.getvalue(), path, overwrite)


def write_json(
    curves: Iterable[RateDistortionCurve],
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
) -> None:
    """Write curves as JSON, which `read_json` reads back.

    Parameters
    ----------
    curves : iterable of RateDistortionCurve
        The curves.

    path : str or path-like
        The file, which gets its name only once all of it is written.

    overwrite : bool, default=False
        Whether a file of that name may be replaced.

    Raises
    ------
    OSError
        If the file cannot be written, or already exists.
    """
    records = [
        {
            "codec": curve.codec,
            "points": [point.to_dict() for point in curve.points],
            "branch_by": curve.branch_by,
        }
        for curve in curves
    ]
    _write(json.dumps(records, indent=1, allow_nan=False) + "\n", path, overwrite)


def read_json(path: str | os.PathLike[str]) -> list[RateDistortionCurve]:
    """Read what `write_json` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    list of RateDistortionCurve
        The curves.

    Raises
    ------
    ValueError
        If the file holds something else.

    OSError
        If it cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_dae.evaluation import (
    ...     Measurement,
    ...     RateDistortionCurve,
    ...     read_json,
    ...     write_json,
    ... )
    >>> point = Measurement("codec", {"quality": 1}, 10, 64, n_bytes=40, mse=0.01)
    >>> curve = RateDistortionCurve("codec", (point,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_json([curve], f"{folder}/curves.json")
    ...     read_json(f"{folder}/curves.json") == [curve]
    True
    """
    try:
        return [
            RateDistortionCurve(
                record["codec"],
                tuple(map(Measurement.from_dict, record["points"])),
                record.get("branch_by"),
            )
            for record in json.loads(Path(path).read_text("utf-8"))
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} holds no curves such as write_json writes: {error!r}."
        ) from error


def _write(text: str, path: str | os.PathLike[str], overwrite: bool) -> None:
    with atomic_writer(path, overwrite=overwrite) as file:
        file.write(text.encode())
