"""Display of what the units of a first layer look for.

In: a fitted network, RBM or PCA. Out: one Axes full of its weights as images.
"""

import math
from typing import Any, Self

import numpy as np

from sklearn_dae._validation import check_choice, check_integer
from sklearn_dae.evaluation._drawing import (
    check_rows,
    draw_images,
    fit_figure,
    import_matplotlib,
)
from sklearn_dae.evaluation._inside import find_with
from sklearn_dae.evaluation._shape import shape_of_rows


class FilterDisplay:
    """What the units of a first layer look for in an image, drawn as images.

    Each filter is a row of weights, one for each pixel, divided by its largest
    magnitude: grey is a weight of zero, white a positive weight of that magnitude,
    black a negative one.

    Create it with `from_estimator`, or from weights at hand.

    Parameters
    ----------
    filters : array-like of shape (n_filters, n_pixels)
        Weights.

    image_shape : tuple of (height, width), default=None
        Size of an image in pixels. None treats images as squares if the number of
        pixels is a square, otherwise as single lines.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The Axes drawn in, once `plot` has been called.

    figure_ : matplotlib Figure
        Its figure.

    images_ : ndarray of shape (n_lines, n_columns)
        The ``AxesImage`` of each filter; None where the last line has no more.

    Raises
    ------
    ValueError
        If there is no filter, or ``image_shape`` has a different number of pixels.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_dae import BernoulliRBM
    >>> from sklearn_dae.evaluation import FilterDisplay
    >>> rbm = BernoulliRBM(32, n_iter=5, random_state=0).fit(load_digits().data / 16)
    >>> display = FilterDisplay.from_estimator(rbm, n_filters=20)
    >>> display.filters.shape, display.images_.shape
    ((20, 64), (2, 10))
    """

    def __init__(
        self, filters: Any, *, image_shape: tuple[int, int] | None = None
    ) -> None:
        self.filters = check_rows("filters", filters)
        self.image_shape = shape_of_rows(image_shape, self.filters.shape[1])

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        n_filters: int = 40,
        order: str | None = "norm",
        image_shape: tuple[int, int] | None = None,
        cmap: Any = "gray",
        ax: Any = None,
    ) -> Self:
        """Draw the first layer of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted `DeepAutoencoderCompressor` or another network with ``coefs_``, an
            RBM, ``PCA`` or anything else with ``components_``; or a Pipeline or a codec
            with one of these in it.

        n_filters : int, default=40
            Largest number of filters shown.

        order : {"norm", None}, default="norm"
            Whether the filters with the largest weights come first, those of equal
            norm, such as PCA's, in their own order; None keeps that order for all.

        image_shape : tuple of (height, width), default=None
            Size of an image in pixels. None treats images as squares if the number of
            pixels is a square, otherwise as single lines.

        cmap : str or matplotlib Colormap, default="gray"
            Colours from the most negative to the most positive weight, such as
            "RdBu_r".

        ax : matplotlib Axes, default=None
            The Axes to draw in. None makes a figure.

        Returns
        -------
        display : FilterDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If the estimator has no weights.

        sklearn.exceptions.NotFittedError
            If it is not fitted.
        """
        check_integer("n_filters", n_filters, 1)
        check_choice("order", order, ("norm", None))
        network = find_with(estimator, "coefs_", "components_")
        filters = (
            network.coefs_[0].T if hasattr(network, "coefs_") else network.components_
        )
        if order == "norm":
            norms = np.linalg.norm(filters, axis=1)
            # Norms that differ only by rounding are equal.
            steps = np.round(norms / (norms.max() or 1.0), 5)
            filters = filters[np.argsort(-steps, kind="stable")]
        display = cls(filters[:n_filters], image_shape=image_shape)
        return display.plot(ax, cmap=cmap)

    def plot(
        self,
        ax: Any = None,
        *,
        n_columns: int = 10,
        cmap: Any = "gray",
        title: str | None = None,
    ) -> Self:
        """Draw the filters.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The Axes to draw in. None makes a figure of a size to fit the filters.

        n_columns : int, default=10
            Filters per line.

        cmap : str or matplotlib Colormap, default="gray"
            Colours from the most negative to the most positive weight.

        title : str, default=None
            A heading.

        Returns
        -------
        self : FilterDisplay
            With `ax_`, `figure_` and `images_`.
        """
        check_integer("n_columns", n_columns, 1)
        own = ax is None
        if own:
            _, ax = import_matplotlib().subplots(layout="constrained")
        largest = np.abs(self.filters).max(axis=1, keepdims=True)
        scaled = self.filters / np.where(largest > 0, largest, 1)
        n_lines = math.ceil(len(scaled) / n_columns)
        self.ax_, self.figure_ = ax, ax.figure
        self.images_ = draw_images(
            ax,
            [scaled[row * n_columns :][:n_columns] for row in range(n_lines)],
            self.image_shape,
            cmap=cmap,
            vmin=-1,
            vmax=1,
        )
        if own:
            fit_figure(ax, title)
        elif title:
            ax.set_title(title, loc="left", fontsize="medium")
        return self
