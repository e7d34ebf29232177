"""The classes that model files know, and what is stored for each.

No file can name any other class, and no code comes out of a file: loading calls the
constructors listed here, with values that have passed the checks.

To store another class, add a `Kind` here. What is stored for a class is permanent: to
store more, make it optional, so that files of today's models stay as they are; where
that is impossible, raise the version, and keep reading the old one.
"""

from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_dae._scaling import PixelScaler
from sklearn_dae.archive import _consistency as consistency
from sklearn_dae.archive._fields import (
    FLAG,
    NONE,
    TEXT,
    anything,
    array,
    count,
    dtype,
    each,
    image_shape,
    instance,
    interval,
    names,
    number,
    one_of,
    size,
    steps,
)
from sklearn_dae.archive._kind import Kind
from sklearn_dae.codecs import (
    GeneralCodec,
    HuffmanCodec,
    JpegXLCodec,
    PillowCodec,
    SetRedundancyCodec,
    TransformCodec,
)
from sklearn_dae.codecs._code_space import CodeSpace
from sklearn_dae.coding import FrequencyTables, HuffmanCode, HuffmanCoder
from sklearn_dae.compressor import DeepAutoencoderCompressor
from sklearn_dae.entropy import ColumnTables, PixelModel
from sklearn_dae.network import Dense, Layout, Network
from sklearn_dae.quantizers import KMeansQuantizer, UniformQuantizer
from sklearn_dae.rbm import BernoulliRBM, GaussianRBM


def _table_fields(tables: FrequencyTables) -> dict[str, Any]:
    return {
        "precision": tables.precision,
        "sizes": np.array([len(table) for table in tables], np.uint32),
        "frequencies": np.concatenate(list(tables)).astype(np.uint32),
    }


def _make_tables(
    precision: int, sizes: np.ndarray, frequencies: np.ndarray
) -> FrequencyTables:
    ends = np.cumsum(sizes, dtype=np.int64)
    if not len(ends) or ends[-1] != len(frequencies):
        raise ValueError(f"{len(frequencies)} frequencies are in tables of {sizes}")
    return FrequencyTables(np.split(frequencies, ends[:-1]), precision)


#: What estimators record about their training data.
_FEATURES = {"n_features_in_": size("features")}
_NAMES = {"feature_names_in_": names("features")}

#: Rows seen in training; in scikit-learn they may be fractional, because of weights.
_COUNTED = one_of(number(), array("features", kinds="iuf"))


def _rbm(cls: type) -> Kind:
    return Kind(
        cls,
        {
            "components_": array("components", "features"),
            "intercept_hidden_": array("components"),
            "intercept_visible_": array("features"),
            "_n_features_out": size("components"),
            **_FEATURES,
        },
        {
            "reconstruction_errors_": each(number(finite=False)),
            "n_iter_": count(),
            **_NAMES,
        },
        check=consistency.check_rbm,
    )


_QUANTIZER = {
    "codebooks_": each(array(None)),
    "n_levels_": array("features", kinds="i"),
    **_FEATURES,
}

_CODEC = {
    "dtype_": dtype,
    "low_": number(),
    "high_": number(),
    **_FEATURES,
}


def _image_format_codec(cls: type) -> Kind:
    return Kind(
        cls,
        {"scaler_": instance(PixelScaler), "multiple_": count(1, 8), **_CODEC},
        _NAMES,
        check=consistency.check_image_format_codec,
    )


_VECTOR = one_of(NONE, array("features"))

TRANSFORMERS = (
    PCA,
    StandardScaler,
    MinMaxScaler,
    Pipeline,
    BernoulliRBM,
    GaussianRBM,
    DeepAutoencoderCompressor,
    HuffmanCoder,
    UniformQuantizer,
    KMeansQuantizer,
)

