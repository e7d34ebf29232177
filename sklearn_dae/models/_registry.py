"""The classes that model files know: ours, scikit-learn's, and those of plug-ins.

In: a class, or a name from a file. Out: how its objects are stored. No file can name
any other class, and no code comes out of a file.

One more class of ours is one more entry in `_OURS`. A class of another package joins by
an entry point in the group `sklearn_dae.models`, whose name is the one used in files.
Plug-ins are imported only when a model needs them: a broken one harms no other model.
"""

from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points

from sklearn.base import BaseEstimator

from sklearn_dae._scaling import PixelScaler
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
from sklearn_dae.codecs._code_model import QuantizedCodes, RoundedCodes
from sklearn_dae.codecs._code_space import CodeSpace
from sklearn_dae.codecs._decoder import CompactDecoder, WholeDecoder
from sklearn_dae.codecs._set_model import SetModel
from sklearn_dae.coding import FrequencyTables, HuffmanCoder
from sklearn_dae.coding._huffman import HuffmanCode
from sklearn_dae.compressor import DeepAutoencoderCompressor
from sklearn_dae.entropy import (
    AutoregressiveMixtures,
    ColumnMixtures,
    ColumnTables,
    PixelModel,
)
from sklearn_dae.models import _scikit_learn
from sklearn_dae.models._kind import Kind
from sklearn_dae.network import Dense, Layout, Network
from sklearn_dae.quantizers import KMeansQuantizer, UniformQuantizer
from sklearn_dae.rbm import BernoulliRBM, GaussianRBM

#: Group of the entry points by which other packages add classes.
GROUP = "sklearn_dae.models"

_OURS = (
    PixelScaler,
    Dense,
    Layout,
    Network,
    CodeSpace,
    CompactDecoder,
    WholeDecoder,
    FrequencyTables,
    ColumnTables,
    AutoregressiveMixtures,
    ColumnMixtures,
    RoundedCodes,
    QuantizedCodes,
    PixelModel,
    HuffmanCode,
    SetModel,
    BernoulliRBM,
    GaussianRBM,
    DeepAutoencoderCompressor,
    UniformQuantizer,
    KMeansQuantizer,
    HuffmanCoder,
    HuffmanCodec,
    GeneralCodec,
    SetRedundancyCodec,
    PillowCodec,
    JpegLSCodec,
    JpegXLCodec,
    PixelCodec,
    TransformCodec,
)

KINDS = (
    *_scikit_learn.KINDS,
    *(Kind.declared(cls, cls.__name__) for cls in _OURS),
)

_BY_NAME = {kind.name: kind for kind in KINDS}
_BY_CLASS = {kind.cls: kind for kind in KINDS}

#: Kinds of plug-ins that have been loaded, by what their entry points say.
_LOADED: dict[tuple[str, str], Kind] = {}


def supported() -> list[str]:
    """Return the names of the estimators that can be saved, plug-ins included."""
    ours = {kind.name for kind in KINDS if kind.is_estimator}
    return sorted(ours | entry_points(group=GROUP).names)


def kind_of(cls: type) -> Kind | None:
    """Return how objects of a class are stored; None if it is not registered.

    Raises
    ------
    ImportError
        If it is the class of a plug-in that cannot be used.
    """
    if cls in _BY_CLASS:
        return _BY_CLASS[cls]
    if not issubclass(cls, BaseEstimator) and not hasattr(cls, "_stored_fields"):
        return None
    for plugin in entry_points(group=GROUP):
        # The module of the class is there already: what cannot be imported is another.
        if plugin.attr == cls.__qualname__:
            with suppress(ImportError):
                if _import(plugin) is cls:
                    break
    else:
        return None
    return _plugin_kind(plugin.name)


def kind_named(name: str) -> Kind | None:
    """Return how objects of the class of that name are stored; None if there is none.

    Raises
    ------
    ImportError
        If it is the class of a plug-in that cannot be used.
    """
    if name in _BY_NAME:
        return _BY_NAME[name]
    return _plugin_kind(name)


def _plugin_kind(name: str) -> Kind | None:
    plugins = {plugin.value: plugin for plugin in entry_points(group=GROUP, name=name)}
    values = sorted(plugins)
    if name in _BY_NAME:
        raise ImportError(
            f"{' and '.join(map(_from, plugins.values()))} claims the name {name!r}, "
            "which sklearn-dae uses itself: give its entry point another name."
        )
    if len(plugins) > 1:
        raise ImportError(
            f"{len(plugins)} plug-ins claim the name {name!r}: "
            f"{' and '.join(_from(plugins[value]) for value in values)}; expected one: "
            "uninstall the others, or rename their entry points."
        )
    if not plugins:
        return None
    plugin = plugins[values[0]]
    key = (plugin.name, plugin.value)
    if key not in _LOADED:
        cls = _import(plugin)
        try:
            if not isinstance(cls, type):
                raise TypeError(f"it is {cls!r}")
            _LOADED[key] = Kind.declared(cls, name)
        except Exception as error:
            raise ImportError(
                f"{_from(plugin)} cannot be used: {_said(error)}; expected a class "
                "whose _stored_fields is a mapping of attribute names to checks "
                "(see docs/models.md). Tell its authors."
            ) from error
    return _LOADED[key]


def _import(plugin: EntryPoint) -> object:
    try:
        return plugin.load()
    except Exception as error:
        raise ImportError(
            f"{_from(plugin)} cannot be imported: {_said(error)}; upgrade or reinstall "
            "the package."
        ) from error


def _from(plugin: EntryPoint) -> str:
    package = plugin.dist.name if plugin.dist else "an unknown package"
    return f"the plug-in {plugin.name} ({plugin.value} of {package})"


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
