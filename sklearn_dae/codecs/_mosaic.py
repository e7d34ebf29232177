"""Images laid out as one: rows of pixels <-> mosaics.

In: rows of a chunk, and the size of an image. Out: pictures for an image format, one
per image or one of many images side by side, and back. The layout follows from the
number and size of the images, so none of it is stored.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from sklearn_dae.images import ImageSpec

#: Largest side of a mosaic in pixels: for larger pictures the JPEG XL encoder saves
#: memory, and they take a sixth more bytes.
MOSAIC_SIDE = 2048


@dataclass(frozen=True)
class Arrangement:
    """How many images a picture holds, and where.

    Parameters
    ----------
    spec : ImageSpec
        An image.

    multiple : int
        Both sides of the place of an image are multiples of this many pixels. The
        margin that this leaves repeats the last row and column.

    many : bool
        Whether a picture holds many images or only one.
    """

    spec: ImageSpec
    multiple: int
    many: bool

    @property
    def place(self) -> tuple[int, int]:
        """Height and width of the place of an image."""
        height = -(-self.spec.height // self.multiple) * self.multiple
        width = -(-self.spec.width // self.multiple) * self.multiple
        return height, width

    @property
    def _most(self) -> tuple[int, int]:
        """Largest numbers of rows and columns of places."""
        height, width = self.place
        return max(1, MOSAIC_SIDE // height), max(1, MOSAIC_SIDE // width)

    def numbers(self, n_images: int) -> list[int]:
        """Return how many images each picture holds."""
        most = math.prod(self._most) if self.many else 1
        return [min(most, n_images - first) for first in range(0, n_images, most)]

    def grid(self, n_images: int) -> tuple[int, int]:
        """Return the rows and columns of places that make a picture nearly square."""
        height, width = self.place
        most_rows, most_columns = self._most
        least_columns = -(-n_images // most_rows)
        n_columns = round(math.sqrt(n_images * height / width))
        n_columns = min(max(n_columns, least_columns), most_columns, n_images)
        return -(-n_images // n_columns), n_columns

    def picture(self, n_images: int) -> ImageSpec:
        """Describe a picture of so many images."""
        (height, width), (n_rows, n_columns) = self.place, self.grid(n_images)
        return replace(self.spec, height=n_rows * height, width=n_columns * width)

    def draw(self, rows: np.ndarray) -> np.ndarray:
        """Lay images out in a picture; unused places are black.

        Parameters
        ----------
        rows : ndarray of shape (n_images, n_numbers)
            The images.
        """
        spec, (height, width) = self.spec, self.place
        n_rows, n_columns = self.grid(len(rows))
        images = rows.reshape(-1, spec.height, spec.width, spec.channels)
        margins = (0, height - spec.height), (0, width - spec.width)
        places = np.zeros(
            (n_rows * n_columns, height, width, spec.channels), rows.dtype
        )
        places[: len(rows)] = np.pad(images, ((0, 0), *margins, (0, 0)), mode="edge")
        grid = places.reshape(n_rows, n_columns, height, width, spec.channels)
        return np.ascontiguousarray(grid.swapaxes(1, 2)).reshape(
            self.picture(len(rows)).shape
        )

    def cut(self, picture: np.ndarray, n_images: int) -> np.ndarray:
        """Cut the images out of a picture."""
        spec, (height, width) = self.spec, self.place
        n_rows, n_columns = self.grid(n_images)
        grid = picture.reshape(n_rows, height, n_columns, width, spec.channels)
        places = grid.swapaxes(1, 2).reshape(-1, height, width, spec.channels)
        return places[:n_images, : spec.height, : spec.width].reshape(n_images, -1)
