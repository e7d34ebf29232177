"""Text beside curves, where there is room for it.

In: curves in an Axes, and for each text the places where it may stand. Out: the text in
the first place where it covers no curve and no other text, or nowhere.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

#: Points between two corners of a curve that a text must not cover.
_STEPS = np.linspace(0, 1, 40)[:, None]


class Place(NamedTuple):
    """Where a text may stand.

    ``x`` and ``y`` are coordinates of the data, ``dx`` and ``dy`` an offset from there
    in points; ``ha`` and ``va`` say which side of the text lies there.
    """

    x: float
    y: float
    dx: float
    dy: float
    ha: str
    va: str


def after(x: float, y: float, distance: float = 7) -> list[Place]:
    """Return places at the end of a curve that rises to the right, the best first."""
    near = distance / 2
    return [
        Place(x, y, distance, 0, "left", "center"),
        Place(x, y, 0, distance, "center", "bottom"),
        Place(x, y, near, near, "left", "bottom"),
        Place(x, y, -near, near, "right", "bottom"),
        Place(x, y, near, -near, "left", "top"),
    ]


def before(x: float, y: float, distance: float = 7) -> list[Place]:
    """Return places at the start of such a curve, the best first."""
    near = distance / 2
    return [
        Place(x, y, -distance, 0, "right", "center"),
        Place(x, y, 0, -distance, "center", "top"),
        Place(x, y, -near, -near, "right", "top"),
        Place(x, y, near, -near, "left", "top"),
        Place(x, y, -near, near, "right", "bottom"),
    ]


class LabelPlacer:
    """Puts texts in an Axes whose limits are settled.

    Parameters
    ----------
    ax : matplotlib Axes
        The Axes with the curves. Texts that are moved later are not heeded.
    """

    def __init__(self, ax: Any) -> None:
        # The layout of the figure decides how large the Axes are on paper.
        ax.figure.draw_without_rendering()
        self._ax = ax
        self._boxes: list[Any] = []
        self._points = np.empty((0, 2))

    def avoid_box(self, box: Any) -> None:
        """Keep texts out of a part of the figure, in pixels."""
        self._boxes.append(box)

    def avoid(self, line: Any) -> None:
        """Keep texts off a curve."""
        corners = line.get_transform().transform(line.get_xydata())
        legs = [start + _STEPS * (end - start) for start, end in pairwise(corners)]
        self._points = np.concatenate([self._points, corners, *legs])

    def place(self, text: str, places: Iterable[Place], **style: Any) -> Any:
        """Write a text in the first free place.

        Returns
        -------
        matplotlib Annotation or None
            None if all places are taken.
        """
        for x, y, dx, dy, ha, va in places:
            label = self._ax.annotate(
                text,
                (x, y),
                (dx, dy),
                textcoords="offset points",
                ha=ha,
                va=va,
                **style,
            )
            # A layout that made room for labels would move what they stand beside.
            label.set_in_layout(False)
            box = label.get_window_extent()
            if self._is_free(box):
                self._boxes.append(box)
                return label
            label.remove()
        return None

    def _is_free(self, box: Any) -> bool:
        frame = self._ax.get_window_extent()
        within = frame.x0 <= box.x0 and box.x1 <= frame.x1
        within = within and frame.y0 <= box.y0 and box.y1 <= frame.y1
        x, y = self._points.T
        covered = (box.x0 < x) & (x < box.x1) & (box.y0 < y) & (y < box.y1)
        return (
            within
            and not covered.any()
            and not any(box.overlaps(other) for other in self._boxes)
        )
