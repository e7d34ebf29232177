"""Images laid out as one: rows of pixels <-> mosaics.

In: rows of a chunk, and the size of an image. Out: pictures for an image format, one
per image or one of many images side by side, and back. The layout follows from the
number and size of the images, so none of it is stored.
"""

import math
from dataclasses import dataclass

import numpy as np

#: Largest side of a mosaic in pixels: for larger pictures the JPEG XL encoder saves
#: memory, and they take a sixth more bytes.
MOSAIC_SIDE = 2048


@dataclass(frozen=True)
class Arrangement:
    """How many images a picture holds, and where.

    Parameters
    ----------
    height, width : int
        Size of an image, in pixels.

    multiple : int
        Both sides of the place of an image are multiples of this many pixels. The
        margin that this leaves repeats the last row and column.

    many : bool
        Whether a picture holds many images or only one.
    """

    height: int
    width: int
    multiple: int
    many: bool

    @property
    def place(self) -> tuple[int, int]:
        """Height and width of the place of an image."""
        height = -(-self.height // self.multiple) * self.multiple
        width = -(-self.width // self.multiple) * self.multiple
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

    def size(self, n_images: int) -> tuple[int, int]:
        """Return height and width of a picture, in pixels."""
        (height, width), (n_rows, n_columns) = self.place, self.grid(n_images)
        return n_rows * height, n_columns * width

    def draw(self, rows: np.ndarray) -> np.ndarray:
        """Lay images out in a picture; unused places are black.

        Parameters
        ----------
        rows : ndarray of uint8 of shape (n_images, height * width)
            The images.
        """
        (height, width), (n_rows, n_columns) = self.place, self.grid(len(rows))
        images = rows.reshape(-1, self.height, self.width)
        margins = ((0, height - self.height), (0, width - self.width))
        places = np.zeros((n_rows * n_columns, height, width), np.uint8)
        places[: len(rows)] = np.pad(images, ((0, 0), *margins), mode="edge")
        grid = places.reshape(n_rows, n_columns, height, width).swapaxes(1, 2)
        return np.ascontiguousarray(grid).reshape(self.size(len(rows)))

    def cut(self, picture: np.ndarray, n_images: int) -> np.ndarray:
        """Cut the images out of a picture."""
        (height, width), (n_rows, n_columns) = self.place, self.grid(n_images)
        grid = picture.reshape(n_rows, height, n_columns, width).swapaxes(1, 2)
        places = grid.reshape(n_rows * n_columns, height, width)[:n_images]
        return places[:, : self.height, : self.width].reshape(n_images, -1)
