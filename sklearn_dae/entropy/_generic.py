"""The networks that come with the package, for images that no other was trained on."""

from functools import lru_cache
from importlib.resources import files

import numpy as np

from sklearn_dae._bytes import ByteReader
from sklearn_dae.entropy._pixel_model import PixelModel

#: The file, next to this module: the bytes of the grey model and those of the coloured.
GENERIC_FILE = "generic.bin"


@lru_cache(maxsize=1)
def _stored() -> tuple[bytes, bytes]:
    reader = ByteReader(files(__package__).joinpath(GENERIC_FILE).read_bytes())
    grey, coloured = reader.frame("Grey"), reader.frame("Coloured")
    reader.finish()
    return grey, coloured


@lru_cache(maxsize=16)
def generic_model(channels: int) -> PixelModel:
    """Return networks for images of so many channels.

    Three channels or more are colours, and others shades of grey beside them.
    """
    grey, coloured = _stored()
    first = coloured + grey * (channels - 3) if channels >= 3 else grey * channels
    return PixelModel(np.frombuffer(first, np.uint8), in_series=False)
