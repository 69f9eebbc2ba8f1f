"""Rendering scores as their sources print them, from data/evidence/rendering.csv. Nothing here is predicted or scaled.

A score compares with scores of the same benchmark and version alone. A ratio to another card is kept as a ratio.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from cardwise.catalogue.accelerators import named
from cardwise.catalogue.load import forgets, read_csv
from cardwise.hardware import Accelerator

FILE = "evidence/rendering.csv"


@dataclass(frozen=True, slots=True)
class RenderingScore:
    """One printed number. `accelerator`: the card as the source names it; `exact`: that name means one card of the catalogue.

    `version`: empty where the source does not say it. `ratio_to`: the card that `score` is a multiple of; empty for a score.
    """

    accelerator: str
    benchmark: str
    version: str
    score: float
    ratio_to: str
    measured: str
    source: str
    notes: str
    notes_zh: str
    exact: bool

    @property
    def label(self) -> str:
        """Benchmark and version: what scores must share to be compared."""
        return f"{self.benchmark} {self.version}".strip()


def rendering_scores(accelerator: Accelerator) -> tuple[RenderingScore, ...]:
    """What sources print for a card, or for a name that it shares with others (`A100 40GB`). Empty: unknown."""
    return _by_card().get(accelerator.name, ())


@lru_cache(maxsize=1)
def _by_card() -> dict[str, tuple[RenderingScore, ...]]:
    found: dict[str, list[RenderingScore]] = {}
    for row in read_csv(FILE):
        names = named(row["accelerator"])
        texts = {key: row[key] for key in ("accelerator", "benchmark", "version", "ratio_to", "measured", "source", "notes", "notes_zh")}
        for name in names:
            found.setdefault(name, []).append(RenderingScore(**texts, score=float(row["score"]), exact=len(names) == 1))
    return {name: tuple(scores) for name, scores in found.items()}


forgets(_by_card.cache_clear)
