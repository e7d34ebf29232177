"""An evaluation as an HTML page.

In: an `Evaluation`. Out: one self-contained HTML document: styles, plots and images are
in it.
"""

import io
import math
import os
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from sklearn_dae._atomic import atomic_writer
from sklearn_dae.datasets._split import range_of
from sklearn_dae.evaluation._curves import front
from sklearn_dae.evaluation._measure import Images
from sklearn_dae.evaluation._measurement import Measurement, RateDistortionCurve
from sklearn_dae.evaluation._metrics import WITHOUT_SSIM, fits_ssim
from sklearn_dae.evaluation._rate_distortion_display import RateDistortionDisplay
from sklearn_dae.evaluation.report._bounded import (
    BOUNDS,
    OURS,
    are_small,
    bound_of,
    formats_left_out,
)
from sklearn_dae.evaluation.report._contenders import AUTOENCODER
from sklearn_dae.evaluation.report._evaluation import Evaluation, WithLoss
from sklearn_dae.evaluation.report._findings import Difference, Standing
from sklearn_dae.evaluation.report._outcome import N_WORST, Outcome, detail
from sklearn_dae.evaluation.report._pictures import (
    linear_tones,
    middle,
    stretched_tones,
    strip,
    thumbnail,
    tones_for,
)
from sklearn_dae.evaluation.report._templates import duration, humane_bytes, render

#: Sides, in pixels, beyond which only the middle of an image is shown, or a small copy.
_MOST_SHOWN = 192

#: Most pixels on the screen that an image is enlarged to.
_ENLARGED = 64

#: Decibels above the autoencoder's best beyond which the plot leaves points out.
_FAR_ABOVE = 8.0

#: Width of the page in pixels on the screen, and of a detail of an image.
_PAGE_WIDTH, _DETAIL_WIDTH = 900, 192

#: Most images of the set that the page begins with.
_MOST_IN_OVERVIEW = 9

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
    ...     parameters={"hidden_layer_sizes": (20,), "max_iter": 5},
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
    found = evaluation.with_loss
    return render(
        "report.html",
        **_words(evaluation),
        **_bounded(evaluation),
        with_loss=found is not None,
        **(_with_loss(evaluation, found) if found else {}),
        time_rows=_time_rows(evaluation),
        all_rows=_all_rows(evaluation),
        command=command,
        n_jobs=n_jobs,
        cores=joblib.cpu_count(),
        seconds=evaluation.seconds,
    )


def _words(evaluation: Evaluation) -> dict[str, Any]:
    settings = {**evaluation.settings, **evaluation.versions}
    return {
        "title": f"Which codec for these images? {Path(evaluation.source).name}",
        "verdict": evaluation.verdict,
        "bounded_verdict": evaluation.bounded_verdict,
        "facts": list(_facts(evaluation)),
        "settings": settings.items(),
    }


