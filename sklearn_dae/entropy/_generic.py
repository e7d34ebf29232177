"""The networks that come with the package, for images that no other was trained on."""

from functools import lru_cache
from importlib.resources import files

import numpy as np

from sklearn_dae._bytes import ByteReader
from sklearn_dae.entropy._pixel_model import PixelModel

#: The file, next to this module: the bytes of the grey model and those of the coloured.
GENERIC_FILE = "generic.bin"

#: Channels that are colours, if there are so many.
N_COLOURS = 3


@lru_cache(maxsize=1)
def _models() -> tuple[PixelModel, PixelModel]:
    reader = ByteReader(files(__package__).joinpath(GENERIC_FILE).read_bytes())
    grey, coloured = reader.frame("Grey"), reader.frame("Coloured")
    reader.finish()
    first, second = (np.frombuffer(data, np.uint8) for data in (grey, coloured))
    return PixelModel(first, in_series=False), PixelModel(second, in_series=False)


@lru_cache(maxsize=16)
def generic_model(channels: int) -> PixelModel:
    """Return networks for images of so many channels.

    The first three are colours, if there are so many, and others shades of grey.
    """
    grey, coloured = _models()
    first = coloured.networks if channels >= N_COLOURS else []
    rest = grey.networks * (channels - len(first))
    return PixelModel.of([*first, *rest], in_series=False)
