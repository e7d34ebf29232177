"""Display of reconstructions, below the originals.

In: fitted transformers or codecs, and images. Out: one Axes full of images.
"""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_dae._validation import check_integer
from sklearn_dae.evaluation._drawing import (
    check_rows,
    draw_images,
    fit_figure,
    import_matplotlib,
)
from sklearn_dae.evaluation._shape import shape_of_rows


class ReconstructionDisplay:
    """Images in a row, and below each its reconstructions.

    Create it with `from_estimator`, or from images at hand.

    Parameters
    ----------
    images : array-like of shape (n_images, n_pixels)
        The originals.

    reconstructions : mapping of str to array-like of shape (n_images, n_pixels)
        For each line below, its label and the restored images.

    image_shape : tuple of (height, width), default=None
        Size of an image in pixels. None treats images as squares if the number of
        pixels is a square, otherwise as single lines.

    pixel_range : tuple of (low, high), default=None
        Values drawn as black and as white; by default those of the originals.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The Axes drawn in, once `plot` has been called.

    figure_ : matplotlib Figure
        Its figure.

    images_ : ndarray of shape (n_lines, n_images)
        The ``AxesImage`` of each image, those of the originals first.

    Raises
    ------
    ValueError
        If there is no image, a line has a different number of images or pixels from
        the originals, or ``image_shape`` has a different number of pixels.

    See Also
    --------
    RateDistortionDisplay : Quality against bytes.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_dae.evaluation import ReconstructionDisplay
    >>> X = load_digits().data
    >>> display = ReconstructionDisplay.from_estimator(PCA(8).fit(X), X, n_images=10)
    >>> display.images_.shape
    (2, 10)
    >>> display.figure_.savefig("digits.png")  # doctest: +SKIP
    """

    def __init__(
        self,
        images: Any,
        reconstructions: Mapping[str, Any],
        *,
        image_shape: tuple[int, int] | None = None,
        pixel_range: tuple[float, float] | None = None,
    ) -> None:
        images = check_rows("images", images)
        lines = {
            name: check_rows(f"reconstructions[{name!r}]", line)
            for name, line in reconstructions.items()
        }
        for name, line in lines.items():
            if line.shape != images.shape:
                raise ValueError(
                    f"reconstructions[{name!r}] has the shape {line.shape}, the "
                    f"originals have {images.shape}; they must be equal."
                )
        self.images = images
        self.reconstructions = lines
        self.image_shape = shape_of_rows(image_shape, images.shape[1])
        self.pixel_range = pixel_range or (float(images.min()), float(images.max()))

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        n_images: int = 12,
        image_shape: tuple[int, int] | None = None,
        pixel_range: tuple[float, float] | None = None,
        ax: Any = None,
    ) -> Self:
        """Restore images with fitted estimators, and draw them.

        Parameters
        ----------
        estimator : estimator or mapping of str to estimator
            A fitted transformer with ``inverse_transform``, such as
            `DeepAutoencoderCompressor`, ``PCA`` or a Pipeline, or a fitted codec, which
            gives the images that come back from real bytes. If there are several, by
            name, each gets a line of its own.

        X : array-like of shape (n_samples, n_pixels)
            Images, preferably not the training images.

        n_images : int, default=12
            How many images are shown, from the first on.

        image_shape : tuple of (height, width), default=None
            Size of an image in pixels. None treats images as squares if the number of
            pixels is a square, otherwise as single lines.

        pixel_range : tuple of (low, high), default=None
            Values drawn as black and as white, to which reconstructions are clipped;
            by default those of the images shown.

        ax : matplotlib Axes, default=None
            The Axes to draw in. None makes a figure.

        Returns
        -------
        display : ReconstructionDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If an estimator restores nothing.

        sklearn.exceptions.NotFittedError
            If an estimator is not fitted.
        """
        check_integer("n_images", n_images, 1)
        shown = X[:n_images]
        if not isinstance(estimator, Mapping):
            estimator = {type(estimator).__name__: estimator}
        restored = {name: _restore(each, shown) for name, each in estimator.items()}
        display = cls(shown, restored, image_shape=image_shape, pixel_range=pixel_range)
        low, high = display.pixel_range
        display.reconstructions = {
            name: np.clip(line, low, high)
            for name, line in display.reconstructions.items()
        }
        return display.plot(ax)

    def plot(self, ax: Any = None, *, title: str | None = None) -> Self:
        """Draw the images.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            The Axes to draw in. None makes a figure of a size to fit the images.

        title : str, default=None
            A heading.

        Returns
        -------
        self : ReconstructionDisplay
            With `ax_`, `figure_` and `images_`.
        """
        own = ax is None
        if own:
            _, ax = import_matplotlib().subplots(layout="constrained")
        low, high = self.pixel_range
        self.ax_, self.figure_ = ax, ax.figure
        self.images_ = draw_images(
            ax,
            [self.images, *self.reconstructions.values()],
            self.image_shape,
            cmap="gray",
            vmin=low,
            vmax=high,
        )
        ax.set_yticklabels(["original", *self.reconstructions])
        if own:
            fit_figure(ax, title)
        elif title:
            ax.set_title(title, loc="left", fontsize="medium")
        return self


def _restore(estimator: Any, X: Any) -> np.ndarray:
    """Return images as they come back from codes, or from bytes."""
    check_is_fitted(estimator)
    if hasattr(estimator, "encode") and hasattr(estimator, "decode"):
        return estimator.decode(estimator.encode(X))
    if hasattr(estimator, "transform") and hasattr(estimator, "inverse_transform"):
        return estimator.inverse_transform(estimator.transform(X))
    raise TypeError(
        f"{type(estimator).__name__} restores no images: it has neither encode and "
        "decode nor transform and inverse_transform."
    )