def _facts(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    """Yield what there is to know of the images before they are coded."""
    kinds, found = evaluation.kinds, evaluation.with_loss
    yield "images", f"{evaluation.n_images:,}"
    if found:
        yield "of these held out", f"{len(found.split.test):,}"
    sizes = {(spec.width, spec.height) for spec in kinds}
    most = f" {_TIMES} ".join(map(str, max(sizes, key=math.prod)))
    yield "pixels", most if len(sizes) == 1 else f"{len(sizes)} sizes, up to {most}"
    forms = dict.fromkeys(str(spec).split(", ", 1)[1] for spec in kinds)
    yield "kind", "; ".join(forms)
    low, high = range_of(evaluation.images)
    yield "values", f"{low:,g} to {high:,g}".replace("-", _MINUS)
    yield "raw", humane_bytes(sum(image.nbytes for image in evaluation.images))
    if found and found.similarity.mean_correlation is not None:
        yield "mean correlation", f"{found.similarity.mean_correlation:.2f}"


def _with_loss(evaluation: Evaluation, found: WithLoss) -> dict[str, Any]:
    """All that the sections of codecs with loss say."""
    return {
        **_quality_table(evaluation.standings, found.curves),
        **_pictures(found),
        **_parts(found),
        "n_test": f"{len(found.split.test):,}",
        "similarity": str(found.similarity),
        "plot_broad": _plot(found.curves, 8.6, 5.2),
        "plot_narrow": _plot(found.curves, 4.4, 5.2),
        "n_branches": len(found.curves[0].branches),
        "bd_rows": _bd_rows(evaluation.differences),
        "percentile_rows": _percentile_rows(found.matched),
        "without_ssim": WITHOUT_SSIM,
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


def _pictures(found: WithLoss) -> dict[str, Any]:
    """Strips of images, including the worst ones."""
    split = found.split
    tones = linear_tones(*split.pixel_range)

    def drawn(*lines: np.ndarray) -> str:
        return strip(
            [
                [middle(tones(row.reshape(split.shape)), _MOST_SHOWN) for row in rows]
                for rows in lines
            ]
        )

    strips, worst = [], []
    for outcome in found.matched:
        if outcome.shown is None or outcome.worst is None:
            continue
        point = outcome.measurement
        numbers = f"{_number(point.bytes_per_image)} bytes, {point.psnr:.1f} dB"
        image = drawn(outcome.shown)
        strips.append({"codec": point.codec, "numbers": numbers, "image": image})
        originals = split.test[list(outcome.worst_rows)]
        worst.append(
            {
                "codec": point.codec,
                "numbers": f"down to {point.worst_psnr:.1f} dB",
                "image": drawn(originals, outcome.worst),
            }
        )
    measured = [
        outcome.measurement
        for outcome in found.matched
        if outcome.measurement.error is None
    ]
    width = min(split.shape[1], _MOST_SHOWN)
    return {
        "originals": drawn(split.test[found.shown]),
        "strips": strips,
        "worst": worst,
        "strip_width": len(found.shown) * max(_ENLARGED, width),
        "worst_width": N_WORST * max(_ENLARGED, width),
        "matched_rate": measured[0].bytes_per_image if measured else math.nan,
        "has_ssim": any(point.ssim is not None for point in measured),
        "fits_ssim": fits_ssim(split.shape),
    }


def _parts(found: WithLoss) -> dict[str, Any]:
    """The parts of an archive."""
    total = sum(found.file_bytes.values())
    colored = (
        zip(found.file_bytes.items(), _PART_COLORS, strict=True)
        if found.file_bytes
        else ()
    )
    parts = [
        {
            "name": name,
            "n_bytes": n_bytes,
            "percent": round(100 * n_bytes / total, 3),
            "color": color,
            "each": f"{_number(n_bytes / len(found.split.test))} an image",
        }
        for (name, n_bytes), color in colored
    ]
    return {"parts": parts, "archive_total": humane_bytes(total)}


def _bounded(evaluation: Evaluation) -> dict[str, Any]:
    """Sizes and pictures of codecs with a bound on errors."""
    images, kinds = evaluation.images, evaluation.kinds
    points = [outcome.measurement for outcome in evaluation.bounded]
    failures = dict.fromkeys(
        f"{point.codec} ({point.error})" for point in points if point.error
    )
    low, high = range_of(images)
    # In these units errors are measured.
    span = 255.0 if images[0].dtype.itemsize == 1 else high - low
    thumbnails = _overview(images)
    return {
        "n_measured": f"{len(images):,}",
        "n_left_out": evaluation.n_left_out,
        "overview": strip([thumbnails]),
        "overview_width": sum(image.shape[1] for image in thumbnails),
        "lossless_rows": _size_rows(evaluation.lossless, span),
        "near_rows": _size_rows(evaluation.near_lossless, span),
        "details": list(_details(evaluation)),
        "raw": humane_bytes(sum(image.nbytes for image in images)),
        "formats_left_out": formats_left_out(kinds),
        "one_picture": are_small(kinds),
        "failures": "; ".join(failures),
        "bounds": BOUNDS,
    }


def _overview(images: Images) -> list[np.ndarray]:
    """Return small copies of as many images as fit side by side, from all over them."""
    height, width = images[0].shape[:2]
    n_images = round(_PAGE_WIDTH / (width * min(1, _MOST_SHOWN / height)))
    n_images = min(max(1, n_images), _MOST_IN_OVERVIEW, len(images))
    places = (np.arange(n_images) + 0.5) * len(images) / n_images
    chosen = [images[int(place)] for place in places]
    tones = tones_for(chosen)
    return [thumbnail(tones(image), _MOST_SHOWN) for image in chosen]


def _size_rows(points: Sequence[Measurement], span: float) -> list[dict[str, Any]]:
    """Sizes of codecs beside ours: each bound, the smallest first."""
    measured = [point for point in points if point.error is None]
    measured.sort(key=lambda point: (bound_of(point), point.total_bytes))
    most = max((point.total_bytes for point in measured), default=1)
    rows = []
    for _, group in groupby(measured, key=bound_of):
        of_bound = list(group)
        ours = next((point for point in of_bound if point.codec == OURS), None)
        for rank, point in enumerate(of_bound):
            n_samples = point.n_images * point.n_pixels
            ratio = _NONE
            if ours and point is not ours:
                ratio = f"{ours.total_bytes / point.total_bytes:.1%}"
            rows.append(
                {
                    "bound": bound_of(point),
                    "codec": point.codec,
                    "mine": point is ours,
                    "least": rank == 0,
                    "length": round(100 * point.total_bytes / most, 2),
                    "total": f"{point.total_bytes:,}",
                    "n_bytes": f"{point.n_bytes:,}",
                    "bits": f"{8 * point.total_bytes / n_samples:.3f}",
                    "ratio": ratio,
                    "psnr": f"{point.psnr:.2f} dB",
                    "largest_error": f"{point.largest_error * span:.0f}",
                }
            )
    return rows


def _details(evaluation: Evaluation) -> Iterator[dict[str, str]]:
    """Yield a detail as it was and as each codec restores it; below, by how much."""
    original = detail(evaluation.images)
    tones, errors = stretched_tones([original]), linear_tones(-BOUNDS[-1], BOUNDS[-1])
    shown: dict[str, list[np.ndarray]] = {}
    for outcome in evaluation.bounded:
        if bound_of(outcome.measurement) and outcome.shown is not None:
            line = shown.setdefault(outcome.measurement.codec, [original])
            line.append(outcome.shown)
    for codec, line in shown.items():
        off = [image.astype(float) - original for image in line]
        yield {
            "codec": codec,
            "image": strip([list(map(tones, line)), list(map(errors, off))]),
            "width": str(_DETAIL_WIDTH * len(line)),
        }


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
                "mine": curve.codec == AUTOENCODER or curve.codec.startswith(OURS),
            }
        )
    return rows


def _all_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    points = [point for curve in evaluation.curves for point in curve.points]
    rows = []
    for point in [*points, *evaluation.lossless, *evaluation.near_lossless]:
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


def _plot(curves: Sequence[RateDistortionCurve], width: float, height: float) -> str:
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
        RateDistortionDisplay(_of_interest(curves)).plot(figure.subplots())
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
