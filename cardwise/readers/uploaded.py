"""A model that a person hands over as bytes: what its files say, kept as one small description, and the architecture of that.

Nothing is opened and nothing is written. A file is read by its head alone: a configuration whole, of weights the header. What several files
of one model say is one description, from which any later question is answered without the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cardwise.errors import BadFile, NotSupported
from cardwise.model import Architecture
from cardwise.readers.config import read_config
from cardwise.readers.directory import STORED
from cardwise.readers.json_file import fields_of

KINDS = ("config", "quantization", "index", "safetensors", "gguf")
MOST_NAME = 200


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What one file says. `kind`: one of KINDS. `fields`: those of a configuration, or of hf_quant_config.json for `quantization`.

    `file_bytes`, `elements`: of the weights, None when not stated. `weight_format`: how they are stored, empty when not stated.
    """

    kind: str
    name: str
    fields: Mapping[str, Any]
    weight_format: str = ""
    file_bytes: float | None = None
    elements: int | None = None


@dataclass(frozen=True, slots=True)
class Description:
    """One model: the fields of its configuration, and what the headers of its weights say where they were handed over too."""

    name: str
    fields: Mapping[str, Any]
    quantization: Mapping[str, Any] | None = None
    weight_format: str = ""
    file_bytes: float | None = None
    elements: int | None = None


def read_upload(name: str, data: bytes, file_bytes: int) -> Uploaded:
    """What the first bytes `data` of a file of `file_bytes` say. Raises BadFile in one line, NotSupported for a kind that is not read."""
    label = name.replace("\\", "/").rsplit("/", 1)[-1][:MOST_NAME] or "file"
    if data[:4] == b"GGUF" or label.lower().endswith(".gguf"):
        return _gguf(label, data, file_bytes)
    if label.lower().endswith(".safetensors"):
        return _safetensors(label, data, file_bytes)
    if file_bytes > len(data):
        raise BadFile(f"{label}: {len(data):,} of {file_bytes:,} bytes came; a configuration is read whole")
    fields = fields_of(data, label)
    if isinstance(fields.get("weight_map"), dict):
        return _index(label, fields)
    if "_diffusers_version" in fields or "_class_name" in fields:
        raise NotSupported(f"{label}: a pipeline of images or video is several files; name it, or run cardwise plan on its folder")
    if "model_type" not in fields and isinstance(fields.get("quantization"), dict):
        return Uploaded("quantization", label, fields)
    return Uploaded("config", _model_name(label, fields), fields)


def _model_name(label: str, fields: Mapping[str, Any]) -> str:
    said = fields.get("_name_or_path")
    stem = label.removesuffix(".json").removesuffix("_config").replace("--", "/")
    return said[:MOST_NAME] if stem == "config" and isinstance(said, str) and said.strip() else stem


def _gguf(label: str, data: bytes, file_bytes: int) -> Uploaded:
    from cardwise.readers.gguf import read_head
    from cardwise.readers.gguf_fields import config_fields, weight_format

    file = read_head(data, file_bytes, label)
    said = file.metadata.get("general.name")
    name = said[:MOST_NAME] if isinstance(said, str) and said.strip() else label
    stored = sum(tensor.elements for tensor in file.tensors if not tensor.name.startswith("rope_"))
    return Uploaded("gguf", name, config_fields(file, label), weight_format(file), float(file.total_bytes), stored)


def _safetensors(label: str, data: bytes, file_bytes: int) -> Uploaded:
    from cardwise.readers.safetensors import Contents, read_head

    contents = Contents(read_head(data, file_bytes, label))
    return Uploaded("safetensors", label, {}, STORED.get(contents.main_dtype, ""), float(contents.total_bytes), contents.elements)


def _index(label: str, fields: Mapping[str, Any]) -> Uploaded:
    """An index names its shards and, mostly, the bytes of all of them."""
    metadata = fields.get("metadata")
    total = metadata.get("total_size") if isinstance(metadata, dict) else None
    stated = isinstance(total, (int, float)) and not isinstance(total, bool) and 0 < total < 2**60
    return Uploaded("index", label, {}, file_bytes=float(total) if stated and total is not None else None)


def architecture_of(said: Description) -> Architecture:
    """The architecture that a description means. Raises BadFile for a missing or absurd field, UnknownName for a family without a rule."""
    read = read_config(said.fields, name=said.name, source="the file handed over", quantization_file=said.quantization)
    plain = read.weight_format in ("bf16", "fp16", "fp32")
    if said.weight_format and plain:
        read = replace(read, weight_format=said.weight_format, quantization=())
    return replace(read, file_bytes=said.file_bytes, published_parameters=said.elements)
