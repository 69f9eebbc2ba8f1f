"""Errors of groups of measured cases: as fitted and left out, and how often and how tightly the intervals hold them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import median

from cardwise.calibration.residuals import KINDS, LEFT_OUT, Scored
from cardwise.calibration.settings import image_version, settings_of
from cardwise.catalogue.accelerators import accelerator
from cardwise.catalogue.engines import engine_rules
from cardwise.catalogue.load import forgets
from cardwise.catalogue.models import shapeless, unpacked

SMALLEST_GROUP = 10
"""Cases from which on a group counts in a macro figure."""


@dataclass(frozen=True, slots=True)
class Group:
    """Cases that share `names`. `cases`: with a prediction as fitted. `factor`: median of predicted / measured as fitted.

    `errors`: median of |predicted / measured - 1| by kind of fit. `coverage`: share of the left-out predictions whose interval holds the
    measured value, by kind. `width`: median of high / low of the intervals. None: nothing to take it from.
    """

    names: tuple[str, ...]
    cases: int
    factor: float | None
    errors: Mapping[str, float | None]
    coverage: Mapping[str, float | None]
    width: float | None


@lru_cache(maxsize=1024)
def _card(name: str) -> tuple[str, str]:
    """Name in the catalogue and generation: tables write one card in several ways."""
    found = accelerator(name, lenient=True)
    return found.name, found.generation


@lru_cache(maxsize=4096)
def _software(engine: str, version: str, card: str, measured: str) -> tuple[str, str]:
    """Engine and era: the first of the versions that behave alike."""
    found = accelerator(card, lenient=True)
    rules = engine_rules(engine, version, memory_bytes=found.memory_bytes, card=found.name, vendor=found.vendor, measured=measured)
    return rules.engine, rules.era


for _cache in (_card, _software):
    forgets(_cache.cache_clear)


def _software_of(item: Scored) -> tuple[str, str]:
    case = item.case
    return _software(case.engine, case.engine_version or image_version(settings_of(case.notes)), case.accelerator, case.measured)


ATTRIBUTES: Mapping[str, Callable[[Scored], str]] = {
    "source": lambda item: item.case.source_id,
    "card": lambda item: _card(item.case.accelerator)[0],
    "generation": lambda item: _card(item.case.accelerator)[1],
    "engine": lambda item: _software_of(item)[0],
    "version": lambda item: _software_of(item)[1],
    "model": lambda item: shapeless(unpacked(item.case.model)[0]),
    "metric": lambda item: item.case.metric,
    "known": lambda item: item.predicted.known,
}
"""What cases can be grouped by."""


def grouped(items: Iterable[Scored], by: Sequence[str]) -> list[Group]:
    """One group for every combination of the attributes `by` that occurs, in the order of their names."""
    return [summary(names, members) for names, members in sorted(members_by(items, by).items())]


def members_by(items: Iterable[Scored], by: Sequence[str]) -> dict[tuple[str, ...], list[Scored]]:
    """Cases by their values of the attributes `by`."""
    found: dict[tuple[str, ...], list[Scored]] = defaultdict(list)
    chosen = [ATTRIBUTES[name] for name in by]
    for item in items:
        found[tuple(attribute(item) for attribute in chosen)].append(item)
    return found


def summary(names: tuple[str, ...], members: Sequence[Scored]) -> Group:
    """The figures of one group."""
    ratios = {kind: [ratio for item in members if (ratio := item.ratio(kind)) is not None] for kind in KINDS}
    hits = {kind: [hit for item in members if (hit := item.inside(kind)) is not None] for kind in LEFT_OUT}
    return Group(
        names=names,
        cases=len(ratios["fitted"]),
        factor=middle(ratios["fitted"]),
        errors={kind: middle([abs(ratio - 1.0) for ratio in values]) for kind, values in ratios.items()},
        coverage={kind: mean(values) for kind, values in hits.items()},
        width=middle([width for item in members if (width := item.width) is not None]),
    )


def middle(values: Sequence[float]) -> float | None:
    """The median, None of nothing."""
    return median(values) if values else None


def mean(values: Sequence[float]) -> float | None:
    """The mean, None of nothing."""
    return sum(values) / len(values) if values else None


def macro(groups: Iterable[Group], figure: Callable[[Group], float | None]) -> float | None:
    """Mean of a figure over the groups of at least SMALLEST_GROUP cases, so that no large source drowns the others."""
    return mean([value for group in groups if group.cases >= SMALLEST_GROUP and (value := figure(group)) is not None])


def macro_error(groups: Iterable[Group], kind: str) -> float | None:
    """Mean of the groups' median errors by the fit of that kind."""
    return macro(groups, lambda group: group.errors[kind])


def macro_coverage(groups: Iterable[Group], kind: str) -> float | None:
    """Mean of the groups' shares of left-out predictions whose interval holds."""
    return macro(groups, lambda group: group.coverage[kind])


def quantile(weighted: Iterable[tuple[float, float]], share: float) -> float | None:
    """The smallest value up to which `share` of the weight lies, of pairs of value and weight; None of nothing."""
    ordered = sorted(weighted)
    wanted, seen = share * sum(weight for _, weight in ordered), 0.0
    for value, weight in ordered:
        seen += weight
        if seen >= wanted * (1.0 - 1e-12):
            return value
    return ordered[-1][0] if ordered else None
