"""What is known at each pixel of images that are filled in one pixel at a time."""

import numpy as np

#: How far a pixel's context reaches, in the image and in the prediction.
IMAGE_REACH, PREDICTION_REACH = 3, 2

#: Number of pixels of the image, and of the prediction, in a context.
N_BEFORE = 2 * IMAGE_REACH * (IMAGE_REACH + 1)
N_AROUND = (2 * PREDICTION_REACH + 1) ** 2

#: Inputs of the network: these, and the spread.
N_INPUTS = N_BEFORE + N_AROUND + 1


class Canvas:
    """Images being filled in pixel by pixel, and what is known at each pixel.

    Parameters
    ----------
    predictions : ndarray of uint8 of shape (n, height * width)
        Predicted images.

    shape : tuple of (height, width)
        Size of the images.

    spread : ndarray of uint8 of shape (height * width,)
        How far predictions of each pixel are off.
    """

    def __init__(
        self, predictions: np.ndarray, shape: tuple[int, int], spread: np.ndarray
    ) -> None:
        height, width = shape
        n = len(predictions)
        self._spread = spread.reshape(shape)
        # Pixels first, so that one pixel of all images is contiguous in memory.
        margin = ((PREDICTION_REACH,) * 2, (PREDICTION_REACH,) * 2, (0, 0))
        self._around = np.pad(predictions.T.reshape(height, width, n), margin)
        self._before = np.zeros(
            (height + IMAGE_REACH, width + 2 * IMAGE_REACH, n), np.uint8
        )
        self._inputs = np.empty((N_INPUTS, n))

    def inputs(self, y: int, x: int) -> np.ndarray:
        """What the model sees at a pixel: (n_inputs, n), valid until the next call."""
        inputs, reach, size = self._inputs, IMAGE_REACH, 2 * IMAGE_REACH + 1
        above = self._before[y : y + reach, x : x + size]
        inputs[: reach * size] = above.reshape(reach * size, -1)
        inputs[reach * size : N_BEFORE] = self._before[y + reach, x : x + reach]
        size = 2 * PREDICTION_REACH + 1
        around = self._around[y : y + size, x : x + size]
        inputs[N_BEFORE:-1] = around.reshape(N_AROUND, -1)
        inputs[-1] = self._spread[y, x]
        return inputs

    def fill(self, y: int, x: int, pixels: np.ndarray) -> None:
        """Set one pixel of all images."""
        self._before[y + IMAGE_REACH, x + IMAGE_REACH] = pixels

    @property
    def images(self) -> np.ndarray:
        """The images, of shape (n, height * width)."""
        pixels = self._before[IMAGE_REACH:, IMAGE_REACH:-IMAGE_REACH]
        return pixels.reshape(-1, pixels.shape[-1]).T.copy()
