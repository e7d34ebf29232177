"""What a codec asks of a transformer, pipelines included, and does not trust."""

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted


def fitted(transformer: Any, X: np.ndarray) -> Any:
    """Return the transformer, or a fitted clone if it is not fitted."""
    if transformer is None:
        raise TypeError(
            "The codec has no transformer, as it was loaded from a file, which keeps "
            "only what decodes: set_params(transformer=...) before you fit it anew."
        )
    for method in ("transform", "inverse_transform"):
        if not hasattr(transformer, method):
            raise TypeError(
                f"transformer == {transformer!r} has no {method}; a codec needs a "
                "transformer that has an inverse, such as DeepAutoencoderCompressor, "
                "PCA, or a Pipeline of such."
            )
    try:
        check_is_fitted(transformer)
    except NotFittedError:
        return clone(transformer).fit(X)
    return transformer


def encoded(transformer: Any, X: np.ndarray) -> np.ndarray:
    """Return the codes of images, all of them finite."""
    codes = np.asarray(transformer.transform(X))
    if not np.isfinite(codes).all():
        raise ValueError(
            f"{type(transformer).__name__} gives codes with NaN or infinity, which "
            "cannot be quantised; fit another transformer."
        )
    return codes


def restored(transformer: Any, codes: np.ndarray) -> np.ndarray:
    """Return the images of codes, none of them NaN."""
    pixels = np.asarray(transformer.inverse_transform(codes))
    if np.isnan(pixels).any():
        raise ValueError(
            f"{type(transformer).__name__} restores images with NaN, which are no "
            "images; fit another transformer."
        )
    return pixels


def steps_of(pipeline: Pipeline) -> list[Any]:
    """Return the steps of a pipeline that do something; ValueError if none does."""
    steps = [step for _, step in pipeline.steps if step not in (None, "passthrough")]
    if not steps:
        raise ValueError("A pipeline without steps cannot be stored")
    return steps


def n_inputs(transformer: Any) -> int:
    """Return the number of values that a transformer takes."""
    if isinstance(transformer, Pipeline):
        return n_inputs(steps_of(transformer)[0])
    return transformer.n_features_in_


def n_outputs(transformer: Any) -> int:
    """Return the number of values that a transformer returns."""
    if isinstance(transformer, Pipeline):
        return n_outputs(steps_of(transformer)[-1])
    return getattr(transformer, "_n_features_out", transformer.n_features_in_)
