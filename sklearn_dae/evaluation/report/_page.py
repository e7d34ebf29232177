"""An evaluation as an HTML page.

In: an `Evaluation`. Out: one self-contained HTML document: styles, plots and images are
in it.
"""

import base64
import io
import math
import os
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from sklearn_dae._atomic import atomic_writer
from sklearn_dae.evaluation._curves import front
from sklearn_dae.evaluation._measurement import Measurement, RateDistortionCurve
from sklearn_dae.evaluation._metrics import WITHOUT_SSIM, fits_ssim
from sklearn_dae.evaluation._rate_distortion_display import RateDistortionDisplay
from sklearn_dae.evaluation.report._contenders import AUTOENCODER
from sklearn_dae.evaluation.report._evaluation import Evaluation
from sklearn_dae.evaluation.report._findings import Difference, Standing
from sklearn_dae.evaluation.report._outcome import N_WORST, Outcome
from sklearn_dae.evaluation.report._templates import duration, humane_bytes, render

#: Sides, in pixels, beyond which only the middle of an image is shown.
_MOST_SHOWN = 192

#: Most pixels on the screen that an image is enlarged to.
_ENLARGED = 64

#: Decibels above the autoencoder's best beyond which the plot leaves points out.
_FAR_ABOVE = 8.0

#: Transparent pixels between images.
_GAP = 1

#: Colours of the parts of an archive: bright for images, grey for the model.
_PART_COLORS = ("#0072b2", "#56b4e9", "#009e73", "#999999", "#c9ced4")

#: Percentiles that the page shows.
_PERCENTILES = ("1", "5", "50", "95")

#: A colour that nothing else has, to be replaced by that of the text.
_INK = "#0a0b0c"

#: Typography.
_NONE, _TIMES, _MINUS = "\N{EN DASH}", "\N{MULTIPLICATION SIGN}", "\N{MINUS SIGN}"


def write_report(
    evaluation: Evaluation,
    path: str | os.PathLike[str],
    *,
    command: str = "",
    n_jobs: int = 1,
    overwrite: bool = False,
) -> None:
    """Write an evaluation as one HTML page, which needs no other file.

    Parameters
    ----------
    evaluation : Evaluation
        What was measured.

    path : str or path-like
        The page, which gets its name only once all of it is written.

    command : str, default=""
        What to type to get the same page; shown to readers.

    n_jobs : int, default=1
        How many codecs were measured at the same time.

    overwrite : bool, default=False
        Whether a file of that name may be replaced.

    Raises
    ------
    ImportError
        If Jinja, matplotlib or Pillow is missing; the message says what to install.

    OSError
        If the page cannot be written, or already exists.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_dae.datasets import ImageSplit, load_digits
    >>> from sklearn_dae.evaluation import evaluate, write_report
    >>> X = load_digits().data
    >>> evaluation = evaluate(
    ...     ImageSplit(X[:100], X[100:130], (8, 8), "some digits"),
    ...     n_components=[4],
    ...     parameters={"max_iter": 5},
    ...     n_qualities=2,
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = Path(folder, "report.html")
    ...     write_report(evaluation, page)
    ...     "some digits" in page.read_text()
    True
    """
    page = _render(evaluation, command, n_jobs)
    with atomic_writer(path, overwrite=overwrite) as file:
        file.write(page.encode())


def _render(evaluation: Evaluation, command: str, n_jobs: int) -> str:
    return render(
        "report.html",
        **_words(evaluation),
        **_quality_table(evaluation.standings, evaluation.curves),
        **_pictures(evaluation),
        **_bytes(evaluation),
        plot_broad=_plot(evaluation, 8.6, 5.2),
        plot_narrow=_plot(evaluation, 4.4, 5.2),
        n_branches=len(evaluation.curves[0].branches),
        bd_rows=_bd_rows(evaluation.differences),
        bars=_bars(evaluation.lossless),
        percentile_rows=_percentile_rows(evaluation.matched),
        time_rows=_time_rows(evaluation),
        all_rows=_all_rows(evaluation),
        command=command,
        n_jobs=n_jobs,
        cores=joblib.cpu_count(),
        seconds=evaluation.seconds,
        without_ssim=WITHOUT_SSIM,
    )


def _words(evaluation: Evaluation) -> dict[str, Any]:
    split = evaluation.split
    height, width = split.shape
    low, high = split.pixel_range
    similarity = evaluation.similarity
    facts = [
        ("images to learn from", f"{len(split.training):,}"),
        ("held-out images", f"{len(split.test):,}"),
        ("pixels", f"{width} {_TIMES} {height}"),
        ("pixel range", f"{low:g} to {high:g}"),
    ]
    if similarity.mean_correlation is not None:
        facts.append(("mean correlation", f"{similarity.mean_correlation:.2f}"))
    settings = {**evaluation.settings, **evaluation.versions}
    return {
        "title": f"Which codec for these images? {Path(split.source).name}",
        "verdict": evaluation.verdict,
        "lossless_verdict": evaluation.lossless_verdict,
        "facts": facts,
        "n_test": f"{len(split.test):,}",
        "similarity": str(similarity),
        "settings": settings.items(),
    }


