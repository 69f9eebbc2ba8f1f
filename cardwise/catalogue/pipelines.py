"""The pipelines of images and video that Cardwise knows: ids, aliases, the fields of their components, and what their classes do.

data/diffusion/index.csv lists every pipeline with the file of its family; a family file holds one table per pipeline and the components
that it names; components that several families share are in components.toml, the classes' rules in pipelines.toml. Loading one pipeline
parses the index, those two and one family file. A name is matched exactly: id, alias, or without its organisation.
"""

from __future__ import annotations

import csv
import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cardwise.catalogue.load import COMPONENTS, PIPELINES, forgets, user_files
from cardwise.catalogue.models import model_facts, plain
from cardwise.errors import AmbiguousName, BadFile, UnknownName

DATA = Path(__file__).with_name("data") / "diffusion"
SHARED, RULES = DATA / "components.toml", DATA / "pipelines.toml"
MAX_DEPTH = 4
OWN_KEYS = ("source", "like", "aliases", "notes", "model", "class")


@dataclass(frozen=True, slots=True)
class ListedPipeline:
    """One line of the index. `parameters`: of all its components, None for a person's own."""

    id: str
    aliases: tuple[str, ...]
    file: str
    parameters: int | None = None


@dataclass(frozen=True, slots=True)
class PipelineFacts:
    """What is known of one pipeline. `rule`: what its class does, changed by what the model's own table says. `components`: the fields of
    each, with `_class_name`. `sources`: of each component."""

    id: str
    pipeline_class: str
    rule: Mapping[str, object]
    components: Mapping[str, Mapping[str, object]]
    source: str
    sources: Mapping[str, str]


