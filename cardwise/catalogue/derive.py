"""From the keys of a card's table to an `Accelerator`: units, missing rates by the generation's rules, usable memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cardwise.catalogue.load import Table
from cardwise.hardware import Accelerator, Source
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
# Names under which the source of a key is kept, besides those of RATES.
FIELDS: Mapping[str, str] = {
    "memory_gib": "memory",
    "usable_mib": "usable",
    "reported_gib": "reported",
    "bandwidth_gb_s": "bandwidth",
    "interconnect_gb_s": "interconnect",
    "units": "units",
    "boost_mhz": "boost",
    "tdp_w": "tdp",
}
Rules = Mapping[str, Mapping[str, tuple[Table, ...]]]  # generation -> derive, usable, reported -> tables in their order


def build(table: Table, rules: Rules) -> Accelerator:
    """The card of a table. A rate that it lacks is derived by the first rule of its generation that applies, and marked so in `sources`."""
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
    """Fills one missing rate: another rate (`from` x `times`), units x clock (`per_unit_cycle`), or a rate per unit (`per_unit_tflops`)."""
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
