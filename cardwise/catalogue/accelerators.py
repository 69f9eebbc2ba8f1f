"""Cards of the catalogue as `Accelerator`: built from the TOML files, missing rates derived by the rules that the files state."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from cardwise.catalogue.load import DATA, LIMITS, Table, forgets, user_tables
from cardwise.catalogue.names import Entry, Index, index
from cardwise.errors import AmbiguousName, BadInput, MissingFact, UnknownName
from cardwise.hardware import Accelerator, Source
from cardwise.layout import MAX_CARDS
from cardwise.quantities import GIB, GIGA, MEGA, MIB, TERA

RATES: Mapping[str, str] = {
    "fp32_tflops": "fp32",
    "tf32_dense_tflops": "tf32",
    "fp16_dense_tflops": "fp16",
    "fp16_acc16_dense_tflops": "fp16_acc16",
    "bf16_dense_tflops": "bf16",
    "fp8_dense_tflops": "fp8",
    "int8_dense_tops": "int8",
    "fp4_dense_tflops": "fp4",
    "int4_dense_tops": "int4",
    "fp16_neural_tflops": "fp16_neural",
    "int8_neural_tops": "int8_neural",
}
TEXTS = ("form_factor", "memory_type", "launch", "interconnect", "pcie", "p2p_over_pcie", "ecc", "family", "notes")
OTHER = ("name", "class", "aliases", "lenient", "memory_options_gib", "unified_memory", "source", "sources", "vendor", "generation", "like", "file")
KNOWN_KEYS = frozenset((*RATES, *TEXTS, *OTHER, *(key for key in LIMITS if key not in ("price", "usd_per_hour", "cards", "network_gb_s"))))
NEEDED = ("memory_gib", "bandwidth_gb_s")
# What a card that is `like` another does not take over: they are facts of that very card.
OWN_KEYS = frozenset(("name", "aliases", "lenient", "sources", "source", "notes", "msrp_usd", "launch", "file"))
_MEMORY = re.compile(r"\s*\(?(\d+)\s*(?:gib|gb|g)\b(?:\s*unified)?\)?\s*$", re.IGNORECASE)
_COUNT_FIRST = re.compile(r"(\d+)\s*[x×*]\s*(\S.*)", re.IGNORECASE)
_COUNT_LAST = re.compile(r"(.*\S)\s*[x×*]\s*(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Catalogue:
    cards: Mapping[str, Accelerator]
    incomplete: Mapping[str, str]
    memory_options: Mapping[str, tuple[float, ...]]
    raw: Mapping[str, Table]
    rules: Mapping[str, Mapping[str, tuple[Table, ...]]]
    names: Index


def accelerators() -> Mapping[str, Accelerator]:
    """All cards that have the facts needed to predict with them, by canonical name."""
    return _catalogue().cards


def accelerator(name: str, *, lenient: bool = False) -> Accelerator:
    """The card of that name, alias or driver string. `lenient`: a name of several cards is the one that the data prefer, for tables that do not say.

    A unified-memory machine may carry its size: `M3 Max 40-core 64GB`. Raises UnknownName, AmbiguousName, and MissingFact for a card whose memory
    or bandwidth no source states.
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


def parse_cards(text: str) -> list[tuple[int | None, Accelerator]]:
    """`"RTX 4090, 8x H100 SXM, 2*a100-80g"` -> [(None, RTX 4090), (8, H100 SXM), (2, A100 ...)]; `all` is every card. None: no count was said.

    Raises BadInput for an empty list or a count outside 1 to 16,384, and what `accelerator` raises.
    """
    if text.strip().lower() == "all":
        return [(None, card) for card in accelerators().values()]
    parts = [part.strip() for part in re.split(r"[,;，；、\n]", text) if part.strip()]
    if not parts:
        raise BadInput("no card is named; give one or more, for example 'RTX 4090, 8x H100 SXM', or 'all'")
    return [_counted(part) for part in parts]


def _counted(part: str) -> tuple[int | None, Accelerator]:
    try:
        return None, accelerator(part)
    except UnknownName as unknown:
        if match := _COUNT_FIRST.fullmatch(part):
            digits, name = match.groups()
        elif match := _COUNT_LAST.fullmatch(part):
            name, digits = match.groups()
        else:
            raise unknown from None
    count = int(digits) if len(digits) < 10 else MAX_CARDS + 1
    if not 1 <= count <= MAX_CARDS:
        raise BadInput(f"{part!r} asks for {digits} cards; the count must lie between 1 and {MAX_CARDS:,}")
    return count, accelerator(name)


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
    return _build({**raw, "name": f"{base} {size:g}GB", "memory_gib": size, "family": base}, catalogue.rules)


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
            cards[name] = _build(table, rules)
    options = {name: tuple(float(size) for size in table.get("memory_options_gib", ())) for name, table in raw.items()}
    names = index(Entry(name, (*table.get("aliases", ()), *_with_memory(table)), tuple(table.get("lenient", ()))) for name, table in raw.items())
    return _Catalogue(cards, incomplete, options, raw, rules, names)


