"""``sklearn-dae inspect``: what is in an archive or a model file."""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from sklearn_dae.archive import Archive, open_archive
from sklearn_dae.cli._input import binary_input, is_model_file
from sklearn_dae.cli._messages import printable
from sklearn_dae.cli._options import UsageError, add_model
from sklearn_dae.codecs import Codec, TransformCodec
from sklearn_dae.exceptions import BitstreamError
from sklearn_dae.models import model_from_bytes, model_hash


def add_command(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser(
        "inspect",
        help="what an archive or a model file holds",
        description="Say what an archive or a model file holds; no image is decoded.",
    )
    parser.set_defaults(run=_run)
    parser.add_argument(
        "file",
        metavar="FILE",
        help="an archive or a model file, or - for standard input",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument(
        "--names", action="store_true", help="the names of the images, one a line"
    )
    add_model(parser, "the model file of an archive that does not hold it")


def _run(arguments: argparse.Namespace) -> int:
    path = arguments.file
    with binary_input(path) as file:
        if is_model_file(file):
            if arguments.names:
                raise UsageError("--names: a model file holds no images.")
            _show(_describe_model_file(path, file.read()), as_json=arguments.json)
            return 0
        source = file if path == "-" else path
        with open_archive(source, arguments.model) as archive:
            if arguments.names:
                for name in archive.names:
                    print(printable(name, sys.stdout))
            else:
                _show(_describe_archive(path, archive), as_json=arguments.json)
    return 0


def _describe_archive(path: str, archive: Archive) -> dict[str, Any]:
    info = archive.info()
    parts = info.parts
    content: dict[str, Any] = {
        "file": path,
        "kind": "archive",
        "created_by": info.created_by,
        "images": info.n_images,
        "kinds": {str(spec): n for spec, n in info.kinds.items()},
        "names": bool(archive.names),
        "files": sum(1 for _ in archive.files()),
        "chunks": info.n_chunks,
        "bytes": parts.total,
        "bytes_of_pixels": info.pixel_bytes,
        "bytes_of_header": parts.header,
        "bytes_of_images": parts.images,
        "bytes_of_names_and_surroundings": parts.files,
        "bytes_of_files_kept": parts.kept,
        "bytes_of_index": parts.index,
        "bytes_of_model": info.model_size,
        "ratio_with_model": _ratio(info.pixel_bytes, info.bytes_with_model),
        "ratio_without_model": _ratio(info.pixel_bytes, parts.without_model),
        "model_class": info.model_class,
        "model_sha256": info.model_hash,
        "model_inside": info.model_inside,
    }
    # A model that is elsewhere, or damaged, does not hide what else there is.
    with suppress(ValueError):
        content["needs"] = _listed(archive.packages)
    with suppress(ValueError):
        content["model"] = _describe_model(archive.codec)
    with suppress(BitstreamError):
        account = archive.account().to_dict()
        if account["files"]:
            left_out = account.pop("left_out")
            content["taken_in"] = account | ({"left_out": left_out} if left_out else {})
    if info.metadata:
        content["metadata"] = info.metadata
    return content


def _describe_model_file(path: str, data: bytes) -> dict[str, Any]:
    try:
        model = model_from_bytes(data)
    except BitstreamError as error:
        raise BitstreamError(f"{path}: {error}") from error
    content = {
        "file": path,
        "kind": "model",
        "bytes": len(data),
        "model_class": type(model).__name__,
        "model_sha256": model_hash(data),
    }
    if isinstance(model, Codec):
        content["needs"] = _listed(model.packages)
    return content | {"model": _describe_model(model)}


def _listed(packages: Sequence[str]) -> str:
    return ", ".join(packages) or "no other package"


def _describe_model(model: Any) -> dict[str, Any]:
    """Say what a model does, as far as it knows."""
    content: dict[str, Any] = {"pixels": model.n_features_in_}
    network: Any = getattr(model, "network_", getattr(model, "decoder_", None))
    if hasattr(network, "layout"):
        layout = network.layout
        content["network"] = str(layout)
        content["parameters"] = layout.n_parameters
    if hasattr(model, "dtype_"):
        content["dtype"] = model.dtype_.name
    if isinstance(model, Codec):
        content["lossless"] = model.error_bound == 0
        if 0 < model.error_bound < math.inf:
            content["max_abs_error"] = model.error_bound
    if isinstance(model, TransformCodec):
        content["bytes_an_image_in_training"] = model.bits_per_sample_ / 8
        # JSON has no infinity: without a number, images come back exactly.
        exact = math.isinf(model.psnr_)
        content["psnr_in_training"] = None if exact else model.psnr_
    return content


def _ratio(pixels: int, stored: int) -> float:
    return round(pixels / stored, 4)


def _show(content: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(content, indent=2))
        return
    rows = list(_rows(content))
    width = max(len(label) for label, _ in rows)
    for label, value in rows:
        print(printable(f"{label:{width}}  {value}".rstrip(), sys.stdout))


def _rows(content: dict[str, Any], indent: str = "") -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        label = indent + key.replace("_", " ")
        if isinstance(value, dict):
            yield label, ""
            yield from _rows(value, indent + "  ")
        else:
            yield label, _as_text(value)


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return " x ".join(map(str, value))
    return str(value)
