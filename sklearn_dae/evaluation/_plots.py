"""Pictures of reconstructions."""

from typing import Any

import numpy as np


def plot_reconstructions(
    images: np.ndarray,
    reconstructions: dict[str, np.ndarray],
    shape: tuple[int, int],
    *,
    pixel_range: tuple[float, float] | None = None,
    title: str | None = None,
) -> Any:
    """Draw images in a row, and below each its reconstructions.

    Parameters
    ----------
    images : ndarray of shape (n_images, height * width)
        Originals; ten to twelve make a readable picture.

    reconstructions : dict of str to ndarray
        For each line of the picture its label and the reconstructed images.

    shape : tuple of (height, width)
        Size of an image in pixels.

    pixel_range : tuple of (low, high), default=None
        Values drawn as black and as white; those of the originals by default.

    title : str, default=None
        A heading.

    Returns
    -------
    matplotlib.figure.Figure
        The picture; save it with its ``savefig``.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "Pictures need matplotlib: pip install 'sklearn-dae[full]'."
        ) from error
    low, high = pixel_range or (images.min(), images.max())
    lines = {"original": images, **reconstructions}
    cell, margin = 0.85, 1.75
    height, width = shape
    line_height = cell * height / width
    figure = Figure(
        figsize=(
            margin + cell * len(images),
            line_height * len(lines) + (0.5 if title else 0.1),
        ),
        dpi=150,
        facecolor="white",
    )
    grid = figure.subplots(
        len(lines),
        len(images),
        squeeze=False,
        gridspec_kw={
            "left": margin / figure.get_figwidth(),
            "right": 0.995,
            "bottom": 0.01,
            "top": 1 - (0.42 if title else 0.05) / figure.get_figheight(),
            "wspace": 0.06,
            "hspace": 0.06,
        },
    )
    for axes, (label, line) in zip(grid, lines.items(), strict=True):
        for ax, pixels in zip(axes, line, strict=True):
            ax.imshow(
                pixels.reshape(shape),
                cmap="gray",
                vmin=low,
                vmax=high,
                interpolation="nearest",
            )
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        axes[0].set_ylabel(
            label, rotation=0, ha="right", va="center", labelpad=8, fontsize=9
        )
    if title:
        figure.suptitle(
            title, x=0.01, y=1 - 0.08 / figure.get_figheight(), ha="left", fontsize=11
        )
    return figure
