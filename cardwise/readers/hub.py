"""A model id -> Architecture, asked of the hub: configuration and headers of the weights, never the weights. Only when a person says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cardwise.errors import NotSupported, UnknownName
from cardwise.model import Architecture
from cardwise.readers.config import read_config
from cardwise.readers.json_file import read_json


def read_hub(name: str) -> Architecture:
    """The architecture of a repository on the hub. Needs the package huggingface_hub and a network.

    Raises NotSupported without the package, UnknownName when the hub has no configuration of that name, BadFile when it cannot be read.
    """
    try:
        from huggingface_hub import HfApi, hf_hub_download
    except ImportError:
        raise NotSupported("asking the hub needs the package huggingface_hub; install it or give the path of a config.json") from None
    try:
        config = Path(hf_hub_download(name, "config.json"))
    except Exception as error:  # the client raises many kinds, all of which mean that there is no answer
        raise UnknownName("model", name[:100], (), f"the hub gave no config.json: {type(error).__name__}") from None
    try:
        stored: Mapping[str, Any] | None = read_json(Path(hf_hub_download(name, "hf_quant_config.json")))
    except Exception:  # most models have no such file
        stored = None
    read = read_config(read_json(config), name=name, source="config.json of the model's repository", quantization_file=stored)
    try:
        metadata = HfApi().get_safetensors_metadata(name)
    except Exception:  # no safetensors, or gated: the configuration alone is an answer
        return read
    ends = [max(info.data_offsets[1] for info in file.tensors.values()) for file in metadata.files_metadata.values() if file.tensors]
    return replace(read, published_parameters=sum(metadata.parameter_count.values()), file_bytes=float(sum(ends)))
