"""How the modules stand to each other, and what the package promises of itself."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sklearn_dae
from sklearn_dae import codecs

PACKAGE = Path(sklearn_dae.__file__).parent

#: From the top of the house to the bottom. A module imports only what stands below
#: it, or beside it in its own folder.
LEVELS = [
    ["__main__"],
    ["cli"],
    ["_demo"],
    ["_demo_table"],
    ["evaluation"],
    ["archive"],
    ["models"],
    ["codecs"],
    ["entropy"],
    ["quantizers"],
    ["coding"],
    ["compressor"],
    ["training"],
    ["rbm"],
    ["network"],
    ["rows"],
    ["_scaling"],
    ["datasets"],
    ["images"],
    [
        "_atomic",
        "_bytes",
        "_callbacks",
        "_fields",
        "_memory",
        "_threads",
        "_validation",
        "_warnings",
    ],
    ["_blas", "exceptions"],
]

#: What stands above, and is asked all the same how many bytes a codec takes.
UPWARDS = {("codecs/_measured.py", "sklearn_dae.models")}

#: Packages that are imported where they are used only.
OPTIONAL = [
    "matplotlib",
    "PIL",
    "rich",
    "pandas",
    "imagecodecs",
    "zstandard",
    "jinja2",
    "skimage",
    "bjontegaard",
    "tifffile",
    "pydicom",
]


def _modules():
    for info in pkgutil.walk_packages([str(PACKAGE)], "sklearn_dae."):
        if not info.name.endswith("__main__"):
            yield info.name


def _level(module):
    room = module.split(".")[1]
    for level, rooms in enumerate(LEVELS):
        if room in rooms:
            return level, room
    raise AssertionError(f"{module} stands on no level")


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "sklearn_dae":
                yield from (f"sklearn_dae.{alias.name}" for alias in node.names)
            elif node.module.startswith("sklearn_dae."):
                yield node.module
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.startswith("sklearn_dae."))


def test_modules_import_only_what_stands_below_them():
    n_imports = 0
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts == ("__init__",):
            continue
        importer, room = _level(".".join(["sklearn_dae", *parts]))
        for imported in _imports(path):
            if (path.relative_to(PACKAGE).as_posix(), imported) in UPWARDS:
                continue
            level, imported_room = _level(imported)
            assert level > importer or imported_room == room, f"{path}: {imported}"
            n_imports += 1
    assert n_imports > 40


def test_importing_the_package_imports_nothing_optional():
    # scikit-learn itself imports rich where it can.
    code = (
        "import sys, sklearn.callback; before = set(sys.modules); "
        "import sklearn_dae, sklearn_dae.cli; "
        f"print(sorted(set({OPTIONAL!r}) & (set(sys.modules) - before)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "name", ["sklearn_dae", *(m for m in _modules() if "._" not in m)]
)
def test_public_names_are_listed_and_documented(name):
    module = importlib.import_module(name)
    reference = (PACKAGE.parent / "docs" / "api.md").read_text()
    for public in getattr(module, "__all__", []):
        item = getattr(module, public)
        if callable(item):
            assert inspect.getdoc(item), f"{name}.{public} has no docstring"
        assert f"`{public}`" in reference, f"{public} is not in the API reference"


def test_links_in_the_documents_lead_somewhere():
    root = PACKAGE.parent
    n_links = 0
    for document in [root / "README.md", *root.glob("docs/*.md")]:
        text = document.read_text()
        assert "@@" not in text, f"{document} has a gap"
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            if not target.startswith("http"):
                assert (document.parent / target).exists(), f"{document}: {target}"
                n_links += 1
    assert n_links > 8


def _documented_defaults(estimator):
    """Parameters with the default that the class docstring gives."""
    text = inspect.getdoc(estimator).split("\nAttributes\n")[0]
    return dict(re.findall(r"^(\w+) : [^\n]*default=(.+)$", text, re.MULTILINE))


ESTIMATORS = [
    *(getattr(sklearn_dae, name) for name in sklearn_dae.__all__),
    *(getattr(codecs, name) for name in codecs.__all__ if name.endswith("Codec")),
]


@pytest.mark.parametrize(
    "estimator", [item for item in ESTIMATORS if isinstance(item, type)]
)
def test_documented_defaults_are_those_of_the_code(estimator):
    name = estimator.__name__
    documented = _documented_defaults(estimator)
    signature = inspect.signature(estimator)
    for parameter in signature.parameters.values():
        if parameter.name in ("visible_units", "hidden_units"):
            continue  # documented together
        if parameter.default is parameter.empty:
            continue
        assert parameter.name in documented, f"{name}.{parameter.name}"
        documented_default = ast.literal_eval(documented[parameter.name])
        assert documented_default == parameter.default, f"{name}.{parameter.name}"
