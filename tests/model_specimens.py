"""A model of every class that can be stored, and what it is fitted on."""

from copy import deepcopy
from functools import cache

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_dae import (
    PAPER_SETTINGS,
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
from sklearn_dae.entropy import PixelModel
from sklearn_dae.entropy._pixel_training import Training

ROWS = np.random.default_rng(1).integers(0, 17, (60, 6)).astype(np.uint8)

SMALL = {"hidden_layer_sizes": (5,), "max_iter": 2, "random_state": 0}

MODELS = {
    "pca": PCA(3),
    "whitened": PCA(0.9, whiten=True, svd_solver="full"),
    "standard": StandardScaler(),
    "plain standard": StandardScaler(with_mean=False, with_std=False),
    "minmax": MinMaxScaler((-1, 1), clip=True),
    "pipeline": make_pipeline(MinMaxScaler(), "passthrough", PCA(3)),
    "nested": make_pipeline(StandardScaler(), make_pipeline(PCA(4), PCA(2))),
    "bernoulli": BernoulliRBM(3, random_state=0, n_iter=2),
    "gaussian": GaussianRBM(3, hidden_units="gaussian", random_state=0, n_iter=2),
    "dae": DeepAutoencoderCompressor(2, **SMALL),
    "shallow": DeepAutoencoderCompressor(2, **{**SMALL, "hidden_layer_sizes": []}),
    "paper": DeepAutoencoderCompressor(
        2, **SMALL, **PAPER_SETTINGS, threshold=0.5, pixel_range=(0, 16)
    ),
    "stopping": DeepAutoencoderCompressor(
        np.int64(2), **SMALL, early_stopping=True, alpha=np.float64(0.1)
    ),
    "uniform": UniformQuantizer(8),
    "steps": UniformQuantizer(step=np.arange(1.0, 7)),
    "kmeans": KMeansQuantizer(3),
    "shared": KMeansQuantizer(3, shared=True),
    "huffman coder": HuffmanCoder(),
    "strict coder": HuffmanCoder("error"),
    "huffman": HuffmanCodec(chunk_size=7),
    "codec": TransformCodec(make_pipeline(StandardScaler(), PCA(3))),
    "exact codec": TransformCodec(PCA(6, svd_solver="full"), UniformQuantizer(64)),
    "kmeans codec": TransformCodec(PCA(3), KMeansQuantizer(5), rotate=False),
    "min-max codec": SetRedundancyCodec(image_shape=(2, 3)),
    "centroid codec": SetRedundancyCodec("centroid", image_shape=(2, 3)),
    "general codec": GeneralCodec("bz2", level=1),
    "jpeg codec": PillowCodec(quality=90, image_shape=(2, 3)),
    "jpegls codec": JpegLSCodec(1, image_shape=(2, 3)),
    "jpegxl codec": JpegXLCodec(distance=0.5, image_shape=(2, 3)),
    "pixel codec": PixelCodec(effort=2, image_shape=(2, 3)),
    "dae codec": TransformCodec(DeepAutoencoderCompressor(2, **SMALL)),
    "whole codec": TransformCodec(
        make_pipeline(DeepAutoencoderCompressor(4, **SMALL), MinMaxScaler(clip=True))
    ),
}

#: Codecs that keep only the decoder of their transformer.
DECODERS = ["codec", "exact codec", "kmeans codec", "dae codec"]

#: The dtype of images that a model takes, if not any.
DTYPES = {
    **dict.fromkeys(["min-max codec", "centroid codec", "pixel codec"], np.uint8),
    "jpegls codec": np.uint16,
}


def fit(name, dtype=np.float64, rows=ROWS):
    """Fit a model on some rows."""
    model = clone(MODELS[name]).fit(rows.astype(DTYPES.get(name, dtype)))
    if name == "pixel codec":
        # For so few pixels, it trains no network by itself.
        model.models_ = [small_network(rows.reshape(-1, 1, *model.image_shape_))]
    return model


def small_network(stack):
    """Train a small network for grey images: (n_images, 1, height, width)."""
    limits = np.zeros((len(stack), 1)), np.full((len(stack), 1), 16)
    training = Training(hidden=(8, 8), n_steps=20)
    return PixelModel.fit([stack.astype(int)], limits, training=training)


def fitted(name, dtype=np.float64):
    """Return a fitted model of one's own; its like may have been fitted before."""
    return deepcopy(_fitted(name, np.dtype(dtype)))


_fitted = cache(fit)
