"""Display of codecs: the quality of images against the bytes that they take.

In: rate-distortion curves, or codecs to measure. Out: one Axes with a curve for each
lossy codec, and a vertical line for each lossless one.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np

from sklearn_dae.evaluation._curves import rate_distortion_curve
from sklearn_dae.evaluation._drawing import (
    curve_style,
    import_matplotlib,
    plain_numbers,
)
from sklearn_dae.evaluation._measurement import RateDistortionCurve

#: How far the axis of bytes extends beyond the points, as a part of their range.
_MARGIN = 0.05

#: Width of a figure, in inches, from which on there is room for a legend beside curves.
_WIDE = 6

#: Where a legend stands outside the Axes.
_BESIDE = {"loc": "upper left", "bbox_to_anchor": (1.01, 1)}
_BELOW = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.14), "ncols": 2}


class RateDistortionDisplay:
    """Quality of restored images against the bytes that they take.

    A lossy codec is a curve: higher and further to the left is better. A codec that
    restores exactly is a vertical line. The legend names them.

    Create it with `from_codecs`, or from curves at hand.

    Parameters
    ----------
    curves : sequence of RateDistortionCurve
        What was measured. Points that could not be measured are left out; a codec with
        no other points is named in the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The Axes drawn in, once `plot` has been called.

    figure_ : matplotlib Figure
        Its figure.

    lines_ : dict of str to matplotlib Line2D
        The curve of each codec that has one, by name.

    lossless_lines_ : dict of str to matplotlib Line2D
        The vertical line of each codec that restores exactly.

    legend_ : matplotlib Legend
        What each curve and line is, and what could not be measured: beside the Axes, or
        below them in a narrow figure. In a figure without a layout, which would make
        room for it, it stands within them.

    Raises
    ------
    ValueError
        If nothing could be measured, or two curves have the same name.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_dae.codecs import HuffmanCodec, TransformCodec
    >>> from sklearn_dae.evaluation import RateDistortionDisplay
    >>> X = load_digits().data
    >>> display = RateDistortionDisplay.from_codecs(
    ...     {
    ...         "PCA": (TransformCodec(PCA(16)), "target_psnr", [14, 16, 18]),
    ...         "Huffman": HuffmanCodec(),
    ...     },
    ...     X[1500:],
    ...     X_train=X[:1500],
    ... )
    >>> list(display.lines_), list(display.lossless_lines_)
    (['PCA'], ['Huffman'])
    >>> len(display.lines_["PCA"].get_xdata())
    3
    """

    def __init__(self, curves: Iterable[RateDistortionCurve]) -> None:
        self.curves = tuple(curves)
        names = [curve.codec for curve in self.curves]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(
                f"Several curves are called {', '.join(repeated)}; give each a name of "
                "its own."
            )
        if not any(len(curve) for curve in self.curves):
            reasons = "; ".join(
                f"{curve.codec}: {curve.points[0].error}"
                for curve in self.curves
                if curve.points
            )
            raise ValueError(
                "There is no measurement to draw"
                + (f". {reasons}" if reasons else ", and none that failed either.")
            )

    @classmethod
    def from_codecs(
        cls,
        codecs: Mapping[str, Any],
        X: Any,
        *,
        X_train: Any = None,
        image_shape: tuple[int, int] | None = None,
        pixel_range: tuple[float, float] | None = None,
        n_jobs: int | None = None,
        ax: Any = None,
    ) -> Self:
        """Measure codecs at several settings each, and draw the results.

        Parameters
        ----------
        codecs : mapping of str to tuple of (codec, str, sequence) or codec
            For each name, a codec, its parameter and the values to give it; or a codec
            alone, which is measured as it is.

        X : array-like of shape (n_samples, n_pixels)
            Images to code, preferably not the training images.

        X_train : array-like of shape (n_samples, n_pixels), default=None
            Images to fit on; X by default.

        image_shape : tuple of (height, width), default=None
            Size of an image, as in `measure`.

        pixel_range : tuple of (low, high), default=None
            Smallest and largest value a pixel can have; by default those of the
            training images.

        n_jobs : int, default=None
            How many settings are measured at once.

        ax : matplotlib Axes, default=None
            The Axes to draw in. None makes a figure.

        Returns
        -------
        display : RateDistortionDisplay
            The display, drawn.
        """
        X_train = X if X_train is None else X_train
        curves = []
        for name, entry in codecs.items():
            codec, parameter, values = (
                entry if isinstance(entry, tuple) else _as_is(entry)
            )
            curves.append(
                rate_distortion_curve(
                    codec,
                    X,
                    param_name=parameter,
                    param_range=values,
                    X_train=X_train,
                    image_shape=image_shape,
                    pixel_range=pixel_range,
                    name=name,
                    n_jobs=n_jobs,
                )
            )
        return cls(curves).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The Axes to draw in. None makes a figure.

        Returns
        -------
        self : RateDistortionDisplay
            With its attributes set.
        """
        if ax is None:
            _, ax = import_matplotlib().subplots(figsize=(7.5, 5), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        self.lines_: dict[str, Any] = {}
        self.lossless_lines_: dict[str, Any] = {}
        for index, curve in enumerate(self.curves):
            self._draw_curve(curve, curve_style(index))
        self._scale_axes()
        self.legend_ = self._add_legend()
        return self

    def _draw_curve(self, curve: RateDistortionCurve, style: dict[str, Any]) -> None:
        """Draw lossy points as a curve, and the best lossless one as a line."""
        segments = [
            [
                (point.bytes_per_image, point.psnr)
                for point in branch
                if not point.is_lossless
            ]
            for branch in curve.branches
        ]
        # NaN interrupts the line.
        corners = [
            corner
            for segment in filter(None, segments)
            for corner in [*segment, (np.nan, np.nan)]
        ][:-1]
        exact = [point for point in curve if point.is_lossless]
        if corners:
            (self.lines_[curve.codec],) = self.ax_.plot(
                *zip(*corners, strict=True),
                label=curve.codec,
                markersize=5,
                linewidth=1.6,
                **style,
            )
        if exact:
            rate = exact[0].bytes_per_image
            self.lossless_lines_[curve.codec] = self.ax_.axvline(
                rate,
                label=f"{curve.codec}: lossless, {rate:.3g} bytes",
                color=style["color"],
                linestyle=style["linestyle"],
                linewidth=1,
                zorder=1,
            )

    def _scale_axes(self) -> None:
        """Settle limits and ticks."""
        ax = self.ax_
        lines = [*self.lines_.values(), *self.lossless_lines_.values()]
        rates = np.concatenate([line.get_xdata() for line in lines])
        rates = rates[np.isfinite(rates)]
        logs = np.log10([rates.min(), rates.max()])
        room = _MARGIN * max(np.ptp(logs), 0.3)
        ax.set_xscale("log")
        ax.set_xlim(10 ** (logs[0] - room), 10 ** (logs[1] + room))
        plain_numbers(ax.xaxis, rates)
        ax.set(xlabel="bytes an image, without the model", ylabel="PSNR (dB)")
        if not self.lines_:
            ax.set(yticks=[], ylabel="restored exactly")
        ax.margins(y=0.08)
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)

    def _add_legend(self) -> Any:
        """Name every curve, and what could not be measured."""
        ax = self.ax_
        failed = [
            ax.plot([], [], " ", label=f"{curve.codec}: failed")[0]
            for curve in self.curves
            if not len(curve)
        ]
        handles = [*self.lines_.values(), *self.lossless_lines_.values(), *failed]
        style: dict[str, Any] = {"handles": handles, "fontsize": 9, "handlelength": 3}
        if self.figure_.get_layout_engine() is not None:
            wide = self.figure_.get_figwidth() >= _WIDE
            style |= {"frameon": False, **(_BESIDE if wide else _BELOW)}
        return ax.legend(**style)


def _as_is(codec: Any) -> tuple[Any, str, list[Any]]:
    """Return a range of one value that changes nothing, of a parameter all have."""
    return codec, "chunk_size", [codec.chunk_size]
