"""What pictures have in common: Matplotlib, colours, images side by side.

In: arrays. Out: artists in an Axes. Nothing is computed from estimators here.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

#: Colours that the colour-blind can tell apart (Okabe and Ito), except yellow, which is
#: lost on white paper; with markers and dashes that can be told apart without colour.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)), (0, (9, 2)))

#: Space between images, as a fraction of the longer side of one.
_GAP = 0.06


#: Longer side of an image in a figure of our own, in inches: twelve images to a line.
_IMAGE_WIDTH = 0.6


def import_matplotlib() -> Any:
    """Return ``matplotlib.pyplot``, or say what to install."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Pictures need matplotlib: pip install 'sklearn-dae[full]'."
        ) from error
    return plt


def new_figure() -> Any:
    """Make a figure that has no window and need not be closed."""
    import_matplotlib()
    from matplotlib.figure import Figure

    return Figure(dpi=150, layout="constrained")


def curve_style(index: int) -> dict[str, Any]:
    """Return colour, marker and dashes of a curve; the first 280 are all different."""
    return {
        "color": _COLOURS[index % len(_COLOURS)],
        "marker": _MARKERS[index % len(_MARKERS)],
        "linestyle": _DASHES[index % len(_DASHES)],
    }


def plain_numbers(axis: Any, values: np.ndarray) -> None:
    """Write out the ticks of a logarithmic axis: 20, 50, 100; not powers of ten."""
    from matplotlib.ticker import (
        LogLocator,
        MaxNLocator,
        NullFormatter,
        StrMethodFormatter,
    )

    decades = np.ptp(np.log10(values))
    if decades > 0.5:
        subs = (1, 2, 5) if decades > 1 else (1, 1.5, 2, 3, 5, 7)
        axis.set_major_locator(LogLocator(subs=subs))
    else:
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axis.set_minor_formatter(NullFormatter())


def check_rows(name: str, rows: Any) -> np.ndarray:
    """Return rows of pixels as an array, or say what is wrong with them."""
    rows = np.asarray(rows)
    if rows.ndim != 2 or 0 in rows.shape:
        raise ValueError(
            f"{name} has the shape {rows.shape}, expected (n_images, n_pixels), and at "
            "least one of each."
        )
    return rows


def draw_images(
    ax: Any, lines: Sequence[np.ndarray], shape: tuple[int, int], **style: Any
) -> np.ndarray:
    """Draw lines of images in one Axes, and nothing else.

    Parameters
    ----------
    ax : matplotlib Axes
        The Axes to draw in. Its coordinates become pixels of the images.

    lines : sequence of ndarray of shape (n_images, height * width)
        Pixels of the images; the last line may be shorter than the others.

    shape : tuple of (height, width)
        Size of an image.

    **style
        Passed to ``imshow``.

    Returns
    -------
    ndarray of shape (n_lines, most images of a line)
        The ``AxesImage`` of each image, or None.
    """
    height, width = shape
    gap = _GAP * max(shape)
    n_columns = max(len(line) for line in lines)
    artists = np.full((len(lines), n_columns), None, object)
    for row, line in enumerate(lines):
        for column, pixels in enumerate(line):
            left, top = column * (width + gap), row * (height + gap)
            artists[row, column] = ax.imshow(
                np.reshape(pixels, shape),
                extent=(left, left + width, top + height, top),
                interpolation="nearest",
                **style,
            )
    ax.set(
        xlim=(0, n_columns * (width + gap) - gap),
        ylim=(len(lines) * (height + gap) - gap, 0),
        xticks=[],
        yticks=[row * (height + gap) + height / 2 for row in range(len(lines))],
        yticklabels=[""] * len(lines),
    )
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return artists


def fit_figure(ax: Any, title: str | None) -> None:
    """Make the figure around one Axes of images just large enough for them.

    Parameters
    ----------
    ax : matplotlib Axes
        The Axes that `draw_images` drew in.

    title : str or None
        A heading above the images.
    """
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    sides = ax.images[0].get_array().shape
    inch = _IMAGE_WIDTH / max(sides[:2])
    labels = [label.get_window_extent().width for label in ax.get_yticklabels()]
    margin = 0.1  # constrained layout keeps a twenty-fourth of an inch on each side
    if max(labels):
        margin += max(labels) / ax.figure.dpi + 0.06
    width, height = (right - left) * inch, (bottom - top) * inch + 0.1
    if title:
        heading = ax.set_title(title, loc="left", fontsize="medium")
        ax.set_anchor("W")
        width = max(width, heading.get_window_extent().width / ax.figure.dpi)
        height += 0.3
    ax.figure.set_size_inches(width + margin, height)
    # Constrained layout does not foresee that images keep their proportions: it knows
    # where they are only after drawing them once.
    for _ in range(2):
        ax.figure.draw_without_rendering()
