"""Sections of docs/accuracy.md: the constants that were fitted, how many they are, and the intervals."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from cardwise.calibration.effects import Effect, fitted, slots
from cardwise.calibration.groups import Group, grouped, macro, macro_coverage
from cardwise.calibration.intervals import widths
from cardwise.calibration.report.markdown import SHORT, percent, table, two
from cardwise.calibration.residuals import LEFT_OUT, Scored
from cardwise.catalogue.load import read_csv


def constants() -> list[str]:
    """Every slot with its prior and the number of its effects."""
    counts = Counter(slot for slot, _ in fitted())
    rows = [
        (slot.name, slot.unit, f"{slot.prior:g}", f"{slot.low:g} to {slot.high:g}", str(counts[slot.name]), slot.source) for slot in slots()
    ]
    lines = [
        "## What was fitted",
        "",
        "log(slot) = log(prior) + effects of generation, engine, era, kernel, link and pairs of them, each Gaussian around 0. None is",
        "keyed by a model or a source. `effects` counts those that differ from 0.",
        "",
        "| slot | unit | prior | range | effects | source of the prior |",
        "| --- | --- | ---: | --- | ---: | --- |",
    ]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows), ""]


def number_of_constants(cases: int) -> list[str]:
    """How many constants stand behind the predictions, and how many of them the measurements decide."""
    priors = len(slots()) + sum(len(slot.anchors) + len(slot.factors) for slot in slots())
    decided = decided_by_level(level_spreads(), fitted())
    counts = Counter(level_of(effect) for effect in fitted().values())
    total = sum(decided.values())
    rows = [(level, str(counts[level]), f"{decided[level]:.1f}") for level in sorted(counts, key=lambda level: -counts[level])]
    return [
        "## Number of constants",
        "",
        f"{priors} values were set beforehand ({len(slots())} priors and {priors - len(slots())} anchors for stacks that are known to",
        f"differ), {len(fitted())} effects were fitted. A regularised effect is less than a free constant: it counts as the share of its",
        "level's variance that the measurements took away, 1 - (spread / level's spread)^2. So counted the effects are worth",
        f"{total:.0f} free constants, one for every {cases / total if total else 0:.0f} of the {cases:,} measured cases.",
        "",
        *table(("effects of",), ("number", "worth in free constants"), rows),
    ]


def level_of(effect: Effect) -> str:
    """`engine=vllm+generation=ada` -> `engine+generation`."""
    return "+".join(part.split("=")[0] for part in effect.key.split("+"))


def level_spreads() -> dict[tuple[str, str], float]:
    """The spread of every slot's levels as the fit estimated it."""
    return {(row["slot"], row["level"]): float(row["spread"]) for row in read_csv("calibration/levels.csv")}


def decided_by_level(priors: Mapping[tuple[str, str], float], effects: Mapping[tuple[str, str], Effect]) -> dict[str, float]:
    """By level, the sum over its effects of 1 - (spread / level's spread)^2; a level that is not known any more counts for nothing."""
    found: dict[str, float] = defaultdict(float)
    for effect in effects.values():
        level = level_of(effect)
        prior = priors.get((effect.slot, level), 0.0)
        found[level] += max(0.0, 1.0 - (effect.spread / prior) ** 2) if prior else 0.0
    return found


def coverage(items: Sequence[Scored], groups: Sequence[Group]) -> list[str]:
    """How often the intervals hold what was measured, and how wide they are: by metric, by knowledge of the card, and as a mean."""
    means = tuple(percent(macro_coverage(groups, kind)) for kind in LEFT_OUT)
    shown = [(group.names[0], group) for group in grouped(items, ("metric",))]
    shown += [(f"known of the card: {group.names[0] or 'nothing'}", group) for group in grouped(items, ("known",))]
    rows = [(name, str(group.cases), *(percent(group.coverage[kind]) for kind in LEFT_OUT), two(group.width)) for name, group in shown]
    total = ("mean over source x metric", str(sum(group.cases for group in groups)), *means, two(macro(groups, lambda g: g.width)))
    return [
        "## Coverage and width",
        "",
        "Share of the left-out predictions whose interval (nominally 80 %) holds the measured value, and the median of high / low: over",
        "the cases of a metric, over those whose card is known as well, and as the mean over the groups of the macro error. Each case",
        "is judged by the interval that the residuals of the other sources give it, with what was known of its card while its group was",
        "out.",
        "",
        *table(("",), ("cases", *(SHORT[kind] for kind in LEFT_OUT), "high / low"), [*rows, total]),
        "![Coverage by source](plots/coverage.svg)",
        "",
    ]


def intervals() -> list[str]:
    """The shipped factors of every regime."""
    rows = [(regime, str(width.cases), f"{math.exp(width.low):.2f}", f"{math.exp(width.high):.2f}") for regime, width in widths().items()]
    return [
        "## Intervals",
        "",
        "10 % and 90 % quantiles of log(measured / predicted) over all leave-outs, groups weighted by the square root of their size; the",
        "closest regime with enough cases is taken: metric, load, and what is known of the card (`stack`: measured under this",
        "engine and version; `card`: under another version; `generation`; `datasheet`). low and high below are factors on the prediction.",
        "",
        *table(("regime",), ("cases", "low", "high"), rows),
    ]
