"""Estimators inside others: the step of a Pipeline, the transformer of a codec."""

from collections.abc import Iterator
from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted


def find_with(estimator: Any, *attributes: str) -> Any:
    """Find the fitted estimator that has one of the given attributes.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator that has the attribute itself, a Pipeline with such a step,
        or a codec with such a transformer, which one that was loaded may lack.

    *attributes : str
        Names of the attributes.

    Returns
    -------
    estimator
        The first that has any of them.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If it is not fitted.

    TypeError
        If no estimator has any of them.
    """
    check_is_fitted(estimator)
    for part in _parts(estimator):
        if any(hasattr(part, name) for name in attributes):
            return part
    raise TypeError(
        f"{type(estimator).__name__} has no {' or '.join(attributes)}, and nothing in "
        "it has; pass a DeepAutoencoderCompressor, an RBM, or what holds one."
    )


def _parts(estimator: Any) -> Iterator[Any]:
    yield estimator
    if isinstance(estimator, Pipeline):
        for _, step in estimator.steps:
            yield from _parts(step)
    elif hasattr(estimator, "transformer_"):
        yield from _parts(estimator.transformer_)
