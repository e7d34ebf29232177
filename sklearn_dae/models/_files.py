"""Fitted models <-> files, without pickle.

In: a fitted estimator of this package, or one of the few from scikit-learn that go with
them. Out: bytes that hold its numbers and names, and no code.
"""

import hashlib
import os
from typing import Any

from sklearn.utils.validation import check_is_fitted

from sklearn_dae._atomic import atomic_writer
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.models._format import PREAMBLE_SIZE, pack, read_preamble, unpack
from sklearn_dae.models._registry import GROUP, kind_of, supported
from sklearn_dae.models._state import Reader, Writer, is_fitted


def model_to_bytes(estimator: Any) -> bytes:
    """Write a fitted estimator as bytes.

    Parameters
    ----------
    estimator : estimator
        A fitted `DeepAutoencoderCompressor`, `BernoulliRBM`, `GaussianRBM`,
        `UniformQuantizer`, `KMeansQuantizer`, `HuffmanCoder` or codec of
        `sklearn_dae.codecs`, scikit-learn's ``PCA``, ``StandardScaler``,
        ``MinMaxScaler`` or a ``Pipeline`` of these, or one of a plug-in.

    Returns
    -------
    bytes
        A model file. Equal models give equal bytes.

    Raises
    ------
    TypeError
        If the estimator, or something in it, cannot be stored: another class, a
        function, a random generator as a parameter.

    NotFittedError
        If the estimator is not fitted.

    ValueError
        If it was changed after `fit` so that its parts no longer fit together.

    ImportError
        If it is of a plug-in that cannot be used.

    Examples
    --------
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_dae.models import model_from_bytes, model_to_bytes
    >>> scaler = StandardScaler().fit([[0.0, 10.0], [2.0, 30.0]])
    >>> restored = model_from_bytes(model_to_bytes(scaler))
    >>> restored.transform([[1.0, 30.0]])
    array([[0., 1.]])
    """
    name = type(estimator).__name__
    kind = kind_of(type(estimator))
    if kind is None or not kind.is_estimator:
        raise TypeError(
            f"{estimator!r} is a {name}, which a model file cannot hold; it can hold "
            f"{', '.join(supported())}, and classes with _stored_fields that a package "
            f"adds to the entry points {GROUP!r}."
        )
    check_is_fitted(estimator)
    writer = Writer()
    return pack(writer.write(estimator, name), writer.arrays)


def model_from_bytes(data: bytes) -> Any:
    """Read an estimator from what `model_to_bytes` returned.

    Nothing in the bytes is ever run, and only the supported classes are created.

    Parameters
    ----------
    data : bytes
        The model file.

    Returns
    -------
    estimator
        The fitted estimator.

    Raises
    ------
    BitstreamError
        If the bytes are cut off, damaged, from a newer version, not a model, or of a
        class that is not installed.

    ImportError
        If they need a plug-in that cannot be used.
    """
    tree, arrays = unpack(bytes(memoryview(data)))
    reader = Reader(arrays)
    try:
        estimator = reader.read(tree, "The model")
        reader.finish()
        if kind_of(type(estimator)) is None or not is_fitted(estimator):
            raise BitstreamError("The model file holds no fitted model.")
    except (BitstreamError, ImportError, MemoryError):
        raise
    except Exception as error:
        # The checksum is right, but this is not what a writer makes.
        raise BitstreamError(f"The model file is impossible: {error}") from error
    return estimator


def model_hash(data: bytes) -> str:
    """Return what identifies a model: the SHA-256 of its file.

    Parameters
    ----------
    data : bytes
        What `model_to_bytes` returned, or the content of a model file.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    return hashlib.sha256(data).hexdigest()


def save_model(
    estimator: Any, path: str | os.PathLike[str], *, overwrite: bool = False
) -> None:
    """Save a fitted estimator to a file.

    The file appears only once it is complete: if something fails on the way, there is
    none, or still the one that was there before.

    Parameters
    ----------
    estimator : estimator
        An estimator that `model_to_bytes` accepts.

    path : str or path-like
        The file.

    overwrite : bool, default=False
        Whether an existing file may be replaced.

    Raises
    ------
    TypeError, NotFittedError, ValueError
        As for `model_to_bytes`; nothing is written then.

    FileExistsError
        If the file exists and may not be replaced.

    OSError
        If it cannot be written.

    See Also
    --------
    load_model : The inverse.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn_dae.models import load_model, save_model
    >>> from sklearn_dae.codecs import TransformCodec
    >>> X = load_digits().data
    >>> codec = TransformCodec(PCA(16)).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(codec, f"{folder}/digits.daem")
    ...     restored = load_model(f"{folder}/digits.daem")
    >>> restored.encode(X) == codec.encode(X)
    True
    """
    data = model_to_bytes(estimator)
    with atomic_writer(path, overwrite=overwrite) as file:
        file.write(data)


def load_model(path: str | os.PathLike[str]) -> Any:
    """Load an estimator that `save_model` saved.

    Parameters
    ----------
    path : str or path-like
        The file. It may come from anyone: nothing in it is ever run.

    Returns
    -------
    estimator
        The fitted estimator. It computes what the saved one computed, to the last bit
        on the same machine. A `TransformCodec` has of its transformer only what
        decodes, unless that is all of it.

    Raises
    ------
    BitstreamError
        If the file is cut off, damaged, from a newer version, or not a model file.

    OSError
        If it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            # A file of another kind may have any size: only this much of it is read.
            read_preamble(file.read(PREAMBLE_SIZE))
            file.seek(0)
            return model_from_bytes(file.read())
    except BitstreamError as error:
        raise BitstreamError(f"{os.fspath(path)}: {error}") from error
