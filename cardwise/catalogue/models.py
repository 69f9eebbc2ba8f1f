"""The models that Cardwise knows: ids, aliases, and the facts that an architecture is read from.

data/models/index.csv lists every model with the file of its family; a family file holds one table per model, whose fields are those of the
model's configuration. Loading one model parses the index and one family file. A name is matched exactly (id, then alias, then without its
organisation), never by a part of it: `DeepSeek-R1` is not `DeepSeek-R1-Distill-Llama-8B`.
"""

from __future__ import annotations

import csv
import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from cardwise.catalogue.load import MODELS, forgets, user_files
from cardwise.errors import AmbiguousName, BadFile, UnknownName

DATA = Path(__file__).with_name("data") / "models"
SUFFIXES = ("-instruct", "-chat", "-it", "-base")  # variants of one model that share its shape
OWN_KEYS = ("source", "like", "aliases", "published_parameters", "weight_format", "quantization", "notes")


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the index. `base`: the id whose shape and weights this entry repeats, empty otherwise. `parameters`: as counted."""

    id: str
    aliases: tuple[str, ...]
    base: str
    file: str
    parameters: int | None

    @property
    def same(self) -> str:
        return self.base or self.id


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of one model. `fields`: those of its configuration that a reader needs. `weight_format` and `quantization`: how its
    file
    stores the weights (empty: as `fields` say). `published_parameters`: what the file's own index states, None if unknown."""

    id: str
    fields: Mapping[str, object]
    source: str
    weight_format: str = ""
    quantization: tuple[tuple[str, str], ...] = ()
    published_parameters: int | None = None
    notes: str = ""


@cache
def _tables(path: str) -> dict[str, dict[str, Any]]:
    """The tables of one family file, or of a person's file, by model id."""
    try:
        data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadFile(f"{path}: {error}") from None
    models = data.get(MODELS, {})
    if not isinstance(models, dict) or not all(isinstance(table, dict) for table in models.values()):
        raise BadFile(f'{path}: models must be tables such as [models."org/name"]')
    return models


