"""A traced pipeline as a file of facts in TOML, which `--facts` reads back as a pipeline."""

from __future__ import annotations

import json
from collections.abc import Mapping

from cardwise.network import Autoencoder, Network
from cardwise.readers.diffusion.written import written

PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
INDENT = "    "


def component_table(part: Network | Autoencoder, class_name: str, source: str) -> dict[str, object]:
    """The table of a component: its operators instead of its configuration."""
    if isinstance(part, Network):
        return {"class": class_name, "source": source, **written(part)}
    sizes = {"side": part.side, "stride": part.stride, "channels": part.channels, "upcast": part.upcast}
    return {"class": class_name, "source": source, **sizes, "encoder": written(part.encoder), "decoder": written(part.decoder)}


def facts_text(id: str, rule: Mapping[str, object], components: Mapping[str, Mapping[str, object]], head: str) -> str:
    """The file: one pipeline, its components by the names that its class uses, after `head` as a comment."""
    named = {name: f"{id.rsplit('/', 1)[-1]}-{name}" for name in components}
    tables: dict[str, dict[str, Mapping[str, object]]] = {
        "pipelines": {id: {**rule, "components": named}},
        "components": {named[name]: table for name, table in components.items()},
    }
    lines = [f"# {line}" for line in head.splitlines()]
    for kind, entries in tables.items():
        for name, table in entries.items():
            lines += ["", *_table(f"{kind}.{_key(name)}", table)]
    return "\n".join(lines) + "\n"


def _table(name: str, table: Mapping[str, object]) -> list[str]:
    """A table, its nested ones with `ops` as tables of their own."""
    lines, nested = [f"[{name}]"], []
    for key, value in table.items():
        if isinstance(value, Mapping) and "ops" in value:
            nested += ["", *_table(f"{name}.{_key(key)}", value)]
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            lines += [f"{_key(key)} = [", *(f"{INDENT}{_value(item)}," for item in value), "]"]
        else:
            lines.append(f"{_key(key)} = {_value(value)}")
    return lines + nested


def _key(key: str) -> str:
    return key if key and set(key) <= PLAIN else json.dumps(key)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    raise TypeError(f"no TOML for {type(value).__name__}")
