"""Whether the parts of a model fit together.

A file may be intact and still claim what no fit could have arrived at. Each check takes
an estimator whose attributes have the right types and shapes, and raises ValueError or
TypeError if using it would fail, or give what no training could have led to.
"""

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_dae._scaling import PixelScaler
from sklearn_dae._validation import check_choice, check_integer
from sklearn_dae.codecs._base import MAX_CHUNK_SIZE
from sklearn_dae.codecs._images import check_bytes, choose_image_shape
from sklearn_dae.codecs._pixel_model import N_INPUTS, PixelModel
from sklearn_dae.codecs._residuals import n_symbols
from sklearn_dae.coding import FrequencyTables
from sklearn_dae.network import UNITS, Layout

#: Most steps of `transform` that a file may ask for: none must be able to make it hang.
_MOST_STEPS = 10_000


def _expect_equal(what: str, got: Any, expected: Any) -> None:
    if not np.array_equal(got, expected):
        raise ValueError(f"{what}: {got}, where the rest of the model has {expected}")


def check_pixel_range(scaler: PixelScaler) -> None:
    """Raise unless the range is a valid one."""
    span = scaler.span
    if not (span > 0 and np.isfinite([span, 1 / span]).all()):
        raise ValueError(f"The pixel range [{scaler.low}, {scaler.high}] is none")


def make_layout(
    sizes: list[int], hidden: str, code: str, output: str, linear_path: bool
) -> Layout:
    """Lay out a network, if there is one of that kind."""
    if len(sizes) < 2:
        raise ValueError(f"A network of layers of {sizes} units has no code")
    for unit in (hidden, code, output):
        check_choice("A kind of units", unit, UNITS)
    return Layout.autoencoder(
        sizes, hidden=hidden, code=code, output=output, linear_path=linear_path
    )


def check_compressor(dae: Any) -> None:
    """Raise unless network, parameter vector and images have the same sizes."""
    dae.layout_for(dae.n_features_in_)
    check_integer("transform_max_iter", dae.transform_max_iter, 0, _MOST_STEPS)
    n_parameters = dae.layout_.n_parameters
    _expect_equal("Length of the parameter vector", len(dae.theta_), n_parameters)
    n_inputs = dae.layout_.layers[0].n_in
    _expect_equal("Inputs of the network", n_inputs, dae.n_features_in_)
    is_pca = dae.alpha_ == np.inf and len(dae.layout_.layers) == 2
    if not (is_pca or np.isfinite(dae.alpha_)):
        raise ValueError(
            f"alpha_ is {dae.alpha_}, must be finite; inf, of PCA without hidden layers"
        )


def check_rbm(rbm: Any) -> None:
    """Raise unless the machine's parameters are valid."""
    rbm._validate_params()


def check_standard_scaler(scaler: Any) -> None:
    """Raise unless the mean and the scale to be applied are there."""
    for wanted, name in ((scaler.with_mean, "mean_"), (scaler.with_std, "scale_")):
        if wanted and getattr(scaler, name) is None:
            raise ValueError(f"StandardScaler has no {name}")


def check_quantizer(quantizer: Any) -> None:
    """Raise unless each unit has a codebook."""
    levels = [len(codebook) for codebook in quantizer.codebooks_]
    _expect_equal("Sizes of codebooks", quantizer.n_levels_, levels)
    if not levels or min(levels) < 1 or max(levels) > 65536:
        raise ValueError("Codebooks must have 1 to 65536 values")
    if hasattr(quantizer, "step_") and not (quantizer.step_ > 0).all():
        raise ValueError("Steps must be positive")


def check_huffman_coder(coder: Any) -> None:
    """Raise unless there is an escape word where one is needed."""
    check_choice("handle_unknown", coder.handle_unknown, ("escape", "error"))
    has_escape = len(coder._code.lengths) > len(coder._code.values)
    _expect_equal("Escape word", has_escape, coder.handle_unknown == "escape")


def check_huffman_codec(codec: Any) -> None:
    """Raise unless the code is for numbers of the codec's dtype."""
    _check_codec(codec)
    _expect_equal(
        "Numbers of the code", codec._code.values.dtype.name, codec.dtype_.name
    )
    n_words = len(codec._code.values) + 1
    _expect_equal("Words of the code", len(codec._code.lengths), n_words)


def check_general_codec(codec: Any) -> None:
    """Raise unless there is such a compressor."""
    _check_codec(codec)
    codec._check_parameters()


def check_image_format_codec(codec: Any) -> None:
    """Raise unless the format accepts such images, and their range can be learned."""
    _check_codec(codec)
    codec._check_parameters()
    codec._check_images()
    check_choice("multiple_", codec.multiple_, (1, codec._block))
    scaler = codec.scaler_
    if codec.dtype_ == np.uint8 and (scaler.low != 0 or not 1 <= scaler.high <= 255):
        raise ValueError(f"Pixels are said to be in [{scaler.low}, {scaler.high}]")
    if codec._is_lossless:
        _expect_equal("Largest pixel", scaler.high, 255)


