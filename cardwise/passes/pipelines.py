"""One question: which pipeline of images or video does a name or a path mean? Joins the catalogue and the readers of components.

Order: a folder of a pipeline that exists, then the catalogue and the person's facts.
"""

from __future__ import annotations

from dataclasses import replace
from difflib import SequenceMatcher
from functools import lru_cache
from pathlib import Path

from cardwise.catalogue import models, pipelines
from cardwise.catalogue.load import version
from cardwise.errors import AmbiguousName, CardwiseError, NotSupported, UnknownName
from cardwise.passes.architectures import opens_paths
from cardwise.pipeline import Pipeline
from cardwise.readers.diffusion.components import NEXT
from cardwise.readers.diffusion.directory import Folder, holds_pipeline, read_folder
from cardwise.readers.diffusion.pipeline import read_pipeline
from cardwise.readers.fields import Fields

TOLERANCE = 0.001
"""Share of a component's elements by which its file may differ: buffers that are stored beside parameters."""


def pipeline(name_or_path: str) -> Pipeline:
    """The pipeline of an id, an alias, or a folder with model_index.json. Raises UnknownName, AmbiguousName, BadFile, NotSupported."""
    if _is_folder(name_or_path):
        return from_folder(Path(name_or_path).expanduser())
    return _catalogued(pipelines.pipeline_id(name_or_path), version())


def is_pipeline(name_or_path: str) -> bool:
    """Whether a name or path means a pipeline of images or video. A name that nothing knows does where the nearest known one is one."""
    if _is_folder(name_or_path):
        return True
    try:
        return pipelines.find_pipeline(name_or_path) is not None or _nearer_than_models(name_or_path)
    except AmbiguousName:
        return True


def _is_folder(name: str) -> bool:
    try:
        return opens_paths() and holds_pipeline(Path(name).expanduser())
    except (OSError, RuntimeError, ValueError):  # names that no file system takes
        return False


def _nearer_than_models(name: str) -> bool:
    try:
        models.model_id(name)
    except UnknownName as unknown:
        near = pipelines.nearest_pipelines(name, 1)
        wanted = models.plain(name)[:100]
        model = max((SequenceMatcher(None, wanted, models.plain(other)).ratio() for other in unknown.nearest), default=0.0)
        return bool(near) and near[0][1] > model
    except CardwiseError:
        pass
    return False


@lru_cache(maxsize=128)
def _catalogued(id: str, version: int) -> Pipeline:
    facts = pipelines.pipeline_facts(id)
    components = {name: Fields(fields, f"{id} {name}") for name, fields in facts.components.items()}
    return read_pipeline(id, components, Fields(facts.rule, id))


def from_folder(path: Path) -> Pipeline:
    """The pipeline of a folder, with what the headers of its weights say in its notes."""
    folder = read_folder(path)
    rule = pipelines.class_rule(folder.pipeline_class)
    if rule is None:
        raise NotSupported(f"{path}: no rule for the pipeline class {folder.pipeline_class[:60]}; {NEXT}")
    where = path.parent if path.is_file() else path
    read = read_pipeline(where.resolve().name, folder.components, Fields({**rule, "source": str(where)}, str(where)))
    return replace(read, notes="; ".join(filter(None, (read.notes, *_stored(read, folder)))))


def _stored(read: Pipeline, folder: Folder) -> list[str]:
    """How the files store each component, and where their number of elements is not what was read."""
    counted = {encoder.name: encoder.network.parameters for encoder in read.encoders}
    counted |= {denoiser.name: denoiser.network.parameters for denoiser in read.denoisers}
    counted["vae"] = read.autoencoder.parameters
    said = []
    for name, contents in folder.weights.items():
        said.append(f"{name} is stored in {contents.main_dtype}")
        count = counted.get(name)
        if count is not None and abs(contents.elements - count) > TOLERANCE * count:
            said.append(f"its file holds {contents.elements:,} elements where its configuration has {count:,}")
    return said
