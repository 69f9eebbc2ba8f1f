"""What a person's facts may be: bounds of numbers, kinds of values, keys that a table needs. A slip is one line that names it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cardwise.errors import BadInput

# Bounds that only a slip of the hand exceeds: numbers outside are refused, by key. Units are in the keys.
RATE_LIMITS = (1e-3, 1e6)
CARD_LIMITS: Mapping[str, tuple[float, float]] = {
    "memory_gib": (0.1, 1e5),
    "usable_mib": (100, 1e8),
    "reported_gib": (0.1, 1e5),
    "bandwidth_gb_s": (1, 1e6),
    "l2_mib": (0.01, 1e5),
    "units": (1, 1e5),
    "boost_mhz": (10, 1e5),
    "interconnect_gb_s": (0.1, 1e5),
    "tdp_w": (1, 1e5),
    "msrp_usd": (1, 1e7),
}
LIMITS: Mapping[str, tuple[float, float]] = {
    **CARD_LIMITS,
    "price": (1e-4, 1e9),
    "usd_per_hour": (1e-4, 1e5),
    "count": (1, 1e5),
    "cards": (1, 1e6),
    "network_gb_s": (1e-3, 1e5),
    "network_gb_s_per_node": (1e-3, 1e6),
    "per_peer_gb_s": (1e-3, 1e5),
    "share": (0.01, 1),
    "less_gib": (0, 1e4),
    "times": (1e-3, 1e3),
    "per_unit_cycle": (1, 1e6),
}
TEXTS = frozenset(
    ("name", "vendor", "generation", "form_factor", "memory_type", "launch", "interconnect", "pcie", "p2p_over_pcie", "ecc", "family",
     "notes", "source", "like", "accelerator", "kind", "provider", "region", "currency", "unit", "network", "field", "from")
)  # fmt: skip
LISTS = frozenset(("aliases", "lenient", "names", "interconnects", "generations", "forms"))
NEEDED: Mapping[str, tuple[str, ...]] = {
    "node": ("name", "cards", "network", "source"),
    "fabric": ("name", "kind", "cards", "usual", "source"),
    "derive": ("field", "source"),
    "usable": ("share", "source"),
    "reported": ("less_gib", "source"),
}
NETWORK = ("network_gb_s", "network_gb_s_per_node")


def check_table(place: str, kind: str, table: Mapping[str, Any]) -> None:
    """Raises BadInput when a table of a person's file lacks a key, or a value of it is of another kind or outside its limits."""
    name = str(table.get("name") or table.get("accelerator") or kind)
    for key in NEEDED.get(kind, ()):
        if key not in table:
            raise BadInput(f"{place}: {name}: {key} is missing; [[{kind}]] needs {', '.join(NEEDED[kind])}")
    if kind == "node" and not any(key in table for key in NETWORK):
        raise BadInput(f"{place}: {name}: {NETWORK[0]} is missing; say what one card of the machine sends, or {NETWORK[1]}")
    for key, value in table.items():
        if key in TEXTS and not isinstance(value, str):
            raise BadInput(f"{place}: {name}: {key} is {value!r}; it must be a text")
        if key in LISTS and not _all(value, str):
            raise BadInput(f"{place}: {name}: {key} is {value!r}; it must be a list of texts")
        if key == "memory_options_gib" and not _all(value, (int, float)):
            raise BadInput(f"{place}: {name}: {key} is {value!r}; it must be a list of numbers")
        if key == "sources" and not (isinstance(value, dict) and all(_is_source(entry) for entry in value.values())):
            raise BadInput(f'{place}: {name}: sources must be tables such as sources.usable = {{ kind = "measured", text = "nvidia-smi" }}')
    check_numbers(place, name, table)


def _all(value: Any, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


def _is_source(entry: Any) -> bool:
    return isinstance(entry, dict) and {"kind", "text"} <= entry.keys() and all(isinstance(text, str) for text in entry.values())


def check_numbers(place: str, name: str, table: Mapping[str, Any]) -> None:
    """Raises BadInput when a number of `table` is no number or lies outside its limits."""
    for key, value in table.items():
        limits = LIMITS.get(key) or (RATE_LIMITS if key.endswith(("_tflops", "_tops")) else None)
        if limits is None:
            continue
        low, high = limits
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise BadInput(f"{place}: {name}: {key} is {value!r}; it must be a number")
        if not low <= value <= high:
            raise BadInput(f"{place}: {name}: {key} is {value:g}; it must lie between {low:g} and {high:,.0f}")
