"""Other predictors of serving speed beside Cardwise, on the same sources, metrics and cards.

calibration/peers.csv holds what runs of the named versions were off by on published rows: one line for every tool, mode, source, metric and
card with at least ten rows that it answered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cardwise.calibration.groups import SMALLEST_GROUP, Group, grouped, mean
from cardwise.calibration.residuals import KINDS, Scored
from cardwise.catalogue.load import read_csv

PLACE = ("source", "metric", "card")
"""What a figure of a peer is of; the card by its name in the catalogue."""


@dataclass(frozen=True, slots=True)
class PeerGroup:
    """Rows of one source, metric and card that a peer answered: their number, median of |predicted / measured - 1|, median of predicted /
    measured. `mode`: how it was run, where it can be run in several ways; `run_on`: the day.
    """

    peer: str
    version: str
    mode: str
    place: tuple[str, str, str]
    cases: int
    error: float
    factor: float
    run_on: str

    @property
    def name(self) -> tuple[str, str, str]:
        return self.peer, self.version, self.mode


@dataclass(frozen=True, slots=True)
class Beside:
    """One peer and Cardwise on one source and metric: medians by card, averaged with the peer's rows as weights.

    `cases`, `own_cases`: rows that the peer answered, and rows that Cardwise is measured on. `errors`: Cardwise's, by kind of fit.
    """

    peer: tuple[str, str, str]
    source: str
    metric: str
    cards: int
    cases: int
    own_cases: int
    error: float
    errors: Mapping[str, float | None]

    @property
    def counts(self) -> bool:
        """Whether both sides have enough rows for a mean over groups."""
        return min(self.cases, self.own_cases) >= SMALLEST_GROUP


@dataclass(frozen=True, slots=True)
class PeerSummary:
    """Means over the sources and metrics of one peer that count, and in how many of them it was nearer than Cardwise without the source."""

    peer: tuple[str, str, str]
    groups: int
    error: float
    errors: Mapping[str, float | None]
    nearer: int


@lru_cache(maxsize=1)
def peer_groups() -> tuple[PeerGroup, ...]:
    """The shipped figures of the peers."""
    return tuple(
        PeerGroup(
            row["peer"],
            row["version"],
            row["mode"],
            (row["source_id"], row["metric"], row["accelerator"]),
            int(row["cases"]),
            float(row["error"]),
            float(row["factor"]),
            row["run_on"],
        )
        for row in read_csv("calibration/peers.csv")
    )


def beside(peers: Iterable[PeerGroup], items: Iterable[Scored]) -> list[Beside]:
    """Every peer's sources and metrics in the order of their names; cards that Cardwise has no measured case of are left out."""
    own = {group.names: group for group in grouped(items, PLACE)}
    gathered: dict[tuple[tuple[str, str, str], str, str], list[PeerGroup]] = defaultdict(list)
    for found in peers:
        if found.place in own:
            gathered[(found.name, *found.place[:2])].append(found)
    return [_beside(name, source, metric, groups, own) for (name, source, metric), groups in sorted(gathered.items())]


def _beside(
    name: tuple[str, str, str], source: str, metric: str, groups: Sequence[PeerGroup], own: Mapping[tuple[str, ...], Group]
) -> Beside:
    mine = [(own[found.place], found.cases) for found in groups]
    return Beside(
        peer=name,
        source=source,
        metric=metric,
        cards=len(groups),
        cases=sum(found.cases for found in groups),
        own_cases=sum(group.cases for group, _ in mine),
        error=weighted((found.error, found.cases) for found in groups) or 0.0,
        errors={kind: weighted((error, weight) for group, weight in mine if (error := group.errors[kind]) is not None) for kind in KINDS},
    )


def weighted(pairs: Iterable[tuple[float, float]]) -> float | None:
    """Mean of values with their weights; None of nothing."""
    known = list(pairs)
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total else None


def summaries(compared: Iterable[Beside]) -> list[PeerSummary]:
    """One line for every peer."""
    by: dict[tuple[str, str, str], list[Beside]] = defaultdict(list)
    for found in compared:
        if found.counts:
            by[found.peer].append(found)
    return [_summary(name, groups) for name, groups in sorted(by.items())]


def _summary(name: tuple[str, str, str], groups: Sequence[Beside]) -> PeerSummary:
    unseen = [(found.error, found.errors["source_out"]) for found in groups]
    return PeerSummary(
        peer=name,
        groups=len(groups),
        error=mean([found.error for found in groups]) or 0.0,
        errors={kind: mean([error for found in groups if (error := found.errors[kind]) is not None]) for kind in KINDS},
        nearer=sum(1 for theirs, ours in unseen if ours is not None and theirs < ours),
    )
