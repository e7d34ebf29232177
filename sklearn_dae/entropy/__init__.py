"""Models of symbols: what comes next, and how likely.

In: integer symbols, and what is already known of them. Out: how many bits each takes,
and bytes. A model is a frozen record with four functions, so that a codec can exchange
one for another:

- ``fit(symbols, ...)``, a class method, learns one from training symbols;
- ``bits(symbols, ...)`` returns the bits of each row;
- ``encode(symbols, ...)`` returns bytes;
- ``decode(data, ...)`` returns the symbols.

`ColumnTables` and `ColumnMixtures` give each column a distribution of its own, as a
table or as a formula, `AutoregressiveMixtures` one that follows from the columns before
it, `PixelModel` gives each sample of an image one that follows from the samples before
it. Another model goes into a file of its own.
"""

from sklearn_dae.entropy._autoregressive import AutoregressiveMixtures
from sklearn_dae.entropy._column_mixtures import ColumnMixtures
from sklearn_dae.entropy._column_tables import ColumnTables
from sklearn_dae.entropy._pixel_model import PixelModel
from sklearn_dae.entropy._planes import Stack
from sklearn_dae.entropy._weight_bytes import pack_layer, read_layer

__all__ = [
    "AutoregressiveMixtures",
    "ColumnMixtures",
    "ColumnTables",
    "PixelModel",
    "Stack",
    "pack_layer",
    "read_layer",
]