KINDS = (
    # Values.
    Kind(
        PixelScaler,
        {"low": number(), "high": number()},
        check=consistency.check_pixel_range,
    ),
    Kind(
        Dense,
        {
            "n_below": count(1, 2**31),
            "n_out": count(1, 2**31),
            "unit": TEXT,
            "n_direct": count(0, 2**31),
        },
        check=consistency.check_dense,
    ),
    Kind(
        Layout,
        {
            "layers": each(instance(Dense)),
            "n_encoder_layers": count(1),
        },
        get=lambda layout: {
            "layers": list(layout.layers),
            "n_encoder_layers": layout.n_encoder_layers,
        },
        make=consistency.make_layout,
    ),
    Kind(
        Network,
        {
            "layout": instance(Layout),
            "theta": array("parameters"),
            "scaler": instance(PixelScaler),
        },
        check=consistency.check_network,
    ),
    Kind(
        CodeSpace,
        {
            "mean": array("components"),
            "forward": array("components", "components"),
            "backward": array("components", "components"),
        },
    ),
    Kind(
        FrequencyTables,
        {
            "precision": count(8, 16),
            "sizes": array("tables", kinds="u"),
            "frequencies": array("symbols", kinds="u"),
        },
        get=_table_fields,
        make=_make_tables,
    ),
    Kind(ColumnTables, {"tables": instance(FrequencyTables)}),
    Kind(
        PixelModel,
        {
            "shape": image_shape,
            "max_error": count(0, 127),
            "spread": array("pixels", kinds="u"),
            "centre": array("inputs"),
            "weights": each(array(None, None)),
            "experts": instance(FrequencyTables),
        },
        check=consistency.check_pixel_model,
    ),
    Kind(
        HuffmanCode,
        {
            "values": array("values", kinds="biuf"),
            "lengths": array("words", kinds="i"),
        },
        make=HuffmanCode.from_lengths,
    ),
    # scikit-learn's estimators.
    Kind(
        PCA,
        {
            "components_": array("components", "features"),
            "mean_": array("features"),
            "explained_variance_": array("components", finite=False),
            "explained_variance_ratio_": array("components", finite=False),
            "singular_values_": array("components", finite=False),
            "noise_variance_": number(finite=False),
            "n_components_": size("components"),
            "n_samples_": count(),
            **_FEATURES,
        },
        _NAMES,
        {
            "n_components": anything,
            "copy": FLAG,
            "whiten": FLAG,
            "svd_solver": TEXT,
            "tol": number(),
            "iterated_power": one_of(TEXT, count()),
            "n_oversamples": count(),
            "power_iteration_normalizer": TEXT,
            "random_state": anything,
        },
    ),
    Kind(
        StandardScaler,
        {
            "mean_": _VECTOR,
            "var_": _VECTOR,
            "scale_": _VECTOR,
            "n_samples_seen_": _COUNTED,
            **_FEATURES,
        },
        _NAMES,
        {"copy": FLAG, "with_mean": FLAG, "with_std": FLAG},
        check=consistency.check_standard_scaler,
    ),
    Kind(
        MinMaxScaler,
        {
            "min_": array("features"),
            "scale_": array("features"),
            "data_min_": array("features"),
            "data_max_": array("features"),
            "data_range_": array("features"),
            "n_samples_seen_": _COUNTED,
            **_FEATURES,
        },
        _NAMES,
        {"feature_range": interval, "copy": FLAG, "clip": FLAG},
    ),
    Kind(
        Pipeline,
        parameters={
            "steps": steps,
            "transform_input": NONE,
            "memory": NONE,
            "verbose": FLAG,
        },
        check=consistency.check_pipeline,
    ),
    # Our own estimators.
    _rbm(BernoulliRBM),
    _rbm(GaussianRBM),
    Kind(
        DeepAutoencoderCompressor,
        {
            "network_": instance(Network),
            "alpha_": number(),
            "is_linear_": FLAG,
            "interrupted_": FLAG,
            "solver_": TEXT,
            "pretraining_errors_": each(each(number(finite=False))),
            "loss_curve_": each(number(finite=False)),
            "validation_loss_curve_": each(number(finite=False)),
            "n_iter_": count(),
            "n_evaluations_": count(),
            "message_": TEXT,
            **_FEATURES,
        },
        _NAMES,
        check=consistency.check_compressor,
    ),
    Kind(
        UniformQuantizer,
        {
            "step_": array("features"),
            "center_": array("features"),
            "dead_zone_": array("features"),
            "_lowest_bin": array("features", kinds="i"),
            **_QUANTIZER,
        },
        _NAMES,
        check=consistency.check_quantizer,
    ),
    Kind(
        KMeansQuantizer,
        {"n_iter_": count(), **_QUANTIZER},
        _NAMES,
        check=consistency.check_quantizer,
    ),
    Kind(
        HuffmanCoder,
        {"_code": instance(HuffmanCode), "mean_bits_": number(), **_FEATURES},
        _NAMES,
        check=consistency.check_huffman_coder,
        finish=lambda coder: coder._set_code(coder._code),
    ),
    Kind(
        HuffmanCodec,
        {"_code": instance(HuffmanCode), **_CODEC},
        _NAMES,
        check=consistency.check_huffman_codec,
    ),
    Kind(GeneralCodec, _CODEC, _NAMES, check=consistency.check_general_codec),
    Kind(
        SetRedundancyCodec,
        {
            "references_": array("references", "features", kinds="iu"),
            "classes_": array("features", kinds="u"),
            "tables_": instance(FrequencyTables),
            **_CODEC,
        },
        _NAMES,
        check=consistency.check_set_redundancy_codec,
    ),
    _image_format_codec(PillowCodec),
    _image_format_codec(JpegXLCodec),
    Kind(
        TransformCodec,
        {
            "transformer_": instance(*TRANSFORMERS),
            "quantizer_": instance(UniformQuantizer, KMeansQuantizer),
            "tables_": instance(ColumnTables),
            "_space": instance(CodeSpace),
            "_code_dtype": dtype,
            "pixel_model_": one_of(NONE, instance(PixelModel)),
            "error_limit_": number(finite=False),
            "bits_per_sample_": number(),
            "psnr_": number(finite=False),
            **_CODEC,
        },
        _NAMES,
        check=consistency.check_transform_codec,
    ),
)

BY_NAME = {kind.name: kind for kind in KINDS}
BY_CLASS = {kind.cls: kind for kind in KINDS}

#: Names of the estimators that can be saved.
SUPPORTED = sorted(kind.name for kind in KINDS if kind.is_estimator)