@cache
def _tables(path: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadFile(f"{path}: {error}") from None


def _table(path: str, kind: str) -> Mapping[str, Mapping[str, Any]]:
    """The tables of one kind in a file, by name."""
    found = _tables(path).get(kind, {})
    if not isinstance(found, dict) or not all(isinstance(table, dict) for table in found.values()):
        raise BadFile(f'{path}: {kind} must be tables such as [{kind}."name"]')
    return found


@cache
def _index() -> Mapping[str, ListedPipeline]:
    listed: dict[str, ListedPipeline] = {}
    for path in user_files():
        if path.suffix.lower() == ".csv":
            continue
        for id, table in _table(str(path), PIPELINES).items():
            aliases = table.get("aliases", [])
            if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
                raise BadFile(f"{path}: aliases of {id} must be a list of texts")
            listed[id] = ListedPipeline(id, tuple(aliases), str(path))
    with (DATA / "index.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            file = str(DATA / f"{row['family']}.toml")
            listed.setdefault(row["id"], ListedPipeline(row["id"], tuple(row["aliases"].split()), file, int(row["parameters"])))
    return listed


@cache
def _keys() -> Mapping[str, tuple[str, ...]]:
    """Ids by every name that means them."""
    found: dict[str, dict[str, None]] = {}
    for entry in _index().values():
        for name in (entry.id.lower(), *(alias.lower() for alias in entry.aliases), bare(entry.id)):
            found.setdefault(name, {})[entry.id] = None
    return {name: tuple(ids) for name, ids in found.items()}


for clear in (_tables.cache_clear, _index.cache_clear, _keys.cache_clear):
    forgets(clear)


def bare(name: str) -> str:
    """A name without organisation, case and the marks of its packaging: `Wan-AI/Wan2.1-T2V-14B-Diffusers` -> `wan2.1-t2v-14b`."""
    return plain(name).removesuffix("-diffusers")


def listed_pipelines() -> tuple[ListedPipeline, ...]:
    """Every pipeline, a person's own first."""
    return tuple(_index().values())


def find_pipeline(name: str) -> str | None:
    """The catalogue's id of a name, None for a name that means no pipeline. Raises AmbiguousName."""
    index, keys = _index(), _keys()
    if name in index:
        return name
    for key in (name.strip().lower(), bare(name)):
        found = keys.get(key, ())
        if len(found) == 1:
            return found[0]
        if found:
            raise AmbiguousName("pipeline", name[:100], found)
    return None


def pipeline_id(name: str) -> str:
    """The catalogue's id of a name. Raises AmbiguousName or UnknownName with the nearest names."""
    found = find_pipeline(name)
    if found is None:
        hint = "or give the folder of a pipeline (model_index.json)"
        raise UnknownName("pipeline", name[:100], [known for known, _ in nearest_pipelines(name)], hint)
    return found


def nearest_pipelines(name: str, most: int = 3) -> list[tuple[str, float]]:
    """Known names that look like `name`, with how much (0 to 1), the nearest first."""
    known = {bare(entry.id): entry.id for entry in _index().values()}
    known |= {alias.lower(): alias for entry in _index().values() for alias in entry.aliases if "/" not in alias}
    wanted = bare(name)[:100]
    close = difflib.get_close_matches(wanted, known, n=most, cutoff=0.6)
    return [(known[key], difflib.SequenceMatcher(None, wanted, key).ratio()) for key in close]


def class_rule(pipeline_class: str) -> Mapping[str, object] | None:
    """What a pipeline class does around its components; None for a class that no rule covers."""
    return _tables(str(RULES)).get(pipeline_class)


def known_classes() -> tuple[str, ...]:
    """Pipeline classes that rules cover."""
    return tuple(_tables(str(RULES)))


def pipeline_facts(name: str) -> PipelineFacts:
    """The facts of the pipeline that a name means. Raises UnknownName, AmbiguousName, or BadFile for a broken file."""
    id = pipeline_id(name)
    entry = _index()[id]
    table = _merged(id, 0)
    source, pipeline_class = table.get("source"), table.get("class", "")
    if not isinstance(source, str) or not source:
        raise BadFile(f"{entry.file}: {id} has no source")
    if not isinstance(pipeline_class, str):
        raise BadFile(f"{entry.file}: class of {id} must be a text")
    rule = class_rule(pipeline_class)
    if rule is None and pipeline_class and "task" not in table:
        raise BadFile(f"{entry.file}: {id} has the class {pipeline_class}, for which pipelines.toml has no rule")
    own = {key: value for key, value in table.items() if key not in (*OWN_KEYS, COMPONENTS, "files")}
    named = table.get(COMPONENTS, {})
    if not isinstance(named, dict) or not all(isinstance(part, str) for part in named.values()):
        raise BadFile(f'{entry.file}: components of {id} must be a table such as {{ unet = "sdxl-unet" }}')
    found = {component: _component(part, table["files"], id) for component, part in named.items()}
    notes = str(table.get("notes", ""))
    return PipelineFacts(
        id,
        pipeline_class,
        {**(rule or {}), **own, "source": source, "notes": notes},
        {component: fields for component, (fields, _) in found.items()},
        source,
        {component: where for component, (_, where) in found.items()},
    )


def _merged(id: str, depth: int) -> dict[str, Any]:
    """The table of a pipeline on top of the one that it is like. `files`: where their components are looked for, the nearest first."""
    entry = _index()[id]
    own = dict(_table(entry.file, PIPELINES)[id])
    like = own.pop("like", None)
    if like is None:
        return {**own, "files": [entry.file]}
    other = find_pipeline(like) if isinstance(like, str) else None
    if depth >= MAX_DEPTH or other is None:
        raise BadFile(f"{entry.file}: {id} is like {like!r}, which nothing knows or which is like others more than {MAX_DEPTH} deep")
    base = _merged(other, depth + 1)
    own[COMPONENTS] = {**base.get(COMPONENTS, {}), **own.get(COMPONENTS, {})}
    return {**base, **own, "files": [entry.file, *base["files"]]}


def _component(part: str, files: list[str], id: str) -> tuple[dict[str, object], str]:
    """Fields and source of a component, from the pipeline's own files or the shared ones."""
    for file in (*files, str(SHARED)):
        table = _table(file, COMPONENTS).get(part)
        if table is not None:
            return _fields(table, file, part)
    raise BadFile(f"{files[0]}: {id} names the component {part!r}, which no file holds")


def _fields(table: Mapping[str, Any], file: str, part: str) -> tuple[dict[str, object], str]:
    """`model`: the fields are those of that language model. `like`: those of another component of the same file, changed."""
    source = table.get("source")
    if not isinstance(source, str) or not source:
        raise BadFile(f"{file}: the component {part} has no source")
    fields: dict[str, object] = {key: value for key, value in table.items() if key not in OWN_KEYS}
    if "class" in table:
        fields["_class_name"] = table["class"]
    if "like" in table:
        other = _table(file, COMPONENTS).get(table["like"])
        if other is None or "like" in other:
            raise BadFile(f"{file}: the component {part} is like {table['like']!r}, which this file does not hold in full")
        return {**_fields(other, file, str(table["like"]))[0], **fields}, source
    if "model" in table:
        return {**model_facts(str(table["model"])).fields, **fields}, source
    return fields, source