def _quality_table(
    standings: Sequence[Standing], curves: Sequence[RateDistortionCurve]
) -> dict[str, Any]:
    """Rows of codecs, columns of qualities."""
    rows = []
    for codec in [curve.codec for curve in curves]:
        cells = []
        for standing in standings:
            costs = (standing.ours, *standing.others)
            least = min(cost.bytes_per_image for cost in costs)
            cost = next((cost for cost in costs if cost.codec == codec), None)
            if cost is None:
                cells.append({"text": _NONE, "least": False})
                continue
            more = "≥ " if cost.psnr > standing.psnr else ""
            text = more + _number(cost.bytes_per_image)
            cells.append({"text": text, "least": cost.bytes_per_image == least})
        rows.append({"codec": codec, "cells": cells, "mine": codec == AUTOENCODER})
    return {"standings": standings, "quality_rows": rows}


def _bd_rows(differences: Sequence[Difference]) -> list[dict[str, str]]:
    """What the autoencoder saves against each of the other codecs."""
    return [
        {
            "codec": difference.codec,
            "rate": _difference(difference.rate, "%"),
            "psnr": _difference(difference.psnr, " dB"),
        }
        for difference in differences
    ]


def _difference(number: float | None, unit: str) -> str:
    if number is None:
        return "nothing in common"
    return f"{number:+.1f}{unit}".replace("-", _MINUS)


def _pictures(evaluation: Evaluation) -> dict[str, Any]:
    """Strips of images, including the worst ones."""
    split = evaluation.split
    strips, worst = [], []
    for outcome in evaluation.matched:
        if outcome.shown is None or outcome.worst is None:
            continue
        point = outcome.measurement
        numbers = f"{_number(point.bytes_per_image)} bytes, {point.psnr:.1f} dB"
        strips.append(
            {
                "codec": point.codec,
                "numbers": numbers,
                "image": _strip([outcome.shown], split.shape, split.pixel_range),
            }
        )
        originals = split.test[list(outcome.worst_rows)]
        worst.append(
            {
                "codec": point.codec,
                "numbers": f"down to {point.worst_psnr:.1f} dB",
                "image": _strip(
                    [originals, outcome.worst], split.shape, split.pixel_range
                ),
            }
        )
    points = [outcome.measurement for outcome in evaluation.matched]
    measured = [point for point in points if point.error is None]
    width = min(split.shape[1], _MOST_SHOWN)
    return {
        "originals": _strip(
            [split.test[evaluation.shown]], split.shape, split.pixel_range
        ),
        "strips": strips,
        "worst": worst,
        "strip_width": len(evaluation.shown) * max(_ENLARGED, width),
        "worst_width": N_WORST * max(_ENLARGED, width),
        "matched_rate": measured[0].bytes_per_image if measured else math.nan,
        "has_ssim": any(point.ssim is not None for point in measured),
        "fits_ssim": fits_ssim(split.shape),
    }


def _strip(
    lines: Sequence[np.ndarray],
    shape: tuple[int, int],
    pixel_range: tuple[float, float],
) -> str:
    """Draw lines of images, one below another, as a PNG in a data URI."""
    from PIL import Image

    low, high = pixel_range
    height, width = (min(side, _MOST_SHOWN) for side in shape)
    top, left = (
        (side - shown) // 2 for side, shown in zip(shape, (height, width), strict=True)
    )
    columns = len(lines[0])
    canvas = np.zeros(
        (
            len(lines) * (height + _GAP) - _GAP,
            columns * (width + _GAP) - _GAP,
            2,  # grey, and whether there is anything
        ),
        np.uint8,
    )
    for row, images in enumerate(lines):
        for column, pixels in enumerate(images):
            image = pixels.reshape(shape)[top : top + height, left : left + width]
            grey = np.clip((image.astype(float) - low) / (high - low), 0, 1)
            y, x = row * (height + _GAP), column * (width + _GAP)
            canvas[y : y + height, x : x + width, 0] = np.rint(255 * grey)
            canvas[y : y + height, x : x + width, 1] = 255
    file = io.BytesIO()
    Image.fromarray(canvas, "LA").save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _bytes(evaluation: Evaluation) -> dict[str, Any]:
    """The parts of an archive, and what raw pixels take."""
    total = sum(evaluation.file_bytes.values())
    n_test = len(evaluation.split.test)
    colored = (
        zip(evaluation.file_bytes.items(), _PART_COLORS, strict=True)
        if evaluation.file_bytes
        else ()
    )
    parts = [
        {
            "name": name,
            "n_bytes": n_bytes,
            "percent": round(100 * n_bytes / total, 3),
            "color": color,
            "each": f"{_number(n_bytes / n_test)} an image",
        }
        for (name, n_bytes), color in colored
    ]
    failures = "; ".join(
        f"{point.codec} ({point.error})" for point in evaluation.lossless if point.error
    )
    return {
        "parts": parts,
        "archive_total": humane_bytes(total),
        "raw_bits": f"{8 * evaluation.split.test.dtype.itemsize}",
        "failures": failures,
    }


