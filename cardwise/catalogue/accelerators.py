"""Cards of the catalogue as `Accelerator`: built from the TOML files, missing rates derived by the rules that the files state."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

from cardwise.catalogue.derive import FIELDS, RATES, TEXTS, Rules, build
from cardwise.catalogue.load import DATA, Table, forgets, user_tables
from cardwise.catalogue.names import Entry, Index, index
from cardwise.catalogue.own_facts import CARD_LIMITS
from cardwise.errors import AmbiguousName, BadInput, CardwiseError, MissingFact, UnknownName
from cardwise.hardware import Accelerator
from cardwise.layout import MAX_CARDS

KNOWN_KEYS = frozenset(
    (*RATES, *TEXTS, *CARD_LIMITS, "name", "class", "aliases", "lenient", "memory_options_gib", "unified_memory", "source", "sources")
) | {"vendor", "generation", "like", "file"}
NEEDED = ("memory_gib", "bandwidth_gb_s")
# What a card that is `like` another does not take over: they are facts of that very card.
OWN_KEYS = frozenset(("name", "aliases", "lenient", "sources", "source", "notes", "msrp_usd", "launch", "file"))
_MEMORY = re.compile(r"\s*\(?(\d+)\s*(?:gib|gb|g)\b(?:\s*unified)?\)?\s*$", re.IGNORECASE)
_COUNT_FIRST = re.compile(r"(?P<count>\d+)\s*[x×*]\s*(?P<name>\S.*)", re.IGNORECASE)
_COUNT_LAST = re.compile(r"(?P<name>.*\S)\s*[x×*]\s*(?P<count>\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Catalogue:
    cards: Mapping[str, Accelerator]
    incomplete: Mapping[str, str]
    memory_options: Mapping[str, tuple[float, ...]]
    raw: Mapping[str, Table]
    rules: Rules
    names: Index


def accelerators() -> Mapping[str, Accelerator]:
    """All cards that have the facts needed to predict with them, by canonical name."""
    return _catalogue().cards


def accelerator(name: str, *, lenient: bool = False) -> Accelerator:
    """The card of that name, alias or driver string.

    `lenient`: a name that several cards carry is the one that the data prefer, for tables that do not say. A unified-memory machine may
    carry its size: `M3 Max 40-core 64GB`. Raises UnknownName, AmbiguousName, and MissingFact for a card whose memory or bandwidth no source
    states.
    """
    catalogue = _catalogue()
    try:
        found = catalogue.names.find(name, lenient=lenient)
    except UnknownName as unknown:
        sized = _sized(catalogue, name, lenient)
        if sized is None:
            raise unknown from None
        return sized
    if found in catalogue.incomplete:
        raise MissingFact(f"{found}: no source states {catalogue.incomplete[found]}; add it with --facts")
    return catalogue.cards[found]


def named(name: str) -> tuple[str, ...]:
    """Canonical names of all cards that `name` may mean, one for a name that is not shared. Raises UnknownName."""
    try:
        return (_catalogue().names.find(name),)
    except AmbiguousName as ambiguous:
        return ambiguous.candidates


def parse_cards(text: str) -> list[tuple[int | None, Accelerator]]:
    """`"RTX 4090, 8x H100 SXM"` -> [(None, RTX 4090), (8, H100 SXM)]; `all` is every card. None: no count was said.

    Raises BadInput for an empty list or a count outside 1 to 16,384, and what `accelerator` raises.
    """
    if text.strip().lower() == "all":
        return [(None, card) for card in accelerators().values()]
    parts = [part.strip() for part in re.split(r"[,;，；、\n]", text) if part.strip()]
    if not parts:
        raise BadInput("no card is named; give one or more, for example 'RTX 4090, 8x H100 SXM', or 'all'")
    return [_counted(part) for part in parts]


def _counted(part: str) -> tuple[int | None, Accelerator]:
    """`8x RTX 4090`, `RTX 4090 x8` or a name alone. A name comes first: the `X` of `RTX 4090` is no sign of a count."""
    try:
        return None, accelerator(part)
    except UnknownName as unknown:
        first, last = _COUNT_FIRST.fullmatch(part), _COUNT_LAST.fullmatch(part)
        readings = [match.group("count", "name") for match in (first, last) if match]
        known = next((reading for reading in readings if _is_known(reading[1])), None)
        if known is None and not first:
            raise unknown from None
    digits, name = known or readings[0]
    count = int(digits) if len(digits) < 10 else MAX_CARDS + 1
    if not 1 <= count <= MAX_CARDS:
        raise BadInput(f"{part!r} asks for {digits} cards; the count must lie between 1 and {MAX_CARDS:,}")
    return count, accelerator(name)


def _is_known(name: str) -> bool:
    """Whether the catalogue knows what is meant, if only as one of several or as a card of which a fact is missing."""
    try:
        accelerator(name)
    except UnknownName:
        return False
    except CardwiseError:
        return True
    return True


def _sized(catalogue: _Catalogue, name: str, lenient: bool) -> Accelerator | None:
    """A machine with another memory size than the catalogue's largest, when `name` ends in a size that it is sold with."""
    match = _MEMORY.search(name)
    if not match:
        return None
    try:
        base = catalogue.names.find(name[: match.start()], lenient=lenient)
    except AmbiguousName as ambiguous:
        base = _only_one_sold_with(catalogue, ambiguous.candidates, float(match.group(1)))
        if not base:
            raise
    except UnknownName:
        return None
    size, options = float(match.group(1)), catalogue.memory_options.get(base, ())
    if size not in options:
        if not options:
            return None
        raise BadInput(f"{base} is sold with {', '.join(f'{o:g}' for o in options)} GB; {size:g} GB is none of them")
    raw = {key: value for key, value in catalogue.raw[base].items() if key not in ("usable_mib", "reported_gib")}
    return build({**raw, "name": f"{base} {size:g}GB", "memory_gib": size, "family": base}, catalogue.rules)


