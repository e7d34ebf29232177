"""What is stored for scikit-learn's own classes, which cannot declare it themselves."""

from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from sklearn_dae._fields import (
    FLAG,
    NONE,
    TEXT,
    anything,
    array,
    count,
    expect_equal,
    interval,
    names,
    number,
    one_of,
    size,
    steps,
)
from sklearn_dae.codecs._transformer import n_inputs, n_outputs, steps_of
from sklearn_dae.models._kind import Kind

_FEATURES = {"n_features_in_": size("features")}
_NAMES = {"feature_names_in_": names("features")}

#: Rows seen in training; they may be fractional, because of weights.
_COUNTED = one_of(number(), array("features", kinds="iuf"))

_VECTOR = one_of(NONE, array("features"))


def _check_standard_scaler(scaler: StandardScaler) -> None:
    for wanted, name in ((scaler.with_mean, "mean_"), (scaler.with_std, "scale_")):
        if wanted and getattr(scaler, name) is None:
            raise ValueError(f"StandardScaler has no {name}")


def _check_pipeline(pipeline: Pipeline) -> None:
    """Raise unless all steps are fitted, each to what the one before returns."""
    n_before = None
    for transformer in steps_of(pipeline):
        check_is_fitted(transformer)
        if n_before is not None:
            expect_equal(f"Inputs of {transformer}", n_inputs(transformer), n_before)
        n_before = n_outputs(transformer)


KINDS = (
    Kind(
        PCA,
        "PCA",
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
        "StandardScaler",
        {
            "mean_": _VECTOR,
            "var_": _VECTOR,
            "scale_": _VECTOR,
            "n_samples_seen_": _COUNTED,
            **_FEATURES,
        },
        _NAMES,
        {"copy": FLAG, "with_mean": FLAG, "with_std": FLAG},
        _check_standard_scaler,
    ),
    Kind(
        MinMaxScaler,
        "MinMaxScaler",
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
        "Pipeline",
        {},
        parameters={
            "steps": steps,
            "transform_input": NONE,
            "memory": NONE,
            "verbose": FLAG,
        },
        check=_check_pipeline,
    ),
)
