"""Write the text whose phrases headers of models refer to, if it is not there yet.

    python tests/golden/make_phrases.py

It is made of the headers of typical models, in which numbers of their own are zeros.
Files refer to places in it, so it never changes.
"""

import re
from pathlib import Path
from unittest.mock import patch

from make_models import MODELS, ROWS, fit
from sklearn.decomposition import PCA

import sklearn_dae.models
from sklearn_dae import DeepAutoencoderCompressor
from sklearn_dae.archive._header import Header
from sklearn_dae.codecs import PixelCodec, TransformCodec
from sklearn_dae.models import _format, model_to_bytes

PATH = Path(sklearn_dae.models.__file__).with_name("phrases.txt")


def header_of(model):
    """Return the JSON of a model, with zeros for numbers of its own."""
    seen = []

    def keep(header):
        seen.append(header.decode())
        return header

    with patch.object(_format, "shorten", keep):
        model_to_bytes(model)
    text = re.sub(r"-?\d+\.\d+(e-?\d+)?", "0.0", seen[0])
    return re.sub(r"(?<=[\[:,])\d{2,}(?=[\],}])", "0", text)


def models():
    """Yield typical models, fitted."""
    yield from map(fit, MODELS.values())
    X = ROWS.reshape(80, 2, 3)
    yield PixelCodec(n_pixels=480).fit(X)
    for transformer in (
        PCA(3, random_state=0),
        DeepAutoencoderCompressor(
            2, hidden_layer_sizes=(5,), max_iter=2, random_state=0, alpha=0.1
        ),
    ):
        yield TransformCodec(transformer, target_psnr=20, n_images=80).fit(X)


def main():
    """Put headers together."""
    if PATH.exists():
        return
    archive = Header("TransformCodec", "", 0, True, "sklearn-dae 1.0.0").to_json()
    # One header that is like another is no help.
    text = "".join(dict.fromkeys([archive.decode(), *map(header_of, models())]))
    assert text.isascii()
    assert len(text) < 2**16
    PATH.write_text(text)


if __name__ == "__main__":
    main()
