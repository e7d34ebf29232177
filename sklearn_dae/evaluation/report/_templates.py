"""Records turned into sentences and pages, by the files in `templates/`.

In: the name of a template, and records. Out: text.
"""

import importlib
import math
from collections.abc import Iterable, Sequence
from typing import Any

from sklearn_dae.evaluation._bjontegaard import import_bjontegaard
from sklearn_dae.evaluation._measurement import Measurement
from sklearn_dae.evaluation.report._findings import (
    Standing,
    judge,
    judge_bounded,
)


def check_requirements() -> None:
    """Raise unless everything that a report needs is installed."""
    for package in ("jinja2", "matplotlib", "PIL.Image"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise ImportError(
                f"A report needs {error.name}: pip install 'sklearn-dae[full]'."
            ) from error
    import_bjontegaard()


def verdict(found: Sequence[Standing], n_images: int) -> str:
    """Say in a sentence or two whether the autoencoder is worth having.

    Parameters
    ----------
    found : sequence of Standing
        What `standings` returned.

    n_images : int
        Number of images in the set, which must pay for the model.

    Returns
    -------
    str
        The verdict.
    """
    return _in_one_line(render("verdict.txt", verdict=judge(found, n_images)))


def bounded_verdict(measurements: Iterable[Measurement]) -> str:
    """Say what our codec takes beside others, without loss and at bounds on errors."""
    found = judge_bounded(measurements)
    exact = next((each for each in found if not each.bound), None)
    near = [each for each in found if each.bound and each.ours.error is None]
    text = render("bounded_verdict.txt", exact=exact, near=near)
    return _in_one_line(text)


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


def render(name: str, **records: Any) -> str:
    """Fill in a template; only what goes into HTML is escaped."""
    check_requirements()
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("sklearn_dae.evaluation.report", "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
    )
    filters = (count, duration, humane_bytes, listed, percent, percent_range)
    environment.filters |= {each.__name__: each for each in filters}
    return environment.get_template(name).render(**records)


def listed(names: Iterable[Any], word: str) -> str:
    """Join names by commas, the last one by a word.

    >>> listed(["PCA", "JPEG", "AVIF"], "or")
    'PCA, JPEG or AVIF'
    """
    *first, last = map(str, names)
    return f"{', '.join(first)} {word} {last}" if first else last


def percent(ratio: float) -> str:
    """Write a ratio in per cent."""
    return f"{ratio:.0%}"


def percent_range(ratios: tuple[float, float]) -> str:
    """Write two ratios in per cent, or one if they are as good as equal."""
    low, high = map(percent, ratios)
    return low if low == high else f"{low.rstrip('%')} to {high}"


def count(number: float) -> str:
    """Write how many images pay for a model, which is no exact science: two digits."""
    return "never" if math.isinf(number) else f"{round_up(number):,}"


def round_up(number: float) -> int:
    """Round up to two digits."""
    if number <= 0:
        return 0
    unit = 10 ** max(0, math.floor(math.log10(number)) - 1)
    return math.ceil(number / unit) * unit


def duration(seconds: float) -> str:
    """Write a time as people do."""
    if seconds < 0.1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def humane_bytes(number: float) -> str:
    """Write a number of bytes as people do.

    >>> humane_bytes(11_454_542)
    '11.5 MB'
    """
    for unit in ("bytes", "kB", "MB", "GB"):
        # Three digits of 999.5 are 1000.
        if number < 999.5 or unit == "GB":
            break
        number /= 1000
    return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.3g} {unit}"