@cache
def _index() -> dict[str, Listed]:
    listed: dict[str, Listed] = {}
    for path in user_files():
        if path.suffix.lower() == ".csv":
            continue
        for id, table in _tables(str(path)).items():
            aliases = table.get("aliases", [])
            if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
                raise BadFile(f"{path}: aliases of {id} must be a list of texts")
            listed[id] = Listed(id, tuple(aliases), "", str(path), None)
    with (DATA / "index.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            parameters = int(row["parameters"]) if row["parameters"] else None
            file = str(DATA / f"{row['family']}.toml")
            listed.setdefault(row["id"], Listed(row["id"], tuple(row["aliases"].split()), row["base"], file, parameters))
    return listed


forgets(_tables.cache_clear)
forgets(_index.cache_clear)


def listed() -> tuple[Listed, ...]:
    """Every model, a person's own first, then the catalogue in the order of its index. Raises BadFile when a person's file is broken."""
    return tuple(_index().values())


def plain(name: str) -> str:
    """A name without organisation, case, and the marks `-hf` and `Meta-`: `meta-llama/Llama-2-70b-hf` -> `llama-2-70b`."""
    text = name.strip().rsplit("/", 1)[-1].lower().replace("_", "-").replace(" ", "-")
    return text.removeprefix("meta-").removesuffix("-hf")


def shapeless(name: str) -> str:
    """A plain name without the mark of an instruction-tuned variant."""
    text = plain(name)
    for suffix in SUFFIXES:
        text = text.removesuffix(suffix)
    return text


@cache
def _packaging() -> Mapping[str, str]:
    formats: dict[str, str] = tomllib.loads((DATA / "packaging.toml").read_text(encoding="utf-8"))["formats"]
    return formats


def unpacked(name: str) -> tuple[str, str]:
    """(a name without the words at its end that say how its weights are packed, the weight format that they name or '').

    `unsloth/Llama-3.3-70B-Instruct-GGUF` -> `llama-3.3-70b-instruct`; a name of such words alone is left as it is.
    """
    words, packed = plain(name).replace(".w", "-w").split("-"), ""
    while len(words) > 1 and words[-1] in _packaging():
        packed = _packaging()[words.pop()] or packed
    return "-".join(words), packed


@cache
def _keys() -> tuple[dict[str, list[str]], dict[str, list[str]], dict[str, list[str]]]:
    """Ids by alias, by plain name, and by plain name without the variant's mark."""
    by_alias: dict[str, list[str]] = {}
    by_plain: dict[str, list[str]] = {}
    by_shape: dict[str, list[str]] = {}
    for entry in _index().values():
        for alias in entry.aliases:
            by_alias.setdefault(alias.lower(), []).append(entry.id)
        by_plain.setdefault(plain(entry.id), []).append(entry.id)
        by_shape.setdefault(shapeless(entry.id), []).append(entry.id)
    return by_alias, by_plain, by_shape


forgets(_keys.cache_clear)


def model_id(name: str) -> str:
    """The catalogue's id of a name. Raises AmbiguousName or UnknownName with the nearest names."""
    index = _index()
    if name in index:
        return name
    lowered = name.strip().lower()
    by_alias, by_plain, by_shape = _keys()
    bare = unpacked(name)[0]
    tries = ((by_alias, lowered), (by_plain, plain(name)), (by_shape, shapeless(name)), (by_plain, bare), (by_shape, shapeless(bare)))
    for table, key in tries:
        found = table.get(key, [])
        if found:
            return _one(name, found)
    names = {plain(id): id for id in index} | {alias: alias for alias in by_alias}
    near = difflib.get_close_matches(plain(name)[:100], names, n=3, cutoff=0.6)
    raise UnknownName("model", name[:100], [names[key] for key in near], "or give the path of a config.json")


def _one(name: str, found: list[str]) -> str:
    """The only candidate; several that are the same model under other ids count as one."""
    index = _index()
    exact = [id for id in found if id.lower() == name.strip().lower()]
    if len(exact) == 1:
        return exact[0]
    bases = {index[id].same for id in found}
    if len(bases) > 1:
        raise AmbiguousName("model", name[:100], found)
    return next((id for id in found if not index[id].base), found[0])


def model_facts(name: str) -> ModelFacts:
    """The facts of the model that a name means. Raises UnknownName, AmbiguousName, or BadFile for a broken file of the user's.

    A repackaged model that is not listed has the shape of the one that it packs, and the weight format that its own name states.
    """
    id = model_id(name)
    facts = _facts(id, 0)
    bare, packed = unpacked(name)
    if packed and name not in _index() and plain(name) != plain(id) and plain(id) == bare:
        return replace(facts, id=name, weight_format=packed, quantization=(), published_parameters=None)
    return facts


def _facts(id: str, depth: int) -> ModelFacts:
    entry = _index()[id]
    table = _tables(entry.file)[id]
    own = {key: table[key] for key in OWN_KEYS if key in table}
    fields = {key: value for key, value in table.items() if key not in OWN_KEYS}
    source = own.get("source", "")
    if not isinstance(source, str) or (not source and "like" not in own):
        raise BadFile(f"{entry.file}: {id} has no source")
    if "like" in own:
        base = _base(entry, str(own["like"]), depth)
        return replace(
            base, id=id, fields={**base.fields, **fields}, source=source or base.source,
            weight_format=str(own.get("weight_format", base.weight_format)),
            quantization=_parts(own, entry) if "weight_format" in own else base.quantization,
            published_parameters=own.get("published_parameters"), notes=str(own.get("notes", base.notes)),
        )  # fmt: skip
    return ModelFacts(
        id,
        fields,
        source,
        str(own.get("weight_format", "")),
        _parts(own, entry),
        own.get("published_parameters"),
        str(own.get("notes", "")),
    )


def _base(entry: Listed, like: str, depth: int) -> ModelFacts:
    if depth > 4:
        raise BadFile(f"{entry.file}: {entry.id} is like a model that is like another, more than 4 deep")
    if like not in _index():
        raise BadFile(f"{entry.file}: {entry.id} is like {like!r}, which is not in the catalogue")
    return _facts(like, depth + 1)


def _parts(own: Mapping[str, Any], entry: Listed) -> tuple[tuple[str, str], ...]:
    parts = own.get("quantization", {})
    if not isinstance(parts, dict) or not all(isinstance(kind, str) for kind in parts.values()):
        raise BadFile(f'{entry.file}: quantization of {entry.id} must be a table such as {{ attention = "bf16" }}')
    return tuple(parts.items())
