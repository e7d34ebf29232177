"""Write the golden model files that are not there yet.

    python tests/golden/make_models.py

Every later version must read what is there, so no file is ever written anew: a new kind
of model, or a new version of one, gets a new file.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_dae import (
    BernoulliRBM,
    DeepAutoencoderCompressor,
    GaussianRBM,
    HuffmanCoder,
    KMeansQuantizer,
    UniformQuantizer,
)
from sklearn_dae.codecs import (
    GeneralCodec,
    HuffmanCodec,
    JpegLSCodec,
    JpegXLCodec,
    PillowCodec,
    PixelCodec,
    SetRedundancyCodec,
    TransformCodec,
)
from sklearn_dae.entropy import AutoregressiveMixtures, PixelModel
from sklearn_dae.entropy._pixel_training import Training
from sklearn_dae.models import save_model

FOLDER = Path(__file__).parent

ROWS = np.random.default_rng(0).integers(0, 17, (80, 6)).astype(np.uint8)

MODELS = {
    "autoencoder": DeepAutoencoderCompressor(
        2, hidden_layer_sizes=(5,), max_iter=5, random_state=0
    ),
    "paper": DeepAutoencoderCompressor(
        2,
        hidden_layer_sizes=[4],
        activation="logistic",
        code_activation="logistic",
        output_activation="logistic",
        loss="log_loss",
        pixel_range=(0, 16),
        threshold=0.5,
        max_iter=3,
        pretraining=BernoulliRBM(n_iter=1),
        random_state=0,
    ),
    "pipeline": make_pipeline(MinMaxScaler(), StandardScaler(), PCA(3, whiten=True)),
    "bernoulli_rbm": make_pipeline(MinMaxScaler(), BernoulliRBM(3, random_state=0)),
    "gaussian_rbm": make_pipeline(
        StandardScaler(), GaussianRBM(3, n_iter=2, random_state=0)
    ),
    "huffman_coder": HuffmanCoder(),
    "huffman_codec": HuffmanCodec(),
    "uniform_codec": TransformCodec(
        make_pipeline(StandardScaler(), PCA(3)), UniformQuantizer(8)
    ),
    "min_max_differential_codec": SetRedundancyCodec(
        "min_max_differential", image_shape=(2, 3)
    ),
    "min_max_predictive_codec": SetRedundancyCodec(image_shape=(2, 3)),
    "centroid_codec": SetRedundancyCodec("centroid", image_shape=(2, 3)),
    "lzma_codec": GeneralCodec(),
    "zstd_codec": GeneralCodec("zstd"),
    "jpeg_codec": PillowCodec(quality=90, image_shape=(2, 3)),
    "png_codec": PillowCodec("png", layout="files", image_shape=(2, 3)),
    "jpegls_codec": JpegLSCodec(1, image_shape=(2, 3)),
    "jpegxl_codec": JpegXLCodec(lossless=True, image_shape=(2, 3)),
    "pixel_codec": PixelCodec(image_shape=(2, 3)),
    "kmeans_codec": TransformCodec(PCA(3), KMeansQuantizer(4, shared=True)),
    "autoregressive_codec": TransformCodec(PCA(3), autoregressive=True),
    "whole_codec": TransformCodec(
        make_pipeline(
            DeepAutoencoderCompressor(
                3, hidden_layer_sizes=(5,), max_iter=5, random_state=0
            ),
            MinMaxScaler(),
        )
    ),
    "network_codec": TransformCodec(
        DeepAutoencoderCompressor(
            2, hidden_layer_sizes=(5,), max_iter=5, random_state=0
        )
    ),
}


def fit(model):
    """Fit a model to the rows."""
    model.fit(ROWS)
    if isinstance(model, PixelCodec):
        # For so few pixels, it trains no network by itself.
        stack = ROWS.reshape(-1, 1, *model.image_shape_).astype(int)
        limits = np.zeros((len(stack), 1)), np.full((len(stack), 1), 16)
        training = Training(hidden=(8, 8), n_steps=20)
        model.models_ = [PixelModel.fit([stack], limits, training=training)]
    if isinstance(model, TransformCodec) and model.autoregressive:
        # For so few images, it has no network of codes by itself.
        symbols, of_codes = model.symbols(ROWS), model.code_model_
        mixtures = AutoregressiveMixtures.fit(symbols, of_codes.mixtures, n_rows=80)
        model.code_model_ = replace(of_codes, mixtures=mixtures)
    return model


def outputs(model, probe):
    """What a model makes of some rows, for JSON."""
    if hasattr(model, "encode") and hasattr(model, "score"):
        data = model.encode(probe)
        coded = [row.hex() for row in data] if isinstance(data, list) else data.hex()
        return {"encoded": coded, "decoded": model.decode(data).tolist()}
    codes = model.transform(probe)
    return {
        "codes": codes.tolist(),
        "restored": model.inverse_transform(codes).tolist(),
    }


def main():
    """Fit, save, and note what each model does."""
    for name, model in MODELS.items():
        path = FOLDER / f"model-{name}.daem"
        if not path.exists():
            save_model(fit(model), path)
            expected = {"rows": ROWS[:5].tolist(), **outputs(model, ROWS[:5])}
            path.with_suffix(".json").write_text(json.dumps(expected))


if __name__ == "__main__":
    main()
