"""One question: which architecture does a name or a path mean? Joins the catalogue of models and the readers of files.

Order: a path that exists, then the catalogue, then a folder of configurations the caller names, then, only when asked, the hub.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from cardwise.catalogue import models
from cardwise.catalogue.load import version
from cardwise.catalogue.models import ModelFacts
from cardwise.errors import BadInput, UnknownName
from cardwise.model import Architecture
from cardwise.readers.config import read_config
from cardwise.readers.directory import holds_model, read_path
from cardwise.readers.json_file import read_json

_names_only = False
SUFFIXES = (".json", ".gguf", ".safetensors")


def names_only() -> None:
    """From now on nothing in this process takes a model's name for a path: for servers, whose names come from strangers."""
    global _names_only
    _names_only = True


def opens_paths() -> bool:
    """Whether a model's name may mean a file or folder of this machine."""
    return not _names_only


def architecture(name_or_path: str, *, configs: Path | None = None, online: bool = False) -> Architecture:
    """The architecture of a model id, an alias, or a file or folder of a model.

    `configs`: a folder with `<org>--<name>_config.json` for ids that the catalogue lacks. `online`: ask the hub for the rest (its
    configuration
    and the headers of its weights, never the weights). Raises UnknownName, AmbiguousName, BadFile.
    """
    if may_be_path(name_or_path):
        return read_path(Path(name_or_path).expanduser())
    try:
        return _catalogued(models.model_id(name_or_path), version())
    except UnknownName as unknown:
        file = configs / f"{name_or_path.replace('/', '--')}_config.json" if configs is not None else None
        if file is not None and file.is_file():
            return _from_folder(name_or_path, file)
        if online:
            from cardwise.readers.hub import read_hub

            return read_hub(name_or_path)
        raise unknown


def may_be_path(name: str) -> bool:
    """Whether a text means a file or folder. A folder without a model does not hide a model of the catalogue with the same name.

    Raises BadInput for what looks like a path where only names are taken; the file system is not asked there.
    """
    if _names_only:
        if name.lower().endswith(SUFFIXES) or name.startswith((".", "/", "~")) or "\\" in name or name.count("/") > 1 or name[1:3] == ":/":
            raise BadInput(f"{name[:100]!r} looks like a path, and no file of this machine is opened; give an id, or drop the file")
        return False
    try:
        path = Path(name).expanduser()
        looks = name.lower().endswith(SUFFIXES) or name.startswith((".", "/", "~")) or path.is_absolute()
        return looks or path.is_file() or holds_model(path)
    except (OSError, ValueError):  # names that no file system takes
        return False


@lru_cache(maxsize=256)
def _catalogued(id: str, version: int) -> Architecture:
    return from_facts(models.model_facts(id))


def from_facts(facts: ModelFacts) -> Architecture:
    """The architecture that catalogue facts describe, with how the file stores its weights."""
    read = read_config(facts.fields, name=facts.id, source=facts.source)
    return replace(
        read,
        weight_format=facts.weight_format or read.weight_format,
        quantization=facts.quantization if facts.weight_format else read.quantization,
        published_parameters=facts.published_parameters,
        notes="; ".join(text for text in (facts.notes, read.notes) if text),
    )


def _from_folder(name: str, file: Path) -> Architecture:
    beside = file.with_name(file.name.removesuffix("_config.json") + "_hf_quant_config.json")
    stored = read_json(beside) if beside.is_file() else None
    return read_config(read_json(file), name=name, source=file.name, quantization_file=stored)