def _only_one_sold_with(catalogue: _Catalogue, candidates: tuple[str, ...], size: float) -> str:
    fitting = [name for name in candidates if size in catalogue.memory_options.get(name, ())]
    return fitting[0] if len(fitting) == 1 else ""


@lru_cache(maxsize=1)
def _catalogue() -> _Catalogue:
    raw: dict[str, Table] = {}
    rules: dict[str, Mapping[str, tuple[Table, ...]]] = {}
    for path in sorted((DATA / "accelerators").glob("*.toml")):
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        defaults = {"generation": content["generation"], "vendor": content["vendor"]}
        rules[content["generation"]] = {kind: tuple(content.get(kind, ())) for kind in ("derive", "usable", "reported")}
        for table in content["accelerator"]:
            raw[table["name"]] = {**defaults, **table}
    _add_user_rules(rules)
    for table in user_tables()["accelerator"]:
        merged = _user_card(table, raw)
        raw[merged["name"]] = merged
    cards: dict[str, Accelerator] = {}
    incomplete: dict[str, str] = {}
    for name, table in raw.items():
        missing = [key for key in NEEDED if key not in table]
        if missing:
            incomplete[name] = " and ".join(key.rsplit("_", 1)[0].replace("_gb", "").replace("_", " ") for key in missing)
        else:
            cards[name] = build(table, rules)
    options = {name: tuple(float(size) for size in table.get("memory_options_gib", ())) for name, table in raw.items()}
    return _Catalogue(cards, incomplete, options, raw, rules, _index(raw))


forgets(_catalogue.cache_clear)


def _index(raw: Mapping[str, Table]) -> Index:
    return index(
        Entry(name, (*table.get("aliases", ()), *_with_memory(table)), tuple(table.get("lenient", ()))) for name, table in raw.items()
    )


def _with_memory(table: Table) -> tuple[str, ...]:
    """`H100 SXM 80GB` for a card that is sold with one memory size and does not carry it in its name."""
    if "memory_gib" not in table or table.get("memory_options_gib") or re.search(r"\dGB", table["name"]):
        return ()
    return (f"{table['name']} {table['memory_gib']:g}GB",)


def _add_user_rules(rules: dict[str, Mapping[str, tuple[Table, ...]]]) -> None:
    for kind in ("derive", "usable", "reported"):
        for table in user_tables()[kind]:
            generation = table.get("generation")
            if not generation:
                raise BadInput(f"{table['file']}: [[{kind}]] lacks generation; say whose rule it is")
            old = rules.get(generation, {})
            rules[generation] = {**old, kind: (table, *old.get(kind, ()))}


def _user_card(table: Table, raw: Mapping[str, Table]) -> Table:
    """A person's card with what it takes over from the card that it is `like`, or from the card of the same name that it corrects."""
    place, name = table["file"], table.get("name")
    if not isinstance(name, str) or not name.strip():
        raise BadInput(f'{place}: a card lacks name; add name = "..."')
    for key in table:
        if key not in KNOWN_KEYS:
            same_start = [known for known in KNOWN_KEYS if known.startswith(key.split("_")[0] + "_")]
            near = get_close_matches(key, same_start, n=1, cutoff=0.0) or get_close_matches(key, KNOWN_KEYS, n=1)
            raise BadInput(f"{place}: {name}: unknown key {key}" + (f"; did you mean {near[0]}?" if near else ""))
    base: Table = dict(raw.get(name, {}))
    if "like" in table:
        try:
            base = {key: value for key, value in raw[_index(raw).find(table["like"])].items() if key not in OWN_KEYS}
        except CardwiseError as error:
            raise BadInput(f"{place}: {name}: like: {error.message}") from None
    if "memory_gib" in table:
        base = {key: value for key, value in base.items() if key not in ("usable_mib", "reported_gib", "memory_options_gib")}
    merged = {**base, **table}
    for key in ("vendor", "generation", *NEEDED):
        if key not in merged:
            raise BadInput(f'{place}: {name}: {key} is missing; add it, or like = "RTX 4090" to take over the rest of another card')
    merged["source"] = table.get("source") or f"your file {place}" + (f", the rest as {table['like']}" if "like" in table else "")
    given = {field: {"kind": "user", "text": f"your file {place}"} for key in table if (field := FIELDS.get(key) or RATES.get(key))}
    merged["sources"] = {**base.get("sources", {}), **given, **table.get("sources", {})}
    return merged
