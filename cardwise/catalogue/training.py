"""Facts of training from data/calibration/training.toml: slots with priors, memory rules, optimisers, frameworks, failures, defaults."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, cast

from cardwise.catalogue.load import read_csv, read_toml
from cardwise.errors import UnknownName
from cardwise.hardware import Accelerator
from cardwise.training import SLOTS, Kernels, MemoryRules, Optimizer, TrainingEfficiency

FILE = "calibration/training.toml"
EFFECTS = "calibration/training_effects.csv"
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Framework:
    """How a framework trains where nothing else is said. `sequence`: tokens of a sequence, None: the model's.
    `mfu`: what its published utilization counts: `palm` (6 N + 12 L H Q T over the peak of the products) or `necessary` (the time of the
    products at the peak of the number type that each runs in). `offloads`: states may lie in the host's memory."""

    name: str
    kernels: Kernels
    optimizer: str
    zero: int | None
    sequence: int | None
    mfu: str
    offloads: bool
    source: str


@dataclass(frozen=True, slots=True)
class Failures:
    """How often a long run breaks and what that costs. `between_s`: of one card; `write_bytes_per_s`: of a machine to storage.
    `pause_share`: of the run, in evaluations and stalls."""

    card_seconds_between: float
    restart_s: float
    write_bytes_per_s: float
    pause_share: float
    source: str


@cache
def training_facts() -> dict[str, Any]:
    """The whole file as nested tables."""
    return read_toml(FILE)


@cache
def memory_rules() -> MemoryRules:
    """What a framework takes besides the model."""
    table = {key: value for key, value in training_facts()["memory"].items() if key != "source"}
    return MemoryRules(**table)


def optimizer_names() -> tuple[str, ...]:
    return tuple(training_facts()["optimizer"])


def optimizer(name: str) -> Optimizer:
    """The optimiser of a name. Raises UnknownName with those that are known."""
    tables, key = training_facts()["optimizer"], name.strip().lower()
    if key not in tables:
        raise UnknownName("optimizer", name[:60], (), f"give one of {', '.join(tables)}")
    return Optimizer(key, **tables[key])


def framework_names() -> tuple[str, ...]:
    """The frameworks that are known by name."""
    return tuple(name for name in training_facts()["framework"] if name != OTHER)


@lru_cache(maxsize=64)
def framework(name: str) -> Framework:
    """The framework that a name begins with or contains; the usual one for a name that is unknown."""
    tables = training_facts()["framework"]
    plain = name.strip().lower()
    key = next((known for known in tables if known != OTHER and known in plain), OTHER)
    table = tables[key]
    return Framework(
        key,
        cast(Kernels, table["kernels"]),
        table.get("optimizer", "adamw"),
        table.get("zero"),
        table.get("sequence"),
        table.get("mfu", "palm"),
        table.get("offloads", False),
        table["source"],
    )


def failures(accelerator: Accelerator) -> Failures:
    """Failures of a card: those of a data-centre fleet, or of cards in PCIe slots of consumer machines."""
    table = training_facts()["failures"]
    fragile = accelerator.form_factor.startswith(("PCIe card", "laptop"))
    hours = table["consumer"]["card_hours_between"] if fragile else table["card_hours_between"]
    return Failures(hours * 3600.0, table["restart_s"], table["checkpoint_bytes_per_s"], table["pause_share"], table["source"])


def attributes(generation: str, kernels: str) -> dict[str, str]:
    """What may move a slot: the card's generation and how far the framework joins kernels. Never a card, a model or a source."""
    return {"generation": generation, "kernels": kernels}


@cache
def fitted_effects() -> dict[tuple[str, str], float]:
    """(slot, attribute=value or `global`) -> natural logarithm of its factor, as the fit wrote them."""
    return {(row["slot"], row["key"]): float(row["log_factor"]) for row in read_csv(EFFECTS)}


def prior(slot: str, stack: dict[str, str]) -> float:
    """The prior of one slot for a stack: an anchor of one of its attributes, else that of all."""
    table = training_facts()["slot"][slot]
    anchors = table.get("anchors", {})
    return float(next((anchors[value] for value in stack.values() if value in anchors), table["prior"]))


def training_efficiency(accelerator: Accelerator, kernels: str, effects: dict[tuple[str, str], float] | None = None) -> TrainingEfficiency:
    """Constants of a card under a kind of kernels: prior x fitted effects of its generation and kernels."""
    if effects is None:
        return shipped_efficiency(accelerator.generation, kernels)
    stack = attributes(accelerator.generation, kernels)
    return TrainingEfficiency(**{slot: _value(slot, stack, effects) for slot in SLOTS})


@cache
def shipped_efficiency(generation: str, kernels: str) -> TrainingEfficiency:
    """Of a generation under a kind of kernels, with the effects that the fit wrote."""
    stack, effects = attributes(generation, kernels), fitted_effects()
    return TrainingEfficiency(**{slot: _value(slot, stack, effects) for slot in SLOTS})


def _value(slot: str, stack: dict[str, str], effects: dict[tuple[str, str], float]) -> float:
    table = training_facts()["slot"][slot]
    logs = effects.get((slot, "global"), 0.0)
    logs += sum(effects.get((slot, f"{name}={stack[name]}"), 0.0) for name in table.get("by", {}))
    return prior(slot, stack) * math.exp(logs)