def _bars(lossless: Sequence[Measurement]) -> list[dict[str, Any]]:
    """Bars of the lossless codecs, the shortest first."""
    measured = [point for point in lossless if point.error is None]
    most = max((point.bits_per_pixel for point in measured), default=1)
    return [
        {
            "codec": point.codec,
            "mine": point is lossless[0],
            # Room is left for the number after the bar.
            "percent": round(85 * point.bits_per_pixel / most, 2),
            "text": f"{point.bits_per_pixel:.3f}",
        }
        for point in sorted(measured, key=lambda point: point.n_bytes)
    ]


def _percentile_rows(matched: Iterable[Outcome]) -> list[dict[str, Any]]:
    rows = []
    points = [outcome.measurement for outcome in matched]
    for point in points:
        if point.error is not None:
            continue
        numbers = [point.worst_psnr]
        numbers += [point.psnr_percentiles[key] for key in _PERCENTILES]
        cells = [f"{number:.1f}" for number in numbers]
        if any(other.ssim is not None for other in points):
            cells.append(_NONE if point.ssim is None else f"{point.ssim:.3f}")
        rows.append(
            {"codec": point.codec, "cells": cells, "mine": point.codec == AUTOENCODER}
        )
    return rows


def _time_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    rows = []
    lossless = [
        RateDistortionCurve(f"{point.codec}, lossless", (point,))
        for point in evaluation.lossless
    ]
    for curve in [*evaluation.curves, *lossless]:
        points = list(curve)
        if not points:
            continue
        times = [
            duration(statistics.median(getattr(point, name) for point in points))
            for name in ("fit_seconds", "encode_seconds", "decode_seconds")
        ]
        size = humane_bytes(statistics.median(point.model_bytes for point in points))
        rows.append(
            {
                "codec": curve.codec,
                "cells": [*times, size],
                "mine": curve.codec == AUTOENCODER,
            }
        )
    return rows


def _all_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    points = [point for curve in evaluation.curves for point in curve.points]
    rows = []
    for point in [*points, *evaluation.lossless]:
        setting = [f"{name} {value:g}" for name, value in point.setting.items()]
        row: dict[str, Any] = {
            "codec": point.codec,
            "setting": ", ".join(setting) or "lossless",
            "error": point.error,
        }
        if point.error is None:
            row["cells"] = [
                _number(point.bytes_per_image),
                f"{point.bits_per_pixel:.3f}",
                "exact" if point.is_lossless else f"{point.psnr:.2f}",
                f"{point.squared_error_per_image:.3f}",
                f"{point.largest_error:.2f}",
                _NONE if point.ssim is None else f"{point.ssim:.4f}",
                humane_bytes(point.model_bytes),
            ]
        rows.append(row)
    return rows


def _number(value: float) -> str:
    """Write a number with at least three digits."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 100 else f"{value:.2f}"


def _plot(evaluation: Evaluation, width: float, height: float) -> str:
    """Draw the curves as SVG that takes the colour of the text around it."""
    import matplotlib
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    settings: dict[Any, Any] = {
        "svg.fonttype": "none",
        # Two plots in one page must not give their parts the same names.
        "svg.hashsalt": f"{width} x {height}",
        "font.family": "sans-serif",
        "font.size": 10.5,
        "text.color": _INK,
        "axes.edgecolor": _INK,
        "axes.labelcolor": _INK,
        "xtick.color": _INK,
        "ytick.color": _INK,
    }
    with matplotlib.rc_context(settings):
        curves = _of_interest(evaluation.curves)
        RateDistortionDisplay(curves).plot(figure.subplots())
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    svg = file.getvalue()
    # Black curves would also be lost on a dark background.
    for color in (_INK, "#000000"):
        svg = svg.replace(color, "currentColor")
    return svg[svg.index("<svg") :]


def _of_interest(curves: Sequence[RateDistortionCurve]) -> list[RateDistortionCurve]:
    """Leave out points that others beat, and qualities far above the autoencoder's."""
    highest = max(curves[0].psnr, default=math.inf) + _FAR_ABOVE
    return [
        replace(
            curve,
            points=tuple(
                point
                for branch in curve.branches
                for point in front(branch)
                if point.psnr <= highest
            ),
        )
        for curve in curves
    ]
