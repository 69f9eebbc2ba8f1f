"""One question: which architecture does a name or a path mean? Joins the catalogue of models and the readers of files.

Order: a path that exists, then the catalogue, then a folder of configurations the caller names, then, only when asked, the hub.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from cardwise.catalogue import models
from cardwise.catalogue.models import ModelFacts
from cardwise.errors import NotSupported, UnknownName
from cardwise.model import Architecture
from cardwise.readers.config import read_config
from cardwise.readers.directory import holds_model, read_json, read_path

SUFFIXES = (".json", ".gguf", ".safetensors")


def architecture(name_or_path: str, *, configs: Path | None = None, online: bool = False) -> Architecture:
    """The architecture of a model id, an alias, or a file or folder of a model.

    `configs`: a folder with `<org>--<name>_config.json` for ids that the catalogue lacks. `online`: ask the hub for the rest (its
    configuration
    and the headers of its weights, never the weights). Raises UnknownName, AmbiguousName, BadFile.
    """
    path = Path(name_or_path).expanduser()
    if is_path(name_or_path, path):
        return read_path(path)
    try:
        return _catalogued(models.model_id(name_or_path), models.version())
    except UnknownName as unknown:
        file = configs / f"{name_or_path.replace('/', '--')}_config.json" if configs is not None else None
        if file is not None and file.is_file():
            return _from_folder(name_or_path, file)
        if online:
            return _from_hub(name_or_path)
        raise unknown


def is_path(name: str, path: Path) -> bool:
    """Whether a text means a file or folder. A folder without a model does not hide a model of the catalogue with the same name."""
    try:
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


def _from_hub(name: str) -> Architecture:
    """Configuration, and the parameters and bytes that the headers of the weights state. Needs the package huggingface_hub and a
    network."""
    try:
        from huggingface_hub import HfApi, hf_hub_download
    except ImportError:
        raise NotSupported("asking the hub needs the package huggingface_hub; install it or give the path of a config.json") from None
    try:
        config = read_json(Path(hf_hub_download(name, "config.json")))
    except Exception as error:  # the client raises many kinds, all of which mean that there is no answer
        raise UnknownName("model", name[:100], (), f"the hub gave no config.json: {type(error).__name__}") from None
    try:
        stored: Mapping[str, Any] | None = read_json(Path(hf_hub_download(name, "hf_quant_config.json")))
    except Exception:
        stored = None
    read = read_config(config, name=name, source="config.json of the model's repository", quantization_file=stored)
    try:
        metadata = HfApi().get_safetensors_metadata(name)
    except Exception:
        return read
    ends = [max(info.data_offsets[1] for info in file.tensors.values()) for file in metadata.files_metadata.values() if file.tensors]
    return replace(read, published_parameters=sum(metadata.parameter_count.values()), file_bytes=float(sum(ends)))
