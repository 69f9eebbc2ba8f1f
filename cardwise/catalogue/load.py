"""Reads the facts: the TOML and CSV files of `data`, and a person's own files on top of them.

A person's facts come from `~/.config/cardwise/*.toml` (or below `$XDG_CONFIG_HOME`) and from the files given to `use_facts`, later files
last; they add entries or override entries of the same name. Nothing is ever written and nothing is fetched.
"""

from __future__ import annotations

import csv
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from cardwise.catalogue.own_facts import check_numbers, check_table
from cardwise.errors import BadFile, BadInput, CardwiseError

DATA = Path(__file__).parent / "data"
Table = dict[str, Any]

# Tables that a person's file may hold; those of models are read by `cardwise.catalogue.models`.
USER_TABLES = ("accelerator", "price", "fabric", "node", "derive", "usable", "reported")
MODELS = "models"
PIPELINES, COMPONENTS = "pipelines", "components"  # those of images and video by `cardwise.catalogue.pipelines`
_given: tuple[Path, ...] = ()
_version = 0
_caches: list[Callable[[], None]] = []


def forgets(clear: Callable[[], None]) -> None:
    """Registers a cache that depends on the facts, so that `use_facts` empties it."""
    _caches.append(clear)


def use_facts(paths: Iterable[str | Path], check: Callable[[], object] | None = None) -> None:
    """Takes the facts of these TOML or CSV files on top of the catalogue; called once before any question, with the values of `--facts`.

    `check`: reads what other modules take from the files. Raises BadFile when a file is missing or unreadable, BadInput for a key or number
    in it that cannot be used; the files of the call before then stay in force.
    """
    before = _given
    _take(tuple(Path(path).expanduser() for path in paths))
    try:
        user_tables()
        if check is not None and user_files():
            check()
    except CardwiseError:
        _take(before)
        raise


def _take(paths: tuple[Path, ...]) -> None:
    global _given, _version
    _given, _version = paths, _version + 1
    for clear in (user_tables.cache_clear, *_caches):
        clear()


def version() -> int:
    """Changes whenever the person's facts change; part of the key of whoever keeps answers."""
    return _version


def read_toml(name: str) -> Table:
    """A file below `data` as nested tables."""
    return tomllib.loads((DATA / name).read_text(encoding="utf-8"))


def read_csv(name: str) -> list[dict[str, str]]:
    """A file below `data` as one dict per row."""
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def user_files() -> tuple[Path, ...]:
    """The person's files in the order in which they are applied."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()) / "cardwise"
    return (*(sorted(home.glob("*.toml")) if home.is_dir() else ()), *_given)


@lru_cache(maxsize=1)
def user_tables() -> Mapping[str, tuple[Table, ...]]:
    """All tables of the person's files by kind; every table gets its file under the key `file`. Checked for keys and limits."""
    found: dict[str, list[Table]] = {name: [] for name in USER_TABLES}
    for path in user_files():
        for kind, tables in _user_file(path).items():
            found[kind] += tables
    return {kind: tuple(tables) for kind, tables in found.items()}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BadFile(f"{path}: not UTF-8 at byte {error.start:,}; save it as UTF-8") from None
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror or error}; give the path of a TOML or CSV file of facts") from None


def _user_file(path: Path) -> dict[str, list[Table]]:
    text = _text(path)
    if path.suffix.lower() == ".csv":
        rows: list[Table] = [dict(row) for row in csv.DictReader(text.splitlines())]
        return {"price": [_price_row(path, number, row) for number, row in enumerate(rows, 2)]}
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadFile(f"{path}: not valid TOML: {error}") from None
    for kind in (MODELS, PIPELINES, COMPONENTS):
        content.pop(kind, None)
    defaults: Table = {key: content.pop(key) for key in ("generation", "vendor") if key in content}
    if "name" in content:  # a file that is one card, without a [[accelerator]] line
        content = {"accelerator": [content]}
    tables: dict[str, list[Table]] = {}
    for kind, value in content.items():
        if kind not in USER_TABLES:
            raise BadInput(f"{path}: unknown table [[{kind}]]; known: {', '.join((*USER_TABLES, MODELS, PIPELINES, COMPONENTS))}")
        entries = value if isinstance(value, list) else [value]
        if not all(isinstance(entry, dict) for entry in entries):
            raise BadInput(f"{path}: {kind} must be a table; write [[{kind}]] and its keys below")
        tables[kind] = [{**defaults, **entry, "file": str(path)} for entry in entries]
        for entry in tables[kind]:
            check_table(str(path), kind, entry)
    return tables


def _price_row(path: Path, number: int, row: Table) -> Table:
    for key in ("accelerator", "kind", "price"):
        if not row.get(key):
            raise BadFile(f"{path}: row {number} lacks {key}; columns are accelerator,kind,price,currency,unit,count,date,source")
    try:
        row["price"] = float(row["price"])
        row["count"] = int(row.get("count") or 1)
    except ValueError:
        raise BadFile(f"{path}: row {number}: price {row['price']!r} and count {row.get('count')!r} must be numbers") from None
    check_numbers(str(path), f"row {number}", row)
    return {**{key: value for key, value in row.items() if key and value is not None}, "file": str(path)}