def check_set_redundancy_codec(codec: Any) -> None:
    """Raise unless all pixels can be predicted, and the residuals have tables."""
    _check_codec(codec)
    codec._check_parameters()
    codec._check_images()
    references, tables = codec.references_, codec.tables_
    _expect_equal("Type of the references", references.dtype.name, codec.dtype_.name)
    n_references = 1 if codec.method == "centroid" else 2
    _expect_equal("References", len(references), n_references)
    if (references[0] > references[-1]).any():
        raise ValueError("A smallest pixel is larger than the largest")
    _expect_equal("Type of the classes", codec.classes_.dtype, np.uint8)
    if codec.classes_.max() >= len(tables):
        raise ValueError(f"A place has table {codec.classes_.max()} of {len(tables)}")
    _check_escape(tables, n_symbols(8 * codec.dtype_.itemsize))


def _check_escape(tables: FrequencyTables, n: int) -> None:
    """Raise unless all tables have ``n`` symbols, each of which can be coded."""
    _expect_equal("Precision of the tables", tables.precision, 16)
    _expect_equal("Symbols of the tables", {len(table) for table in tables}, {n})
    if min(table.min() for table in tables) < 1:
        raise ValueError("A symbol has frequency 0")


def _check_codec(codec: Any) -> None:
    if codec.chunk_size is not None:
        check_integer("chunk_size", codec.chunk_size, 1, MAX_CHUNK_SIZE)
    if not codec.low_ <= codec.high_:
        raise ValueError(f"The range [{codec.low_}, {codec.high_}] is none")


def check_pipeline(pipeline: Pipeline) -> None:
    """Raise unless all steps are fitted, each to what the one before returns."""
    n_before = None
    for transformer in _steps(pipeline):
        check_is_fitted(transformer)
        if n_before is not None:
            n_features = _n_inputs(transformer)
            _expect_equal(f"Inputs of {transformer}", n_features, n_before)
        n_before = _n_outputs(transformer)


def check_pixel_model(model: PixelModel) -> None:
    """Raise unless the sizes of network, experts and images agree."""
    height, width = model.shape
    _expect_equal("Pixels with a spread", len(model.spread), height * width)
    _expect_equal("Type of the spread", model.spread.dtype, np.uint8)
    _expect_equal("Weights of the centre", len(model.centre), N_INPUTS + 1)
    # In double precision, numbers of single precision cannot overflow.
    for weights in (model.centre, *model.weights):
        _expect_equal("Type of the weights", weights.dtype, np.float32)
    n_below = N_INPUTS
    for weights in model.weights:
        _expect_equal("Inputs of a layer", len(weights) - 1, n_below)
        n_below = weights.shape[1]
    _expect_equal("Experts", len(model.experts), n_below)
    _check_escape(model.experts, model.n_symbols)


def check_transform_codec(codec: Any) -> None:
    """Raise unless transformer, code space, quantiser and tables agree in size."""
    _check_codec(codec)
    codec._check_parameters()
    transformer, quantizer = codec.transformer_, codec.quantizer_
    check_is_fitted(transformer)
    check_is_fitted(quantizer)
    for method in ("transform", "inverse_transform"):
        if not hasattr(transformer, method):
            raise TypeError(f"{transformer} has no {method}")
    n_components = len(codec._space.mean)
    _expect_equal(
        "Inputs of the transformer", _n_inputs(transformer), codec.n_features_in_
    )
    _expect_equal("Values of a code", _n_outputs(transformer), n_components)
    _expect_equal("Units of the quantiser", quantizer.n_features_in_, n_components)
    sizes = [len(table) for table in codec.tables_]
    _expect_equal("Symbols of the tables", sizes, quantizer.n_levels_)
    if codec._code_dtype.kind != "f":
        raise ValueError(f"Codes are {codec._code_dtype}, not floating-point numbers")
    if not codec.error_limit_ >= 0:
        raise ValueError(f"The limit of errors is {codec.error_limit_}")
    pixel_model = codec._pixel_model
    _expect_equal("Models of pixels", pixel_model is not None, codec._bounds_pixels)
    if pixel_model is not None:
        check_bytes(codec.dtype_)
        shape = choose_image_shape(codec.image_shape, codec.n_features_in_)
        _expect_equal("Size of an image", pixel_model.shape, shape)
        _expect_equal("Largest error", pixel_model.max_error, codec.max_abs_error or 0)
        codec._predict(np.zeros((1, n_components), np.int32))


def _steps(pipeline: Pipeline) -> list[Any]:
    """Return the steps of a pipeline that do something."""
    steps = [step for _, step in pipeline.steps if step not in (None, "passthrough")]
    if not steps:
        raise ValueError("A pipeline without steps cannot be stored")
    return steps


def _n_inputs(transformer: Any) -> int:
    if isinstance(transformer, Pipeline):
        return _n_inputs(_steps(transformer)[0])
    return transformer.n_features_in_


def _n_outputs(transformer: Any) -> int:
    if isinstance(transformer, Pipeline):
        return _n_outputs(_steps(transformer)[-1])
    return getattr(transformer, "_n_features_out", transformer.n_features_in_)
