"""A path -> Architecture: config.json, a folder of a checkpoint, a GGUF file, or safetensors with the configuration beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cardwise.errors import BadFile
from cardwise.model import Architecture
from cardwise.readers.config import read_config
from cardwise.readers.json_file import read_json

STORED = {"BF16": "bf16", "F16": "fp16", "F32": "fp32", "F8_E4M3": "fp8"}


def read_path(path: str | Path) -> Architecture:
    """The architecture of a file or folder. `file_bytes`: what its tensors take. Raises BadFile in one line."""
    place = Path(path)
    if place.is_dir():
        return _folder(place)
    if not place.is_file():
        raise BadFile(f"{place}: no such file or folder; give a config.json, a .gguf file, or the folder of a model")
    suffix = place.suffix.lower()
    if suffix == ".gguf":
        from cardwise.readers.gguf_fields import read_gguf

        return read_gguf(place)
    if suffix == ".safetensors" or place.name.endswith(".safetensors.index.json"):
        return _with_weights(_config_beside(place.parent, place), place)
    if suffix == ".json":
        return _config(place)
    raise BadFile(f"{place}: not a config.json, .gguf or .safetensors file")


def holds_model(folder: Path) -> bool:
    """Whether a folder has a configuration or weights that `read_path` can read."""
    return folder.is_dir() and ((folder / "config.json").is_file() or any(folder.glob("*.gguf")))


def _config(path: Path) -> Architecture:
    beside = path.with_name("hf_quant_config.json")
    if path.name.endswith("_config.json") and path.name != "hf_quant_config.json":
        beside = path.with_name(path.name.removesuffix("_config.json") + "_hf_quant_config.json")
    stored = read_json(beside) if beside.is_file() else None
    name = path.parent.name if path.name == "config.json" else path.name.removesuffix(".json").removesuffix("_config").replace("--", "/")
    return read_config(read_json(path), name=name or path.stem, source=str(path), quantization_file=stored)


def _config_beside(folder: Path, file: Path) -> Architecture:
    path = folder / "config.json"
    if not path.is_file():
        raise BadFile(f"{file}: no config.json beside it; weights alone do not say how they are used")
    return _config(path)


def _folder(folder: Path) -> Architecture:
    config, index, single = folder / "config.json", folder / "model.safetensors.index.json", folder / "model.safetensors"
    if config.is_file():
        read = _config(config)
        weights = index if index.is_file() else single if single.is_file() else None
        return _with_weights(read, weights) if weights else read
    files = sorted(folder.glob("*.gguf"))
    first = [file for file in files if "-of-" not in file.name or "-00001-of-" in file.name]
    if len(first) == 1:
        return read_path(first[0])
    if first:
        raise BadFile(f"{folder}: holds {len(first)} GGUF models; give the file")
    raise BadFile(f"{folder}: no config.json and no .gguf file; give the folder of a model")


def _with_weights(read: Architecture, weights: Path) -> Architecture:
    """The architecture with the bytes and the number of elements that the headers of its weights state."""
    from cardwise.readers.safetensors import read_weights

    contents = read_weights(weights)
    main = contents.main_dtype
    stored = STORED.get(main, read.weight_format) if read.weight_format in ("bf16", "fp16", "fp32") else read.weight_format
    return replace(read, file_bytes=float(contents.total_bytes), published_parameters=contents.elements, weight_format=stored)
