"""How many values a fitted transformer takes and returns, pipelines included."""

from typing import Any

from sklearn.pipeline import Pipeline


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