forgets(_catalogue.cache_clear)


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
            near = get_close_matches(key, KNOWN_KEYS, n=1)
            raise BadInput(f"{place}: {name}: unknown key {key}" + (f"; did you mean {near[0]}?" if near else ""))
    known = index(Entry(card, (*t.get("aliases", ()), *_with_memory(t)), tuple(t.get("lenient", ()))) for card, t in raw.items())
    base: Table = {}
    if "like" in table:
        base = {key: value for key, value in raw[known.find(str(table["like"]))].items() if key not in OWN_KEYS}
    elif known.own.get("".join(name.lower().split())) or name in raw:
        base = dict(raw[name]) if name in raw else {}
    if "memory_gib" in table:
        base = {key: value for key, value in base.items() if key not in ("usable_mib", "reported_gib", "memory_options_gib")}
    merged = {**base, **table}
    for key in ("vendor", "generation", *NEEDED):
        if key not in merged:
            raise BadInput(f'{place}: {name}: {key} is missing; add it, or like = "RTX 4090" to take over the rest of another card')
    merged["source"] = table.get("source") or f"your file {place}" + (f", the rest as {table['like']}" if "like" in table else "")
    given = {field: {"kind": "user", "text": f"your file {place}"} for key in table if (field := _field(key))}
    merged["sources"] = {**base.get("sources", {}), **given, **table.get("sources", {})}
    return merged


def _field(key: str) -> str:
    """Name under which the source of a key is kept."""
    names = {"memory_gib": "memory", "usable_mib": "usable", "reported_gib": "reported", "bandwidth_gb_s": "bandwidth"}
    return names.get(key) or RATES.get(key) or ({"interconnect_gb_s": "interconnect", "units": "units", "boost_mhz": "boost", "tdp_w": "tdp"}.get(key, ""))


def _build(table: Table, rules: Mapping[str, Mapping[str, tuple[Table, ...]]]) -> Accelerator:
    own = rules.get(table["generation"], {})
    sources = {name: Source(entry["kind"], entry["text"], entry.get("rule", "")) for name, entry in table.get("sources", {}).items()}
    peaks = {name: table[key] * TERA for key, name in RATES.items() if key in table}
    for rule in own.get("derive", ()):
        _derive(table, rule, peaks, sources)
    memory = table["memory_gib"] * GIB
    usable = table["usable_mib"] * MIB if "usable_mib" in table else _usable(table, own.get("usable", ()), memory, sources)
    reported = table["reported_gib"] * GIB if "reported_gib" in table else _reported(table, own.get("reported", ()), usable, sources)
    texts = {key: table[key] for key in TEXTS if key in table}
    return Accelerator(
        name=table["name"],
        vendor=table["vendor"],
        generation=table["generation"],
        form_factor=texts.pop("form_factor", ""),
        memory_bytes=memory,
        usable_bytes=usable,
        memory_type=texts.pop("memory_type", ""),
        bandwidth_bytes_per_s=table["bandwidth_gb_s"] * GIGA,
        peaks=peaks,
        source=table["source"],
        aliases=tuple(table.get("aliases", ())),
        l2_bytes=_scaled(table, "l2_mib", MIB),
        units=table.get("units"),
        boost_hz=_scaled(table, "boost_mhz", MEGA),
        interconnect_bytes_per_s=_scaled(table, "interconnect_gb_s", GIGA),
        tdp_w=_scaled(table, "tdp_w", 1.0),
        msrp_usd=_scaled(table, "msrp_usd", 1.0),
        unified_memory=bool(table.get("unified_memory", False)),
        reported_bytes=reported,
        sources=sources,
        **{"family": table["name"], **texts},
    )


def _scaled(table: Table, key: str, unit: float) -> float | None:
    return table[key] * unit if key in table else None


def _applies(rule: Table, table: Table) -> bool:
    classes: Any = rule.get("class")
    return (
        (classes is None or table.get("class") in classes)
        and rule.get("memory_type", table.get("memory_type")) == table.get("memory_type")
        and table["memory_gib"] <= rule.get("max_memory_gib", float("inf"))
    )


def _derive(table: Table, rule: Table, peaks: dict[str, float], sources: dict[str, Source]) -> None:
    """Fills one missing rate, from another rate (`from` x `times`) or from units x clock (`per_unit_cycle`), or per unit (`per_unit_tflops`)."""
    field = rule["field"]
    if field in peaks or not _applies(rule, table):
        return
    units, clock = table.get("units"), rule.get("clock_mhz", table.get("boost_mhz"))
    if "from" in rule and rule["from"] in peaks:
        peaks[field] = peaks[rule["from"]] * rule["times"]
        text = f"{rule['times']:g} x {rule['from']}"
    elif "per_unit_cycle" in rule and units and clock:
        peaks[field] = units * rule["per_unit_cycle"] * clock * MEGA
        text = f"{units} units x {rule['per_unit_cycle']} per clock x {clock:g} MHz"
    elif "per_unit_tflops" in rule and units:
        peaks[field] = units * rule["per_unit_tflops"] * TERA
        text = f"{units} units x {rule['per_unit_tflops']:g} TFLOPS"
    else:
        return
    sources[field] = Source("derived", text, rule["source"])


def _usable(table: Table, rules: tuple[Table, ...], memory: float, sources: dict[str, Source]) -> float:
    """What the driver reports: by the generation's rule, else the nominal size."""
    for rule in rules:
        if _applies(rule, table):
            sources["usable"] = Source("derived", f"{rule['share']:g} x nominal", rule["source"])
            return memory * float(rule["share"])
    sources["usable"] = Source("assumed", "nominal", "no rule for this generation: the nominal size is taken")
    return memory


def _reported(table: Table, rules: tuple[Table, ...], usable: float, sources: dict[str, Source]) -> float:
    """What the runtime reports as total: the usable size less what the driver keeps."""
    for rule in rules:
        if _applies(rule, table):
            sources["reported"] = Source("derived", f"usable less {rule['less_gib']:g} GiB", rule["source"])
            return usable - float(rule["less_gib"]) * GIB
    return usable
