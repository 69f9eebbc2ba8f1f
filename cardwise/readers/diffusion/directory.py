"""A folder as diffusers writes it -> the fields of its components: model_index.json, a config.json each, headers of weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cardwise.errors import BadFile
from cardwise.readers.diffusion.components import NEXT
from cardwise.readers.fields import Fields, short
from cardwise.readers.json_file import read_json
from cardwise.readers.safetensors import Contents, read_weights

INDEX = "model_index.json"
CONFIGS = {"scheduler": "scheduler_config.json"}
SKIPPED = ("tokenizer", "feature_extractor", "image_processor", "safety_checker", "watermark", "processor")
WEIGHTS = ("model.safetensors", "diffusion_pytorch_model.safetensors", "model.fp16.safetensors", "diffusion_pytorch_model.fp16.safetensors")


@dataclass(frozen=True, slots=True)
class Folder:
    """A pipeline as its folder states it: its class, the fields of its components, and what their weights' headers say."""

    pipeline_class: str
    components: Mapping[str, Fields]
    weights: Mapping[str, Contents]


def holds_pipeline(path: Path) -> bool:
    """Whether a path is a folder with a pipeline, or its model_index.json."""
    return (path / INDEX).is_file() or (path.name == INDEX and path.is_file())


def read_folder(path: Path) -> Folder:
    """The components of a pipeline's folder. Raises BadFile in one line."""
    folder = path.parent if path.name == INDEX else path
    index = Fields(read_json(folder / INDEX), str(folder / INDEX))
    components: dict[str, Fields] = {"model_index": index}
    weights: dict[str, Contents] = {}
    for name, value in index.values.items():
        if name.startswith(("_", *SKIPPED)) or not isinstance(value, list):
            continue
        if len(value) != 2 or not all(item is None or isinstance(item, str) for item in value):
            raise index.bad(f"component {name} is {short(value)}; it must be a library and a class")
        if value[1] is None:
            continue
        config = folder / name / CONFIGS.get(name, "config.json")
        if not config.is_file():
            if name == "scheduler":
                continue
            raise BadFile(f"{folder}: the component {name} ({value[1]}) has no {config.name}; give the whole folder, or {NEXT}")
        components[name] = Fields({**read_json(config), "_class_name": value[1]}, str(config))
        file = _weights_of(folder / name)
        if file is not None:
            weights[name] = read_weights(file)
    return Folder(index.text("_class_name"), components, weights)


def _weights_of(folder: Path) -> Path | None:
    """The index of shards or the one file of a component; of a lower precision only where there is no other."""
    tries = [folder / f"{name}.index.json" for name in WEIGHTS] + [folder / name for name in WEIGHTS]
    return next((path for path in tries if path.is_file()), None)
