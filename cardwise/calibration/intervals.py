"""How far predictions of unseen groups were off: the interval of every prediction.

Quantiles (10 % and 90 %: nominal 80 %) of log(measured / predicted) over cases whose card family, source, model or generation of engine
the fit had not seen, all together; by metric, load and what the rest of the evidence knew of the card.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import mean

from cardwise.answer import Basis, Estimate
from cardwise.catalogue.load import read_csv

FEWEST = 25
WANTED = 0.755
"""Least mean coverage of sources that gave no residual. Below the nominal 80 %: at 0.785 the widths passed 2.5 (docs/accuracy-log.md)."""
MOST_STEPS = 20
WIDER = {"stack": 1.0, "card": 1.0, "generation": 1.0, "datasheet": 1.5}


@dataclass(frozen=True, slots=True)
class Residual:
    """log(measured / predicted) of a case left out, with what decides its interval."""

    metric: str
    load: str
    knowledge: str
    group: str
    log_ratio: float
    table: tuple[str, str] = ("", "")  # source and metric
    case_id: str = ""

    @property
    def kind(self) -> str:
        """The kind of leave-out: what stands before the colon of `group`."""
        return self.group.split(":")[0]


@dataclass(frozen=True, slots=True)
class Width:
    """An interval in logarithms around a prediction, and the cases behind it."""

    low: float
    high: float
    cases: int

    def widened(self, factor: float) -> Width:
        """The same interval around the same middle, `factor` times as wide."""
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2 * factor
        return Width(middle - half, middle + half, self.cases)


def regime(metric: str, load: str) -> str:
    """Metrics that behave alike share residuals."""
    kind = {"output_tok_s": "throughput", "total_tok_s": "throughput", "request_s": "throughput", "e2e_s": "tpot_ms"}.get(metric, metric)
    return f"{kind}/{load}"


def levels(metric: str, load: str, knowledge: str) -> list[str]:
    """From the closest regime to the widest."""
    whole = regime(metric, load)
    kind = whole.split("/")[0]
    return [f"{whole}/{knowledge}", f"{whole}/", f"{kind}//{knowledge}", f"{kind}//", f"///{knowledge}", "///"]


def of_others(residuals: Sequence[Residual]) -> dict[str, dict[str, Width]]:
    """By source, the widths that the residuals of all other sources give."""
    sources = sorted({r.table[0] for r in residuals})
    return {source: quantiles(r for r in residuals if r.table[0] != source) for source in sources}


def covered(residuals: Sequence[Residual], tables: Mapping[str, Mapping[str, Width]], factor: float = 1.0) -> list[bool]:
    """Whether each left-out case lies inside the interval that other sources (`tables`) give it, widened by `factor`."""
    inside = []
    for r in residuals:
        width = width_in(tables[r.table[0]], r.metric, r.load, r.knowledge).widened(factor)
        inside.append(bool(width.low <= r.log_ratio <= width.high))
    return inside


def coverage(residuals: Sequence[Residual], inside: Sequence[bool], smallest: int = 10) -> dict[str, float]:
    """By kind of leave-out: share of cases inside their interval, the mean over sources and metrics of at least `smallest` cases, as in
    the macro error.
    """
    by: dict[str, dict[tuple[str, str], list[bool]]] = defaultdict(lambda: defaultdict(list))
    for residual, hit in zip(residuals, inside, strict=True):
        by[residual.kind][residual.table].append(hit)
    return {kind: mean(mean(hits) for hits in groups.values() if len(hits) >= smallest) for kind, groups in by.items()}


def widening(residuals: Sequence[Residual], tables: Mapping[str, Mapping[str, Width]]) -> float:
    """The least factor on all widths with which sources that gave no residual are covered as wanted, in the mean over the leave-outs.

    Quantiles of one collection of sources are too narrow for the next one; this is what split conformal prediction does with a part held
    out (Vovk, Gammerman and Shafer 2005), with whole sources as the part.
    """
    for step in range(MOST_STEPS):
        factor = 1.0 + 0.05 * step
        if mean(coverage(residuals, covered(residuals, tables, factor)).values()) >= WANTED:
            return factor
    return 1.0 + 0.05 * MOST_STEPS


def quantiles(residuals: Iterable[Residual]) -> dict[str, Width]:
    """Widths by regime; a group (card family or source) with many cases counts like the square root of their number."""
    by: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for r in residuals:
        for level in levels(r.metric, r.load, r.knowledge):
            by[level].append((r.log_ratio, r.group))
    widths = {}
    for level, values in by.items():
        if len(values) < FEWEST and level != "///":
            continue
        sizes: dict[str, int] = defaultdict(int)
        for _, group in values:
            sizes[group] += 1
        ordered = sorted((v, 1.0 / math.sqrt(sizes[g])) for v, g in values)
        widths[level] = Width(_weighted(ordered, 0.1), _weighted(ordered, 0.9), len(values))
    return widths


def _weighted(ordered: list[tuple[float, float]], q: float) -> float:
    total = sum(w for _, w in ordered)
    seen = 0.0
    for value, weight in ordered:
        seen += weight
        if seen >= q * total:
            return value
    return ordered[-1][0]


@lru_cache(maxsize=1)
def widths() -> Mapping[str, Width]:
    """The shipped widths by regime."""
    return read_widths("calibration/intervals.csv")


def read_widths(name: str) -> Mapping[str, Width]:
    """Widths by regime from a table of the catalogue."""
    return {r["regime"]: Width(float(r["low"]), float(r["high"]), int(r["cases"])) for r in read_csv(name)}


@lru_cache(maxsize=4096)
def width(metric: str, load: str, knowledge: str) -> Width:
    """The shipped interval of a prediction."""
    return width_in(widths(), metric, load, knowledge)


def width_in(table: Mapping[str, Width], metric: str, load: str, knowledge: str) -> Width:
    """The interval from the closest regime that the table has."""
    for level in levels(metric, load, knowledge):
        if level in table:
            found = table[level]
            extra = 1.0 if level.endswith(knowledge) else WIDER[knowledge]
            return Width(min(found.low, -0.02) * extra, max(found.high, 0.02) * extra, found.cases)
    return Width(math.log(0.5), math.log(2.0), 0)


def estimate(value: float, metric: str, load: str, knowledge: str) -> Estimate:
    """`value` with its interval."""
    found = width(metric, load, knowledge)
    return Estimate(value, value * math.exp(found.low), value * math.exp(found.high))


def basis(knowledge: str, metric: str, load: str) -> Basis:
    """In words, what the interval rests on."""
    found = width(metric, load, knowledge)
    text = {
        "stack": "this card was measured under this engine and version",
        "card": "this card was measured under this engine, in another version",
        "generation": "other cards of this generation were measured under this engine, this one was not",
        "datasheet": "no card of this generation was measured under this engine: datasheet, other stacks and priors only",
    }[knowledge]
    return Basis(knowledge, found.cases, text)
