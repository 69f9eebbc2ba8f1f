"""Fitted effects: every slot of Efficiency is prior x product of effects of what the stack is made of.

log(slot) = log(prior) + sum of effects of the levels that match. Levels are attributes of the stack or pairs of them
(`generation`, `engine+generation`, ...), each with a prior spread in the fact file, so that an effect seen once stays small
and a stack never seen falls back on its generation, its engine, then the prior.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cardwise.catalogue.load import read_csv, read_toml
from cardwise.efficiency import SLOTS, Efficiency
from cardwise.errors import BadFile


@dataclass(frozen=True, slots=True)
class Slot:
    """Prior of one slot: its value, unit, bounds, the levels that may move it (name, spread in log), and the source of the prior.

    `anchors`: values for stacks that are known to differ (key, value); the first that matches takes the place of `prior`.
    `factors`: what the prior is multiplied by (key, factor); all that match count.
    """

    name: str
    prior: float
    unit: str
    low: float
    high: float
    levels: tuple[tuple[str, float], ...]
    source: str
    anchors: tuple[tuple[str, float], ...] = ()
    factors: tuple[tuple[str, float], ...] = ()

    def prior_in(self, context: Mapping[str, str]) -> float:
        """The value before any effect."""
        value = next((value for key, value in self.anchors if matches(key, context)), self.prior)
        return value * math.prod(factor for key, factor in self.factors if matches(key, context))


def matches(key: str, context: Mapping[str, str]) -> bool:
    """Whether a stack has all attributes that a key such as `engine=vllm+vendor=amd` names."""
    return all(context.get(name) == wanted for name, wanted in (part.split("=") for part in key.split("+")))


@dataclass(frozen=True, slots=True)
class Effect:
    """One fitted number: the logarithm of a factor on `slot` for stacks with `key` (e.g. `generation=ada`), its spread and the cases
    behind it.
    """

    slot: str
    key: str
    log_factor: float
    spread: float
    cases: int


@lru_cache(maxsize=1)
def slots() -> tuple[Slot, ...]:
    """Priors of all slots of language models, in the order of `efficiency.SLOTS`."""
    return read_slots("calibration/priors.toml", SLOTS)


def read_slots(file: str, names: Sequence[str]) -> tuple[Slot, ...]:
    """Priors of the slots `names` from a file of the catalogue. Raises BadFile when it lists others."""
    data = read_toml(file)
    found = {}
    for name, entry in data["slot"].items():
        anchors = tuple((str(key), float(value)) for key, value in entry.get("anchors", {}).items())
        levels = tuple((str(level), float(spread)) for level, spread in entry["levels"].items())
        found[name] = Slot(
            name,
            float(entry["prior"]),
            str(entry["unit"]),
            float(entry["low"]),
            float(entry["high"]),
            levels,
            str(entry["source"]),
            anchors,
            tuple((str(key), float(value)) for key, value in entry.get("factors", {}).items()),
        )
    if set(found) != set(names):
        raise BadFile(f"{file} lists {sorted(set(found) ^ set(names))} too much or too little")
    return tuple(found[name] for name in names)


@lru_cache(maxsize=1)
def fitted() -> Mapping[tuple[str, str], Effect]:
    """All fitted effects of language models by (slot, key)."""
    return read_effects("calibration/effects.csv")


def read_effects(file: str) -> Mapping[tuple[str, str], Effect]:
    """Fitted effects by (slot, key) from a file of the catalogue."""
    rows = read_csv(file)
    return {(r["slot"], r["key"]): Effect(r["slot"], r["key"], float(r["log_factor"]), float(r["spread"]), int(r["cases"])) for r in rows}


def keys(slot: Slot, context: Mapping[str, str]) -> list[str]:
    """The keys of `slot`'s levels in `context`: `global`, `generation=ada`, `engine=vllm+generation=ada`."""
    found = []
    for level, _ in slot.levels:
        if level == "global":
            found.append(level)
            continue
        names = level.split("+")
        values = [context.get(name, "") for name in names]
        if all(values):
            found.append("+".join(f"{name}={value}" for name, value in zip(names, values, strict=True)))
    return found


def efficiency_of(context: Mapping[str, str], effects: Mapping[tuple[str, str], float]) -> Efficiency:
    """Slot values of a stack from effects given as logarithms of factors by (slot, key)."""
    return Efficiency(**slot_values(slots(), context, effects))


def slot_values(slots: Sequence[Slot], context: Mapping[str, str], effects: Mapping[tuple[str, str], float]) -> dict[str, float]:
    """Values of `slots` by name: prior times the effects of the levels that match, within the slot's bounds."""
    values = {}
    for slot in slots:
        total = math.log(slot.prior_in(context)) + sum(effects.get((slot.name, key), 0.0) for key in keys(slot, context))
        values[slot.name] = min(max(math.exp(total), slot.low), slot.high)
    return values


@lru_cache(maxsize=1)
def fitted_logs() -> dict[tuple[str, str], float]:
    return {pair: effect.log_factor for pair, effect in fitted().items()}


@lru_cache(maxsize=2048)
def efficiency(context: tuple[tuple[str, str], ...]) -> Efficiency:
    """Slot values of a stack from the shipped fit. `context` is a sorted tuple of attribute and value."""
    return efficiency_of(dict(context), fitted_logs())
